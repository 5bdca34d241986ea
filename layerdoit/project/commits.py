"""A commit as a tree of its own, in a temporary folder: the user's checkout and repository stay as they are.

The files come out as a checkout would write them (`git checkout-index`, not `git archive`, which leaves out what
`export-ignore` names), with an index of their own, so that the same code sees the same list of files.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from layerdoit import config as configuration
from layerdoit.cargo import toolchain
from layerdoit.core import process
from layerdoit.core.errors import LayerdoitError, ProcessError
from layerdoit.tree import git

_FORM = "--format=%H%x00%s%x00%cs"
_LINK = re.compile(rb"160000 ([0-9a-f]+) 0\t(.+)", re.DOTALL)


@dataclass(frozen=True)
class Commit:
    """A commit of the project's repository. `sha`: the whole id."""

    sha: str
    subject: str
    date: str

    @property
    def words(self) -> str:
        """How people name it."""
        return f"commit {self.sha[:9]} ({self.date}, {self.subject})"


@dataclass(frozen=True)
class Laid:
    """A commit that was laid out: the project's folder in it, and what is not as the commit has it."""

    root: Path
    notes: tuple[str, ...]


def find(root: Path, word: str) -> Commit | None:
    """The commit that git calls so; None when it knows none, or where there is no git or repository."""
    if ".." in word or word.startswith("^"):
        # Several commits; no name has two dots.
        return None
    try:
        text = _git(root, "log", "-1", "--no-show-signature", _FORM, "--end-of-options", f"{word}^{{commit}}", "--")
    except ProcessError:
        return None
    sha, subject, date = text.decode(errors="replace").strip().split("\0")
    return Commit(sha, subject, date)


def names(root: Path) -> list[str]:
    """Branches and tags, for suggestions."""
    try:
        found = _git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags")
    except ProcessError:
        return []
    return found.decode(errors="replace").split()


@contextlib.contextmanager
def laid_out(root: Path, commit: Commit) -> Iterator[Laid]:
    """The commit's tree in a temporary folder, which is gone afterwards."""
    top = Path(os.fsdecode(_git(root, "rev-parse", "--show-toplevel").rstrip(b"\n")))
    inside = root.resolve().relative_to(top.resolve())
    holder = Path(tempfile.mkdtemp(prefix="layerdoit-explain-"))
    try:
        # The project may be called by its folder.
        tree = holder / top.name
        notes = _lay(top, commit.sha, tree, "")
        place = tree / inside
        if not (place / "Cargo.toml").is_file():
            where = "" if inside == Path() else f" in {inside}"
            raise LayerdoitError(
                f"{commit.words} has no Cargo.toml{where}", hint="name a commit in which this project was there"
            )
        notes += _lent(root, place)
        for name in toolchain.FILES:
            above = next((folder / name for folder in top.parents if (folder / name).is_file()), None)
            if above is not None:
                shutil.copyfile(above, holder / name)
        yield Laid(place, tuple(notes))
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def _lay(source: Path, sha: str, tree: Path, prefix: str) -> list[str]:
    """Write a commit's files, and those of its submodules as far as their commits are in this clone."""
    tree.mkdir(parents=True, exist_ok=True)
    form = "sha1" if len(sha) == 40 else "sha256"
    _git(tree, "init", "--quiet", "--template=", f"--object-format={form}")
    index = tree / ".git/index"
    _git(source, "read-tree", sha, index=index)
    _git(source, "checkout-index", "--all", "--quiet", f"--prefix={tree}/", index=index)
    _lend_history(source, sha, tree / ".git")
    notes = []
    for entry in _git(source, "ls-files", "--stage", "-z", index=index).split(b"\0"):
        if (link := _LINK.fullmatch(entry)) is None:
            continue
        path, wanted = os.fsdecode(link[2]), link[1].decode()
        module = source / path
        if git.is_top(str(module)) and find(module, wanted) is not None:
            notes += _lay(module, wanted, tree / path, f"{prefix}{path}/")
        else:
            with contextlib.suppress(OSError):
                (tree / path).rmdir()
            notes.append(f"submodule {prefix}{path} is not covered: its commit {wanted[:9]} is not in this clone")
    return notes


def _lend_history(source: Path, sha: str, own: Path) -> None:
    """What git says of the commit there (`build.git`) is what it would say in a checkout of it."""

    def place(name: str) -> Path:
        return source / os.fsdecode(_git(source, "rev-parse", "--git-path", name).rstrip(b"\n"))

    (own / "objects/info").mkdir(parents=True, exist_ok=True)
    (own / "objects/info/alternates").write_bytes(os.fsencode(place("objects").resolve()) + b"\n")
    (own / "packed-refs").write_bytes(_git(source, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"))
    (own / "HEAD").write_text(f"{sha}\n")
    if (shallow := place("shallow")).is_file():
        shutil.copyfile(shallow, own / "shallow")


def toolchain_file(root: Path) -> tuple[str, bytes] | None:
    """Name and content of the file that names a tree's toolchain: the nearest one."""
    path = toolchain.nearest_file(root)
    return None if path is None else (path.name, path.read_bytes())


def _lent(root: Path, place: Path) -> list[str]:
    """A commit from before the configuration is read with today's: its own would be the defaults."""
    own, theirs = root / configuration.FILE, place / configuration.FILE
    if theirs.exists() or not own.is_file():
        return []
    shutil.copyfile(own, theirs)
    return [f"the commit has no {configuration.FILE}: it is read with the present one"]


def _git(cwd: Path, *words: str, index: Path | None = None) -> bytes:
    """`index`: another one than that of the checkout."""
    environment = {"GIT_INDEX_FILE": str(index)} if index else {}
    return process.capture_quick(git.command(*words, environment=environment), cwd)
