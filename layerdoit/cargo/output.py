"""Read cargo's and rustc's output: what was compiled, and the lines of a failure worth showing."""

from __future__ import annotations

import re
from collections.abc import Sequence

# docker's plain progress puts the step and the time before a line.
_COMPILED = re.compile(r"^(?:#\d+ +[\d.]+ )?[ \t]*Compiling (\S+ v[^\s]+)", re.MULTILINE)
_ERROR = ("error", "warning: unused")
_NOISE = ("Compiling ", "Downloaded ", "Downloading ")
# Lines that are shown where no error begins.
_LAST = 40


def compiled(text: str) -> list[str]:
    """`NAME vVERSION` of every crate that cargo compiled, from its output or docker's plain progress."""
    return _COMPILED.findall(text)


def relevant(lines: Sequence[str]) -> list[str]:
    """Everything from the compiler's first error on; if there is none, the last lines."""
    first = next((index for index, line in enumerate(lines) if line.startswith(_ERROR)), None)
    shown = lines[-_LAST:] if first is None else lines[first:]
    return [line for line in shown if not line.lstrip().startswith(_NOISE)]
