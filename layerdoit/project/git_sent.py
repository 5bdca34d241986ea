"""The repositories that are made for a build, kept in the state folder while git has nothing else to say.

`.layerdoit/git` can be deleted at any time; it costs some milliseconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from layerdoit.core import files
from layerdoit.core.command_errors import CommandFailed
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.tree import git
from layerdoit.tree.git_stamp import stamp
from layerdoit.tree.index import Entry
from layerdoit.tree.packed import Packed
from layerdoit.tree.sources import Sources

if TYPE_CHECKING:
    from layerdoit.project.project import Project
    from layerdoit.tree.git_facts import Depth

_FOLDER: Final = "git"
_RECORD: Final = "record"
# Of a build and of a check, with two selections or so.
_KEPT: Final = 4
_FORM: Final = "1"


class _Made(NamedTuple):
    """What was made for one question. `asked`: digest of it; `changed`: what changed files of `sources` were before.

    Both `entries` and `changed` are digests by path in the context.
    """

    asked: str
    stamp: str
    tops: tuple[str, ...]
    watched: tuple[str, ...]
    entries: dict[str, str]
    sources: str = ""
    changed: Mapping[str, str] = {}


_FORMAT: Final = Packed("git", _Made._fields)


def with_git(project: Project, sources: Sources) -> Sources:
    """The sources, and the repository that they are in as far as builds are told of it."""
    depth = project.config.build.git
    if depth == "none":
        return sources
    top = project.lister.top
    if top is None:
        raise ConfigError(
            f"build.git: {depth}, but {project.root} is in no git repository",
            where=project.config.where.get("build.git"),
            hint="build in a clone of the repository, or set build: {git: none}",
        )
    store = _Store(project.state / _FOLDER)
    asked = _digest((_FORM, depth, top, sources.home, *sources.entries))
    known = store.load()
    made = next((one for one in known if one.asked == asked and one.stamp == stamp(one.tops, one.watched)), None)
    if made is None or not store.has(made):
        with _told(project, top):
            made = _make(store, asked, _Sent(sources, Path(top)), cast("Depth", depth))
    if made.sources != sources.digest():
        with _told(project, top):
            made = made._replace(sources=sources.digest(), changed=_before(store, made.tops, sources))
    if made not in known:
        store.keep([made, *(one for one in known if one.asked != asked)][:_KEPT])
    digests = {**made.entries, **made.changed}
    entries = {path: Entry("f", digest) for path, digest in digests.items()}
    there = {path: store.folder / digest for path, digest in digests.items()}
    return Sources(sources.root, sources.home, {**sources.entries, **entries}, elsewhere=there)


@contextlib.contextmanager
def _told(project: Project, top: str) -> Iterator[None]:
    try:
        yield
    except CommandFailed as error:
        fatal = next((line for line in error.stderr.splitlines() if line.startswith("fatal: ")), str(error))
        owned = f"git config --global --add safe.directory {top}" if "dubious ownership" in fatal else ""
        raise LayerdoitError(
            f"build.git: git does not tell about {top}: {fatal.removeprefix('fatal: ')}",
            where=project.config.where.get("build.git"),
            hint=owned or f"look what `git -C {top} status` says",
        ) from error


def signature(project: Project) -> str:
    """What tells a run with nothing to do that git has nothing new to say."""
    if project.config.build.git == "none":
        return ""
    return _digest(stamp(one.tops, one.watched) for one in _Store(project.state / _FOLDER).load())


def shown(path: str) -> str:
    """A file as a user knows it: what is in a repository's folder is that folder."""
    above, inside, _ = f"/{path}".partition("/.git/")
    return f"{above}/.git"[1:] if inside else path


def together(listing: Mapping[str, str]) -> dict[str, str]:
    """A listing, by path, in which each repository is one file."""
    inside: dict[str, list[str]] = {}
    for path, value in listing.items():
        if (name := shown(path)) != path:
            inside.setdefault(name, []).append(f"{path} {value}")
    folders = {name: f"f{_digest(sorted(rows))}" for name, rows in inside.items()}
    return {**{path: value for path, value in listing.items() if shown(path) == path}, **folders}


class _Sent(NamedTuple):
    """What a build gets of a repository. `top`: its folder."""

    sources: Sources
    top: Path

    @property
    def place(self) -> str:
        """Where the top is in the build context; '' for the context's own."""
        found = self.sources.context_path(os.path.relpath(self.top, self.sources.root))
        return "" if found == "." else found

    @property
    def paths(self) -> list[str]:
        """What is sent of it, relative to its top."""
        start = f"{self.place}/" if self.place else ""
        return [path[len(start) :] for path in self.sources.entries if path.startswith(start)]


def _make(store: _Store, asked: str, first: _Sent, depth: Depth) -> _Made:
    from layerdoit.tree.git_facts import repository

    entries, tops, watched, todo = dict[str, str](), list[str](), list[str](), [first]
    known = stamp([str(first.top)], ())
    while todo:
        sent = todo.pop()
        tops.append(str(sent.top))
        paths = sent.paths
        found = repository(sent.top, paths, depth)
        watched += found.watched
        entries |= store.add(sent.place, found.files)
        # A submodule asks its own repository.
        todo += (
            sent._replace(top=sent.top / link)
            for link in found.links
            if git.is_top(str(sent.top / link)) and any(path.startswith(f"{link}/") for path in paths)
        )
    # What changed meanwhile is asked again.
    later = stamp(tops, watched) if stamp(tops[:1], ()) == known else ""
    return _Made(asked, later, tuple(tops), tuple(watched), entries)


def _before(store: _Store, tops: Iterable[str], sources: Sources) -> dict[str, str]:
    from layerdoit.tree.git_facts import before

    found = dict[str, str]()
    for top in map(Path, tops):
        found |= store.add(_Sent(sources, top).place, before(top))
    return found


class _Store(NamedTuple):
    """Files by the sha256 of their content, and the record of what was made of them."""

    folder: Path

    def load(self) -> list[_Made]:
        return [_Made(*values) for values in _FORMAT.read(self.folder / _RECORD) or ()]

    def has(self, made: _Made) -> bool:
        return all((self.folder / digest).is_file() for digest in (*made.entries.values(), *made.changed.values()))

    def add(self, place: str, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Digests by path in the context, of the files of a repository that is at `place` there."""
        self.folder.mkdir(exist_ok=True)
        found = {}
        for path, content in contents.items():
            digest = hashlib.sha256(content).hexdigest()
            if not (self.folder / digest).is_file():
                files.write(self.folder / digest, content)
            found[posixpath.join(place, ".git", path)] = digest
        return found

    def keep(self, every: Sequence[_Made]) -> None:
        """Replace the record; what no longer belongs to it goes."""
        files.write(self.folder / _RECORD, _FORMAT.pack([tuple(one) for one in every]))
        kept = {digest for one in every for digest in (*one.entries.values(), *one.changed.values())}
        for found in self.folder.iterdir():
            if len(found.name) == len(_digest(())) and found.name not in kept:
                found.unlink(missing_ok=True)


def _digest(words: Iterable[str]) -> str:
    text = "\0".join(words)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
