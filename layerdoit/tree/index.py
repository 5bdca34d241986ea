"""The index of a scan as it is kept on disk. A broken one is none."""

from __future__ import annotations

import contextlib
import marshal
import os
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MAGIC = b"layerdoit-index-1\n"


@dataclass(frozen=True)
class Index:
    """One scan as it is kept. `names` holds every path that was asked about, also those that were not there."""

    settings: str = ""
    raws: Mapping[str, bytes] = field(default_factory=dict)  # context prefix -> listing as git gave it
    nested: tuple[tuple[str, str, str], ...] = ()  # repositories inside: Place as a tuple
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


def split(blob: bytes) -> list[str]:
    return blob.decode("utf-8", "surrogateescape").split("\0") if blob else []


def join(names: Sequence[str]) -> bytes:
    return "\0".join(names).encode("utf-8", "surrogateescape")


def filesystem_time(index_file: Path | None) -> int:
    """Now, by the clock that stamps the files; that of a network file system need not be ours."""
    if index_file is not None:
        try:
            index_file.parent.mkdir(parents=True, exist_ok=True)
            probe = temporary(index_file)
            with open(probe, "wb"):
                pass
            now = os.stat(probe).st_mtime_ns
            os.unlink(probe)
            return min(now, time.time_ns())
        except OSError:
            pass
    return time.time_ns()


def temporary(index_file: Path) -> str:
    return f"{index_file}.{os.getpid()}.{threading.get_ident()}"


def load(index_file: Path | None) -> Index:
    if index_file is None:
        return Index()
    try:
        blob = index_file.read_bytes()
    except OSError:
        return Index()
    start = len(_MAGIC) + 4
    checked = int.from_bytes(blob[len(_MAGIC) : start], "big")
    if not blob.startswith(_MAGIC) or len(blob) <= start or zlib.crc32(blob[start:]) != checked:
        return Index()
    values: dict[str, Any] = marshal.loads(blob[start:])
    return Index(**values)


def save(index_file: Path | None, index: Index) -> None:
    """Replace the index at once; where it cannot be written, the next scan hashes again."""
    if index_file is None:
        return
    body = marshal.dumps(dict(index.__dict__))
    part = temporary(index_file)
    try:
        index_file.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            file.write(_MAGIC + zlib.crc32(body).to_bytes(4, "big") + body)
        os.replace(part, index_file)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(part)
