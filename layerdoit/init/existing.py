"""What existing files tell: a Dockerfile, Compose files, a Makefile, a Tiltfile. Only reads.

told(root, programs) -> (hints, files that they are from, notes on files that cannot be read)
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from layerdoit.core.platform import architecture
from layerdoit.dockerfile import parse
from layerdoit.dockerfile.steps import stage_named
from layerdoit.init import cargo_calls, compose
from layerdoit.init.dockerfile_hints import of_dockerfile
from layerdoit.init.hints import Files, Hint
from layerdoit.init.rust_files import sources, text_of

# Kind of a Dockerfile's hint -> kinds of a compose file's that hold instead.
_INSTEAD: Final[Mapping[str, frozenset[str]]] = {
    "user": frozenset(("user",)),
    "root": frozenset(("user",)),
    "workdir": frozenset(("workdir",)),
    "stop-signal": frozenset(("stop-signal",)),
    **dict.fromkeys(("health", "health-command", "health-timeout"), frozenset(("health", "health-command"))),
}
_DOCKERFILE = re.compile(r"(Dockerfile|Containerfile|dockerfile)(\.[\w.-]+)?$|[\w.-]+\.(D|d)ockerfile$")
_USUAL: Final = ("", "docker", "deploy", "build", ".docker", "ci")
_NO_DOCKERFILES: Final = frozenset(
    ("target", "node_modules", "vendor", "third_party", "tests", "examples", "fixtures", "benches", "testdata")
)
_SHOWN: Final = re.compile(r"[^.]|\.(docker|devcontainer|ci|github)$")
_DEEPEST: Final = 2


def told(root: Path, programs: Collection[str] = ()) -> tuple[tuple[Hint, ...], tuple[str, ...], tuple[str, ...]]:
    """Hints, the files that they are from, and notes on files that cannot be read. `programs`: the binaries."""
    project = _files(root, programs)
    composed = compose.read(root, project)
    hints: list[Hint] = []
    files: list[str] = []
    notes: list[str] = []
    chosen = _chosen_dockerfile(root, composed.dockerfile)
    if chosen is not None:
        name, parsed = chosen
        given = {hint.kind for hint in composed.hints}
        found = of_dockerfile(_until(parsed, composed.target), project)
        # What a compose file says of the container holds instead.
        hints += [hint for hint in found if not given & _INSTEAD.get(hint.kind, frozenset())]
        files.append(name)
        others = [other for other in _dockerfiles(root) if other != name]
        if others:
            notes.append(f"{name} was read; {', '.join(others[:5])} may be of interest, too")
    hints += composed.hints
    notes += composed.notes
    more = list(composed.files)
    for path in sorted(root.iterdir()):
        name = path.name
        if name in ("Makefile", "makefile", "GNUmakefile"):
            found = cargo_calls.of_commands(_make_commands(text_of(path) or "", name))
        elif name == "Tiltfile":
            found = tuple(_tilt(text_of(path) or ""))
        else:
            continue
        hints += found
        more += [name] if found else []
    return tuple(dict.fromkeys(hints)), (*files, *sorted(more)), tuple(notes)


def _until(parsed: parse.Dockerfile, target: str | None) -> parse.Dockerfile:
    """The part of a Dockerfile that a build of a stage reads."""
    stage = stage_named(parsed, target) if target else None
    return parsed if stage is None else replace(parsed, stages=parsed.stages[: stage.index + 1])


def _files(root: Path, programs: Collection[str]) -> Files:
    def matching(pattern: str) -> list[str]:
        try:
            return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
        except (ValueError, NotImplementedError, OSError, IndexError):  # no pattern, in a mutilated file
            return []

    @cache
    def found(pattern: str) -> bool:
        return any(re.search(pattern, text) for _, text in sources(root))

    return Files(
        lambda path: _exists(root, path),
        matching,
        lambda path: text_of(root / path),
        frozenset(programs),
        lambda word: found(rf"\b{re.escape(word)}\b"),
        lambda program: found(rf'\bnew\(\s*"(?:[\w./-]*/)?{re.escape(program)}"'),
    )


def _exists(root: Path, path: str) -> bool:
    try:
        return os.path.exists(os.path.join(root, path))
    except ValueError:  # a NUL in a mutilated file
        return False


def _dockerfiles(root: Path) -> list[str]:
    """Dockerfiles, also in subfolders, the likeliest first: near the root, for this machine, not for development."""
    found = []
    for folder, folders, names in os.walk(root):
        inside = os.path.relpath(folder, root)
        depth = 0 if inside == "." else inside.count(os.sep) + 1
        folders[:] = sorted(
            name for name in folders if depth < _DEEPEST and name not in _NO_DOCKERFILES and _SHOWN.match(name)
        )
        found += [os.path.normpath(f"{inside}/{name}") for name in names if _DOCKERFILE.fullmatch(name)]
    own, other = (
        (r"x86_64|amd64", r"aarch64|arm64|armv\d")
        if architecture() == "x86_64"
        else (r"aarch64|arm64", r"x86_64|amd64")
    )

    def rank(path: str) -> tuple[object, ...]:
        folder, _, name = path.rpartition("/")
        foreign = re.search(other, path) is not None and re.search(own, path) is None
        plain = name in ("Dockerfile", "Containerfile", "dockerfile")
        return path.count("/") > 1, foreign, is_for_development(path), folder not in _USUAL, folder, not plain, name

    return sorted(found, key=rank)


def is_for_development(path: str) -> bool:
    """Whether the name of a Dockerfile says that its image is not the one that is shipped."""
    return (
        re.search(r"(?i)(^|[^a-z])(dev|devel|development|devcontainer|debug|tests?|local|ci)([^a-z]|$)", path)
        is not None
    )


def _chosen_dockerfile(root: Path, named: str | None) -> tuple[str, parse.Dockerfile] | None:
    """The one that a compose file names; else the first that compiles Rust, else the first."""
    others = [name for name in _dockerfiles(root) if name != named]
    if named is not None and not (is_for_development(named) and others) and (text := text_of(root / named)):
        return named, parse.parse(text, named)
    parsed = [(name, parse.parse(text, name)) for name in _dockerfiles(root) if (text := text_of(root / name))]
    for name, one in parsed:
        words = (
            c.words[0] for s in one.stages for i in s.instructions if i.keyword == "RUN" for c in parse.commands(i)
        )
        if any(word.endswith("cargo") for word in words):
            return name, one
    return parsed[0] if parsed else None


def _make_commands(text: str, name: str) -> Iterator[parse.Command]:
    """Recipe lines as commands; make's own variables stay as they are and so make their words unusable."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("\t"):
            recipe = parse.Instruction("RUN", line.strip().lstrip("@-+"), f"{name}:{number}", number)
            yield from parse.commands(recipe)


def _tilt(text: str) -> Iterator[Hint]:
    for number, line in enumerate(text.split("\n"), 1):
        for forward in re.finditer(r"port_forwards?\s*=\s*\[?\s*['\"]?(?:(\d+):)?(\d{2,5})", line):
            yield Hint("port", forward[2], f"Tiltfile:{number}")
