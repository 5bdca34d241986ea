"""What a workshop is sent: the files that it does not have yet, each as the scan of the tree saw it.

What it has is known by path and digest. A file is read when it is sent, and compared with the scan.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from itertools import starmap
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.errors import ContextDiffers
from layerdoit.tree.index import Entry
from layerdoit.tree.staging import content

if TYPE_CHECKING:
    from layerdoit.tree.sources import Sources

_SOURCES = "ctx"
_CONTROL = "control"
_TREE = "tree"


class Frame(NamedTuple):
    """What one request carries: `gone`, paths of sources, each a line; `archive`: of files, from the root.

    `anew`: what the workshop has counts for nothing. `steady`: until it looks at sources, cargo reads what it read of
    the last frame: the same files are there, and what differs are Rust sources alone.
    """

    gone: bytes
    archive: bytes
    anew: bool
    steady: bool


class Sent:
    """What a workshop has."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._control: dict[str, bytes] = {}
        self._anew = True

    def frame(self, sources: Sources, listing: bytes, control: Mapping[str, bytes]) -> Frame:
        """What it lacks of the sources, and of the files of /control, which are small. It counts as sent from now on.

        `listing`: that of the sources. Raises ContextDiffers where a file is not what the scan saw.
        """
        entries = sources.entries
        new = {path: entry for path, entry in entries.items() if self._entries.get(path) != entry}
        gone = [path for path in self._entries if path not in entries]
        files = {**control, _TREE: listing}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
            for name, text in files.items():
                if self._control.get(name) != text:
                    _add(tar, f"{_CONTROL}/{name}", "f", text)
            _add_sources(tar, sources, new)
        same = all(self._control.get(name) == text for name, text in files.items() if name != _TREE)
        steady = same and not self._anew and not gone and all(starmap(self._is_edited, new.items()))
        found = Frame(b"".join(os.fsencode(path) + b"\n" for path in gone), packed.getvalue(), self._anew, steady)
        self._entries, self._control, self._anew = dict(entries), files, False
        return found

    def _is_edited(self, path: str, entry: Entry) -> bool:
        """Whether all that is new is the content of a Rust source, which only the compiler reads."""
        before = self._entries.get(path)
        return before is not None and before.kind == entry.kind != "l" and path.endswith(".rs")


def _add_sources(tar: tarfile.TarFile, sources: Sources, new: Iterable[str]) -> None:
    moved = []
    for path in new:
        entry = sources.entries[path]
        text = content(str(sources.host_path(path)), entry)
        if text is None:
            moved.append(path)
        else:
            _add(tar, f"{_SOURCES}/{path}", entry.kind, text)
    if moved:
        raise ContextDiffers.of(moved)


def _add(tar: tarfile.TarFile, path: str, kind: str, text: bytes) -> None:
    """`kind`: as in an entry of the sources; of a link, `text` is where it leads."""
    member = tarfile.TarInfo(path)
    if kind == "l":
        member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(text)
        tar.addfile(member)
        return
    member.size, member.mode = len(text), 0o755 if kind == "x" else 0o644
    tar.addfile(member, io.BytesIO(text))
