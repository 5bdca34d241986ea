"""Read from a failed build's output which files it may have looked for in vain.

    candidates(words, source) -> Iterator[tuple[Candidate, ...]]

Pure. Generous: whether a candidate is a file of the tree, and whether it was sent, is for others to see.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

# What says that a file is missing, in the words of rustc, cargo, protoc, macros and build scripts.
_MISSING = re.compile(
    r"(?i)no such file|not exist|n't exist|not ?found|couldn't (?:read|open|find|load)|can't find|canonicaliz"
    r"|(?:could not|cannot|unable to|failed to|error) (?:be )?(?:read|open|find|load|access|include)\w*"
    r"|is not a (?:directory|folder)|no targets|missing|create file"
    r"|no cached data"
)
# What belongs to one error; and those of rustc that look for a name, not for a file.
_BLOCK = re.compile(r"^(?=error|warning)", re.MULTILINE)
_RESOLVING = re.compile(r"error\[E(?!0583\])")
# rustc itself names a file that it could not read, or a module that has none.
_UNREAD = re.compile(r"^error: couldn't read `?(?P<path>[^`:]+?)`?: No such file", re.MULTILINE)
_SPAN = re.compile(r"(?:-->|panicked at(?: '.*?',)?) (?P<file>[^\s:]+\.rs):(?P<line>\d+)")
# The folder in which a build script runs.
_SCRIPT = re.compile(r"failed to run custom build command for `\S+ v\S+ \((?P<folder>/[^)]+)\)`")
_QUOTED = re.compile(r"`([^`\n]+)`|\"([^\"\n]+)\"|(?<!\w)'([^'\n]+)'")
_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)+)"')
# A linker says which library it looked for; rustc, in which folders.
_LIBRARY = re.compile(r"(?:unable to find library |cannot find )-l:?(?P<name>[\w.+-]+)")
_FOLDER = re.compile(r'"-L" "(?P<folder>[^"]+)"')
_WORD = re.compile(r"[\w./$@+-]*[\w/][\w./@+-]*")
# Lines of source around the one that the compiler names: an attribute may stand below it.
_AROUND = 4
_MOST = 400


class Candidate(NamedTuple):
    """A path as it was written, and the folders that it may start from. `sure`: rustc says that it is missing."""

    path: str
    folders: tuple[str, ...]
    sure: bool = False


def candidates(words: str, source: Callable[[str], Sequence[str]]) -> Iterator[tuple[Candidate, ...]]:
    """The paths that may be missing, the likeliest first: libraries, what rustc names, what else the output does, what
    the source has where it failed. `source`: the lines of a file, named as the output names it; () where there is none.
    """
    yield tuple(_libraries(words))
    blocks = [block for block in _BLOCK.split(words) if _MISSING.search(block) and not _RESOLVING.match(block)]
    text = "\n".join(blocks)
    if not text:
        return
    yield tuple(Candidate(unread["path"], (".",), sure=True) for unread in _UNREAD.finditer(text))
    spans = list(dict.fromkeys((span["file"], int(span["line"])) for span in _SPAN.finditer(text)))
    scripts = [script["folder"] for script in _SCRIPT.finditer(text)]
    files = [posixpath.dirname(file) for file, _ in spans]
    packages = [package for folder in files for package in _up(folder)]
    folders = tuple(dict.fromkeys((*scripts, ".", *files, *packages)))
    yield tuple(Candidate(path, folders) for path in dict.fromkeys(_in_output(text)))[:_MOST]
    literals = [
        path for file, line in spans for path in _literals(source(file)[max(0, line - _AROUND) : line + _AROUND])
    ]
    # One that returns an error says neither which file nor where.
    literals += [path for folder in scripts for path in _literals(source(f"{folder}/build.rs"))]
    yield tuple(Candidate(path, folders) for path in dict.fromkeys(literals))[:_MOST]


def _libraries(words: str) -> Iterator[Candidate]:
    folders = tuple(dict.fromkeys(found["folder"] for found in _FOLDER.finditer(words)))
    for name in dict.fromkeys(found["name"] for found in _LIBRARY.finditer(words)):
        yield from (Candidate(f"lib{name}{end}", folders) for end in (".so", ".a"))


def _up(folder: str) -> Iterator[str]:
    """The folders around a file, one of which is its package's."""
    while folder not in ("", "/", "."):
        yield folder
        folder = posixpath.dirname(folder)


def _in_output(words: str) -> Iterator[str]:
    if "no cached data for this query" in words:
        yield ".sqlx"
    for line in words.splitlines():
        if not _MISSING.search(line):
            continue
        quoted = [next(filter(None, match.groups())) for match in _QUOTED.finditer(line)]
        plain = [word.rstrip(".") for word in _WORD.findall(_QUOTED.sub(" ", line)) if "/" in word or "." in word]
        yield from (*quoted, *plain)
        # A template engine says which name it looked for in which folders.
        yield from (posixpath.join(folder, name) for folder in quoted for name in quoted if folder != name)


def _literals(lines: Sequence[str]) -> Iterator[str]:
    """What a source's texts may mean; macros put a package's folder before some."""
    for match in _LITERAL.finditer("\n".join(lines)):
        yield re.sub(r"^\$(?:\{?CARGO_MANIFEST_DIR\}?)/?", "", match[1]).lstrip("/") or "."
        yield match[1]
