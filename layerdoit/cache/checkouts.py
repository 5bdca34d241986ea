"""Where this project is checked out: which of the checkouts that left mounts and images behind are still there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from layerdoit.engine.mounts import checkout_of, this_host

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


@dataclass(frozen=True)
class Worktree:
    """A linked git worktree, as git's own folder lists it. `locked`: on purpose not always there."""

    name: str
    top: Path
    locked: bool = False


def checkouts(root: Path, mounts: Iterable[Mount]) -> Mapping[str, Checkout]:
    """The checkouts that can be told, by digest: this one, git's worktrees of it, and those that mounts name.

    A checkout of another machine, or one of which nothing says where it was, is unknown, never gone.
    """
    found = {mount.checkout: Checkout(mount.checkout, "", "unknown") for mount in mounts}
    host = this_host()
    for mount in mounts:
        if mount.path and host and mount.host == host and checkout_of(Path(mount.path)) == mount.checkout:
            found[mount.checkout] = Checkout(mount.checkout, mount.path, "gone" if is_gone(mount.path) else "there")
    top, listed = git_worktrees(root)
    inside = root.relative_to(top) if top is not None else Path()
    for tree in listed:
        path = tree.top / inside
        # In a container of no name, the folders that git knows of may be the host's.
        missing = bool(host) and not tree.locked and is_gone(str(tree.top))
        digest = checkout_of(path)
        found[digest] = Checkout(digest, str(path), "gone" if missing else "there", tree.name)
    digest = checkout_of(root)
    return {**found, digest: Checkout(digest, str(root), "this")}


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


def git_worktrees(root: Path) -> tuple[Path | None, list[Worktree]]:
    """The top folder of the git checkout that holds `root`, and all worktrees of its repository, the main one too."""
    for top in (root, *root.parents):
        link = top / ".git"
        if link.is_dir():
            return top, _listed(link)
        if link.is_file():
            own = Path(top, link.read_text(encoding="utf-8").strip().removeprefix("gitdir:").strip())
            if own.parent.name != "worktrees":
                return top, []
            common = own.parent.parent
            main = [Worktree("", common.parent)] if common.name == ".git" else []
            return top, [*main, *_listed(common)]
    return None, []


def _listed(common: Path) -> list[Worktree]:
    found = []
    for folder in sorted(common.glob("worktrees/*")):
        try:
            link = (folder / "gitdir").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            continue
        # Newer git may write it relative to its own folder.
        top = Path(os.path.realpath(Path(folder, link).parent))
        found.append(Worktree(folder.name, top, (folder / "locked").exists()))
    return found
