"""Folders in which nothing is listed now, and a new file would be: empty ones, and those with ignored files only."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import ProcessError
from layerdoit.tree import git, listing
from layerdoit.tree.listing import TOOL_DIRS, Place

if TYPE_CHECKING:
    from layerdoit.tree.lister import Lister

_TAG: Final = "CACHEDIR.TAG"


def find(lister: Lister, known: Collection[str]) -> set[str]:
    """The folders of the host. `known`: those that have listed files, and those above them, in all places."""
    places = {host: Place(host, _relative(lister, host)) for host in _tops(lister, known)}
    found = set[str]()
    for place in places.values():
        found.update(_of_walk(lister, place) if git.top(place.host) is None else ())
    todo = _by_place(places, known)
    while todo:
        fresh = dict[str, Place]()
        for place, folders in todo.items():
            inner = [one for folder in folders for one in _inner(folder) if one not in known and one not in found]
            seen = [one for one in inner if not _is_hidden(lister, place, one)]
            fresh |= dict.fromkeys(_not_ignored(lister, place, seen), place)
        found.update(fresh)
        todo = dict[Place, list[str]]()
        for folder, place in fresh.items():
            todo.setdefault(place, []).append(folder)
    return found


def _tops(lister: Lister, known: Collection[str]) -> set[str]:
    """Of the known folders those that are in no other known one."""
    return {str(lister.root), *(folder for folder in known if os.path.dirname(folder) not in known)}


def _relative(lister: Lister, host: str) -> str:
    return listing.place(str(lister.root), host).rel


def _by_place(places: Mapping[str, Place], known: Iterable[str]) -> dict[Place, list[str]]:
    of_git = [(f"{host}/", place) for host, place in places.items() if git.top(host) is not None]
    found: dict[Place, list[str]] = {}
    for folder in known:
        # The innermost of them.
        around = [one for one in of_git if f"{folder}/".startswith(one[0])]
        if around:
            found.setdefault(max(around)[1], []).append(folder)
    return found


def _inner(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            found = [one for one in entries if one.name not in TOOL_DIRS and one.is_dir(follow_symlinks=False)]
    except OSError:
        return
    yield from (one.path for one in found)


def _is_hidden(lister: Lister, place: Place, folder: str) -> bool:
    name = place.rel + os.path.relpath(folder, place.host)
    return os.path.exists(f"{folder}/{_TAG}") or lister.filter.hides(name)


def _not_ignored(lister: Lister, place: Place, folders: list[str]) -> set[str]:
    if not folders:
        return set()
    # In the same order each time: it is the same question then.
    fed = b"".join(os.fsencode(folder) + b"\0" for folder in sorted(folders))
    try:
        said = lister.kept.git.answer(git.command("check-ignore", "-z", "--stdin"), place.host, fed)
    except ProcessError:
        said = b""  # none of them
    return set(folders) - set(os.fsdecode(said).split("\0"))


def _of_walk(lister: Lister, place: Place) -> Iterator[str]:
    for folder in listing.walked_folders(place.host):
        if not (folder and lister.filter.hides(place.rel + folder)):
            yield os.path.join(place.host, folder).rstrip("/")


def included(root: Path, patterns: Iterable[str]) -> Iterator[str]:
    """The folders of the host in which a new file would be one that `sources.include` names, or an asset."""
    import glob

    for pattern in patterns:
        parts = os.path.normpath(pattern).split("/")
        for end in range(1, len(parts) + 1):
            for hit in glob.iglob("/".join(parts[:end]), root_dir=root, recursive=True, include_hidden=True):
                full = os.path.normpath(os.path.join(root, hit))
                if os.path.isdir(full):
                    yield full
                    if end == len(parts):
                        yield from (folder for folder, dirs, _ in os.walk(full) if _keep(dirs))


def _keep(dirs: list[str]) -> bool:
    dirs[:] = [name for name in dirs if name not in (".git", ".layerdoit")]
    return True
