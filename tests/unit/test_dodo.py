"""This repository's own dodo.py: layerdoit embedded as a user embeds it, and nothing that runs by accident."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OWN = {"lint", "test", "docs", "bench", "wheel", "release"}


def doit(folder: Path, *words: str) -> str:
    """doit in the repository, with a state file elsewhere."""
    command = [sys.executable, "-m", "doit", *words, "--db-file", str(folder / "state")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_its_tasks_and_those_of_the_example(tmp_path: Path) -> None:
    listed = {line.split()[0] for line in doit(tmp_path, "list").splitlines()}
    assert listed >= OWN
    assert listed >= {"bookshelf:image", "bookshelf:cycle_fast", "bookshelf:status"}
    assert {name for name in listed - OWN if not name.startswith("bookshelf")} == set()


def test_no_words_only_look() -> None:
    """`doit` alone builds nothing, deploys nothing and takes no minutes."""
    code = "import dodo; print(dodo.DOIT_CONFIG['default_tasks'], dodo.task_lint()['actions'][0][1])"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == "['lint'] ['scripts/check']\n"


@pytest.mark.parametrize("script", ["test", "quickstart", ".ci/run", "scripts/check", "scripts/test-pythons"])
def test_scripts_can_be_run(script: str) -> None:
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)
