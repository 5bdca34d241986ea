"""Which edits must, and which must not, change the key of the deps layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import manifest
from layerdoit.cargo.deps_inputs import inputs
from layerdoit.cargo.options import Options
from layerdoit.cargo.selection import Selection
from tests.support import lockfile as lock_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAIN = "fn main() {}"
Files = dict[str, str]
RELEASE = Options(profile="release")


def entry(name: str, version: str, *dependencies: str, local: bool = False) -> str:
    if local:
        return lock_text.entry(name, version, dependencies) + "\n"
    return lock_text.external(name, version, f"{name}-{version}", dependencies) + "\n"


FILES: Files = {
    "Cargo.toml": """\
[workspace]
resolver = "2"
members = ["crates/*"]

[workspace.package]
version = "0.4.0"
edition = "2021"

[workspace.dependencies]
serde = { version = "1.0", features = ["derive"] }
core = { path = "crates/core" }
log = "0.4"

[workspace.lints.rust]
unused = "warn"

[profile.dev]
opt-level = 1

[profile.release]
lto = "thin"

[profile.dist]
inherits = "release"

[patch.crates-io]
spare = { path = "patches/spare" }
""",
    "Cargo.lock": "version = 4\n\n"
    + entry("api", "0.4.0", "core", "derive", "log", "rand 0.8.5", "serde", "spare", "testing", local=True)
    + entry("core", "0.1.0", "cc", "serde", local=True)
    + entry("derive", "0.1.0", "syn", local=True)
    + entry("spare", "1.0.0", local=True)
    + entry("tool", "0.1.0", "clap", "core", "rand 0.7.3", local=True)
    + entry("cc", "1.0.1")
    + entry("clap", "4.0.0", "strsim")
    + entry("log", "0.4.1")
    + entry("rand", "0.7.3")
    + entry("rand", "0.8.5", "log")
    + entry("serde", "1.0.200")
    + entry("strsim", "0.11.0")
    + entry("syn", "2.0.1")
    + entry("testing", "1.0.0"),
    "crates/api/Cargo.toml": """\
[package]
name = "api"
description = "what it is"
authors = ["somebody"]
version.workspace = true
edition.workspace = true
rust-version = "1.70"

[features]
default = ["fast"]
fast = ["serde/rc"]

[dependencies]
core = { workspace = true, features = ["std"] }
derive = { path = "../derive" }
rand = { version = "0.8", optional = true }
serde.workspace = true
spare = "1"

[target.'cfg(unix)'.dependencies]
log.workspace = true

[dev-dependencies]
testing = "1"

[lints]
workspace = true
""",
    "crates/api/src/main.rs": MAIN,
    "crates/core/Cargo.toml": """\
[package]
name = "core"
version = "0.1.0"
edition = "2021"

[features]
std = ["serde/std"]

[dependencies]
serde = { workspace = true, default-features = false }

[build-dependencies]
cc = "1"
""",
    "crates/core/src/lib.rs": "",
    "crates/core/build.rs": MAIN,
    "crates/derive/Cargo.toml": """\
[package]
name = "derive"
version = "0.1.0"
edition = "2021"

[lib]
proc-macro = true

[dependencies]
syn = "2"
""",
    "crates/derive/src/lib.rs": "",
    "crates/tool/Cargo.toml": """\
[package]
name = "tool"
version = "0.1.0"
edition = "2021"

[dependencies]
clap = "4"
core.workspace = true
rand = "0.7"
""",
    "crates/tool/src/main.rs": MAIN,
    "patches/spare/Cargo.toml": '[package]\nname = "spare"\nversion = "1.0.0"\nedition = "2021"\n',
    "patches/spare/src/lib.rs": "",
    ".cargo/config.toml": '[build]\nrustflags = ["-g"]\njobs = 2\n[alias]\nb = "build"\n',
}

Edit = Callable[[Files], None]


def sub(file: str, old: str, new: str) -> Edit:
    def edit(files: Files) -> None:
        assert old in files[file], f"{old!r} is not in {file}"
        files[file] = files[file].replace(old, new, 1)

    return edit


def add(file: str, text: str) -> Edit:
    def edit(files: Files) -> None:
        files[file] = files.get(file, "") + text

    return edit


def both(*edits: Edit) -> Edit:
    def edit(files: Files) -> None:
        for one in edits:
            one(files)

    return edit


def remove(file: str) -> Edit:
    def edit(files: Files) -> None:
        del files[file]

    return edit


def move(old: str, new: str) -> Edit:
    def edit(files: Files) -> None:
        for name in [name for name in files if name.startswith(old)]:
            files[new + name.removeprefix(old)] = files.pop(name)

    return edit


ROOT, LOCK, CONFIG = "Cargo.toml", "Cargo.lock", ".cargo/config.toml"
API, CORE, DERIVE, TOOL = (f"crates/{name}/Cargo.toml" for name in ("api", "core", "derive", "tool"))
NEW_MEMBER = '[package]\nname = "new"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nserde = "1"\n'

UNCHANGED: dict[str, Edit] = {
    "description": sub(API, "what it is", "something else"),
    "authors": sub(API, "somebody", "someone else"),
    "version": both(sub(ROOT, '"0.4.0"', '"0.5.0"'), sub(LOCK, '"0.4.0"', '"0.5.0"')),
    "version of a library": both(
        sub(CORE, '"0.1.0"', '"0.2.0"'), sub(LOCK, 'core"\nversion = "0.1.0"', 'core"\nversion = "0.2.0"')
    ),
    "rust-version": sub(API, "1.70", "1.80"),
    "publish": sub(API, "[features]", "publish = false\n[features]"),
    "metadata": add(API, "[package.metadata.x]\ny = 1\n"),
    "lints": sub(ROOT, '"warn"', '"deny"'),
    "lints of a package": add(CORE, '[lints.rust]\nunsafe_code = "deny"\n'),
    "comment": add(API, "# a comment\n"),
    "blank lines": sub(ROOT, "\n\n", "\n\n\n\n"),
    "order of tables": sub(CORE, '[build-dependencies]\ncc = "1"\n', '[build-dependencies.cc]\nversion = "1"\n'),
    "repeated feature": sub(API, '["std"]', '["std", "std"]'),
    "spelled-out default": sub(API, 'spare = "1"', 'spare = { version = "1", default-features = true }'),
    "new binary": add("crates/api/src/bin/more.rs", MAIN),
    "new binary table": add(API, '[[bin]]\nname = "x"\npath = "x.rs"\n'),
    "new test": add("crates/api/tests/t.rs", ""),
    "new test table": add(API, '[[test]]\nname = "t"\nharness = false\n'),
    "new example": add("crates/api/examples/e.rs", MAIN),
    "new benchmark": add(API, '[[bench]]\nname = "b"\n'),
    "source": add("crates/core/src/lib.rs", "pub fn f() {}"),
    "content of a build script": add("crates/core/build.rs", "// more"),
    "dev-dependency": both(
        sub(API, 'testing = "1"', 'testing = "2"'), sub(LOCK, 'testing"\nversion = "1', 'testing"\nversion = "2')
    ),
    "new member outside": add("crates/new/Cargo.toml", NEW_MEMBER),
    "member outside removed": both(remove(TOOL), remove("crates/tool/src/main.rs")),
    "dependency of a member outside": sub(TOOL, 'clap = "4"', 'clap = { version = "4", features = ["derive"] }'),
    "locked version outside": sub(LOCK, 'strsim"\nversion = "0.11.0"', 'strsim"\nversion = "0.11.1"'),
    "feature of a member outside": sub(TOOL, "[dependencies]", "[features]\nx = []\n\n[dependencies]"),
    "unused workspace dependency": sub(ROOT, 'log = "0.4"', 'log = "0.4"\nunused = "1"'),
    "member moved": both(move("crates/core", "libs/core"), sub(ROOT, "crates/core", "libs/core")),
    "member moved that is named by path": both(
        move("crates/derive", "libs/derive"), sub(API, "../derive", "../../libs/derive")
    ),
    "patch moved": both(move("patches", "vendored"), sub(ROOT, "patches/", "vendored/")),
    "members in other words": sub(ROOT, '"crates/*"', '"crates/api", "crates/[a-z]*"'),
    "alias": sub(CONFIG, 'b = "build"', 'c = "check"'),
    "jobs": sub(CONFIG, "jobs = 2", "jobs = 4"),
    "target folder": sub(CONFIG, "jobs = 2", 'target-dir = "t"'),
    "terminal": add(CONFIG, "[term]\nquiet = true\n"),
    "runner": add(CONFIG, '[target.aarch64-unknown-linux-gnu]\nrunner = "qemu"\n'),
    "another profile": sub(ROOT, "opt-level = 1", "opt-level = 2"),
    "derived profile": sub(ROOT, 'inherits = "release"', 'inherits = "release"\ndebug = 1'),
    "profile of a local package": add(ROOT, "[profile.release.package.core]\nopt-level = 1\n"),
    "comment in the lockfile": sub(LOCK, "version = 4\n", "# made by cargo\nversion = 4\n"),
}  # fmt: skip

CHANGED: dict[str, tuple[Edit, str]] = {
    "new dependency": (sub(API, 'spare = "1"', 'spare = "1"\nsyn = "2"'), "dependency api: syn"),
    "removed dependency": (sub(API, "serde.workspace = true\n", ""), "dependency api: serde"),
    "requirement": (sub(API, 'version = "0.8"', 'version = "0.8.5"'), "dependency api: rand"),
    "inherited requirement": (sub(ROOT, '"1.0", features', '"1.0.100", features'), "dependency core: serde"),
    "dependency feature": (
        sub(DERIVE, 'syn = "2"', 'syn = { version = "2", features = ["full"] }'), "dependency derive: syn"
    ),
    "inherited feature": (sub(ROOT, '["derive"]', '["derive", "rc"]'), "dependency api: serde"),
    "default features": (
        sub(DERIVE, 'syn = "2"', 'syn = { version = "2", default-features = false }'), "dependency derive: syn"
    ),
    "old spelling": (
        sub(DERIVE, 'syn = "2"', 'syn = { version = "2", default_features = false }'), "dependency derive: syn"
    ),
    "optional": (sub(API, ", optional = true", ""), "dependency api: rand"),
    "renamed": (sub(API, 'spare = "1"', 'other = { package = "spare", version = "1" }'), "dependency api: other"),
    "local edge with a feature": (sub(API, '["std"]', '["std", "extra"]'), "dependency api: core"),
    "local feature": (sub(CORE, '["serde/std"]', '["serde/std", "serde/rc"]'), "feature core: std"),
    "default feature": (sub(API, '["fast"]', "[]"), "feature api: default"),
    "build-dependency": (
        sub(CORE, 'cc = "1"', 'cc = { version = "1", features = ["parallel"] }'), "build-dependency core: cc"
    ),
    "target table": (sub(API, "cfg(unix)", "cfg(windows)"), "dependency api: log [cfg(windows)]"),
    "locked version": (sub(LOCK, '1.0.200"', '1.0.201"'), "package serde"),
    "checksum": (sub(LOCK, "serde-1.0.200", "other"), "package serde"),
    "locked source": (
        sub(LOCK, f'"{lock_text.CRATES_IO}"\nchecksum = "syn-2.0.1"', '"git+https://example.org/syn#1"'), "package syn"
    ),
    "profile": (sub(ROOT, '"thin"', '"fat"'), "profile release"),
    "profile override": (add(ROOT, "[profile.release.package.serde]\nopt-level = 3\n"), "profile release"),
    "build override": (add(ROOT, "[profile.release.build-override]\nopt-level = 3\n"), "profile release"),
    "profile in the configuration": (add(CONFIG, "[profile.release]\ndebug = 1\n"), "config profile release"),
    "patch": (add(ROOT, 'serde = { git = "https://example.org/serde" }\n'), "patch crates-io: serde"),
    "resolver": (sub(ROOT, 'resolver = "2"', 'resolver = "1"'), "resolver"),
    "edition": (sub(CORE, "2021", "2018"), "edition core"),
    "build script appears": (add("crates/api/build.rs", MAIN), "build script api"),
    "build script goes": (remove("crates/core/build.rs"), "build script core"),
    "proc-macro": (sub(DERIVE, "proc-macro = true", ""), "kind derive"),
    "crate type": (add(CORE, '[lib]\ncrate-type = ["cdylib", "rlib"]\n'), "kind core"),
    "flags": (sub(CONFIG, '"-g"', '"-O"'), "config build.rustflags"),
    "target": (sub(CONFIG, "jobs = 2", 'target = "x86_64-unknown-linux-musl"'), "config build.target"),
    "linker": (
        add(CONFIG, '[target.x86_64-unknown-linux-gnu]\nlinker = "clang"\n'), "config target.x86_64-unknown-linux-gnu"
    ),
    "environment": (add(CONFIG, '[env]\nCFLAGS = "-O3"\n'), "config env.CFLAGS"),
    "source replacement": (add(CONFIG, '[source.crates-io]\nreplace-with = "m"\n'), "config source.crates-io"),
}  # fmt: skip


def listing(root: Path, files: Mapping[str, str], build: Options = RELEASE, *packages: str) -> dict[str, str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return inputs(manifest.load(root), lockfile.load(root), Selection(packages or ("api",), ()), build)


def edited(edit: Edit) -> Files:
    files = dict(FILES)
    edit(files)
    return files


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


@pytest.fixture
def before(tmp_path: Path) -> dict[str, str]:
    return listing(tmp_path / "before", FILES)


@pytest.mark.parametrize("name", UNCHANGED)
def test_what_must_not_change_the_key(name: str, before: dict[str, str], tmp_path: Path) -> None:
    assert differing(before, listing(tmp_path / "after", edited(UNCHANGED[name]))) == set()


@pytest.mark.parametrize("name", CHANGED)
def test_what_must_change_the_key(name: str, before: dict[str, str], tmp_path: Path) -> None:
    edit, reason = CHANGED[name]
    assert reason in differing(before, listing(tmp_path / "after", edited(edit)))


OPTIONS = {
    "profile": (replace(RELEASE, profile="dev"), "option profile"),
    "features": (replace(RELEASE, features=("fast",)), "option features"),
    "all features": (replace(RELEASE, all_features=True), "option all-features"),
    "no default features": (replace(RELEASE, default_features=False), "option default-features"),
    "target": (replace(RELEASE, target="x86_64-unknown-linux-musl"), "option target"),
    "RUSTFLAGS": (replace(RELEASE, env=(("RUSTFLAGS", "-g"),)), "env RUSTFLAGS"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_changes_the_key(name: str, before: dict[str, str], tmp_path: Path) -> None:
    build, reason = OPTIONS[name]
    assert reason in differing(before, listing(tmp_path / "after", FILES, build))


def test_the_selection_decides_what_counts(tmp_path: Path) -> None:
    found = listing(tmp_path, FILES, RELEASE, "tool")
    assert found["selection"] == "tool"
    assert {name for name in found if name.startswith("package ")} == {
        "package cc", "package clap", "package rand", "package serde", "package strsim",
    }  # fmt: skip
    assert found["package rand"] == "0.7.3 rand-0.7.3"


def test_the_old_resolver_counts_dev_dependencies_of_the_roots(tmp_path: Path) -> None:
    found = listing(tmp_path, edited(sub(ROOT, 'resolver = "2"', 'resolver = "1"')))
    assert found["dev-dependency api: testing"] == '{"version":"1"}'
    assert "package testing" in found


def test_a_derived_profile_has_its_parents(tmp_path: Path) -> None:
    found = listing(tmp_path, FILES, replace(RELEASE, profile="dist"))
    assert found["profile dist"] == '{"inherits":"release"}'
    assert found["profile release"] == '{"lto":"thin"}'
    assert "profile dev" not in found


def test_two_versions_and_the_choice_between_them_show(tmp_path: Path) -> None:
    found = listing(tmp_path, FILES, RELEASE, "api", "tool")
    assert found["package rand"] == "0.7.3 rand-0.7.3; 0.8.5 rand-0.8.5"
    lock = FILES[LOCK].replace(' "strsim",\n', ' "rand 0.7.3",\n "strsim",\n')
    again = listing(tmp_path / "again", {**FILES, LOCK: lock}, RELEASE, "tool")
    assert again["package clap"] == "4.0.0 clap-4.0.0 -> rand 0.7.3"


def test_a_real_copy_is_listed(tmp_path: Path) -> None:
    lock = FILES[LOCK].replace(entry("syn", "2.0.1"), entry("syn", "2.0.1", "spare"))
    found = listing(tmp_path, {**FILES, LOCK: lock})
    assert found["copy patches/spare"] == "by content"
    assert found["version spare"] == "1.0.0"


def test_secrets_are_not_listed(tmp_path: Path) -> None:
    config = (
        '[env]\nAPI_TOKEN = "planted"\nPLAIN = "planted"\n[registries.mine]\nindex = "https://me:planted@example.org/i"\n'
        'token = "planted"\n[net]\nretry = 3\n'
    )
    build = replace(RELEASE, env=(("CARGO_REGISTRIES_MINE_TOKEN", "planted"), ("SYN_URL", "planted")))
    found = listing(tmp_path, {**FILES, CONFIG: config}, build)
    assert "planted" not in str(found)
    assert found["config registries.mine"] == '{"index":"https://***@example.org/i"}'
    assert found["env SYN_URL"].startswith("sha256:")


def test_the_listing_is_sorted_and_the_same_elsewhere(tmp_path: Path) -> None:
    one, two = listing(tmp_path / "one" / "x", FILES), listing(tmp_path / "y", FILES)
    assert list(one.items()) == list(two.items()) == sorted(one.items())


HARMLESS = sorted(UNCHANGED)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(HARMLESS), max_size=4, unique=True))
def test_harmless_edits_stay_harmless_together(
    names: list[str], before: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = dict(FILES)
    for name in names:
        trial = dict(files)
        try:
            UNCHANGED[name](trial)
        except (AssertionError, KeyError):
            continue  # an earlier edit took away what this one changes
        if all("[package]" in trial[path] for path in trial.keys() - files.keys() if path.endswith("/Cargo.toml")):
            files = trial  # not more of a manifest that an earlier edit moved away
    assert listing(tmp_path_factory.mktemp("edited"), files) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(st.sampled_from(HARMLESS), max_size=2, unique=True), change=st.sampled_from(sorted(CHANGED)))
def test_a_real_change_shows_among_harmless_ones(
    names: list[str], change: str, before: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = dict(FILES)
    for edit in (CHANGED[change][0], *(UNCHANGED[name] for name in names)):
        trial = dict(files)
        try:
            edit(trial)
        except (AssertionError, KeyError):
            continue
        if (FILES.keys() - files.keys()) & trial.keys():
            continue  # it would bring back what the change took away, such as a build script
        if all("[package]" in trial[path] for path in trial.keys() - files.keys() if path.endswith("/Cargo.toml")):
            files = trial
    assert listing(tmp_path_factory.mktemp("edited"), files) != before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_relevant_value_counts(
    data: st.DataObject, before: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Change any one value of a dependency, feature or locked package in the closure: the key changes."""
    file = data.draw(st.sampled_from([API, CORE, DERIVE, LOCK]))
    text = FILES[file]
    places = [
        match
        for match in re.finditer(r'(?<=features = \[")[^"]*|(?<= = ")[0-9.]+(?=")|(?<=checksum = ")[^"]*', text)
        if not _outside(text, match.start(), file)
    ]
    place = data.draw(st.sampled_from(places))
    other = st.from_regex(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,3}", fullmatch=True).filter(lambda new: new != place[0])
    value = data.draw(other)
    files = {**FILES, file: text[: place.start()] + value + text[place.end() :]}
    assert listing(tmp_path_factory.mktemp("edited"), files) != before


def _outside(text: str, position: int, file: str) -> bool:
    """Is this value one of a local version, a development dependency, or a locked package outside the closure?"""
    if file == LOCK:
        block = text[text.rfind("[[package]]", 0, position) : text.find("\n\n", position)]
        name = re.findall(r'name = "(.*)"\nversion = "(.*)"', block)
        return "source" not in block or not name or (name[0][0], name[0][1]) in OUTSIDE
    line = text[text.rfind("\n", 0, position) + 1 : position]
    section = text[text.rfind("\n[", 0, position) :]
    return line.startswith(("version", "edition", "rust-version")) or section.startswith("\n[dev-dependencies]")


OUTSIDE = {("clap", "4.0.0"), ("rand", "0.7.3"), ("strsim", "0.11.0"), ("testing", "1.0.0")}
