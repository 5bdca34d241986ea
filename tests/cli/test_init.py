"""`doit layers init`, as typed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.git import git
from tests.support.scratch import LOCK, MAIN, MANIFEST, Crate, message


@pytest.fixture
def bare(tmp_path: Path) -> Crate:
    """A Rust project that nobody has prepared."""
    crate = Crate(tmp_path / "hello", "hello")
    crate.write("Cargo.toml", MANIFEST)
    crate.write("Cargo.lock", LOCK)
    crate.write("src/main.rs", MAIN)
    return crate


def tree(crate: Crate) -> dict[str, bytes]:
    """Every file but those of the state folder."""
    files = (
        path
        for path in crate.folder.rglob("*")
        if path.is_file() and not set(path.parts) & {".layerdoit", "__pycache__"}
    )
    return {path.relative_to(crate.folder).as_posix(): path.read_bytes() for path in files}


def test_what_comes_next_is_said_from_where_one_is(bare: Crate) -> None:
    (bare.folder / "the app").mkdir()
    for name in ("Cargo.toml", "Cargo.lock", "src"):
        (bare.folder / name).rename(bare.folder / "the app" / name)
    done = bare.doit("layers", "init", "--root", "the app", "--yes").ok()
    assert done.out.endswith("next: cd 'the app' && doit\n")


def test_a_project_becomes_a_doit_project(bare: Crate) -> None:
    before = tree(bare)
    done = bare.doit("layers", "init", "--yes").ok()
    assert "binaries    hello" in done.out
    assert done.out.endswith("wrote dodo.py\nwrote layerdoit.yaml\nnext: doit\n")
    after = tree(bare)
    assert after.items() >= before.items()
    assert set(after) - set(before) == {"dodo.py", "layerdoit.yaml"}
    assert after["dodo.py"] == b"from layerdoit import task_layerdoit\n"
    assert (bare.folder / ".layerdoit/schema.json").is_file()
    assert "image" in bare.doit("list").ok().out
    again = bare.doit("layers", "init", "--yes").ok()
    assert again.out.endswith("nothing to write\n")
    assert bare.doit("layers", "init").ok().out.endswith("nothing to write\n")
    assert {name: text for name, text in tree(bare).items() if not name.startswith(".doit.db")} == after


def test_without_a_terminal_it_asks_nobody_and_writes_nothing(bare: Crate) -> None:
    before = tree(bare)
    what, step = message(bare.doit("layers", "init"))
    assert "no terminal to ask on" in what
    assert "--yes" in step
    assert tree(bare) == before


@pytest.mark.parametrize(("answer", "code", "written"), [("y", 0, True), ("n", 1, False), ("", 1, False)])
def test_on_a_terminal_it_asks(bare: Crate, answer: str, code: int, written: bool) -> None:
    primary, secondary = pty.openpty()
    try:
        argv = [sys.executable, "-m", "doit", "layers", "init"]
        with subprocess.Popen(argv, cwd=bare.folder, stdin=secondary, stdout=subprocess.PIPE, text=True) as running:
            os.write(primary, f"{answer}\n".encode())
            out, _ = running.communicate(timeout=60)
    finally:
        os.close(primary)
        os.close(secondary)
    assert "write this? [y/N]" in out
    assert running.returncode == code
    assert (bare.folder / "dodo.py").exists() is written


def test_existing_files_are_kept(bare: Crate) -> None:
    dodo = "# mine\r\ndef task_mine():\r\n    return {'actions': None}\r\n"
    (bare.folder / "dodo.py").write_bytes(dodo.encode())
    yaml = "image:\n  workdir: /mine\n"
    bare.write("layerdoit.yaml", yaml)
    bare.write("src/main.rs", "fn main() {}\n")
    bare.write("Dockerfile", "FROM rust AS b\nRUN cargo build\nFROM debian\nEXPOSE 8080\nWORKDIR /app\n")
    done = bare.doit("layers", "init", "--yes").ok()
    assert (bare.folder / "layerdoit.yaml").read_text() == yaml
    assert (bare.folder / "dodo.py").read_bytes() == dodo.encode() + b"from layerdoit import task_layerdoit\r\n"
    assert "it does not say:" in done.out
    assert "port: 8080  # from Dockerfile:4" in done.out
    assert "/app" not in done.out
    listed = bare.doit("list").ok().out
    assert "mine" in listed
    assert "image" in listed


OF_BEFORE = {
    "Dockerfile": "FROM rust:1.95 AS b\nWORKDIR /b\nRUN apt-get update && apt-get install -y cmake\nCOPY . .\n"
    "RUN cargo build --release\nFROM debian:trixie-slim\nRUN apt-get update && apt-get install -y tzdata\n"
    "COPY static /srv/static\nENV PORT=8080\nEXPOSE 8080\nUSER web\nWORKDIR /srv\n"
    'COPY --from=b /b/target/release/hello /srv/\nCMD ["/srv/hello"]\n',
    "static/a.txt": "",
    ".dockerignore": "target\n.git\n",
}
"""A project that was built another way."""


@pytest.mark.parametrize("before", [{}, OF_BEFORE], ids=["nothing", "a Dockerfile"])
def test_what_it_writes_is_well_by_doctor_s_own_rules(bare: Crate, before: dict[str, str]) -> None:
    for path, text in before.items():
        bare.write(path, text)
    bare.doit("layers", "init", "--yes").ok()
    away = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    told = json.loads(bare.doit("layers", "doctor", "--json", env=away).out)
    found = {finding["id"]: finding["where"] for finding in told["findings"] if finding["level"] != "hint"}
    assert found.pop("engine-unreachable", "missing") != "missing"
    ours = {name: where for name, where in found.items() if not (where or "").startswith("Dockerfile")}
    assert ours == {}, "of the old Dockerfile, which nobody wrote for us, it may say what it likes"
    assert bool(found) is bool(before)
    again = bare.doit("layers", "init", "--yes").ok()
    assert again.out.endswith("nothing to write\n")


def test_a_project_in_a_folder_below(bare: Crate, tmp_path: Path) -> None:
    top = Crate(tmp_path, "top")
    top.doit("layers", "init", "--yes").ok()
    assert "layerdoit.tasks(" in (tmp_path / "dodo.py").read_text()
    assert (bare.folder / "layerdoit.yaml").is_file()
    assert "image" in top.doit("list").ok().out


@pytest.mark.parametrize(
    ("name", "text", "what", "step"),
    [
        ("Cargo.lock", None, "there is no Cargo.lock here", "cargo generate-lockfile"),
        ("Cargo.toml", None, "there is no Cargo.toml", "Rust project"),
        ("Cargo.toml", "[package", "not valid TOML", "line"),
        ("Cargo.lock", "version = 3\n", "Cargo.lock does not have the package", "cargo update"),
        ("dodo.py", "def (", "not valid Python", "correct it"),
        ("layerdoit.yaml", "imgae: {}\n", 'unknown key "imgae"', "did you mean"),
    ],
)
def test_what_is_wrong_is_one_sentence(bare: Crate, name: str, text: str | None, what: str, step: str) -> None:
    if text is None:
        (bare.folder / name).unlink()
    else:
        bare.write(name, text)
    before = tree(bare)
    said, next_step = message(bare.doit("layers", "init", "--yes"))
    assert what in said
    assert step in next_step
    assert tree(bare) == before


def test_no_folder(bare: Crate) -> None:
    said, _ = message(bare.doit("layers", "init", "--yes", "--root", "nowhere"))
    assert 'there is no folder "nowhere"' in said


BUILD_SCRIPT = 'fn main() { std::process::Command::new("nasm").status().expect("failed to run nasm"); }\n'


def test_a_build_that_lacks_a_program_says_which(own: Crate) -> None:
    own.write("build.rs", BUILD_SCRIPT)
    said, step = message(own.doit())
    assert said == "app did not build: the build script of hello 0.1.0 lacks nasm"
    assert step.startswith("add to layerdoit.yaml: base: {packages: [nasm]}; the whole log: ")
    assert (own.folder / step.rpartition("log: ")[2]).is_file()


def test_what_git_should_ignore_is_shown_and_added(bare: Crate) -> None:
    git(bare.folder, "init", "-q")
    bare.write(".gitignore", "/target")
    none = {"GIT_CONFIG_GLOBAL": os.devnull, "XDG_CONFIG_HOME": os.devnull}
    done = bare.doit("layers", "init", "--yes", env=none).ok()
    assert "\nto be added to .gitignore\n    .doit.db*\n    __pycache__/\n    .layerdoit/\n" in done.out
    assert (bare.folder / ".gitignore").read_text() == "/target\n.doit.db*\n__pycache__/\n.layerdoit/"
    bare.doit("list", env=none).ok()
    assert git(bare.folder, "status", "--short", "-uall").split("\n") == [
        f"?? {name}" for name in (".gitignore", "Cargo.lock", "Cargo.toml", "dodo.py", "layerdoit.yaml", "src/main.rs")
    ]
    assert bare.doit("layers", "init", "--yes", env=none).ok().out.endswith("nothing to write\n")
