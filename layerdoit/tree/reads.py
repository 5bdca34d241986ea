"""What compilers and build scripts read of a tree, and whether another tree gives them the same.

An image is still right where everything that was read for it is unchanged (the verifying traces of Mokhov, Mitchell and
Peyton Jones, "Build Systems à la Carte", 2018). Reads are those that dockerfiles/trace.c saw; dockerfiles/reads.c asks
the same question inside a build, of each unit.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core import packed_text

if TYPE_CHECKING:
    from layerdoit.tree.sources import Sources

OPAQUE: Final = "opaque"
OPENED: Final = "open"
PRESENT: Final = "there"
BEFORE: Final = "it was compiled unseen"
"""Why it is not known of units that were compiled before anybody looked; later ones are seen."""
_MOST_LINKS: Final = 40
_DIGITS: Final = 32


class Read(NamedTuple):
    """One read of a crate or its build script.

    `kind`: `open` (a file read, or a folder listed), `stat` (looked at, or for), `there` (only whether it is there),
    `opaque` (not known what; `path` says why). `path` is relative to the top of the build context; what it names need
    not exist.
    """

    crate: str
    kind: str
    path: str


def unpack(parts: Iterable[str]) -> tuple[Read, ...] | None:
    """The reads that a build told, in pieces of base64; None where it told none, or they cannot be read."""
    text = packed_text.unpack(parts)
    if text is None:
        return None
    rows = [line.split("\t") for line in text.splitlines()]
    return tuple(Read(*row) for row in rows if len(row) == len(Read._fields)) or None


@dataclass(frozen=True)
class Files:
    """A tree as its readers see it. `entries`: path -> kind (`f`, `x`, `l`) and digest; `links`: path -> target."""

    entries: Mapping[str, str]
    links: Mapping[str, str]

    @cached_property
    def folders(self) -> Mapping[str, frozenset[str]]:
        """Folder -> the kind and name of each entry directly in it; the top is ''."""
        found: dict[str, set[str]] = defaultdict(set)
        for path, entry in self.entries.items():
            kind, below = entry[0], path
            while below:
                above, _, name = below.rpartition("/")
                known = above in found
                found[above].add(kind + name)
                if known:
                    break
                kind, below = "d", above
        return {folder: frozenset(names) for folder, names in found.items()}

    def value(self, read: Read) -> object:
        """What the reader finds: equal values, equal findings."""
        passed: list[str] = []
        here, rest = "", read.path.split("/")
        while rest:
            part, *rest = rest
            if part == "..":
                if not here:
                    return (*passed, "outside")
                here = posixpath.dirname(here)
            elif part not in ("", "."):
                at = f"{here}/{part}" if here else part
                entry = self.entries.get(at)
                if entry is None and at not in self.folders:
                    return (*passed, "nothing")
                if entry is not None and entry[0] != "l":
                    return (*passed, "nothing" if rest else entry[0] if read.kind == PRESENT else entry)
                if entry is not None:
                    passed.append(entry)
                    target = self.links.get(at, "/")
                    if target.startswith("/") or len(passed) > _MOST_LINKS:
                        return (*passed, "outside")
                    rest = [*target.split("/"), *rest]
                else:
                    here = at
        return (*passed, self.folders.get(here, frozenset()) if read.kind == OPENED else "folder")


def files_of(sources: Sources) -> Files:
    """The files that a scan saw."""
    entries = {path: entry.kind + entry.digest[:_DIGITS] for path, entry in sources.entries.items()}
    links = {}
    for path, entry in entries.items():
        if entry[0] == "l":
            with contextlib.suppress(OSError):
                links[path] = os.readlink(sources.host_path(path))
    return Files(entries, links)


def differing(old: Files, new: Files) -> list[str]:
    """The paths that came, went or changed, sorted."""
    if old.entries == new.entries:
        return []
    return sorted(
        path for path in old.entries.keys() | new.entries.keys() if old.entries.get(path) != new.entries.get(path)
    )


def changed(reads: Iterable[Read], old: Files, new: Files, paths: Collection[str]) -> Iterator[Read]:
    """The reads that find something else in the new tree. `paths`: those that differ."""
    if not paths:
        return
    touched = _touched(paths)
    links = {*old.links, *new.links}
    # Whatever begins with a dot, too: `..` depends on what is before it.
    ways = (*(f"{link}/" for link in links), ".")
    for read in reads:
        path = read.path or "."
        # What a path finds depends on what is there, unless it goes through a link or back up.
        if read.kind == OPAQUE or (
            (path in touched or path in links or path.startswith(ways) or "/." in path)
            and old.value(read) != new.value(read)
        ):
            yield read


def _touched(paths: Iterable[str]) -> set[str]:
    """The paths and all folders above them, the top as `.`."""
    return {"."}.union(*map(ancestry, paths))


def ancestry(path: str) -> Iterator[str]:
    """A path and the folders above it, up to the top, which is not named."""
    while path:
        yield path
        path = path.rpartition("/")[0]
