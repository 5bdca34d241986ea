"""Where this project is checked out: which of the checkouts that left mounts and images behind are still there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from layerdoit.engine.mounts import checkout_of, this_host
from layerdoit.tree import git

if TYPE_CHECKING:
    from layerdoit.engine.mounts import Mount

State = Literal["this", "there", "gone", "unknown"]

_DRIVES: Final = ("/media/", "/mnt/", "/run/media/", "/Volumes/", "/net/")


@dataclass(frozen=True)
class Checkout:
    """One checkout by the digest of its path. `path`: '' where nobody says; `name`: of a linked git worktree."""

    digest: str
    path: str
    state: State
    name: str = ""

    @property
    def words(self) -> str:
        """As the table calls it."""
        if self.state == "this":
            return "this checkout"
        if not self.path:
            return f"checkout {self.digest}"
        return f"checkout gone: {self.path}" if self.state == "gone" else self.path


def checkouts(root: Path, mounts: Iterable[Mount]) -> Mapping[str, Checkout]:
    """The checkouts that can be told, by digest: this one, git's worktrees of it, and those that mounts name.

    A checkout of another machine, or one of which nothing says where it was, is unknown, never gone.
    """
    found = {mount.checkout: Checkout(mount.checkout, "", "unknown") for mount in mounts}
    host = this_host()
    for mount in mounts:
        if mount.path and host and mount.host == host and checkout_of(Path(mount.path)) == mount.checkout:
            found[mount.checkout] = Checkout(mount.checkout, mount.path, "gone" if is_gone(mount.path) else "there")
    for path, tree in of_repository(root).items():
        # In a container of no name, the folders that git knows of may be the host's.
        missing = bool(host) and not tree.locked and is_gone(str(tree.top))
        digest = checkout_of(path)
        found[digest] = Checkout(digest, str(path), "gone" if missing else "there", tree.name)
    digest = checkout_of(root)
    return {**found, digest: Checkout(digest, str(root), "this")}


def of_repository(root: Path) -> Mapping[Path, git.Worktree]:
    """Where this project is, or was, in each worktree of its git repository; empty where there is none."""
    own = git.find(root)
    return {} if own is None else {tree.top / root.relative_to(own.top): tree for tree in own.worktrees()}


def is_gone(path: str) -> bool:
    """Whether nothing is at a path any more. What cannot be looked at, or may be a drive that is not there, may be."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return not path.startswith(_DRIVES) or _has_entries(os.path.dirname(path))
    except OSError:
        return False
    return False


def _has_entries(folder: str) -> bool:
    try:
        return bool(os.listdir(folder))
    except OSError:
        return False
