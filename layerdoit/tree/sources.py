"""Hash the files of the tree once, and then recognise unchanged ones by their stat data.

For each file the index keeps size, mtime, ctime, inode and mode beside the digest. A digest is reused only where all
five are the same and were old enough when it was taken. So a backdated mtime or two swapped files cost a new hash, but
are never missed.
"""

from __future__ import annotations

import gc
import marshal
import os
import stat
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar, overload

from layerdoit.core.background import Background
from layerdoit.core.errors import WorkspaceError
from layerdoit.core.frozen import Frozen
from layerdoit.tree import layout, links, listing
from layerdoit.tree.entries import DIRECTORY, NOTHING, Found, Signature, only_gone, read_entry, signature
from layerdoit.tree.index import Entry, Index, digest_of, filesystem_time, join, load, refuse, row, save, split
from layerdoit.tree.kept import Kept, Warm
from layerdoit.tree.lister import Lister, Wanted
from layerdoit.tree.listing import Place

_INCLUDE = "\0include"
Other = TypeVar("Other")


class Sources(Frozen):
    """The result of one scan. Paths are relative to the context root."""

    root: Path
    home: str  # where the workspace lies in the context: "", or "rust/" where something above it is sent too
    entries: Mapping[str, Entry]
    known_digest: str | None = field(default=None, repr=False, compare=False)
    elsewhere: Mapping[str, Path] = field(default_factory=dict, repr=False, compare=False)
    """Files of the host by path, of entries that are not where their path says."""

    def digest(self) -> str:
        return self.known_digest or listing_digest(self.entries)

    def context_path(self, path: str) -> str:
        """A path relative to the workspace root as a path relative to the context root."""
        return layout.context_path(self.home, path)

    def own_path(self, path: str) -> str:
        """A path relative to the context root as a path relative to the workspace root."""
        return layout.own_path(self.home, path)

    def host_path(self, path: str) -> Path:
        """An entry's path on the host."""
        if path in self.elsewhere:
            return self.elsewhere[path]
        return Path(os.path.normpath(os.path.join(str(self.root), self.own_path(path))))

    def host_files(self) -> list[str]:
        """The host paths of all entries except links; cheap even for a large tree."""
        if isinstance(self.entries, _Packed):
            return self.entries.host_files()
        return [str(self.host_path(path)) for path, entry in self.entries.items() if entry.kind != "l"]

    def host_folders(self) -> set[str]:
        """The host paths of the folders that hold entries, or may hold what was looked for, and of those above them."""
        if isinstance(self.entries, _Packed):
            return {*map(os.path.normpath, self.entries.folders()), *self.host_places()}
        return {os.path.dirname(self.host_path(path)) for path in self.entries}

    def host_places(self) -> list[str]:
        """The host paths of the folders whose files were listed together: see `Place`."""
        places = self.entries.places() if isinstance(self.entries, _Packed) else [""]
        return [os.path.normpath(os.path.join(self.root, place)) for place in places]

    def under(self, prefixes: Sequence[str]) -> Sources:
        """The entries at or below some paths."""
        wanted = tuple(prefix.strip("/") for prefix in prefixes)
        if "" in wanted or "." in wanted:
            return self
        below = tuple(prefix + "/" for prefix in wanted)
        chosen = {p: e for p, e in self.entries.items() if p.startswith(below) or p in wanted}
        return Sources(self.root, self.home, chosen)


def listing_digest(entries: Mapping[str, Entry]) -> str:
    """sha256 over the sorted, length-prefixed listing."""
    plain = "".join(entries).isascii()
    names = sorted(entries) if plain else sorted(entries, key=os.fsencode)
    return digest_of([row(name, *entries[name]) for name in names])


class _Packed(Mapping[str, Entry]):
    """Entries in the index's form, unpacked on first use; a no-op never does."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm

    def host_files(self) -> list[str]:
        return [host for host, kind in zip(self._warm.hosts, self._warm.index.kinds, strict=True) if kind in "fx"]

    def folders(self) -> list[str]:
        return self._warm.folders

    def places(self) -> list[str]:
        return [rel for rel in self._warm.index.raws if rel != _INCLUDE]

    def __getitem__(self, path: str) -> Entry:
        return self._warm.entries[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._warm.entries)

    def __len__(self) -> int:
        return len(self._warm.entries)

    def __contains__(self, path: object) -> bool:
        return path in self._warm.entries

    @overload
    def get(self, path: str, /) -> Entry | None: ...

    @overload
    def get(self, path: str, default: Entry | Other, /) -> Entry | Other: ...

    def get(self, path: str, default: Entry | Other | None = None, /) -> Entry | Other | None:
        return self._warm.entries.get(path, default)

    def items(self) -> ItemsView[str, Entry]:
        return self._warm.entries.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._warm.entries == dict(other)

    __hash__ = None  # type: ignore[assignment]


def scan(lister: Lister, extra: Sequence[str] = (), *, index_file: Path | None, kept: Kept | None = None) -> Sources:
    """Hash what a listing names.

    `extra`: files and folders, relative to the workspace, that are sent besides what git lists in it; `kept`: what an
    earlier reading left, and takes what this one leaves.
    """
    collecting = gc.isenabled()
    gc.disable()  # tens of thousands of small tuples, none of them in a cycle
    try:
        return _Scan(lister, tuple(extra), index_file, kept or Kept()).result()
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkspaceError(
            f"cannot be read: {reason}",
            where=str(error.filename or lister.root),
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


class _Scan(NamedTuple):
    lister: Lister
    extra: tuple[str, ...]
    index_file: Path | None
    kept: Kept

    @property
    def root(self) -> Path:
        return self.lister.root

    def result(self) -> Sources:
        found = self.lister
        given = (found.exclude, found.include, found.dockerignore, found.forced, found.from_top)
        settings = repr((str(self.root), self.extra, *given))
        warm = self.kept.warm or Warm(load(self.index_file))
        old = warm.index
        if old.settings != settings:
            # What was hashed is still true; what belongs to the listing is not.
            old = replace(old, raws={}, nested=(), digest="")
        wanted = Wanted.of(str(self.root), self.extra)
        nested = [Place(*values) for values in old.nested]
        raws, flat = self._seen(warm, [*wanted.places, *nested])
        if old.digest and raws == old.raws:
            if warm.is_as(flat):
                return self._found(warm)
            if newer := warm.refreshed(flat, filesystem_time(self.index_file)):
                return self._found(newer)
        return self._found(Warm(_Update(self, old, flat, settings).index(wanted, raws)))

    def _seen(self, warm: Warm, places: Sequence[Place]) -> tuple[dict[str, bytes], list[int]]:
        if self.kept.git.is_known:
            # It was asked already, if it has to be asked.
            return self._list(places), self.kept.seen(warm)
        raws = Background(lambda: self._list(places))
        flat = self.kept.seen(warm)
        return raws.result(), flat

    def _found(self, warm: Warm) -> Sources:
        self.kept.keep(warm, self.index_file)
        return Sources(self.root, warm.index.home, _Packed(warm), warm.index.digest)

    def _list(self, places: Sequence[Place]) -> dict[str, bytes]:
        raws = {p.rel: self.lister.raw(p) for p in places if os.path.isdir(p.host)}
        if self.lister.include:
            raws[_INCLUDE] = self.lister.included
        return raws


class _Update:
    """A full scan, for when something differs: list the files, hash unknown ones, write the index."""

    def __init__(self, scan: _Scan, old: Index, flat: Sequence[int], settings: str) -> None:
        self._scan, self._settings, self._root = scan, settings, str(scan.root)
        stored = marshal.loads(old.stats) if old.stats else []
        self._known: dict[str, Found] = {}
        self._now: dict[str, Signature] = {}
        for i, (host, kind) in enumerate(zip(split(old.hosts), old.kinds, strict=True)):
            self._known[host] = Found(tuple(stored[5 * i : 5 * i + 5]), kind, old.digests[32 * i : 32 * i + 32])
            self._now[host] = tuple(flat[5 * i : 5 * i + 5])  # type: ignore[assignment]
        self._folders: dict[str, int] = {}
        self._hidden: dict[str, bool] = {}
        self._result: dict[str, tuple[str, Found]] = {}
        self._nested: list[Place] = []
        self._todo: list[Place] = []

    def index(self, wanted: Wanted, raws: Mapping[str, bytes]) -> Index:
        now = filesystem_time(self._scan.index_file)
        lister, used = self._scan.lister, dict[str, bytes]()
        self._todo = list(wanted.places)
        while self._todo:
            place = self._todo.pop(0)
            if place.rel in used:
                continue
            raw = raws.get(place.rel)
            used[place.rel] = raw if raw is not None else lister.raw(place)
            for name in lister.names(place, used[place.rel], raws.get(_INCLUDE, b""), wanted.files):
                if name not in wanted.replaced:
                    self._take(name, place, now)
        if _INCLUDE in raws:
            used[_INCLUDE] = raws[_INCLUDE]
        return self._write(used)

    def _take(self, name: str, place: Place, now: int) -> None:
        top, inner = (place.host, name[len(place.rel) :]) if name.startswith(place.rel) else (self._root, name)
        if name in self._result or self._is_hidden(top, os.path.dirname(inner)):
            return
        host = f"{top}/{inner}" if not inner.startswith("..") else os.path.normpath(f"{top}/{inner}")
        found = self._look(host, now)
        self._result[name] = (host, found)
        if found.kind == "d":
            self._nest(Place(host, f"{name}/", inside=True))
        elif found.kind == "l":
            self._follow(name, now)

    def _nest(self, place: Place) -> None:
        self._nested.append(place)
        self._todo.append(place)

    def _follow(self, link: str, now: int) -> None:
        """Take along what a link out of the workspace leads to, where that is in the same repository."""
        on_it, end = links.way(self._root, link)
        top, hosts = self._scan.lister.top, {}
        for path in (*on_it[1:], end):
            if links.leads_out(path):
                hosts[path] = os.path.normpath(os.path.join(self._root, path))
        if top is None or not all(listing.within(host, top) for host in hosts.values()):
            return
        for path, host in hosts.items():
            if os.path.isdir(host) and not os.path.islink(host):
                self._nest(Place(host, f"{path}/"))
            else:
                self._take(path, Place(self._root, ""), now)

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

    def _write(self, raws: dict[str, bytes]) -> Index:
        sent = [name for name, (_, found) in self._result.items() if found.kind in "fxl"]
        beyond = [self._result[name][0] for name in sent if links.leads_out(name)]
        lister = self._scan.lister
        least = len(lister.above) if lister.from_top else 0
        home, checkouts = layout.home(self._root, lister.top, sent, beyond, least)
        result = self._result
        if home:
            result = {layout.context_path(home, name): found for name, found in result.items()}
        names = sorted(result, key=os.fsencode)
        flat = [number for name in names for number in result[name][1].signature]
        entries = {n: Entry(f.kind, f.digest.hex()) for n in names if (f := result[n][1]).kind in "fxl"}
        refuse(entries)
        index = Index(
            settings=self._settings,
            raws=raws,
            nested=tuple((place.host, place.rel, place.inside) for place in self._nested),
            home=home,
            checkouts=checkouts,
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
