"""A program that was compiled elsewhere: what packs it, what refuses it, and what never happens. No cargo is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from layerdoit.core.errors import BuildError, ConfigError, WorkspaceError
from layerdoit.history import export
from layerdoit.layers.outcome import Outcome
from tests.support.checkout import Checkout
from tests.support.elf_files import made

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
SAYS = '#include <stdio.h>\nint main(int many, char **words) { printf("hello %d\\n", many); return many > 3; }\n'
ASKS = "extern int answer(void);\n" + SAYS.replace('"hello %d\\n", many', '"answer %d\\n", answer()')
ANSWERS = "int answer(void) { return 42; }\n"
DODO = "from layerdoit import task_layerdoit\n"


def compiled(one: Checkout, path: str, source: str, *options: str) -> None:
    target = one.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    argv = ["gcc", "-x", "c", "-o", str(target), "-", "-x", "none", *options]
    subprocess.run(argv, input=source, text=True, cwd=one.root, check=True)


def configure(one: Checkout, binary: str = "out/server", **more: Any) -> None:
    one.configure(yaml.safe_dump({"build": {"binary": binary}, **more}))


def packed(checkout: Callable[..., Checkout], *options: str) -> Checkout:
    """A project of a dodo.py and a program that git ignores."""
    one = checkout({"dodo.py": DODO, ".gitignore": "/out\n.layerdoit\n.doit.db*\n", "notes.md": "first\n"})
    one.git("init", "-q")
    compiled(one, "out/server", SAYS, *options)
    configure(one)
    return one


def actions(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {layer: outcome.step.action for layer, outcome in outcomes.items()}


@pytest.mark.parametrize(
    "options", [(), ("-static",), ("-static-pie",)], ids=["dynamic", "static", "static and anywhere"]
)
def test_a_program_is_packed_and_nothing_is_compiled(
    checkout: Callable[..., Checkout], options: tuple[str, ...]
) -> None:
    one = packed(checkout, *options)
    configure(one, image={"smoke": ["one 'two words'"], "cmd": ["a"]})
    assert actions(one.build()) == {"runtime": "build", "app": "build"}
    assert one.run(f"{one.name}:latest") == "hello 2\n"
    found = one.image()["Config"]
    assert (found["Entrypoint"], found["User"]) == (["/usr/local/bin/server"], "app")
    assert {tag.split(":")[1].split("-")[0] for tag in one.tags()} == {"runtime", "app", "latest"}


def test_what_the_key_follows_from(checkout: Callable[..., Checkout]) -> None:
    one = packed(checkout)
    first = one.session().plan.step("app").spec.key
    one.build()
    one.write({"notes.md": "second\n"})
    assert not one.session().plan.changes, "what is not packed says nothing"
    configure(one, image={"env": {"A": "b"}})
    with_settings = one.session().plan.step("app").spec.key
    configure(one, image={"assets": {"notes.md": "/srv/notes.md"}})
    with_asset = one.session().plan.step("app").spec.key
    one.write({"notes.md": "third\n"})
    again = one.session().plan.step("app").spec.key
    configure(one, base={"runtime_packages": ["tzdata"]})
    on_another = one.session().plan.step("app").spec.key
    configure(one)
    compiled(one, "out/server", SAYS.replace("hello", "good day"))
    session = one.session()
    edited = session.plan.step("app")
    assert len({first, with_settings, with_asset, again, on_another, edited.spec.key}) == 6
    assert [(reason.kind, reason.names) for reason in edited.reasons] == [("changed", ("file out/server",))]
    one.build()
    assert one.run(f"{one.name}:latest") == "good day 1\n"
    compiled(one, "out/server", SAYS)
    assert one.session().plan.step("app").action == "reuse", "the old program is the old image"


@pytest.mark.parametrize(
    ("binary", "content", "mode", "what", "hint"),
    [
        ("out/none", None, 0, 'there is no "out/none"', "compile it first"),
        ("out", None, 0, '"out" is a folder', "name the program in it"),
        (
            "out/x",
            made("arm64", kind=2),
            0o755,
            '"out/x" is for linux/arm64, and the image is for linux/amd64',
            "compile it",
        ),
        ("out/x", made(kind=2), 0o644, '"out/x" is not executable', "chmod +x out/x"),
        (
            "out/x",
            b"#!/bin/sh\nexit 0\n",
            0o755,
            '"out/x" is a script',
            "image: {assets: {out/x: /start}, entrypoint: /start}",
        ),
        ("out/x", b"text\n", 0o755, '"out/x" is no program', "compiled for Linux"),
        ("out/x", made(kind=2)[:90], 0o755, "the file is damaged", "compiled for Linux"),
        ("out/x", made(soname="libx.so.1"), 0o755, '"out/x" is a shared library', "name a program"),
        ("out/x", made(kind=1), 0o755, '"out/x" is an object file', "name a program"),
    ],
)
def test_what_is_no_program_for_the_image(
    checkout: Callable[..., Checkout], binary: str, content: bytes | None, mode: int, what: str, hint: str
) -> None:
    one = packed(checkout)
    configure(one, binary)
    if content is not None:
        one.write({binary: content})
        (one.root / binary).chmod(mode)
    with pytest.raises(WorkspaceError) as raised:
        one.build()
    error = raised.value
    assert what in error.what
    assert hint in (error.hint or "")
    assert error.where == "layerdoit.yaml:3"
    told = one.doit("layers", "doctor")
    assert (told.returncode, error.what.partition("\n")[0] in told.stdout + told.stderr) == (1, True), told.stdout
    assert not [tag for tag in one.tags() if ":runtime-" not in tag]


def test_a_library_that_lacks_is_told_with_what_helps(checkout: Callable[..., Checkout], tmp_path: Path) -> None:
    one = packed(checkout)
    own = tmp_path / "libpq.so.5"
    argv = ["gcc", "-x", "c", "-shared", "-fPIC", "-Wl,-soname,libpq.so.5", "-o", str(own), "-"]
    subprocess.run(argv, input=ANSWERS, text=True, check=True)
    compiled(one, "out/server", ASKS, str(own))
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "server needs libpq.so.5, which the image lacks (package libpq5)" in raised.value.what
    assert "base: {runtime_packages: [libpq5]}" in (raised.value.hint or "")

    shutil.copy(own, one.root / "out/libpq.so.5")
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "(in the project it is out/libpq.so.5)" in raised.value.what
    advised = re.search(r"image: (\{assets: \{.*?\}\})", raised.value.hint or "")
    assert advised is not None, raised.value.hint
    configure(one, image=yaml.safe_load(advised[1]))
    one.build()
    assert one.run(f"{one.name}:latest") == "answer 42\n", "what the message advises helps"

    configure(one, image={"assets": {"out/libpq.so.5": "/srv/libs/libpq.so.5"}})
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "an asset puts it into /srv/libs, where its loader does not look" in raised.value.what
    compiled(one, "out/server", ASKS, str(own), "-Wl,-rpath,/srv/libs")
    one.build()
    assert one.run(f"{one.name}:latest") == "answer 42\n", "the program itself says where"


def test_a_loader_that_lacks(checkout: Callable[..., Checkout]) -> None:
    one = packed(checkout, "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1")
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "server needs /lib/ld-musl-x86_64.so.1, which the image lacks (package musl)" in raised.value.what
    assert "base: {runtime_packages: [musl]}" in (raised.value.hint or "")
    compiled(one, "out/server", SAYS, "-Wl,--dynamic-linker=/nix/store/x/ld-linux.so.2")
    with pytest.raises(BuildError, match=r"which the image lacks \(it is the loader"):
        one.build()


def test_a_c_library_that_is_too_old(checkout: Callable[..., Checkout]) -> None:
    one = packed(checkout)
    program = (one.root / "out/server").read_bytes()
    wanted = re.search(rb"GLIBC_2\.\d\d", program)
    assert wanted is not None
    # The loader compares numbers that are made of the names.
    newer = b"GLIBC_2.99"

    def number(name: bytes) -> bytes:
        found = 0
        for letter in name:
            found = (found << 4) + letter
            found = (found ^ (found & 0xF0000000) >> 24) & ~(found & 0xF0000000)
        return found.to_bytes(4, "little")

    assert program.count(number(wanted[0])) == 1
    program = program.replace(wanted[0], newer).replace(number(wanted[0]), number(newer))
    (one.root / "out/server").write_bytes(program)
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "version `GLIBC_2.99' not found" in raised.value.what
    assert "compile it on the system that it runs on, or on an older one" in (raised.value.hint or "")
    assert raised.value.where == "layerdoit.yaml:3"


def test_a_smoke_test_that_fails(checkout: Callable[..., Checkout]) -> None:
    one = packed(checkout)
    configure(one, image={"smoke": ["a b c"]})
    with pytest.raises(BuildError, match="the smoke test failed with exit code 1: server a b c"):
        one.build()
    assert one.image() is None


def test_what_is_only_for_cargo_is_refused(checkout: Callable[..., Checkout]) -> None:
    one = packed(checkout)
    configure(one, bins=["server"])
    with pytest.raises(ConfigError, match="bins: it is for what cargo compiles"):
        one.build()
    configure(one, image={"entrypoint": "serve"})
    with pytest.raises(ConfigError, match=r'image\.entrypoint: there is no "serve"'):
        one.build()


def test_a_workspace_that_cargo_compiles_too(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    compiled(one, "target/release/tool", SAYS, "-static")
    one.write({"Cargo.lock": "not of this world"})
    configure(one, "target/release/tool")
    assert actions(one.build()) == {"runtime": "build", "app": "build"}
    assert one.run(f"{one.name}:latest", "x") == "hello 2\n"


def test_everything_else_knows_that_nothing_is_compiled(checkout: Callable[..., Checkout]) -> None:
    one = packed(checkout)
    one.configure(yaml.safe_dump({"build": {"binary": "out/server"}, "deploy": {"name": one.name}}))
    assert one.doit("image").returncode == 0
    for words in (
        ("image",),
        ("base",),
        ("deps",),
        ("app",),
        ("status",),
        ("cache_status",),
        ("cache_refresh",),
        ("cache_warm",),
        ("cache_gc",),
        ("cache_clear:soft", "--yes"),
        ("layers", "plan"),
        ("layers", "explain"),
        ("layers", "report"),
        ("layers", "doctor"),
    ):
        done = one.doit(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
    for words in (("check",), ("layers", "bench")):
        done = one.doit(*words)
        assert (done.returncode, "nothing is compiled" in done.stderr) == (2, True), (words, done.stderr)
    (run,) = export.as_json(one.root / ".layerdoit")
    assert {name: row["action"] for name, row in run["layers"].items()} == {"runtime": "build", "app": "build"}
    compiled(one, "out/server", SAYS.replace("hello", "good day"))
    explained = one.doit("layers", "explain").stdout
    assert "file out/server changed" in explained


def test_services_of_packed_programs_alone(checkout: Callable[..., Checkout]) -> None:
    one = packed(checkout)
    compiled(one, "out/legacy", SAYS.replace("hello", "old"), "-static")
    services = {
        "api": {"build": {"binary": "out/server"}},
        "legacy": {"build": {"binary": "out/legacy"}, "base": {"runtime_packages": ["netbase"]}},
    }
    one.configure(yaml.safe_dump({"services": services}))
    for words in (("image",), ("image",), ("base",), ("deps",), ("layers", "plan"), ("layers", "doctor"), ("status",)):
        done = one.doit(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert one.run(f"{one.name}-api:latest", "x") == "hello 2\n"
    assert one.run(f"{one.name}-legacy:latest") == "old 1\n"
    legacy = one.image(f"{one.name}-legacy:latest")["Id"]
    compiled(one, "out/server", SAYS.replace("hello", "good day"))
    done = one.doit("image")
    assert done.returncode == 0, done.stderr
    assert one.run(f"{one.name}-api:latest") == "good day 1\n"
    assert one.image(f"{one.name}-legacy:latest")["Id"] == legacy
    assert {tag.split(":")[1].split("-")[0] for tag in one.tags()} == {"runtime", "app", "latest"}


def test_a_packed_service_beside_a_compiled_one(checkout: Callable[..., Checkout]) -> None:
    one = checkout()
    compiled(one, "target/legacy", SAYS, "-static")
    one.configure("services:\n  app: {bins: [app]}\n  legacy: {build: {binary: target/legacy}}\n")
    one.write({"dodo.py": DODO})
    assert one.doit("image").returncode == 0
    assert one.run(f"{one.name}-legacy:latest") == "hello 1\n"
    assert one.said(f"{one.name}-app:latest") == one.promised()
    app = one.session().service("app").plan.step("app").spec.key
    compiled(one, "target/legacy", SAYS.replace("hello", "good day"), "-static")
    session = one.session()
    assert session.service("app").plan.step("app").spec.key == app, "the program is no source of the other service"
    assert session.service("legacy").plan.step("app").action == "build"
    assert one.doit("image:legacy").returncode == 0
    assert one.run(f"{one.name}-legacy:latest") == "good day 1\n"
