"""A machine without cargo and rustc: all works but finding out which toolchain is meant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.scratch import Crate, message

RUST = ("cargo", "rustc", "rustup", "rustdoc", "cargo-clippy", "clippy-driver", "rust-lld")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which everything is but Rust."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*") if Path(place).is_dir() else ():
            link = folder / program.name
            if program.name not in RUST and not link.exists():
                link.symlink_to(program)
    return str(folder)


@pytest.fixture
def bare(crate: Crate, path: str, tmp_path: Path) -> Crate:
    """A built project on a machine without Rust, nor a home in which it could be found."""
    named = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    settings = (crate.folder / "layerdoit.yaml").read_text()
    crate.write("layerdoit.yaml", f"toolchain: {named}\n{settings}")
    (tmp_path / "home").mkdir()
    docker_settings = os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))
    nowhere = str(tmp_path / "nowhere")
    crate.env |= {
        "PATH": path,
        "HOME": str(tmp_path / "home"),
        "DOCKER_CONFIG": docker_settings,
        "CARGO_HOME": nowhere,
        "RUSTUP_HOME": nowhere,
    }
    return crate


def test_rust_is_hidden_and_the_rest_is_not(path: str) -> None:
    assert shutil.which("git", path=path)
    assert not any(shutil.which(program, path=path) for program in RUST)


def test_every_command_works(bare: Crate) -> None:
    planned = json.loads(bare.doit("layers", "plan", "--json").ok().out)
    assert {layer["action"] for layer in planned["layers"]} == {"reuse"}, "other keys than on a machine with Rust"
    bare.edit("src/main.rs", "first text", "text without rust")
    assert "src/main.rs" in bare.doit("layers", "explain").ok().out
    bare.doit("cycle_fast").ok()
    assert bare.serves() == "text without rust"
    bare.doit("check").ok()
    for words in (("status",), ("cache_status",), ("layers", "history"), ("layers", "version"), ("destroy",)):
        bare.doit(*words).ok()
    told = json.loads(bare.doit("layers", "doctor", "--json").ok().out)
    assert told["errors"] == 0
    # What had no answer within doctor's own limit tells how busy the machine is, not what it lacks.
    assert [one for one in told["not_checked"] if one["why"] != "it did not answer in time"] == []


def test_init_names_what_is_missing(bare: Crate) -> None:
    for name in ("layerdoit.yaml", "dodo.py"):
        (bare.folder / name).unlink()
    bare.doit("layers", "init", "--yes").ok()
    what, step = message(bare.doit())
    assert "the Rust toolchain is unknown" in what
    assert "toolchain:" in step
