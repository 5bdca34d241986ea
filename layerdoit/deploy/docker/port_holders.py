"""Which process of this machine listens on a port, as far as this user may see."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_LISTENS: Final = "0A"
_PROC: Final = Path("/proc")


def process(port: int) -> str:
    """Name and id of the process; '' where it cannot be seen (another user's, or no Linux)."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not wanted:
        return ""
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if not wanted.isdisjoint(_open(folder)):
                    return f"{(folder / 'comm').read_text().strip()} (process {folder.name})"
    return ""


def _open(folder: Path) -> Iterator[str]:
    """What a process has open. It may close some of it meanwhile, as we do with the listing of our own."""
    for link in (folder / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(link)


def _inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
                words = line.split()
                if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]
