"""Where a path leads, one symbolic link after the other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# As many as the kernel follows.
_MOST = 40


class Way(NamedTuple):
    """The links that a path goes through, and where it ends, all relative to the folder that it starts from.

    `end`: "" where it never ends, or goes through a link to an absolute path, which leads nowhere in a build.
    """

    links: Sequence[str]
    end: str


def way(root: str, path: str) -> Way:
    """Follow a path from `root`, an absolute path without links, which the way may leave and enter again."""
    at, links, todo = root, list[str](), path.split("/")[::-1]
    while todo:
        here = os.path.normpath(os.path.join(at, todo.pop()))
        try:
            target = os.readlink(here)
        except OSError:  # no link
            at = here
            continue
        links.append(os.path.relpath(here, root))
        if os.path.isabs(target) or len(links) > _MOST:
            return Way(links, "")
        todo += target.split("/")[::-1]
    return Way(links, os.path.relpath(at, root))


def followed(root: str, paths: Iterable[str]) -> tuple[str, ...]:
    """Where those of the paths end that go through a link and stay in the folder `root`."""
    ways = (way(root, path) for path in paths)
    return tuple(found.end for found in ways if found.links and found.end and not leads_out(found.end))


def leads_out(path: str) -> bool:
    """Whether a path, relative to a folder, lies outside of it."""
    return path == ".." or path.startswith("../")
