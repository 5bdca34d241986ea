"""What existing files tell: a Dockerfile, Compose files, a Makefile, a Tiltfile. Only reads.

told(root, programs) -> Existing
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.platform import architecture
from layerdoit.dockerfile import parse
from layerdoit.dockerfile.steps import stage_named
from layerdoit.init import cargo_calls, compose
from layerdoit.init.dockerfile_hints import of_dockerfile
from layerdoit.init.hints import Files, Hint, note
from layerdoit.init.rust_files import sources, text_of

if TYPE_CHECKING:
    from layerdoit.init.own_services import OwnService

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
NO_SERVICE: Final = re.compile(
    r"(?i)(?:^|[-_])(?:cli|ctl|tools?|utils?|migrat\w*|xtasks?|bench\w*|tests?|examples?|fuzz\w*|mocks?|seed\w*|codegen)(?:[-_]|$)"
)
"""What programs are called that are started by hand, and that end."""


class Shape(NamedTuple):
    """An image of its own that existing files make of one of the programs. `needs`: services that it depends on.

    `name`: as a compose file calls it, or the program.
    """

    name: str
    program: str
    where: str
    hints: tuple[Hint, ...]
    needs: tuple[str, ...] = ()


class Existing(NamedTuple):
    """`files`: those that the hints are from; `notes`: on files that cannot be read.

    `shapes`: the images of different programs, where there are several; `others`: the hints that are of none of them.
    """

    hints: tuple[Hint, ...]
    files: tuple[str, ...]
    notes: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()
    others: tuple[Hint, ...] = ()


def told(root: Path, programs: Collection[str] = ()) -> Existing:
    """What there is. `programs`: the binaries."""
    project = _files(root, programs)
    composed = compose.read(root, project)
    hints: list[Hint] = []
    files: list[str] = []
    notes: list[str] = []
    names = [name for name in _dockerfiles(root) if name not in composed.foreign]
    chosen = _chosen_dockerfile(root, names, composed.dockerfile)
    if chosen is not None:
        name, parsed = chosen
        given = {hint.kind for hint in composed.hints}
        found = of_dockerfile(_until(parsed, composed.target), project)
        # What a compose file says of the container holds instead.
        hints += [hint for hint in found if not given & _INSTEAD.get(hint.kind, frozenset())]
        files.append(name)
        unread = [other for other in names if other != name]
        if unread:
            notes.append(f"{name} was read; {', '.join(unread[:5])} may be of interest, too")
    hints += composed.hints
    notes += composed.notes
    others: list[Hint] = []
    more = list(composed.files)
    for path in sorted(root.iterdir()):
        name = path.name
        if name in ("Makefile", "makefile", "GNUmakefile"):
            found = cargo_calls.of_commands(_make_commands(text_of(path) or "", name))
        elif name == "Tiltfile":
            found = tuple(_tilt(text_of(path) or ""))
        else:
            continue
        others += found
        more += [name] if found else []
    shapes = _of_services(root, composed.services, project) or _of_dockerfiles(root, names, composed, project)
    if shapes:
        read = dict.fromkeys(hint.where.rpartition(":")[0] for shape in shapes for hint in shape.hints)
        others += [hint for hint in composed.hints if hint.kind == "beside"]
        return Existing((), tuple(dict.fromkeys((*read, *sorted(more)))), tuple(composed.notes), shapes, tuple(others))
    return Existing(tuple(dict.fromkeys((*hints, *others))), (*files, *sorted(more)), tuple(notes))


# --- several images ---------------------------------------------------------------------------------------------------


def _of_services(root: Path, services: Collection[OwnService], files: Files) -> tuple[Shape, ...]:
    """Those of a compose file, if it is known which program each of them starts, and no two are the same."""
    shapes = []
    names = {one.name: re.sub(r"[^a-z0-9]+", "-", one.name.lower()).strip("-") for one in services}
    for one in services:
        hints = _of_file(root, one.dockerfile, one.target, one.args, files) if one.dockerfile else ()
        given = {hint.kind for hint in one.hints}
        gone = frozenset(("entrypoint", "script", "cmd")) if "entrypoint" in given else frozenset()
        kept = [hint for hint in hints if hint.kind not in gone and not given & _INSTEAD.get(hint.kind, frozenset())]
        program = _started((*one.hints, *kept), files.programs) or _called(one.name, files.programs)
        name = names[one.name]
        if name != one.name:
            kept.append(note(one.where, f"{one.name} is called {name} here, also by the services that ask it"))
        if program is not None:
            needs = tuple(names.get(needed, needed) for needed in one.needs)
            shapes.append(Shape(name, program, one.where, (*kept, *one.hints), needs))
    distinct = {(one.program, *_how(one)) for one in shapes}
    every = len(shapes) == len(services) > 1 and len(distinct) == len(shapes)
    return tuple(shapes) if every else ()


def _how(shape: Shape) -> tuple[Hint, ...]:
    """What tells two services of one program apart."""
    return tuple(
        hint._replace(where="")
        for hint in shape.hints
        if hint.kind in ("cmd", "args", "env", "deploy-env") and hint.sure
    )


def _of_dockerfiles(root: Path, names: Sequence[str], composed: compose.Told, files: Files) -> tuple[Shape, ...]:
    """Dockerfiles for different programs, the likeliest one of each."""
    # Without the sources, which take long to search: they tell nothing of which program it is.
    plain = files._replace(names=lambda _: False, starts=lambda _: False)
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        hints = () if is_for_development(name) else _of_file(root, name, None, {}, plain)
        program = _started(hints, files.programs)
        if program is not None and not NO_SERVICE.search(program):
            told = sorted((hint for hint in hints if hint.kind in ("entrypoint", "copied", "bin")), key=_first)
            found.setdefault(program, (name, told[0].where))
    shapes = []
    for program, (name, where) in found.items() if len(found) > 1 else ():
        more = composed.hints if composed.dockerfile == name else ()
        shapes.append(Shape(program, program, where, (*_of_file(root, name, None, {}, files), *more)))
    return tuple(shapes)


def _first(hint: Hint) -> bool:
    return hint.kind != "entrypoint"


def _of_file(root: Path, name: str, target: str | None, args: Mapping[str, str], files: Files) -> tuple[Hint, ...]:
    text = text_of(root / name) or ""
    for argument, value in args.items():
        # Lines keep their numbers.
        pattern = re.compile(rf"(?im)^([ \t]*ARG[ \t]+{re.escape(argument)})(?:=[^\n]*)?$")
        text = pattern.sub(rf"\1={_escaped(value)}", text)
    return of_dockerfile(_until(parse.parse(text, name), target), files)


def _escaped(value: str) -> str:
    """A value as a replacement of a pattern."""
    return shlex.quote(value).replace("\\", r"\\")


def _started(hints: Collection[Hint], programs: Collection[str]) -> str | None:
    """The program that an image starts: by its command, or the only one that is copied into it."""
    named = [hint.value for hint in hints if hint.kind == "entrypoint"]
    if named:
        return named[0] if named[0] in programs else None
    copied = {hint.value for hint in hints if hint.kind in ("copied", "bin")} & set(programs)
    return copied.pop() if len(copied) == 1 else None


def _called(name: str, programs: Collection[str]) -> str | None:
    """The program that a service is called like: `shop-api` is `api`; or the only one."""
    plain = name.lower().replace("_", "-")
    alike = [one for one in programs if plain in (one, *one.replace("_", "-").split("-")) or one in plain.split("-")]
    exact = [one for one in alike if one.replace("_", "-") == plain]
    found = exact or alike or (list(programs) if len(programs) == 1 else [])
    return found[0] if len(found) == 1 else None


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


def _chosen_dockerfile(root: Path, names: Sequence[str], named: str | None) -> tuple[str, parse.Dockerfile] | None:
    """The one that a compose file names; else the first that compiles Rust, else the first."""
    others = [name for name in names if name != named]
    if named is not None and not (is_for_development(named) and others) and (text := text_of(root / named)):
        return named, parse.parse(text, named)
    parsed = [(name, parse.parse(text, name)) for name in names if (text := text_of(root / name))]
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
