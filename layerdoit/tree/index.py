"""The index of a scan, kept on disk. A broken one counts as missing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

from layerdoit.core import files
from layerdoit.core.errors import WorkspaceError
from layerdoit.core.frozen import Frozen
from layerdoit.tree.packed import Packed


class Entry(NamedTuple):
    kind: str  # "f" file, "x" executable file, "l" symbolic link
    digest: str  # sha256 of the content, of the target for a link; hexadecimal


class Index(Frozen):
    """One scan as it is stored. `names`: every path that was looked at, even if it was missing."""

    settings: str = ""
    raws: Mapping[str, bytes] = field(default_factory=dict)  # place -> listing as git gave it
    nested: tuple[tuple[str, str, bool], ...] = ()  # repositories inside, and what links lead to: Place as a tuple
    home: str = ""  # see `layout.Home`
    checkouts: bool = False
    names: bytes = b""  # NUL-separated, in the context
    hosts: bytes = b""  # NUL-separated, on the host, same order
    folders: bytes = b""  # NUL-separated, on the host: all parents of the above
    stats: bytes = b""  # marshal of a flat list: five numbers per name, one per folder
    kinds: str = ""  # per name: f x l, d (a repository inside), - (absent)
    digests: bytes = b""  # 32 bytes per name
    digest: str = ""

    def rows(self) -> Iterator[tuple[str, str, str]]:
        digests = self.digests.hex()
        for i, (name, kind) in enumerate(zip(split(self.names), self.kinds, strict=True)):
            if kind in "fxl":
                yield name, kind, digests[64 * i : 64 * i + 64]


_FORMAT = Packed("index", Index.__dataclass_fields__)


def split(blob: bytes) -> list[str]:
    return blob.decode("utf-8", "surrogateescape").split("\0") if blob else []


def join(names: Sequence[str]) -> bytes:
    return "\0".join(names).encode("utf-8", "surrogateescape")


def filesystem_time(index_file: Path | None) -> int:
    """The time now, by the file system's own clock; a network file system's may differ from ours."""
    if index_file is not None:
        try:
            index_file.parent.mkdir(parents=True, exist_ok=True)
            probe = files.temporary(index_file)
            with open(probe, "wb"):
                pass
            now = os.stat(probe).st_mtime_ns
            os.unlink(probe)
            return min(now, time.time_ns())
        except OSError:
            pass
    return time.time_ns()


def load(index_file: Path | None) -> Index:
    if index_file is None:
        return Index()
    values = _FORMAT.read(index_file)
    return Index() if values is None else Index(**values)


def save(index_file: Path | None, index: Index) -> None:
    """Replace the index atomically. If it cannot be written, the next scan hashes again."""
    if index_file is None:
        return
    with contextlib.suppress(OSError):
        index_file.parent.mkdir(parents=True, exist_ok=True)
        files.write(index_file, _FORMAT.pack(dict(index.__dict__)))


# --- the listing -----------------------------------------------------------------------------------------------------


def row(path: str, kind: str, digest: str) -> str:
    """What is hashed of one entry."""
    return f"{len(path) if path.isascii() else len(os.fsencode(path))}:{path}{kind}{digest}\n"


def digest_of(rows: Iterable[str]) -> str:
    """sha256 over the rows, which are in order."""
    return hashlib.sha256("".join(rows).encode("utf-8", "surrogateescape")).hexdigest()


def refuse(names: Iterable[str]) -> None:
    """WorkspaceError for a name that a listing cannot hold."""
    for name in names:
        if "\n" in name or "\r" in name or "\\" in name:
            raise WorkspaceError(
                f"the name of the source file {name!r} holds a line break or a backslash",
                hint="rename it, or exclude it (sources.exclude)",
            )
