"""What readings of one tree in one process leave to the next.

It is used only where the content that it was made of, or the stat data of a file, is the same as then: a reading finds
the same with it and without it.
"""

from __future__ import annotations

import marshal
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from layerdoit.core.background import Background
from layerdoit.tree.ahead import Ahead
from layerdoit.tree.entries import read_entry, stat_flat
from layerdoit.tree.index import Entry, Index, digest_of, refuse, row, save, split

Made = TypeVar("Made")
_BLOCK: Final = 128
# So many files are hashed again by the next process in a millisecond or two.
_UNSAVED: Final = 20
_FEW: Final = 500


class Warm:
    """An index at hand, and what it takes to compare it with the files: made when it is first needed.

    `unsaved`: how many of its files are other ones in the index on disk.
    """

    def __init__(self, index: Index, unsaved: int = 0) -> None:
        self.index = index
        self.unsaved = unsaved

    @cached_property
    def hosts(self) -> list[str]:
        """Every path that was looked at, on the host."""
        return split(self.index.hosts)

    @cached_property
    def folders(self) -> list[str]:
        """All parents of those."""
        return split(self.index.folders)

    @cached_property
    def _stored(self) -> list[int]:
        stored: list[int] = marshal.loads(self.index.stats)
        return stored

    @cached_property
    def _rows(self) -> list[str]:
        """The listing, '' for what is not there."""
        index, digests = self.index, self.index.digests.hex()
        each = enumerate(zip(split(index.names), index.kinds, strict=True))
        return [row(name, kind, digests[64 * at : 64 * at + 64]) if kind in "fxl" else "" for at, (name, kind) in each]

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """What is there, by its path in the context."""
        return {name: Entry(kind, digest) for name, kind, digest in self.index.rows()}

    def is_as(self, flat: list[int]) -> bool:
        """Whether these are its stat data."""
        if "_stored" in self.__dict__:
            return flat == self._stored
        return marshal.dumps(flat, 2) == self.index.stats

    def refreshed(self, flat: list[int], now: int) -> Warm | None:
        """The common case: the same paths, some with other content. None if a folder was added, removed or linked."""
        index, count = self.index, len(self.hosts)
        if index.checkouts or flat[5 * count :] != self._stored[5 * count :]:
            # Perhaps what stands in a file says how folders are called.
            return None
        kinds, digests = list(index.kinds), bytearray(index.digests)
        stored, rows, names = list(self._stored), list(self._rows), split(index.names)
        changed = list(_differing(flat, stored, count))
        for at in changed:
            # Where a link leads decides what else is sent.
            if kinds[at] in "dl" or flat[5 * at + 4] == stat.S_IFDIR:
                return None
            found = read_entry(self.hosts[at], now)
            if found.kind == "l":
                return None
            kinds[at], digests[32 * at : 32 * at + 32] = found.kind, found.digest
            stored[5 * at : 5 * at + 5] = found.signature
            rows[at] = row(names[at], found.kind, found.digest.hex()) if found.kind in "fx" else ""
        refuse(names[at] for at in changed if rows[at])
        made = Warm(
            replace(
                index,
                stats=marshal.dumps(stored, 2),
                kinds="".join(kinds),
                digests=bytes(digests),
                digest=digest_of(rows),
            ),
            self.unsaved + len(changed),
        )
        made.__dict__.update(hosts=self.hosts, folders=self.folders, _stored=stored, _rows=rows)
        if "entries" in self.__dict__ and all(bool(rows[at]) and bool(self._rows[at]) for at in changed):
            digest = made.index.digests
            newer = {names[at]: Entry(kinds[at], digest[32 * at : 32 * at + 32].hex()) for at in changed}
            made.__dict__["entries"] = {**self.entries, **newer}
        return made


def _differing(flat: Sequence[int], stored: Sequence[int], count: int) -> Iterator[int]:
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        if flat[5 * first : 5 * last] != stored[5 * first : 5 * last]:
            yield from (at for at in range(first, last) if flat[5 * at : 5 * at + 5] != stored[5 * at : 5 * at + 5])


class Kept:
    """It belongs to a project, and is handed on when that is opened again. Not for two readings at once."""

    def __init__(self) -> None:
        self.warm: Warm | None = None
        self.git = Ahead()
        self._made: dict[str, tuple[Any, Any]] = {}
        self._looked: tuple[Warm, Background[list[int]]] | None = None

    def forget(self) -> None:
        """Believe nothing that was found before."""
        self.warm, self._looked = None, None
        self.git.forget()
        self._made.clear()

    def made(self, name: str, content: object, make: Callable[[], Made]) -> Made:
        """What was made of the same content under this name the last time, else what is made now."""
        known = self._made.get(name)
        if known is not None and known[0] == content:
            found: Made = known[1]
            return found
        made = make()
        self._made[name] = (content, made)
        return made

    # --- the index ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """A new reading begins: look at the known files, and ask git, while it gets ready."""
        self.git.begin()
        warm = self.warm
        # Few files are looked at sooner than a thread begins.
        self._looked = (
            None
            if warm is None or len(warm.hosts) < _FEW
            else (warm, Background(lambda: stat_flat(warm.hosts, warm.folders)))
        )

    def seen(self, warm: Warm) -> list[int]:
        """The stat data of the files of an index, as they are in this reading."""
        looked, self._looked = self._looked, None
        if looked is not None and looked[0] is warm:
            return looked[1].result()
        return stat_flat(warm.hosts, warm.folders)

    def keep(self, warm: Warm, file: Path | None) -> None:
        """Have an index at hand in the next reading. It is written for other processes, later after few edits."""
        if warm.unsaved and (self.warm is None or warm.unsaved > _UNSAVED):
            save(file, warm.index)
            warm.unsaved = 0
        self.warm = warm
