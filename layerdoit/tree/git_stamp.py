"""Whether a repository may say something else than before, from its files; starts no git process."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from layerdoit.tree import git

_REFERENCES = ("packed-refs", "reftable/tables.list")
_COMMON = ("config", "info/exclude", "info/attributes")
# Written by every checkout of another commit in a submodule.
_OWN = ("index", "logs/HEAD", "config.worktree", "reftable/tables.list")


def stamp(tops: Iterable[str], watched: Iterable[str]) -> str:
    """A text that is another one after a commit, a new tag or a change of the index, or of a watched file.

    `tops`: the repositories' folders.
    """
    return "\0".join((*(part for top in tops for part in _of(Path(top))), *map(_seen, watched)))


def _of(top: Path) -> Iterator[str]:
    checkout = git.find(top)
    if checkout is None or checkout.top != top:
        yield ""
        return
    common = checkout.common
    head = _text(checkout.folder / "HEAD")
    yield head
    if head.startswith("ref:"):
        yield _text(common / head.removeprefix("ref:").strip())
    yield from (_seen(common / name) for name in (*_REFERENCES, *_COMMON))
    yield from (_seen(checkout.folder / name) for name in _OWN)
    yield _text(common / "shallow")
    for folder, folders, names in os.walk(common / "refs/tags"):
        folders.sort()
        for name in sorted(names):
            yield f"{folder}/{name} {_text(Path(folder, name))}"


def folders(top: Path, *, references: bool) -> Iterator[Path]:
    """The folders whose entries say which files git lists. `references`: and those of what `stamp` looks at."""
    checkout = git.find(top)
    if checkout is None:
        return
    common = checkout.common
    yield from (checkout.folder, common, common / "info")
    if references:
        head = _text(checkout.folder / "HEAD")
        if head.startswith("ref:"):
            yield (common / head.removeprefix("ref:").strip()).parent
        yield from (common / "reftable", checkout.folder / "reftable", checkout.folder / "logs")
        yield from (Path(folder) for folder, _, _ in os.walk(common / "refs/tags"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return ""


def _seen(path: str | Path) -> str:
    try:
        found = os.lstat(path)
    except OSError:
        return "-"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino} {found.st_mode}"
