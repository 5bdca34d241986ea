"""Processes of a benchmark: those that are measured, and questions. All know by their environment whose they are."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerdoit.core import process
from layerdoit.core.ladder import Graces

SESSION: Final = "LAYERDOIT_BENCH_SESSION"
"""The variable that names the session to which a process belongs."""
# What a developer's shell may set and what would make the peers' builds differ.
_UNSET: Final = re.compile(
    r"CARGO_(TARGET_DIR|INCREMENTAL|BUILD_.*|ENCODED_RUSTFLAGS|PROFILE_.*)|RUSTFLAGS|RUSTC(_\w+)?|CI"
)
# A build of ours that is interrupted ends its own child first.
_PATIENCE: Final = 15.0


@dataclass(frozen=True)
class Ran:
    """One process: exit code, seconds on the wall, both outputs as one text."""

    code: int
    seconds: float
    output: str


@contextlib.contextmanager
def environment(scratch: str) -> Iterator[None]:
    """The environment of everything that is measured; afterwards it is what it was."""
    before = dict(os.environ)
    for name in filter(_UNSET.fullmatch, before):
        del os.environ[name]
    os.environ[SESSION] = scratch
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def timed(argv: Sequence[str], cwd: Path, more: Mapping[str, str] | None = None) -> Ran:
    """Run a process to its end."""
    lines: list[str] = []
    begun = time.perf_counter()
    graces = Graces(interrupt=_PATIENCE)
    code = process.stream(argv, cwd=cwd, env=more, on_line=lambda _stream, line: lines.append(line), graces=graces)
    return Ran(code, time.perf_counter() - begun, "\n".join(lines))


def ask(
    argv: Sequence[str], cwd: Path | None = None, *, check: bool = True, more: Mapping[str, str] | None = None
) -> str:
    """The standard output of a process that is not measured."""
    return process.capture(argv, cwd=cwd, env=more, check=check).stdout


def say(text: str) -> None:
    """Progress is for a person."""
    print(text, file=sys.stderr, flush=True)
