"""How a build context is laid out: the workspace keeps its folder's name below the common folder of all that is sent.

Names below the top of a git repository are the same in every clone of it. Those above are a checkout's own: such a
folder is called `_`, so that no key depends on it, unless something outside the workspace refers to it by its name.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable
from typing import NamedTuple

from layerdoit.core.errors import WorkspaceError

IN_BUILD = "/build/src"
"""Where the context lies in a build."""
_ANY = "_"
# A larger file is no source that somebody wrote.
_MOST = 1 << 20


class Home(NamedTuple):
    """Where the workspace lies in the context: "" at its root, otherwise "rust/" or the like.

    `checkouts`: whether the names depend on what stands in files outside the workspace.
    """

    prefix: str
    checkouts: bool


def home(root: str, top: str | None, names: Iterable[str], outside: Iterable[str], least: int = 0) -> Home:
    """The home of the workspace at `root`, in the repository at `top`.

    `names`: all that is sent, relative to the workspace; `outside`: files on the host outside the workspace; `least`:
    how many folders above the workspace are in the context in any case.
    """
    names = list(names)
    ups = max((name.split("/").count("..") for name in names if name.startswith("..")), default=0)
    ups = max(ups, least)
    parts = root.strip("/").split("/")
    own = parts[len(parts) - ups :] if ups else []
    below = len(os.path.relpath(root, top).split("/")) if top is not None and top != root else 0
    loose = own[: max(0, ups - below)]
    if loose and not _named(loose, outside):
        own = [_ANY] * len(loose) + own[len(loose) :]
        _refuse(names, ups - len(loose))
    return Home("".join(f"{name}/" for name in own), bool(loose))


def _named(folders: list[str], files: Iterable[str]) -> bool:
    """Whether one of the files refers to one of the folders by its name, as in `../ws/util`."""
    words = b"|".join(re.escape(os.fsencode(name)) for name in folders)
    named = re.compile(rb"\.\./(?:" + words + rb")(?![\w.-])")
    return any(named.search(content) for content in map(_content, files))


def _content(host: str) -> bytes:
    try:
        if os.path.getsize(host) > _MOST:
            return b""
        with open(host, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _refuse(names: Iterable[str], below: int) -> None:
    """Refuse a folder that is called like the stand-in. `below`: how many folders up still have their own name."""
    for name in names:
        parts = name.split("/")
        ups = parts.count("..")
        if ups > below and parts[ups] == _ANY:
            raise WorkspaceError(
                f"{name} is in a folder named '{_ANY}', which stands for the workspace", hint="rename that folder"
            )


def context_path(prefix: str, path: str) -> str:
    """A path relative to the workspace as a path relative to the context."""
    return posixpath.normpath(prefix + path)


def own_path(prefix: str, path: str) -> str:
    """A path relative to the context as a path relative to the workspace."""
    return path[len(prefix) :] if path.startswith(prefix) else posixpath.relpath(path, prefix or ".")
