"""TOML as cargo reads it: version 1.1, byte order marks, errors with their line; merge conflicts are told as such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit import config
from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import manifest
from layerdoit.cargo.toml_lines import line_of
from layerdoit.cargo.toolchain import asked_for
from layerdoit.core import merge_conflict, toml
from layerdoit.core.errors import LayerdoitError, WorkspaceError
from tests.support.files import write
from tests.support.manifest import package
from tests.support.toml import BOM, NEW

CONFLICT = "<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> other\n"


@pytest.mark.parametrize(("text", "value"), NEW)
def test_toml_of_cargo(text: str, value: Any) -> None:
    pytest.importorskip("tomli")
    assert toml.loads(text) == value


def test_a_toolchain_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    write(tmp_path, {"rust-toolchain.toml": f'{BOM}[toolchain]\nchannel = "1.95.0"\n'})
    assert asked_for(tmp_path).channel == "1.95.0"


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ("a = {\n  b = 1,\n  c\n}\n", 3), ("a = {\n  b = 1,\n", 2), (f"{BOM}a", 1)]
)
def test_an_error_names_its_line(text: str, line: int) -> None:
    pytest.importorskip("tomli")
    with pytest.raises(WorkspaceError, match="not valid TOML") as caught:
        toml.parse(text, "Cargo.toml")
    assert caught.value.where == f"Cargo.toml:{line}"


def test_the_first_line_is_found_behind_a_byte_order_mark() -> None:
    assert line_of(f"{BOM}[package]\nname = 1\n", ("package", "name")) == 2


def conflict(ours: str, theirs: str) -> str:
    return CONFLICT.format(ours=ours, theirs=theirs)


LOCK = 'version = 4\n\n[[package]]\nname = "p"\nversion = "0.1.0"\n'
CONFLICTS = {
    "Cargo.toml": (package("p") + "\n[features]\n" + conflict("a = []\n", "b = []\n"), "[features]"),
    "Cargo.lock": (LOCK + conflict("dependencies = [\n", "x = 1\n"), 'version = "0.1.0"'),
    ".cargo/config.toml": ("[build]\n" + conflict("jobs = 1\n", "jobs = 2\n"), "[build]"),
    "layerdoit.yaml": ("project: p\n" + conflict("profile: dev\n", "profile: release\n"), "project: p"),
    "rust-toolchain.toml": ("[toolchain]\n" + conflict('channel = "1"\n', 'channel = "2"\n'), "[toolchain]"),
}


@pytest.mark.parametrize("file", CONFLICTS)
def test_a_merge_conflict_is_told_as_such(file: str, tmp_path: Path) -> None:
    text, before = CONFLICTS[file]
    root = write(tmp_path, {"Cargo.toml": package("p"), "Cargo.lock": LOCK, "src/main.rs": "", file: text})

    def read() -> None:
        config.load(root, variables={})
        asked_for(root)
        manifest.load(root)
        lockfile.load(root)

    with pytest.raises(LayerdoitError, match="merge conflict") as caught:
        read()
    line = text.splitlines().index(before) + 2
    place = file if file == "layerdoit.yaml" else str(root / file)
    assert caught.value.where == f"{place}:{line}"
    assert "git" in (caught.value.hint or "")


def test_half_a_conflict_is_one_too() -> None:
    assert merge_conflict.line_of("a = 1\n>>>>>>> other\n") == 2
    assert merge_conflict.line_of("a = '======='\n# <<<<<<< x\n") is None
