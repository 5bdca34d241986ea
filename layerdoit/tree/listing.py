"""List the source files: as git lists them, or outside git by a walk that honours `.gitignore`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from layerdoit.core.errors import ProcessError, WorkspaceError
from layerdoit.tree import git
from layerdoit.tree.ignore_patterns import GitIgnore, Patterns, ignored

Runner = Callable[[list[str], Path], bytes]

# No sources unless git tracks them: state of tools, not of the project.
TOOL_DIRS = frozenset({".git", ".layerdoit", "node_modules", "__pycache__", ".venv"})
# These decide how cargo builds; they count even where git or .dockerignore leaves them out.
FORCED = (
    "Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml", ".cargo/config", ".cargo/config.toml",
)  # fmt: skip
_PLAIN = ["-c", "core.untrackedCache=false", "-c", "core.fsmonitor=false"]
_LS = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
_SPECIAL = re.compile(r"[*?\[]")
_TOOL_PART = re.compile(rf"(?:^|/)(?:{'|'.join(map(re.escape, sorted(TOOL_DIRS)))})(?:/|$)")
_OURS = re.compile(r"(?:^|/)\.(?:git|layerdoit)(?:/|$)")
_TOOL_FILE = re.compile(r"(?:^|/)(?:\.doit\.[^/]*|\.cargo/credentials(?:\.toml)?)$")
_PROTECTED = re.compile(r"(?:^|/)(?:Cargo\.toml|Cargo\.lock|rust-toolchain(?:\.toml)?|\.cargo/[^/]+)$")


class Place(NamedTuple):
    """A directory on the host whose files are listed together.

    `inside`: it is a folder that git lists as one, a submodule or a repository in a repository. A submodule that is not
    initialised is no repository, and the one around it does not know its files.
    """

    host: str  # absolute, no trailing "/"
    rel: str  # relative to the workspace root: "" or ends with "/"
    inside: bool = False


def place(root: str, folder: str) -> Place:
    """The place of a folder that is named relative to the workspace root."""
    host = os.path.normpath(os.path.join(root, folder))
    rel = os.path.relpath(host, root)
    return Place(host, "" if rel == "." else f"{rel}/")


def tracked(place: Place, run: Runner) -> frozenset[str]:
    """The files of a place that git tracks below a folder with the name of a tool's."""
    try:
        raw = run(git.command(*_PLAIN, "ls-files", "-z", "--cached"), Path(place.host))
    except (ProcessError, FileNotFoundError):
        return frozenset()
    return frozenset(name for name in decode(raw) if of_a_tool(name) and not _OURS.search(name))


def of_a_tool(name: str) -> bool:
    """Whether a path leads through a folder with the name of a tool's."""
    return _TOOL_PART.search(name) is not None


def of_credentials(name: str) -> bool:
    """Whether a file is never sent, whoever names it."""
    return _TOOL_FILE.search(name) is not None


def raw_listing(place: Place, run: Runner) -> bytes:
    """NUL-separated names relative to the place, exactly as git (or the walk) prints them."""
    if git.is_top(place.host) if place.inside else git.top(place.host) is not None:
        try:
            raw = run(git.command(*_PLAIN, *_LS), Path(place.host))
        except (ProcessError, FileNotFoundError):
            raw = None
        if raw is not None and _plausible(raw, place.host):
            return raw
    return b"\0".join(os.fsencode(name) for name in sorted(walk(place.host)))


def _plausible(raw: bytes, host: str) -> bool:
    """False if an enclosing repository ignores the whole folder, so that git lists nothing in it."""
    if raw.startswith(b"Cargo.toml\0") or b"\0Cargo.toml\0" in raw:
        return True
    return bool(raw) and not os.path.exists(host + "/Cargo.toml")


def decode(raw: bytes) -> list[str]:
    return [name.rstrip("/") for name in raw.decode("utf-8", "surrogateescape").split("\0") if name]


def included(root: Path, patterns: Sequence[str], top: str | None = None, where: str | None = None) -> bytes:
    """Files that `sources.include` names although git ignores them, or although they lie above the workspace.

    `top`: the git repository that the workspace is in, beyond which nothing is included.
    """
    names: set[str] = set()
    for pattern in patterns:
        host = os.path.normpath(os.path.join(str(root), pattern))
        if pattern.startswith("/") or not within(host, top or str(root)):
            around = "the git repository" if top else "the workspace, which is in no git repository"
            raise WorkspaceError(
                f"sources.include: '{pattern}' leads out of {around}",
                where=where,
                hint="move it there, or make it a path dependency",
            )
        names.update(_expand(str(root), pattern))
    return b"\0".join(os.fsencode(name) for name in sorted(names))


def within(host: str, folder: str) -> bool:
    """Whether an absolute path is a folder, or below it."""
    return host == folder or host.startswith(folder.rstrip("/") + "/")


def _expand(root: str, pattern: str) -> Iterator[str]:
    import glob

    pattern = os.path.normpath(pattern)
    hits = [pattern]
    if _SPECIAL.search(pattern):
        hits = glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)
    for hit in hits:
        full = os.path.join(root, hit)
        if os.path.isdir(full) and not os.path.islink(full):
            for folder, dirs, files in os.walk(full):
                dirs[:] = [d for d in dirs if d not in (".git", ".layerdoit")]
                links = [d for d in dirs if os.path.islink(os.path.join(folder, d))]
                yield from (os.path.relpath(os.path.join(folder, f), root) for f in files + links)
        elif os.path.lexists(full):
            yield os.path.normpath(hit)


class Filter:
    """What a listing leaves out: tools' folders, target directories, `.dockerignore`, `sources.exclude`."""

    def __init__(self, dockerignore: str, exclude: Sequence[str]) -> None:
        lines = [line for line in dockerignore.splitlines() if not line.startswith("#")]
        self._dockerignore = Patterns(lines)
        self._exclude = Patterns(exclude)
        # A plain `*` is about the workspace; it must not throw a dependency beside it away.
        self._exclude_outside = Patterns([p for p in exclude if p.lstrip("!").startswith(("../", "**"))])

    def keep(self, place: Place, names: Iterable[str], tracked: Collection[str] = ()) -> list[str]:
        """Filter names relative to the place. The rules of an enclosing place apply to a nested one, too.

        `tracked`: files that git tracks although the name of their folder is that of a tool's.
        """
        outside = place.rel.startswith("..")
        plain = [n for n in names if not _TOOL_FILE.search(n) and (n in tracked or not _TOOL_PART.search(n))]
        built = tuple(n[: -len("CACHEDIR.TAG")] for n in plain if n.endswith("/CACHEDIR.TAG"))
        if built:
            plain = [n for n in plain if not n.startswith(built)]
        if outside:
            return [n for n in plain if not self._exclude_outside.match(place.rel + n)]
        return [n for n in plain if not self._left_out(place.rel + n)]

    def _left_out(self, rel: str) -> bool:
        return self.by_dockerignore(rel) or self._exclude.match(rel)

    def hides(self, folder: str) -> bool:
        """Whether a folder, relative to the workspace, is left out with all that may ever be in it."""
        folder = folder.rstrip("/")
        if folder.startswith(".."):
            return self._exclude_outside.hides(folder)
        return self._dockerignore.hides(folder) or self._exclude.hides(folder)

    def by_dockerignore(self, rel: str) -> bool:
        """Whether `.dockerignore` leaves a path out."""
        return self._dockerignore.match(rel) and not _PROTECTED.search(rel)


def walk(host: str) -> Iterator[str]:
    """Files and symbolic links below a folder that no `.gitignore` excludes."""
    for _, names in _walked(host):
        yield from names


def walked_folders(host: str) -> Iterator[str]:
    """The folders that `walk` looks into, relative to the first, each with a `/` at its end; '' for the first."""
    return (folder for folder, _ in _walked(host))


def _walked(host: str) -> Iterator[tuple[str, list[str]]]:
    stack: list[tuple[str, tuple[GitIgnore, ...]]] = [("", ())]
    while stack:
        folder, rules = stack.pop()
        try:
            with os.scandir(os.path.join(host, folder)) as found:
                entries = list(found)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:
            raise WorkspaceError("this folder cannot be read", where=error.filename) from error
        names = {entry.name for entry in entries}
        if folder and "CACHEDIR.TAG" in names:
            continue
        if ".gitignore" in names:
            rules = (*rules, GitIgnore(folder, _text(os.path.join(host, folder, ".gitignore"))))
        files = []
        for entry in entries:
            path, is_dir = folder + entry.name, entry.is_dir(follow_symlinks=False)
            if entry.name in TOOL_DIRS or ignored(rules, path, is_dir):
                continue
            if is_dir:
                stack.append((path + "/", rules))
            else:
                files.append(path)
        yield folder, files


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
