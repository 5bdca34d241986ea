"""Read cargo's and rustc's output: the progress of a build, and the lines of a failure worth showing."""

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
    """What cargo is working on. `counted`: what is counted, `crate`; '' for a step without a number."""

    counted: str
    name: str


def progress(line: str) -> Progress | None:
    """Read cargo's progress from a line; None for other lines, such as warnings or a program's output."""
    if unit := _UNIT.match(line):
        return Progress("crate", unit[1])
    return Progress("", line.strip()) if _STEP.match(line) else None


def compiled(text: str) -> list[str]:
    """`NAME vVERSION` of every crate that cargo compiled, from its output or docker's plain progress."""
    return _COMPILED.findall(text)


def relevant(lines: Sequence[str]) -> list[str]:
    """Everything from the compiler's first error on; if there is none, the last lines."""
    first = next((index for index, line in enumerate(lines) if line.startswith(_ERROR)), None)
    shown = lines[-_LAST:] if first is None else lines[first:]
    return [line for line in shown if not line.lstrip().startswith(_NOISE)]
