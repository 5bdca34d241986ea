"""Marks of a merge that git left in a file."""

from __future__ import annotations

import posixpath
import re

_MARK = r"^(?:<{7}(?: .*)?|\|{7}(?: .*)?|={7}|>{7}(?: .*)?)\r?$"
_LOCK = (
    "take one side (`git checkout --ours Cargo.lock`), let cargo add what it lacks (`cargo update --workspace`), "
    "then `git add Cargo.lock`"
)
WHAT = "this file has the marks of a merge conflict"


def line_of(text: str) -> int | None:
    """The first line with such a mark. Ask only of a text that does not parse: elsewhere it may be content."""
    found = re.search(_MARK, text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else None


def next_step(file: str) -> str:
    """What ends the conflict in `file`."""
    name = posixpath.basename(file)
    if name == "Cargo.lock":
        return _LOCK
    return f"keep what is right, remove the lines with <<<<<<<, ======= and >>>>>>>, then `git add {name}`"
