"""Where a program keeps a SQLite database: a relative path needs a volume, or the data goes with the container.

found(root, files, sources) -> tuple[Kept, ...]    # `files`: configuration files that the program opens
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.cargo.program_sources import Source
from layerdoit.init.rust_files import text_of

_URL: Final = re.compile(r"\bsqlite:(?://)?(?P<path>[\w./-]+)")
_OPENED: Final = re.compile(
    r"(?:\w+::)*(?:SqliteConnection|Connection|SqliteConnectOptions)::(?:open\w*|establish|filename)|\.filename"
)
_FILE: Final = re.compile(r"[\w./-]+\.(?:db3?|sqlite3?)")


class Kept(NamedTuple):
    """A database file, relative to where the program starts or absolute, and the `file:line` that names it."""

    path: str
    where: str

    @property
    def folder(self) -> str:
        """Its folder; '' for the working directory itself."""
        return posixpath.dirname(self.path)


def found(root: Path, files: Iterable[str], sources: Sequence[Source]) -> tuple[Kept, ...]:
    """Each file once."""
    kept: dict[str, Kept] = {}
    for one in (*_in_sources(sources), *_in_files(root, files)):
        kept.setdefault(one.path, one)
    return tuple(kept.values())


def _in_sources(sources: Sequence[Source]) -> Iterator[Kept]:
    for source in sources:
        for literal in source.code.literals:
            url = _URL.fullmatch(literal.value.partition("?")[0])
            opened = any(_OPENED.fullmatch(around.name) for around in literal.around)
            path = url["path"] if url else literal.value if opened and _FILE.fullmatch(literal.value) else None
            if path is not None and not any(around.name.endswith("!") for around in literal.around):
                yield from _kept(path, source.where(literal.at))


def _in_files(root: Path, files: Iterable[str]) -> Iterator[Kept]:
    for name in files:
        for number, line in enumerate((text_of(root / name) or "").split("\n"), 1):
            if (match := _URL.search(line)) and not line.lstrip().startswith("#"):
                yield from _kept(match["path"], f"{name}:{number}")


def _kept(path: str, where: str) -> Iterator[Kept]:
    plain = posixpath.normpath(path)
    if not plain.startswith("..") and "memory" not in plain and posixpath.basename(plain):
        yield Kept(plain, where)
