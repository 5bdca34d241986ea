"""Clones of repositories in the user's cache folder: from them, pushed commits are built.

A clone is locked while it is used, and its work tree is exactly a commit: what an earlier run left in it goes, but for
our own state folders. One that a killed run left half made, or that is damaged, is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from layerdoit.core import files, user_folder
from layerdoit.core.command_errors import CommandFailed
from layerdoit.core.console import say
from layerdoit.core.errors import LayerdoitError, ProcessError
from layerdoit.core.masking import redact, register_secret
from layerdoit.core.process import capture
from layerdoit.core.state import FOLDER
from layerdoit.project.identity import address
from layerdoit.tree import git, lfs

_FOLDER: Final = "sources"
_TREE: Final = "tree"
# Nobody answers a question of a run.
_UNASKED: Final = {"GIT_TERMINAL_PROMPT": "0", "GCM_INTERACTIVE": "never"}
# Hooks of the user are for the user's own checkouts.
_SETTINGS: Final = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0")
_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_REMOTE: Final = "refs/remotes/origin/"


@dataclass(frozen=True)
class Clone:
    """A clone that this process has for itself. `top`: its work tree; `words`: where it comes from, without a login."""

    top: Path
    url: str
    words: str

    def git(self, *words: str) -> str:
        """What git says in it."""
        return capture(git.command(*_SETTINGS, *words), cwd=self.top, env=_UNASKED).stdout

    # --- what is there, and what the remote has -----------------------------------------------------------------------

    def known(self) -> dict[str, str]:
        """Branches and tags of the remote as they were fetched last: `refs/heads/…` and `refs/tags/…` -> id."""
        rows = self.git("for-each-ref", "--format=%(objectname) %(refname)", _REMOTE, _TAGS).splitlines()
        found = (row.split(" ", 1) for row in rows)
        return {name.replace(_REMOTE, _HEADS): sha for sha, name in found if name != f"{_REMOTE}HEAD"}

    def asked(self) -> dict[str, str]:
        """The same as the remote has them now; ProcessError where it does not answer."""
        rows = self.git("ls-remote", "--heads", "--tags", "origin").splitlines()
        found = (row.split("\t", 1) for row in rows)
        return {name: sha for sha, name in found if not name.endswith("^{}")}

    def fetch(self) -> None:
        """Have what the remote has; what is gone there goes."""
        specs = (f"+{_HEADS}*:{_REMOTE}*", f"+{_TAGS}*:{_TAGS}*")
        self.git("fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-recurse-submodules", "origin", *specs)

    def commit(self, word: str) -> str:
        """The commit's whole id; '' where there is none, or several begin so."""
        try:
            return self.git("rev-parse", "--quiet", "--verify", "--end-of-options", f"{word}^{{commit}}").strip()
        except CommandFailed:
            return ""

    def holds(self, sha: str) -> bool:
        """Whether a branch or tag of the remote has a commit in it."""
        return bool(self.git("for-each-ref", "--count=1", f"--contains={sha}", _REMOTE, _TAGS).strip())

    # --- the work tree -----------------------------------------------------------------------------------------------

    def lay_out(self, sha: str, branch: str = "") -> None:
        """Make the work tree that commit, with its submodules and the files of git LFS. `branch`: HEAD is on it."""
        where = ("-B", branch, "--no-track") if branch else ("--detach",)
        self.git("checkout", "--quiet", "--force", *where, sha)
        clean = ("clean", "--quiet", "-ffdx", f"--exclude={FOLDER}")
        self.git(*clean)
        if (self.top / ".gitmodules").exists():
            self._ask("submodule", "sync", "--quiet", "--recursive")
            self._ask("submodule", "update", "--quiet", "--init", "--recursive", "--force")
            self.git("submodule", "--quiet", "foreach", "--recursive", f"git {' '.join(clean)}")
        self._fill()

    def _fill(self) -> None:
        """Files of git LFS come with the checkout where git is set up for it."""
        names = [os.fsdecode(name) for name in self.git("ls-files", "-z", "--recurse-submodules").split("\0") if name]
        lacking = list(lfs.pointers(self.top, names))
        if not lacking:
            return
        if shutil.which("git-lfs") is None:
            raise LayerdoitError(
                f"{lacking[0]} is a file of git LFS, which is not installed", hint="install git-lfs and run again"
            )
        self._ask("lfs", "pull")
        if (self.top / ".gitmodules").exists():
            self._ask("submodule", "--quiet", "foreach", "--recursive", "git lfs pull")

    def _ask(self, *words: str) -> None:
        try:
            self.git(*words)
        except CommandFailed as error:
            raise unreachable(self.words, error) from None


def unreachable(words: str, error: CommandFailed) -> LayerdoitError:
    """What a remote that does not give what is asked of it means for the user."""
    said = [line for line in error.stderr.splitlines() if line.strip() and not line.startswith("Cloning into")]
    reason = next((line for line in said if line.startswith(("fatal:", "remote:", "ERROR"))), said[-1] if said else "")
    why = re.sub(r"^(?:fatal|remote|ERROR): ?", "", reason).strip()
    return LayerdoitError(
        redact(f"{words} does not give its commits: {why}" if why else f"{words} does not answer"),
        hint=f"look whether `git ls-remote {words}` works: it uses the same login",
    )


def shown(url: str) -> str:
    """A repository's address for people, without a login."""
    parts = urlsplit(url) if "://" in url else None
    if parts is None or "@" not in parts.netloc or parts.scheme == "ssh":
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@contextlib.contextmanager
def opened(url: str, name: str) -> Iterator[Clone]:
    """The clone of a repository, for this process alone. `name`: of its folder, by which a project may be called."""
    if (parts := urlsplit(url) if "://" in url else None) and parts.password:
        register_secret(parts.password)
    words = shown(url)
    # Whatever stands at the end of an address: a folder beside ours, and no other.
    name = re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "source"
    digest = hashlib.sha256(f"{address(url) or url}\0{name}".encode()).hexdigest()[:12]
    place = user_folder.cache() / _FOLDER / digest
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    (place / _TREE).mkdir(exist_ok=True)
    with files.locked(place / "lock", lambda: say(f"waiting for another run that builds from {words}")):
        clone = Clone(place / _TREE / name, url, words)
        _mend(clone)
        yield clone


def made_anew(clone: Clone) -> None:
    """Clone again, for something in the clone is damaged."""
    say(f"the clone of {clone.words} in {clone.top.parent} is damaged: it is made anew")
    shutil.rmtree(clone.top, ignore_errors=True)
    _mend(clone)


def _mend(clone: Clone) -> None:
    """Have a whole clone, which no other process uses. A clone comes into place by a rename."""
    part = clone.top.parent.parent / "part"
    shutil.rmtree(part, ignore_errors=True)
    if (clone.top / ".git").is_dir():
        for lock in (clone.top / ".git").rglob("*.lock"):
            lock.unlink(missing_ok=True)
        with contextlib.suppress(ProcessError):
            clone.git("rev-parse", "--resolve-git-dir", ".git")
            clone.git("config", "remote.origin.url", clone.url)
            return
    shutil.rmtree(clone.top, ignore_errors=True)
    say(f"cloning {clone.words}")
    command = git.command(*_SETTINGS, "clone", "--quiet", "--no-checkout", "--template=", "--", clone.url, str(part))
    try:
        capture(command, cwd=clone.top.parent, env=_UNASKED)
    except CommandFailed as error:
        shutil.rmtree(part, ignore_errors=True)
        raise unreachable(clone.words, error) from None
    os.replace(part, clone.top)
