"""This repository's own tasks, and layerdoit embedded on the example as a user embeds it.

doit                        lint: nothing that needs an engine
doit test [words]           all that must hold: ./test [words]
doit docs                   write the generated pages
doit bench noop [words]     one of benchmarks/, with its own options
doit wheel                  sdist and wheel in dist/
doit release                the same, checked, and the command that would publish them
doit bookshelf:image        the example's image; `doit list --all` shows all its tasks
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import layerdoit

ROOT: Final = Path(__file__).resolve().parent

DOIT_CONFIG = {"default_tasks": ["lint"], "verbosity": 2}

task_bookshelf = layerdoit.tasks("examples/bookshelf", prefix="bookshelf")


def run(*words: str | Path) -> bool:
    """Run a command in the repository; its exit code is the task's result."""
    return subprocess.run(words, cwd=ROOT, check=False).returncode == 0


def module(*words: str | Path) -> bool:
    """Run a module of the Python that runs doit."""
    return run(sys.executable, "-m", *words)


def task_lint() -> dict[str, Any]:
    """Style, types, the order of rooms, generated pages."""
    return {"actions": [(run, ["scripts/check"])]}


def task_test() -> dict[str, Any]:
    """Everything that must hold, or what the words choose: `doit test -- --quick`, `doit test tests/unit`."""

    def test(words: Sequence[str]) -> bool:
        return run("./test", *words)

    return {"actions": [test], "pos_arg": "words"}


def task_docs() -> dict[str, Any]:
    """Write the pages that are made from the program's own tables."""
    return {"actions": [(module, ["tools.docs"])]}


def task_bench() -> dict[str, Any]:
    """Run one of benchmarks/ with its options: `doit bench noop -- --files 2000`."""

    def bench(words: Sequence[str]) -> bool:
        if not words:
            there = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text())
            print(f"which one? {', '.join(there)}", file=sys.stderr)
            return False
        return module(f"benchmarks.{words[0]}", *words[1:])

    return {"actions": [bench], "pos_arg": "words"}


def task_wheel() -> dict[str, Any]:
    """Build sdist and wheel into dist/ and check what an index would show of them."""
    return {"actions": [(module, ["tools.release", "--build"])]}


def task_release() -> dict[str, Any]:
    """As wheel; check that both are whole and work where they are installed, and say what publishes them."""
    return {"actions": [(module, ["tools.release"])]}
