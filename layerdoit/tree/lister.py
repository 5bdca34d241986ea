"""One reading's listing: what is sent to a build, and so what cargo finds there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from layerdoit.core import user_folder
from layerdoit.core.background import Background
from layerdoit.tree import git, links, listing
from layerdoit.tree.kept import Kept
from layerdoit.tree.listing import Filter, Place, Runner


class Wanted(NamedTuple):
    """What is sent: folders whose files are listed, single files, and links in whose place their target is sent."""

    places: tuple[Place, ...]
    files: tuple[str, ...]
    replaced: frozenset[str]

    @classmethod
    def of(cls, root: str, extra: Iterable[str]) -> Wanted:
        """The workspace at `root`, and what is sent besides."""
        places, files, replaced = [listing.place(root, ".")], list[str](), set[str]()
        for name in extra:
            on_it, end = links.way(root, name)
            if not end:
                replaced.add(name)
            else:
                files += on_it
            there = end or name
            host = os.path.normpath(os.path.join(root, there))
            if os.path.isdir(host):
                places.append(Place(host, f"{there}/"))
            else:
                files.append(there)
        return cls(tuple(places), tuple(files), frozenset(replaced))


class Lister:
    """The files of a workspace, each folder listed when it is first asked for. To list again is to make a new one.

    `root`: without links; `where`: where `include` was given; `from_top`: the context is laid out as the repository is;
    `kept`: what an earlier listing left.
    """

    def __init__(
        self,
        root: Path,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        *,
        where: str | None = None,
        run: Runner | None = None,
        from_top: bool = False,
        kept: Kept | None = None,
    ) -> None:
        self.root = root
        self.exclude, self.include = tuple(exclude), tuple(include)
        self.from_top = from_top
        self._where = where
        self.kept = kept or Kept()
        self.run = run or self.kept.git.answer
        self.reading = self.kept.git.reading
        self._own: Background[bytes] | None = None
        self._raws: dict[str, bytes] = {}
        self._known: set[str] = set()
        self._listed: set[str] = set()

    @cached_property
    def top(self) -> str | None:
        """The top of the git repository that the workspace is in."""
        return git.top(str(self.root))

    @cached_property
    def above(self) -> tuple[str, ...]:
        """The folders between the workspace and the top of its repository, relative to it, nearest first."""
        depth = 0 if self.top is None else len(self.root.parts) - len(Path(self.top).parts)
        return tuple("/".join([".."] * ups) for ups in range(1, depth + 1))

    @cached_property
    def forced(self) -> tuple[str, ...]:
        """What counts even where git leaves it out, looked for whether it is there or not."""
        above = (f"{folder}/.cargo/{name}" for folder in self.config_folders[1:] for name in ("config", "config.toml"))
        return (*listing.FORCED, *above)

    @cached_property
    def config_folders(self) -> tuple[str, ...]:
        """The folders whose `.cargo/` configures a build, nearest first. What is this machine's own is none."""
        home = os.path.normpath(user_folder.cargo())
        shared = (name for name in self.above if os.path.normpath(os.path.join(self.root, name, ".cargo")) != home)
        return (".", *shared)

    @cached_property
    def dockerignore(self) -> str:
        """`.dockerignore`, where it says what of the sources is left out."""
        try:
            text = (self.root / ".dockerignore").read_text(encoding="utf-8", errors="surrogateescape")
        except (FileNotFoundError, IsADirectoryError):
            return ""
        # A list that starts from nothing (`*`, then `!target/app`) is for another Dockerfile: it hides the sources.
        whole = ("*", "**", "/*", "/**", "**/*", "./*")
        return "" if any(line.strip() in whole for line in text.splitlines()) else text

    @cached_property
    def filter(self) -> Filter:
        """What is left out of what git lists."""
        return Filter(self.dockerignore, self.exclude)

    # --- what git says -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Have git asked while other things are read, unless it is asked already."""
        if self.kept.git.is_known:
            return
        own = listing.place(str(self.root), ".")
        self._own = Background(lambda: listing.raw_listing(own, self.run))

    def raw(self, place: Place) -> bytes:
        """See `listing.raw_listing`."""
        if place.rel not in self._raws:
            begun = self._own if not place.rel else None
            self._raws[place.rel] = begun.result() if begun is not None else listing.raw_listing(place, self.run)
        return self._raws[place.rel]

    @cached_property
    def included(self) -> bytes:
        """See `listing.included`."""
        return listing.included(self.root, self.include, self.top, self._where) if self.include else b""

    def names(self, place: Place, raw: bytes, included: bytes = b"", also: Iterable[str] = ()) -> list[str]:
        """The files of a place, relative to the workspace. `also`: what counts besides, whatever leaves it out."""
        more = tuple(also)
        # All that the answer follows from but what git tracks, which is asked only where it matters.
        content = (raw, included, more, self.dockerignore, self.exclude, self.forced)
        found, asked = self.kept.made(f"names {place}", content, lambda: self._names(place, raw, included, more))
        return self._names(place, raw, included, more)[0] if asked else found

    def _names(self, place: Place, raw: bytes, included: bytes, also: Iterable[str]) -> tuple[list[str], bool]:
        """And whether git was asked what it tracks."""
        names = dict.fromkeys(listing.decode(raw))
        tools = any(map(listing.of_a_tool, names))
        kept = self.filter.keep(place, names, listing.tracked(place, self.run) if tools else ())
        found = dict.fromkeys([place.rel + name for name in kept] if place.rel else kept)
        if not place.rel:
            found |= dict.fromkeys(self.filter.keep(place, self.forced))
            found |= dict.fromkeys(listing.decode(included))
            found |= dict.fromkeys(name for name in also if not listing.of_credentials(name))
        around = os.path.normpath(place.host) + "/"
        own = f"{self.root}/"
        if place.rel.startswith("../") and own.startswith(around):
            # The folder around the workspace can be a dependency of it (as with `fuzz`): count its files once.
            again = place.rel + own[len(around) :]
            return [name for name in found if not name.startswith(again)], tools
        return list(found), tools

    # --- what cargo finds --------------------------------------------------------------------------------------------

    def is_file(self, path: str) -> bool:
        """Whether a path relative to the workspace is a file that is sent."""
        return os.path.isfile(os.path.join(str(self.root), path)) and self.has(path)

    def has(self, path: str) -> bool:
        """Whether a path that is there is sent, with the links that it goes through."""
        if self._has(os.path.normpath(path)):
            return True
        found = links.way(str(self.root), path)
        return bool(found.links and found.end) and all(map(self._has, (*found.links, found.end)))

    def has_below(self, folder: str) -> bool:
        """Whether anything in a folder is sent."""
        self._add(listing.place(str(self.root), "."))
        below = os.path.normpath(folder) + "/"
        return below == "./" or any(name.startswith(below) for name in self._known)

    @property
    def files(self) -> list[str]:
        """All that is sent, relative to the workspace, but for what is found only when it is read."""
        self._add(listing.place(str(self.root), "."))
        return sorted(self._known)

    def sees(self, folder: str) -> frozenset[str]:
        """The files in a folder outside the workspace, relative to the workspace, as git lists them."""
        place = listing.place(str(self.root), folder)
        return frozenset(self.names(place, self.raw(place)))

    def add(self, path: str) -> None:
        """Count another folder or file, relative to the workspace, among what is sent."""
        wanted = Wanted.of(str(self.root), [path])
        self._known.update(wanted.files)
        for place in wanted.places[1:]:
            self._add(place)

    def _add(self, place: Place) -> None:
        if place.rel not in self._listed:
            self._listed.add(place.rel)
            own = () if place.rel else (self.included,)
            self._known.update(self.names(place, self.raw(place), *own))

    def _has(self, path: str) -> bool:
        self._add(listing.place(str(self.root), "."))
        if path in self._known:
            return True
        parts = path.split("/")
        for end in range(1, len(parts)):
            around = "/".join(parts[:end])
            host = os.path.join(str(self.root), around)
            if around in self._known and os.path.isdir(host) and not os.path.islink(host):
                # A repository in the repository.
                self._add(listing.place(str(self.root), around)._replace(inside=True))
        return path in self._known
