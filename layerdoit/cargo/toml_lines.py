"""Find the line of a setting in a TOML file; readers do not report lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def line_of(text: str, path: Sequence[str]) -> int | None:
    """The line of the setting at `path`, or of the innermost table around it; None if neither is found."""
    wanted = tuple(path)
    table: tuple[str, ...] = ()
    best, depth = None, 0
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if header := _HEADER.match(line):
            table = here = _parts(header[1])
        elif key := _KEY.match(line):
            here = (*table, *_parts(key[1]))
        else:
            continue
        if wanted[: len(here)] == here and len(here) > depth:
            best, depth = number, len(here)
    return best


def where(file: str, text: str, path: Sequence[str]) -> str:
    """`file:line` of a setting, or `file` alone if the line is not found."""
    line = line_of(text, path)
    return file if line is None else f"{file}:{line}"
