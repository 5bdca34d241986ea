"""Messages that need no engine, each whole, in tests/messages.txt. What is asserted of each stands in its own test."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit import config
from layerdoit.bench import choice
from layerdoit.cache import levels
from layerdoit.cargo import discovery, failures, lock_drift, manifest
from layerdoit.cargo import lock as lockfile
from layerdoit.cargo.selection import select
from layerdoit.cargo.toolchain import detect
from layerdoit.components.rust_failures import explain
from layerdoit.components.script_protocol import Exit
from layerdoit.config import Base, Config, Dockerfiles
from layerdoit.core import command_errors, process
from layerdoit.core.errors import Interrupted, LayerdoitError, as_error
from layerdoit.core.state import State
from layerdoit.engine import broker, builder_platform, container, sdk
from layerdoit.engine.buildx import StepFailed, failure
from layerdoit.engine.progress import Report
from layerdoit.explain import naming
from layerdoit.explain.lookup import asked
from layerdoit.front import command
from layerdoit.front.verbs import history, load
from layerdoit.init import found as looking
from layerdoit.init import write as writing
from layerdoit.tree.ignore_patterns import Patterns
from layerdoit.tree.lister import Lister
from layerdoit.tree.listing import included
from layerdoit.tree.sources import scan
from tests.support import messages
from tests.support.files import write
from tests.support.lockfile import entry, external
from tests.support.lockfile import lockfile as lock_text
from tests.support.manifest import package
from tests.unit import test_broker_unit, test_cache_builders, test_causes, test_native_failures, test_rust_failures
from tests.unit.test_config import BAD, loaded

Case = tuple[str, Callable[[], object]]
MAIN = "fn main() {}\n"


def message(call: Callable[[], object]) -> str:
    try:
        found = call()
    except LayerdoitError as error:
        return str(error)
    if isinstance(found, failures.Advice):
        return f"{found.sentence}\nnext: {found.setting}"
    assert isinstance(found, str | LayerdoitError), found
    return str(found)


def of_configuration(folder: Path) -> Iterator[Case]:
    def case(text: str) -> Callable[[], object]:
        return lambda: loaded(folder, text)

    for text, _, _ in BAD:
        yield " | ".join(text.splitlines()).replace("\x07", "\\a"), case(text)
    foreign = write(folder / "foreign", {"layerdoit.yaml": b"project: a\nenv: {A: \xff}\n"})
    yield "a file in latin-1", lambda: config.load(foreign, variables={})
    yield "CONFIG=none.yaml", lambda: config.load(folder / "none", overlay=folder / "none.yaml", variables={})
    yield (
        "a word that is not among the choices",
        lambda: config.check_choices(loaded(folder, "profile: relase"), "profile", ["relase"], {"dev", "release"}),
    )


def of_variables(folder: Path) -> Iterator[Case]:
    def case(name: str, value: str) -> Callable[[], object]:
        return lambda: loaded(folder, "", **{name: value})

    for name, value in (
        ("ON_MISSING", "pul"),
        ("PORT", "http"),
        ("PROFILE", ""),
        ("PROFILE", "debug"),
        ("TARGET", "x86"),
        ("FEATURES", "a,,b"),
        ("REGISTRY", "Team/Shop"),
    ):
        yield f"{name}={value}", case(name, value)
    yield "PROFLIE=release", lambda: config.check_variables(["PROFLIE"])
    yield "YES=perhaps", lambda: config.confirmed({"YES": "perhaps"})


BROKEN: Mapping[str, Mapping[str, str]] = {
    "a broken Cargo.toml": {"Cargo.toml": '[package]\nname = "a"\nversion = \n'},
    "a broken cargo configuration": {"Cargo.toml": package("a"), ".cargo/config.toml": "\n[build\n"},
    "a cargo configuration that includes itself": {
        "Cargo.toml": package("a"),
        ".cargo/config.toml": 'include = ["config.toml"]\n',
    },
    "a cargo configuration that includes nothing": {
        "Cargo.toml": package("a"),
        ".cargo/config.toml": 'include = ["gone.toml"]\n',
    },
    "a Cargo.lock with conflict marks": {"Cargo.toml": package("a"), "Cargo.lock": "version = 4\n<<<<<<< HEAD\n"},
    "a Cargo.lock of something else": {"Cargo.toml": package("a"), "Cargo.lock": 'package = "x"\n'},
    "a member without a folder": {"Cargo.toml": '[workspace]\nmembers = ["gone"]\n'},
    "a path dependency without a folder": {"Cargo.toml": package("a", '[dependencies]\nb = { path = "b" }')},
    "a member in an empty submodule": {
        "Cargo.toml": '[workspace]\nmembers = ["vendor/x/sys"]\n',
        ".gitmodules": '[submodule "x"]\n\tpath = vendor/x\n\turl = y\n',
        ".git/HEAD": "ref: refs/heads/main\n",
    },
    "inheritance without a workspace": {"Cargo.toml": package("a", "[dependencies]\nb.workspace = true")},
    "inheritance of what is not there": {
        "Cargo.toml": package("a", "[dependencies]\nb.workspace = true\n[workspace.dependencies]\n")
    },
    "neither package nor members": {"Cargo.toml": "[workspace]\n"},
    "a package name that is a path": {"Cargo.toml": package("../../a")},
    "a dependency that is a number": {"Cargo.toml": package("a", "[dependencies]\nb = 1")},
    "members that are text": {"Cargo.toml": '[workspace]\nmembers = "a"\n'},
    "a default member that is no member": {
        "Cargo.toml": '[workspace]\nmembers = ["a"]\ndefault-members = ["b"]\n',
        "a/Cargo.toml": package("a"),
        "b/Cargo.toml": package("b"),
    },
    "packages of one name and version": {
        "Cargo.toml": '[workspace]\nmembers = ["a", "b", "c"]\n',
        **{f"{name}/Cargo.toml": package("x") for name in "abc"},
    },
}
MEMBERS: Mapping[str, str] = {
    "Cargo.toml": '[workspace]\nmembers = ["api", "worker", "lib"]\n',
    "Cargo.lock": "version = 4\n",
    "api/Cargo.toml": package("api"),
    "api/src/main.rs": MAIN,
    "api/src/bin/dump.rs": MAIN,
    "worker/Cargo.toml": package("worker"),
    "worker/src/main.rs": MAIN,
    "worker/src/bin/dump.rs": MAIN,
    "lib/Cargo.toml": package("lib"),
    "lib/src/lib.rs": "",
}


def of_a_workspace(folder: Path) -> Iterator[Case]:
    def case(name: str) -> Callable[[], object]:
        root = write(folder / name.replace(" ", "-"), {"Cargo.lock": "version = 4\n", **BROKEN[name]})
        return lambda: (manifest.load(root), lockfile.load(root))

    for name in BROKEN:
        yield name, case(name)
    empty = write(folder / "empty", {"README": ""})
    yield "no Cargo.toml", lambda: manifest.load(empty)
    alone = write(folder / "alone", {"Cargo.toml": package("a")})
    yield "no Cargo.lock", lambda: manifest.load(alone)
    foreign = write(folder / "foreign", {"Cargo.toml": b'[package]\nname = "\xff"\n', "Cargo.lock": ""})
    yield "a Cargo.toml in latin-1", lambda: manifest.load(foreign)
    members = write(folder / "members", {**MEMBERS, "docs/x": ""})
    yield "a folder inside a project", lambda: manifest.load(members / "docs")
    yield "a member without a Cargo.lock", lambda: manifest.load(members / "api")
    yield "no Cargo.toml anywhere above", lambda: discovery.find_root(Path("/"))
    yield "an unknown package", lambda: select(manifest.load(members), ["wroker"])
    yield "an unknown binary", lambda: select(manifest.load(members), (), ["serve"])
    yield "a binary that two packages have", lambda: select(manifest.load(members), (), ["dump"])
    yield "a package without a binary", lambda: select(manifest.load(members), ["lib"])
    library = write(folder / "library", {"Cargo.toml": package("a"), "Cargo.lock": "", "src/lib.rs": ""})
    yield "a workspace without a binary", lambda: select(manifest.load(library))
    write(folder / "_/x", {"Cargo.toml": ""})
    yield "a path dependency in a folder called _", lambda: scan(Lister(members), ["../_"], index_file=None)
    yield "sources.include outside the workspace", lambda: included(members, ["../x"])
    yield "sources.exclude with a bracket left open", lambda: Patterns(["a[z-a]"])


SERDE = external("serde", "1.0.100", "c0ffee")


def of_an_old_lockfile(folder: Path) -> Iterator[Case]:
    def case(place: str, dependencies: str, locked: str) -> Callable[[], object]:
        text = package("shop", f"[dependencies]\n{dependencies}")
        root = write(folder / place, {"Cargo.toml": text, "Cargo.lock": lock_text(locked), "src/main.rs": MAIN})
        return lambda: lock_drift.check(manifest.load(root), lockfile.load(root))

    yield "a new dependency", case("new", 'serde = "1"', entry("shop"))
    yield "a newer version", case("newer", 'serde = "1.0.200"', SERDE + entry("shop", needs=["serde"]))
    yield (
        "another commit",
        case(
            "commit",
            'serde = { git = "https://example.com/serde", rev = "abc" }',
            entry("serde", source="git+https://example.com/serde?rev=def#123") + entry("shop", needs=["serde"]),
        ),
    )
    yield "a dependency less", case("less", "", SERDE + entry("shop", needs=["serde"]))
    yield "another version of the package", case("version", "", entry("shop", "0.2.0"))
    yield "a package of another name", case("name", "", entry("other"))
    yield "a package too many", case("many", "", entry("other") + entry("shop"))


def of_a_toolchain(folder: Path) -> Iterator[Case]:
    (write(folder, {"bin/rustc": "#!/bin/sh\n"}) / "bin/rustc").chmod(0o755)

    def case(place: str, text: str, override: str | None = None, answer: str = "") -> Callable[[], object]:
        root = write(folder / place, {"rust-toolchain.toml": text} if text else {"Cargo.toml": ""})
        return lambda: detect(root, override, folder, run=lambda *_: answer)

    yield "a broken file", case("broken", "[toolchain\n")
    yield "a file that names nothing", case("nothing", "[toolchain]\n")
    yield "a channel that is a number", case("number", "[toolchain]\nchannel = 1.8\n")
    yield (
        "another rustc than is named",
        case("other", "", "nightly", "rustc 1.95.0\nrelease: 1.95.0\ncommit-date: 2026-04-14\nhost: x\n"),
    )
    yield "a rustc that says nothing", case("silent", "", "stable", "hello\n")


def of_a_base_image(folder: Path) -> Iterator[Case]:
    sysroot = write(folder, {f"toolchain/lib/rustlib/{test_broker_unit.HOST}/lib/x": ""}) / "toolchain"
    here, nothing = test_broker_unit.toolchain(sysroot), test_broker_unit.toolchain(None, "1.80.0", "1.80.0")

    def case(
        base: Mapping[str, Any], chosen: Any = here, layer: str = "base", targets: tuple[str, ...] = (), **other: Any
    ) -> Callable[[], object]:
        known = {"platform": "linux/amd64", **other}
        known |= {"native": known["platform"], "build_platform": known["platform"]}
        engine: Any = SimpleNamespace(pull_parent=lambda _: test_broker_unit.UNREACHABLE, **known)
        return lambda: broker.origin(Base(**base), chosen, targets, layer, Path("/nowhere"), engine)

    yield "an image that is not available", case({"builder": "image"})
    yield "a runtime image that is not available", case({"builder": "image"}, layer="runtime")
    yield "an image that is named and not available", case({"image": "corp/it:1"})
    yield "an image, but bootstrap", case({"image": "corp/it:1", "builder": "bootstrap"})
    yield "a suite of Ubuntu", case({"suite": "noble"})
    yield "a toolchain that is not installed", case({}, nothing)
    yield "a toolchain of the system", case({}, test_broker_unit.toolchain(Path("/usr")))
    yield "a target that the toolchain lacks", case({}, targets=("wasm32-wasip1",))
    yield "a builder of another platform", case({}, platform="linux/mips64le")


def of_a_failed_build(folder: Path) -> Iterator[Case]:
    step, build, log = test_rust_failures.step, test_rust_failures.BUILD, test_rust_failures.LOG

    def case(failed: StepFailed, chosen: Config | None = None) -> Callable[[], object]:
        return lambda: explain(failed, chosen or Config(), lambda: None)

    def advice(words: str, chosen: Config | None = None) -> Callable[[], object]:
        return lambda: failures.advice(words, chosen or Config())

    git = test_native_failures.GIT
    https, ssh = "https://git.example.com", "ssh://git@git.example.com"
    refused = "failed to authenticate when downloading repository"
    yield "a compiler's error", case(step(101, tail="error[E0308]: mismatched types\n --> src/main.rs:6:5"))
    yield "no words", case(step(101, tail=""))
    yield "a binary that is not made", case(step(Exit.NO_BINARY, "no-binary hello", "no-binary tool"))
    yield "sources that changed meanwhile", case(step(Exit.RESEND))
    missing = "missing binary=hello library=libz.so.1 package=zlib1g"
    yield "a library that the runtime image lacks", case(step(Exit.RUNTIME_MISMATCH, missing))
    unknown = "missing binary=hello library=libown.so.1 package=?"
    yield "a library that no package has", case(step(Exit.RUNTIME_MISMATCH, unknown))
    newer = "too-new binary=hello /lib/libc.so.6: version `GLIBC_2.39' not found"
    yield "a library that is too old", case(step(Exit.RUNTIME_MISMATCH, newer))
    yield "a Debian package that is missing", case(step(101, tail=test_rust_failures.LACKS_OPENSSL))
    webkit = "error: failed to run custom build command for `webkit2gtk-sys v0.18.0`\n"
    webkit += "  Package webkit2gtk-4.0 was not found in the pkg-config search path.\n"
    yield "a library of older suites", advice(webkit)
    for name in test_causes.KNOWN:
        failed = step(101, tail=test_causes.recorded(name))
        told = functools.partial(explain, failed, Config(), lambda: None, asks_git=lambda _: "build.rs:2")
        yield f"{name}: {failed.tail[0].strip()}", told
    of_own = Config(base=Base(image="own/rust:7", runtime_image="ubuntu:24.04"))
    yield "a package of a suite that is a guess", advice(test_rust_failures.LACKS_OPENSSL, of_own)
    yield "a warning that is denied", advice(test_native_failures.LINT.format(test_native_failures.IN_SOURCES))
    yield "a warning that is denied everywhere", advice(test_native_failures.LINT.format(test_native_failures.ASKED))
    target = "error[E0463]: can't find crate for `core`\n  = note: the `x86_64-unknown-linux-musl` target may not be "
    yield "a target of cargo's configuration", advice(f"{target}installed\n")
    yield "git without a login", advice(git.format(https, "got 401; class=Net (12)"))
    own = Config(dockerfiles=Dockerfiles(deps="docker/deps"))
    yield "git without a login, in a Dockerfile of one's own", advice(git.format(https, "got 401; class=Net"), own)
    yield "git over ssh without a key", advice(git.format(ssh, refused))
    yield "git over ssh of an unknown server", advice(git.format(ssh, "error: unknown SSH host key"))
    yield "git without commits by id", advice(git.format(https, "cannot fetch a specific object; class=Invalid (3)"))
    yield "git without a network", advice(git.format(https, "[6] Could not resolve hostname; class=Net (12)"))
    for name, report in {
        "buildx is not installed": Report(errors=["unknown command: docker buildx"]),
        "buildx is old": Report(errors=["ERROR: invalid progress mode rawjson"]),
        "no such builder": Report(errors=['ERROR: no builder "farm" found']),
        "a disk that is full": Report(errors=["ERROR: write /x: no space left on device"]),
        "no step failed": Report(errors=["ERROR: failed to solve: something else"]),
    }.items():
        yield name, functools.partial(failure, build, report, log)


def of_an_engine(folder: Path) -> Iterator[Case]:
    host = "unix:///var/run/docker.sock"
    yield "no engine", lambda: sdk.unreachable(host, ConnectionError())
    yield "no permission", lambda: sdk.unreachable(host, PermissionError())
    yield "a builder without platforms", lambda: builder_platform.described("farm", "Name: farm\n")
    yield "a container name that is taken", lambda: container.name_taken("shop")
    parsed = test_cache_builders.parsed
    yield "a builder that keeps mounts", lambda: parsed("", "docker").words
    yield "a builder that removes mounts", lambda: parsed(test_cache_builders.OLD).words
    yield "a builder that does not run", lambda: parsed("", status="stopped").words


def of_words(folder: Path) -> Iterator[Case]:
    yield "cache_clear:hrad", lambda: levels.level("hrad")
    yield "--older-than 7", lambda: levels.narrow("7", "")
    yield "--keep-last few", lambda: levels.narrow("", "few")
    yield "bench --runs many", lambda: choice.wanted("plain", "", "many")
    yield "bench --against ,", lambda: choice.wanted(",", "", "3")
    yield "bench --scenarios nothng", lambda: choice.wanted("plain", "nothng", "3")
    yield "history --last 0", lambda: str(history.last_of({"last": "0"}))
    yield "history --json --csv", lambda: history.run({"json": True, "csv": True}, [])
    yield "explain apq", lambda: asked(["apq"], "", "")
    yield "explain v1...v2", lambda: asked(["v1...v2"], "", "")
    yield "explain --to zzz, without images", lambda: naming.unknown("--to", "zzz", [], [])
    yield "explain --to mian", lambda: naming.unknown("--to", "mian", [], ["main", "feature"])
    both = [naming.Gone("app", "1" * 64), naming.Gone("deps", "1" * 64)]
    yield "explain --from 1111", lambda: naming.one("--from", "1111", both)
    for line in ("paln", "--json", "plan --jsno", "plan extra", "explain --from"):
        yield f"layers {line}", functools.partial(typed, line)


def typed(line: str) -> object:
    words = line.split()
    name = command._verb_in(words)
    assert name is not None
    words.remove(name)
    return command._parsed(name, load(name), words, {})


def of_init(folder: Path) -> Iterator[Case]:
    two = write(folder / "two", {"a/Cargo.toml": package("a"), "b/Cargo.toml": package("b")})
    yield "two projects", lambda: looking.project_root(two)
    inside = write(folder / "inside", {**MEMBERS, "docs/x": ""})
    yield "a folder inside a project", lambda: looking.project_root(inside / "docs")
    yield "a member", lambda: looking.project_root(inside / "api")
    alone = write(folder / "alone", {"Cargo.toml": package("a"), "src/main.rs": MAIN})
    yield "no Cargo.lock", lambda: looking.look(alone)
    yield "a dodo.py that is not Python", lambda: str(writing.dodo(b"def x(:\n", ".", "dodo.py", frozenset()))


def of_the_machine(folder: Path) -> Iterator[Case]:
    yield "a program that is not installed", lambda: process.capture_quick(["no-such-program"])
    yield "docker is not installed", lambda: command_errors.missing("docker")
    yield "a command that fails", lambda: process.capture(["sh", "-c", "echo one; echo two >&2; exit 3"])
    yield "a command in no folder", lambda: process.capture(["true"], cwd=folder / "gone")
    yield "a full disk", lambda: as_error(OSError(28, "No space left on device", "/x"))
    yield "a file of somebody else", lambda: as_error(PermissionError(13, "Permission denied", "/x"))
    yield "something else of the system", lambda: as_error(OSError(40, "Too many levels of symbolic links", "/x"))
    yield "Ctrl-C", lambda: Interrupted(2)
    (folder / "file").write_text("")
    yield "a state folder that cannot be made", lambda: State.open(folder / "file")


GROUPS: Mapping[str, Callable[[Path], Iterator[Case]]] = {
    "a base image": of_a_base_image,
    "a failed build": of_a_failed_build,
    "a toolchain": of_a_toolchain,
    "a workspace": of_a_workspace,
    "an engine": of_an_engine,
    "an old Cargo.lock": of_an_old_lockfile,
    "layerdoit.yaml": of_configuration,
    "layers init": of_init,
    "the machine": of_the_machine,
    "variables": of_variables,
    "words of the command line": of_words,
}


def test_every_message_in_the_file_has_a_test() -> None:
    """Those of `ci` are in test_ci.py, those of `errors` need an engine: a name that is in no test is of no message."""
    found = messages.read(messages.FILE.read_text())
    table = (Path(__file__).parent.parent / "cli/test_errors.py").read_text()
    assert found.keys() == {"ci", "errors", *GROUPS}
    assert [case for case in found["errors"] if case.removeprefix("buildx: ") not in table] == []


@pytest.mark.parametrize("group", GROUPS)
def test_messages_read_as_they_are_written_down(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    # What is said of a path and of the machine must not differ from one machine to the next.
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)
    monkeypatch.setattr("layerdoit.engine.broker.architecture", lambda: "x86_64")
    names = {str(folder): "<folder>"}
    said = {case: messages.plain(message(call), names) for case, call in GROUPS[group](folder)}
    messages.check_group(group, said)
