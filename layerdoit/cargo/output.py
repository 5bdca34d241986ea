"""Cargo's and rustc's lines while they work: how far the build is, and what of a failing build is worth showing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# Cargo sets its words to the right of twelve columns.
_UNIT = re.compile(r"\s+(?:Compiling|Checking) (\S+) v")
_STEP = re.compile(r"\s+(?:Downloaded|Downloading|Updating|Finished|Fresh|Blocking)\b")
# docker's plain progress puts the step and the time before a line.
_COMPILED = re.compile(r"^(?:#\d+ +[\d.]+ )?[ \t]*Compiling (\S+ v[^\s]+)", re.MULTILINE)
_ERROR = ("error", "warning: unused")
_NOISE = ("Compiling ", "Downloaded ", "Downloading ")
# Lines that are shown where no error begins.
_LAST = 40


class Progress(NamedTuple):
    """What cargo works on. `counted`: the kind of thing that is counted, `crate`; '' for a step without a number."""

    counted: str
    name: str


def progress(line: str) -> Progress | None:
    """What a line tells of cargo's progress; None for everything else, such as a warning or a program's output."""
    if unit := _UNIT.match(line):
        return Progress("crate", unit[1])
    return Progress("", line.strip()) if _STEP.match(line) else None


def compiled(text: str) -> list[str]:
    """`NAME vVERSION` of every crate that cargo said it compiled, in its own output or in docker's plain progress."""
    return _COMPILED.findall(text)


def relevant(lines: Sequence[str]) -> list[str]:
    """The compiler's errors in full, from the first of them on; without one, the last lines."""
    first = next((index for index, line in enumerate(lines) if line.startswith(_ERROR)), None)
    shown = lines[-_LAST:] if first is None else lines[first:]
    return [line for line in shown if not line.lstrip().startswith(_NOISE)]
