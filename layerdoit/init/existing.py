"""What existing files tell: a Dockerfile, Compose files, a Makefile, a Tiltfile. Only reads.

told(root, programs) -> (hints, files that they are from, notes on files that cannot be read)
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.dockerfile import parse
from layerdoit.init import cargo_calls
from layerdoit.init.dockerfile_hints import of_dockerfile
from layerdoit.init.hints import Files, Hint
from layerdoit.init.rust_files import sources, text_of

if TYPE_CHECKING:
    from layerdoit.config.kinds import Node

_COMPOSE = re.compile(r"(docker-)?compose[\w.-]*\.ya?ml$")
_DOCKERFILE = re.compile(r"(Dockerfile|Containerfile)(\.[\w.-]+)?$|[\w.-]+\.Dockerfile$")


def told(root: Path, programs: Collection[str] = ()) -> tuple[tuple[Hint, ...], tuple[str, ...], tuple[str, ...]]:
    """Hints, the files that they are from, and notes on files that cannot be read. `programs`: the binaries."""
    project = _files(root, programs)
    hints: list[Hint] = []
    files: list[str] = []
    notes: list[str] = []
    chosen = _chosen_dockerfile(root)
    if chosen is not None:
        name, parsed = chosen
        hints += of_dockerfile(parsed, project)
        files.append(name)
        others = [other for other in _dockerfiles(root) if other != name]
        if others:
            notes.append(f"{name} was read; {', '.join(others[:5])} may be of interest, too")
    for path in sorted(root.iterdir()):
        name = path.name
        if _COMPOSE.match(name):
            found, note = _compose(path)
            hints += found
            notes += [note] if note else []
        elif name in ("Makefile", "makefile", "GNUmakefile"):
            found = list(cargo_calls.of_commands(_make_commands(text_of(path) or "", name)))
            hints += found
        elif name == "Tiltfile":
            found = list(_tilt(text_of(path) or ""))
            hints += found
        else:
            continue
        files += [name] if found else []
    return tuple(dict.fromkeys(hints)), tuple(files), tuple(notes)


def _files(root: Path, programs: Collection[str]) -> Files:
    def matching(pattern: str) -> list[str]:
        try:
            return sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
        except (ValueError, NotImplementedError, OSError, IndexError):  # no pattern, in a mutilated file
            return []

    def named(word: str) -> bool:
        return any(re.search(rf"\b{re.escape(word)}\b", text) for _, text in sources(root))

    return Files(
        lambda path: _exists(root, path), matching, lambda path: text_of(root / path), frozenset(programs), named
    )


def _exists(root: Path, path: str) -> bool:
    try:
        return os.path.exists(os.path.join(root, path))
    except ValueError:  # a NUL in a mutilated file
        return False


def _dockerfiles(root: Path) -> list[str]:
    """Dockerfiles of the root and of its usual folders, the likeliest first."""
    found = []
    for folder in (".", "docker", "deploy", "build", ".docker", "ci"):
        try:
            names = sorted(
                os.listdir(root / folder), key=lambda name: (name not in ("Dockerfile", "Containerfile"), name)
            )
        except OSError:
            continue
        found += [name if folder == "." else f"{folder}/{name}" for name in names if _DOCKERFILE.fullmatch(name)]
    return found


def _chosen_dockerfile(root: Path) -> tuple[str, parse.Dockerfile] | None:
    """The first Dockerfile that compiles Rust, else the first."""
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


def _compose(path: Path) -> tuple[list[Hint], str | None]:
    """Ports and environment names of the services that are built from this folder."""
    from layerdoit.config import reading

    try:
        root = reading.parse(path.read_bytes(), path.name)
    except (ConfigError, OSError) as error:
        what = error.what if isinstance(error, LayerdoitError) else "it cannot be read"
        return [], f"{path.name} was left out: {what}"
    services = _below(root, "services")
    hints: list[Hint] = []
    for service in services.values():
        if "build" not in _mapping(service):
            continue
        ports = _mapping(service).get("ports")
        for item in ports.value if ports is not None and isinstance(ports.value, tuple) else ():
            mapped = re.fullmatch(r"(?:\d+(?:\.\d+){3}:)?(?:(\d+):)?(\d+)(?:/tcp)?", item.text or str(item.value or ""))
            if mapped:
                where = f"{path.name}:{item.line}"
                hints.append(Hint("port", mapped[2], where))
                hints += [Hint("publish", mapped[1], where)] if mapped[1] else []
    return hints, None


def _mapping(node: Node) -> Mapping[str, Node]:
    return node.value if isinstance(node.value, Mapping) else {}


def _below(node: Node, name: str) -> Mapping[str, Node]:
    inner = _mapping(node).get(name)
    return {} if inner is None else _mapping(inner)
