"""What a build is told of git: a repository made for it, with the commit, its tags and what differs from it.

It has no remotes, hooks, names or settings of the user, and the same facts give the same bytes everywhere. Of files it
has only what changed ones were before, and those that are about git: builds get the files themselves, and git compares
hashes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from layerdoit.core.errors import ProcessError
from layerdoit.core.process import capture_quick
from layerdoit.tree import git
from layerdoit.tree.git_objects import Object, Tracked, index, loose, pack

Depth = Literal["commit", "full"]

MOST_COMMITS: Final = 20_000
"""As far back as `commit` goes: tags are found that far."""
_LINK: Final = 0o160000
_ENTRY = re.compile(rb"(\S) (\d+) ([0-9a-f]+) (\d)\t(.*)", re.DOTALL)
# They decide whether a file counts as changed.
_SETTINGS: Final = ("core.filemode", "core.symlinks", "core.autocrlf", "core.eol")
# git reads them from the index where the files are not there.
_READ_BY_GIT: Final = (b".gitattributes", b".gitignore", b".gitmodules", b".mailmap")
_DIFF: Final = ("--no-ext-diff", "--no-textconv", "--no-renames", "-z")
_SPECIAL = re.compile(r"([\\*?\[\]!# ])")


class Repository(NamedTuple):
    """What is made of one repository.

    `files`: content by path below the folder `.git`; `watched`: files of the host on which more depends than on what
    the build gets; `links`: folders of submodules, relative to its top.
    """

    files: Mapping[str, bytes]
    watched: tuple[str, ...]
    links: tuple[str, ...]


def repository(top: Path, sent: Iterable[str], depth: Depth) -> Repository:
    """Ask the repository at `top`. `sent`: the files that the build gets of it, relative to the top."""
    asked = _Asked(top)
    entries = asked.entries
    paths = {os.fsencode(path) for path in sent}
    links = [one.path for one in entries if one.mode == _LINK]
    covered = paths | {link for link in links if any(path.startswith(link + b"/") for path in paths)}
    loose = [one.path for one in entries if one.path not in covered]
    converted = asked.converted([one.path for one in entries if one.path in paths])
    changed = asked.changed if loose or converted else frozenset()
    hidden = set(loose) - changed
    # libgit2 looks only at the one flag.
    plain = hidden | (converted - changed)
    tracked = [one._replace(skipped=one.path in hidden, assumed=one.assumed or one.path in plain) for one in entries]
    unknown = [path for path in paths - {one.path for one in entries} if not path.startswith(_below(links))]
    files = {
        "config": asked.config,
        "index": index(tracked, asked.form),
        **asked.references(depth),
        **asked.objects(depth),
        **asked.excluded(unknown),
    }
    watched = sorted({os.path.join(str(top), os.fsdecode(path)) for path in {*loose, *converted}})
    return Repository(files, tuple(watched), tuple(map(os.fsdecode, links)))


def before(top: Path) -> dict[str, bytes]:
    """What changed files were before, for those who ask for the difference; files as in `Repository.files`."""
    asked = _Asked(top)
    if not asked.head:
        return {}
    there = asked.different
    names = {one.name.hex() for one in asked.entries if one.path in there and one.mode != _LINK}
    names |= set(filter(None, there.values()))
    return {f"objects/{path}": content for path, content in map(loose, asked.contents(sorted(names)))}


def _below(folders: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(folder + b"/" for folder in folders)


def _is_named(path: bytes, names: Sequence[bytes]) -> bool:
    return path.rpartition(b"/")[2] in names


class _Asked:
    """One repository, asked by git. What is asked more than once is kept."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self.form = self._line("rev-parse", "--show-object-format")
        # Without a commit there is nothing but the index.
        self.head = self._line("rev-parse", "--quiet", "--verify", "HEAD^{commit}", fails=True)
        self.entries = tuple(self._entries())

    def _run(self, *words: str, fed: bytes | None = None) -> bytes:
        settings = ("--no-optional-locks", "--no-replace-objects", "--literal-pathspecs", "-c", "core.quotePath=false")
        return capture_quick(git.command(*settings, *words), self._top, fed)

    def _line(self, *words: str, fails: bool = False) -> str:
        try:
            return os.fsdecode(self._run(*words)).strip("\n")
        except ProcessError:
            if fails:
                return ""
            raise

    # --- what is tracked ---------------------------------------------------------------------------------------------

    def _entries(self) -> Iterator[Tracked]:
        for row in self._run("ls-files", "--stage", "-v", "-z").split(b"\0"):
            if found := _ENTRY.fullmatch(row):
                tag, mode, name, stage, path = found.groups()
                assumed = tag.islower()
                yield Tracked(path, int(mode, 8), bytes.fromhex(name.decode()), int(stage), assumed=assumed)

    @property
    def changed(self) -> frozenset[bytes]:
        """The tracked files that differ from the index."""
        return frozenset(self._run("diff", *_DIFF, "--name-only", "--ignore-submodules=none").split(b"\0"))

    @property
    def different(self) -> dict[bytes, str]:
        """The files that differ from the commit in the index or in the tree; and their content's id in the commit."""
        found = {}
        for how in ([], ["--cached"]):
            said = self._run("diff", *_DIFF, *how, "--raw", "--no-abbrev", "--ignore-submodules=all", self.head)
            rows = said.split(b"\0")
            for row, path in zip(rows[::2], rows[1::2], strict=False):
                mode, _, name = row.split()[:3]
                if int(mode[1:], 8) not in (0, _LINK):
                    found[path] = name.decode()
                found.setdefault(path, "")
        return found

    def converted(self, paths: Sequence[bytes]) -> set[bytes]:
        """The files that a filter of this machine writes otherwise than they are in the commit, such as git LFS."""
        if not any(_is_named(one.path, (b".gitattributes",)) for one in self.entries):
            return set()
        said = self._run("check-attr", "-z", "--stdin", "filter", fed=b"".join(path + b"\0" for path in paths))
        words = said.split(b"\0")
        rows = zip(words[::3], words[2::3], strict=False)
        return {path for path, value in rows if value not in (b"unspecified", b"unset", b"set")}

    # --- files of the repository -------------------------------------------------------------------------------------

    @property
    def config(self) -> bytes:
        """What makes it a repository, and what decides whether a file counts as changed."""
        rows = ["[core]", f"\trepositoryformatversion = {int(self.form != 'sha1')}", "\tbare = false"]
        for name in _SETTINGS:
            value = self._line("config", "--get", name, fails=True)
            if value and (name, value) not in (("core.filemode", "true"), ("core.symlinks", "true")):
                rows.append(f"\t{name.partition('.')[2]} = {value}")
        if self.form != "sha1":
            rows += ["[extensions]", f"\tobjectformat = {self.form}"]
        return "\n".join((*rows, "")).encode()

    def references(self, depth: Depth) -> dict[str, bytes]:
        """HEAD, detached unless the branch is told; and the tags of the commit and of those before it."""
        branch = self._line("symbolic-ref", "--quiet", "HEAD", fails=True)
        if not self.head:
            return {"HEAD": f"ref: {branch or 'refs/heads/main'}\n".encode()}
        files = {"HEAD": f"{self.head}\n".encode()}
        if depth == "full" and branch:
            files = {"HEAD": f"ref: {branch}\n".encode(), branch: f"{self.head}\n".encode()}
        rows = ["# pack-refs with: peeled fully-peeled sorted"]
        for name, reference, peeled in sorted(self._tags):
            rows += [f"{reference} {name}", *([f"^{peeled}"] if peeled else [])]
        return {**files, "packed-refs": "\n".join((*rows, "")).encode("utf-8", "surrogateescape")}

    @property
    def _tags(self) -> list[tuple[str, str, str]]:
        form = "--format=%(refname)%00%(objectname)%00%(*objectname)"
        said = os.fsdecode(self._run("for-each-ref", "--merged", self.head, form, "refs/tags"))
        found = []
        for row in said.splitlines():
            name, reference, peeled = row.split("\0")
            found.append((name, reference, peeled))
        return found

    def objects(self, depth: Depth) -> dict[str, bytes]:
        """A pack of the commits, the folders of the present one (of all, where history is told) and the tags."""
        commits = self._history(depth) if self.head else set()
        own = {one.name.hex() for one in self.entries if one.mode != _LINK and _is_named(one.path, _READ_BY_GIT)}
        names = commits | own
        if self.head:
            names |= {reference for _, reference, _ in self._tags}
            names |= self._folders if depth == "commit" else set()
        if not names:
            return {}
        body, places = pack(self.contents(sorted(names)), self.form)
        name = body[-20:].hex() if self.form == "sha1" else body[-32:].hex()
        files = {f"objects/pack/pack-{name}.pack": body, f"objects/pack/pack-{name}.idx": places}
        cut = self._cut(commits, depth)
        return {**files, **({"shallow": "".join(f"{one}\n" for one in sorted(cut)).encode()} if cut else {})}

    def _history(self, depth: Depth) -> set[str]:
        how = ["--objects", "--filter=blob:none"] if depth == "full" else [f"--max-count={MOST_COMMITS}"]
        return {row.partition(" ")[0] for row in os.fsdecode(self._run("rev-list", *how, self.head)).splitlines()}

    @property
    def _folders(self) -> set[str]:
        rows = self._run("ls-tree", "-r", "-d", "-z", "--full-tree", self.head).split(b"\0")
        below = {row.split()[2].decode() for row in rows if row and row.split()[1] == b"tree"}
        return below | {self._line("rev-parse", f"{self.head}^{{tree}}")}

    def _cut(self, known: set[str], depth: Depth) -> set[str]:
        """The commits whose parents are not told."""
        limit = [] if depth == "full" else [f"--max-count={MOST_COMMITS}"]
        cut = set()
        if self._line("rev-parse", "--is-shallow-repository") == "true":
            place = self._top / self._line("rev-parse", "--git-path", "shallow")
            cut = set(place.read_text(encoding="ascii").split()) & known
        if limit and len(known) == MOST_COMMITS:
            for row in os.fsdecode(self._run("rev-list", "--parents", *limit, self.head)).splitlines():
                commit, *parents = row.split()
                cut |= {commit} if not known.issuperset(parents) else set()
        return cut

    def contents(self, names: Sequence[str]) -> Iterator[Object]:
        said = self._run("cat-file", "--batch", "--buffer", fed="".join(f"{name}\n" for name in names).encode())
        at = 0
        for name in names:
            end = said.index(b"\n", at)
            _, kind, size = said[at:end].decode().split()
            at = end + 1 + int(size)
            yield Object(bytes.fromhex(name), kind, said[end + 1 : at])
            at += 1

    def excluded(self, unknown: Sequence[bytes]) -> dict[str, bytes]:
        """What git ignores here although the build gets it, whichever file says so."""
        if not unknown:
            return {}
        others = set(self._run("ls-files", "--others", "--exclude-standard", "-z").split(b"\0"))
        rows = sorted("/" + _SPECIAL.sub(r"\\\1", os.fsdecode(path)) for path in unknown if path not in others)
        return {"info/exclude": os.fsencode("\n".join((*rows, "")))} if rows else {}
