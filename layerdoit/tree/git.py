"""A git checkout's repository, branch and worktrees, read from its files; starts no git process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_HEADS: Final = "refs/heads/"
# What stands in HEAD where references are kept in a table; no branch can be called so.
_TABLE: Final = ".invalid"
# Inside a git hook these point at one repository and would answer for every other one too.
_OF_A_HOOK: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
)


def command(*words: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """The git command that acts on its own working directory. `environment`: additional variables."""
    unset = [part for name in _OF_A_HOOK if name in os.environ for part in ("-u", name)]
    given = [f"{name}={value}" for name, value in (environment or {}).items()]
    return [*(["env", *unset, *given] if unset or given else []), "git", *words]


class Worktree(NamedTuple):
    """A worktree as its repository lists it. `name`: '' for the main one. `locked`: may be missing on purpose."""

    name: str
    top: Path
    locked: bool = False


class Checkout(NamedTuple):
    """A folder with a `.git`. `folder`: where its HEAD is. `name`: git's name of a linked worktree, '' otherwise."""

    top: Path
    folder: Path
    name: str = ""

    @property
    def common(self) -> Path:
        """The folder that all worktrees of the repository share."""
        return self.folder.parent.parent if self.folder.parent.name == "worktrees" else self.folder

    @property
    def branch(self) -> str:
        """The current branch, even without a commit; '' with a detached HEAD, and if the files do not tell."""
        return _branch(self.folder)

    def has(self, branch: str) -> bool | None:
        """Whether the branch exists, or a worktree is on it; None if the files do not tell."""
        common = self.common
        try:
            if not (common / _HEADS).is_dir() or (common / "reftable").exists():
                return None
            # In this order: git packs a reference before it removes the file.
            if (common / _HEADS / branch).is_file() or branch in self._checked_out():
                return True
            packed = (common / "packed-refs").read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            return None
        # Where file names have no case, HEAD may spell it otherwise.
        wanted = (_HEADS + branch).casefold()
        return any(line.partition(" ")[2].casefold() == wanted for line in packed.splitlines())

    def _checked_out(self) -> set[str]:
        return {_branch(folder) for folder in (self.common, *self.common.glob("worktrees/*"))} - {""}

    def worktrees(self) -> Iterator[Worktree]:
        """All worktrees of the repository, including this one; the main one first, if it is known."""
        if self.common.name == ".git":
            yield Worktree("", self.common.parent)
        for folder in sorted(self.common.glob("worktrees/*")):
            try:
                link = (folder / "gitdir").read_text(encoding="utf-8").strip()
            except (OSError, ValueError):
                continue
            # Newer git may write it relative to its own folder.
            top = Path(os.path.realpath(Path(folder, link).parent))
            yield Worktree(folder.name, top, (folder / "locked").exists())


def find(folder: Path) -> Checkout | None:
    """The checkout whose top folder this is, or that contains it."""
    for top in (folder, *folder.parents):
        link = top / ".git"
        if link.is_dir():
            return Checkout(top, link)
        if link.is_file():
            # A linked worktree, or a submodule.
            target = link.read_text(encoding="utf-8").strip().removeprefix("gitdir:").strip()
            parts = Path(target).parts
            name = parts[-1] if "worktrees" in parts else ""
            return Checkout(top, Path(os.path.realpath(top / target)), name)
    return None


def remotes(checkout: Checkout) -> tuple[str, ...]:
    """Addresses of the remotes that say where a repository comes from: `origin` and `upstream`, else the only one."""
    try:
        text = (checkout.common / "config").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ()
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if section := re.match(r"\s*\[([^\]]*)\]", line):
            remote = re.fullmatch(r'remote\s+"(.*)"', section[1].strip(), re.IGNORECASE)
            name = remote[1] if remote else ""
        elif name and (url := re.match(r"\s*url\s*=\s*(.*?)\s*$", line, re.IGNORECASE)):
            found.setdefault(name, url[1].strip('"'))
    named = tuple(found[name] for name in ("origin", "upstream") if name in found)
    return named or (tuple(found.values()) if len(found) == 1 else ())


def empty_submodules(root: Path) -> tuple[str, ...]:
    """Submodules of a repository that are not checked out, so that their files are missing."""
    try:
        text = (root / ".gitmodules").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ()
    paths = (path.strip() for path in re.findall(r"^\s*path\s*=\s*(.+)$", text, re.MULTILINE))
    return tuple(path for path in paths if not _inhabited(root / path))


def is_top(folder: str) -> bool:
    """Whether a folder has a `.git`, of any kind."""
    return os.path.lexists(folder + "/.git")


def top(folder: str) -> str | None:
    """The nearest of a folder and its parents that has a `.git`."""
    while not is_top(folder):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def _inhabited(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _branch(folder: Path) -> str:
    try:
        text = (folder / "HEAD").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    reference = text.removeprefix("ref:").strip() if text.startswith("ref:") else ""
    name = reference.removeprefix(_HEADS) if reference.startswith(_HEADS) else ""
    return "" if name == _TABLE else name
