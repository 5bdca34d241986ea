"""The Rust files of a tree. Only reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NO_SOURCES: Final = frozenset(("target", "node_modules"))
# More of a generated file than this is not read.
_LARGEST: Final = 1_000_000


def text_of(path: Path) -> str | None:
    """The text of a file, None when it is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LARGEST)
    except OSError:
        return None


def sources(root: Path) -> Iterator[tuple[Path, str]]:
    """Every Rust file and its text."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NO_SOURCES and not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".rs") and (text := text_of(Path(folder, name))):
                yield Path(folder, name), text
