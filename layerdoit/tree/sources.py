"""Hash the files of the tree once, and then recognise unchanged ones by their stat data.

For each file the index keeps size, mtime, ctime, inode and mode beside the digest. A digest is reused only where all
five are the same and were old enough when it was taken. So a backdated mtime or two swapped files cost a new hash, but
are never missed.
"""

from __future__ import annotations

import gc
import hashlib
import marshal
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from layerdoit.core.background import Background
from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import listing
from layerdoit.tree.entries import DIRECTORY, NOTHING, Found, Signature, only_gone, read_entry, signature, stat_flat
from layerdoit.tree.index import Index, filesystem_time, join, load, save, split
from layerdoit.tree.listing import Filter, Place, Runner

_INCLUDE = "\0include"


class Entry(NamedTuple):
    kind: str  # "f" file, "x" executable file, "l" symbolic link
    digest: str  # sha256 of the content, of the target for a link; hexadecimal


@dataclass(frozen=True)
class Sources:
    """The result of one scan. Paths are relative to the context root."""

    root: Path
    ups: int
    entries: Mapping[str, Entry]
    known_digest: str | None = field(default=None, repr=False, compare=False)

    def digest(self) -> str:
        return self.known_digest or listing_digest(self.entries)

    def host_path(self, path: str) -> Path:
        """An entry's path on the host; each leading `_` stands for one folder above the workspace."""
        parts = path.split("/")
        down = 0
        while down < self.ups and down < len(parts) and parts[down] == "_":
            down += 1
        return Path(os.path.join(str(self.root), *[".."] * (self.ups - down), *parts[down:]))

    def host_files(self) -> list[str]:
        """The host paths of all entries except links; cheap even for a large tree."""
        if isinstance(self.entries, _Packed):
            return self.entries.host_files()
        return [str(self.host_path(path)) for path, entry in self.entries.items() if entry.kind != "l"]

    def under(self, prefixes: Sequence[str]) -> Sources:
        """The entries at or below some paths."""
        wanted = tuple(prefix.strip("/") for prefix in prefixes)
        if "" in wanted or "." in wanted:
            return self
        below = tuple(prefix + "/" for prefix in wanted)
        chosen = {p: e for p, e in self.entries.items() if p.startswith(below) or p in wanted}
        return Sources(self.root, self.ups, chosen)


def listing_digest(entries: Mapping[str, Entry]) -> str:
    """sha256 over the sorted, length-prefixed listing."""
    return _digest((path, *entries[path]) for path in sorted(entries, key=os.fsencode))


def _digest(rows: Iterable[tuple[str, str, str]]) -> str:
    text = "".join(
        [f"{len(p) if p.isascii() else len(os.fsencode(p))}:{p}{kind}{digest}\n" for p, kind, digest in rows]
    )
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class _Packed(Mapping[str, Entry]):
    """Entries in the index's form, unpacked on first use; a no-op never does."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._made: dict[str, Entry] | None = None

    def host_files(self) -> list[str]:
        index = self._index
        return [host for host, kind in zip(split(index.hosts), index.kinds, strict=True) if kind in "fx"]

    def _entries(self) -> dict[str, Entry]:
        if self._made is None:
            self._made = {name: Entry(kind, digest) for name, kind, digest in self._index.rows()}
        return self._made

    def __getitem__(self, path: str) -> Entry:
        return self._entries()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._entries() == dict(other)

    __hash__ = None  # type: ignore[assignment]


def scan(
    root: Path,
    *,
    ups: int = 0,
    outside: Sequence[str] = (),
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    index_file: Path | None,
    run: Runner | None = None,
) -> Sources:
    """Hash the sources of the workspace at `root` and of the out-of-root path dependencies `outside`."""
    root = root.resolve()
    collecting = gc.isenabled()
    gc.disable()  # tens of thousands of small tuples, none of them in a cycle
    try:
        return _Scan(root, ups, tuple(outside), tuple(exclude), tuple(include), index_file, run or _quick).result()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkspaceError(
            f"cannot be read: {reason}",
            where=str(error.filename or root),
            hint="make it readable, or exclude it (sources.exclude)",
        ) from error
    except UnicodeEncodeError as error:
        raise WorkspaceError(
            f"Python takes file names to be {error.encoding}, which this one is not",
            where=str(error.object),
            hint="unset PYTHONUTF8, or use a UTF-8 locale (LC_ALL=C.UTF-8)",
        ) from None
    finally:
        if collecting:
            gc.enable()


def _quick(argv: list[str], cwd: Path) -> bytes:
    from layerdoit.core.process import capture_quick

    return capture_quick(argv, cwd)


class _Scan(NamedTuple):
    root: Path
    ups: int
    outside: tuple[str, ...]
    exclude: tuple[str, ...]
    include: tuple[str, ...]
    index_file: Path | None
    run: Runner

    def result(self) -> Sources:
        dockerignore = self._dockerignore()
        settings = repr((str(self.root), self.ups, self.outside, self.exclude, self.include, dockerignore))
        old = load(self.index_file)
        if old.settings != settings:
            # What was hashed is still true; what belongs to the listing is not.
            old = replace(old, raws={}, nested=(), digest="")
        places = listing.places(self.root, self.ups, self.outside)
        nested = [Place(*values) for values in old.nested]
        lister = Background(lambda: self._list(places, nested))
        flat = stat_flat(split(old.hosts), split(old.folders))
        raws = lister.result()
        if old.digest and raws == old.raws and marshal.dumps(flat, 2) == old.stats:
            return Sources(self.root, self.ups, _Packed(old), old.digest)
        if old.digest and raws == old.raws and (index := _refresh(old, flat, filesystem_time(self.index_file))):
            save(self.index_file, index)
            return Sources(self.root, self.ups, _Packed(index), index.digest)
        index = _Update(self, old, flat, settings, Filter(dockerignore, self.exclude)).index(places, raws)
        return Sources(self.root, self.ups, _Packed(index), index.digest)

    def _dockerignore(self) -> str:
        try:
            text = (self.root / ".dockerignore").read_text(encoding="utf-8", errors="surrogateescape")
        except (FileNotFoundError, IsADirectoryError):
            return ""
        # A list that starts from nothing (`*`, then `!target/app`) is for another Dockerfile: it hides the sources.
        whole = ("*", "**", "/*", "/**", "**/*", "./*")
        return "" if any(line.strip() in whole for line in text.splitlines()) else text

    def _list(self, places: Sequence[Place], nested: Sequence[Place]) -> dict[str, bytes]:
        raws = {p.prefix: listing.raw_listing(p, self.run) for p in places if os.path.isdir(p.host)}
        raws |= {p.prefix: listing.raw_listing(p, self.run, inside=True) for p in nested if os.path.isdir(p.host)}
        if self.include:
            raws[_INCLUDE] = listing.included(self.root, self.include)
        return raws


def _refresh(old: Index, flat: list[int], now: int) -> Index | None:
    """The common case: the same paths, some with other content. None if a folder was added, removed or linked."""
    stored: list[int] = marshal.loads(old.stats)
    hosts, count = split(old.hosts), len(old.kinds)
    kinds, digests = list(old.kinds), bytearray(old.digests)
    if flat[5 * count :] != stored[5 * count :]:
        return None
    for i in range(count):
        current = flat[5 * i : 5 * i + 5]
        if current == stored[5 * i : 5 * i + 5]:
            continue
        if kinds[i] == "d" or current[4] == stat.S_IFDIR:
            return None
        found = read_entry(hosts[i], now)
        kinds[i], digests[32 * i : 32 * i + 32], stored[5 * i : 5 * i + 5] = found.kind, found.digest, found.signature
    index = replace(old, stats=marshal.dumps(stored, 2), kinds="".join(kinds), digests=bytes(digests))
    rows = list(index.rows())
    _refuse(row[0] for row in rows)
    return replace(index, digest=_digest(rows))


def _refuse(names: Iterable[str]) -> None:
    for name in names:
        if "\n" in name or "\r" in name or "\\" in name:
            raise WorkspaceError(
                f"the name of the source file {name!r} holds a line break or a backslash",
                hint="rename it, or exclude it (sources.exclude)",
            )


class _Update:
    """A full scan, for when something differs: list the files, hash unknown ones, write the index."""

    def __init__(self, scan: _Scan, old: Index, flat: Sequence[int], settings: str, keep: Filter) -> None:
        self._scan, self._settings, self._filter = scan, settings, keep
        stored = marshal.loads(old.stats) if old.stats else []
        self._known: dict[str, Found] = {}
        self._now: dict[str, Signature] = {}
        for i, (host, kind) in enumerate(zip(split(old.hosts), old.kinds, strict=True)):
            self._known[host] = Found(tuple(stored[5 * i : 5 * i + 5]), kind, old.digests[32 * i : 32 * i + 32])
            self._now[host] = tuple(flat[5 * i : 5 * i + 5])  # type: ignore[assignment]
        self._folders: dict[str, int] = {}
        self._hidden: dict[str, bool] = {}

    def index(self, places: Sequence[Place], raws: dict[str, bytes]) -> Index:
        now = filesystem_time(self._scan.index_file)
        todo, nested, used = list(places), list[Place](), dict[str, bytes]()
        result: dict[str, tuple[str, Found]] = {}
        while todo:
            place = todo.pop(0)
            if place.prefix in used:
                continue
            raw = raws.get(place.prefix)
            inside = place not in places
            used[place.prefix] = raw if raw is not None else listing.raw_listing(place, self._scan.run, inside=inside)
            for rel in self._names(place, used[place.prefix], raws.get(_INCLUDE), first=place is places[0]):
                name, host = place.prefix + rel, f"{place.host}/{rel}"
                if name in result or self._is_hidden(place.host, os.path.dirname(rel)):
                    continue
                found = self._look(host, now)
                result[name] = (host, found)
                if found.kind == "d":
                    nested.append(Place(name + "/", host, f"{place.rel}{rel}/"))
                    todo.append(nested[-1])
        if _INCLUDE in raws:
            used[_INCLUDE] = raws[_INCLUDE]
        return self._write(result, used, nested)

    def _names(self, place: Place, raw: bytes, included: bytes | None, *, first: bool) -> list[str]:
        names = dict.fromkeys(listing.decode(raw))
        if first:
            names |= dict.fromkeys(listing.FORCED)
        kept = dict.fromkeys(self._filter.keep(place, names))
        if first and included is not None:
            kept |= dict.fromkeys(listing.decode(included))
        around = os.path.normpath(place.host) + "/"
        own = f"{self._scan.root}/"
        if place.rel.startswith("../") and own.startswith(around):
            # The folder around the workspace can be a dependency of it (as with `fuzz`): count its files once.
            return [name for name in kept if not name.startswith(own[len(around) :])]
        return list(kept)

    def _look(self, host: str, now: int) -> Found:
        known, current = self._known.get(host), self._now.get(host)
        if known is not None and known.signature == current:
            return known
        try:
            found = os.lstat(host)
        except OSError as error:
            only_gone(error)
            return NOTHING
        if stat.S_ISDIR(found.st_mode):
            return Found(DIRECTORY, "d", bytes(32))
        if known is not None and known.signature == signature(found):
            return known
        return read_entry(host, now)

    def _is_hidden(self, top: str, folder: str) -> bool:
        """True below a symbolic link: git still tracks the file, but a link has replaced its folder."""
        if not folder:
            return False
        host = f"{top}/{folder}"
        hidden = self._hidden.get(host)
        if hidden is None:
            try:
                kind = stat.S_IFMT(os.lstat(host).st_mode)
            except OSError as error:
                only_gone(error)
                kind = 0
            self._folders[host] = kind
            above = self._is_hidden(top, os.path.dirname(folder))
            hidden = self._hidden[host] = above or kind != stat.S_IFDIR
        return hidden

    def _write(self, result: dict[str, tuple[str, Found]], raws: dict[str, bytes], nested: list[Place]) -> Index:
        names = sorted(result, key=os.fsencode)
        flat = [number for name in names for number in result[name][1].signature]
        entries = {n: Entry(f.kind, f.digest.hex()) for n in names if (f := result[n][1]).kind in "fxl"}
        _refuse(entries)
        index = Index(
            settings=self._settings,
            raws=raws,
            nested=tuple((p.prefix, p.host, p.rel) for p in nested),
            names=join(names),
            hosts=join([result[name][0] for name in names]),
            folders=join(list(self._folders)),
            stats=marshal.dumps([*flat, *self._folders.values()], 2),
            kinds="".join(result[name][1].kind for name in names),
            digests=b"".join(result[name][1].digest for name in names),
            digest=listing_digest(entries),
        )
        save(self._scan.index_file, index)
        return index
