"""What an existing Dockerfile tells of an image, each fact with its origin: the file and line that says so.

    from_dockerfile(parsed, exists) -> tuple[Hint, ...]   # `exists(path)`: has the project that file or folder?
    from_commands(commands) -> tuple[Hint, ...]           # of a Makefile

Kinds and values: `apt-build`, `apt-run` (a Debian package), `apk` (one of Alpine whose Debian name is not known),
`port`, `publish` (a port of the host), `user`, `workdir`, `entrypoint` (the program's name), `cmd` (JSON list), `env`
and `build-env` (`NAME=value`), `asset` (`path in the project:path in the image`), `health` (an HTTP path), `volume`,
`arg` (a build argument), `features` (comma list), `default-features` (no), `all-features` (yes), `package`, `bin`,
`profile`, `target`, `root` (nobody else runs it).
"""

from __future__ import annotations

import itertools
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerdoit.dockerfile.parse import (
    Command,
    Dockerfile,
    Instruction,
    Stage,
    apk_packages,
    apt_packages,
    assignments,
    commands,
    expand,
    split,
)
from layerdoit.dockerfile.steps import changes_user

Exists = Callable[[str], bool]
_CARGO = re.compile(r"(^|/)(xx-)?cargo(-chef)?$")
_RUST_IMAGE = re.compile(r"(^|/)(rust|cargo-chef|rustlang)([:/@-]|$)")
_URL_PATH = re.compile(r"https?://[^\s/'\"|]+(?P<path>/[^\s'\"|;&?)]*)?")
_SAME_ON_ALPINE = frozenset(("ca-certificates", "tzdata"))
# Debian's images or every builder have it, or nobody needs it there.
_ONLY_ON_ALPINE = frozenset((
    "alpine-sdk", "bash", "binutils", "build-base", "ca-certificates-bundle", "cargo", "coreutils", "gcc", "libc-dev",
    "libc6-compat", "libgcc", "libstdc++", "linux-headers", "musl", "musl-dev", "rust", "rustup", "shadow", "su-exec",
))  # fmt: skip
_CARGO_BUILDS = frozenset(("build", "b", "rustc", "install", "zigbuild", "auditable"))
_WRAPPERS = frozenset(("tini", "dumb-init", "sh", "bash", "gosu", "su-exec", "env", "catatonit", "--", "-g", "exec"))


@dataclass(frozen=True)
class Hint:
    """One fact; `where` is `file:line`."""

    kind: str
    value: str
    where: str

    @property
    def origin(self) -> str:
        """As a reason beside a setting."""
        return f"from {self.where}"


def from_dockerfile(parsed: Dockerfile, exists: Exists) -> tuple[Hint, ...]:
    """Everything that a Dockerfile tells of its last stage, and of the stages that run cargo."""
    final = parsed.final
    if final is None:
        return ()
    found: list[Hint] = []
    image = parsed.lineage(final)
    for stage in parsed.stages:
        known = _known(parsed, parsed.lineage(stage))
        compiles = _compiles(parsed, stage)
        if compiles or stage in image:
            kind = "apt-build" if compiles and (stage is not final or _is_rust(parsed, stage)) else "apt-run"
            found += _packages(stage, known, kind)
        if compiles:
            found += _cargo(stage, known)
            found += _environment(stage, known, "build-env") if stage is not final else ()
    if not _is_rust(parsed, final):
        found += _image(parsed, image, exists)
    else:
        # One stage for all: what it runs is told, its system is the builder's.
        found += (hint for hint in _image(parsed, image, exists) if hint.kind not in ("asset", "workdir"))
    return tuple(dict.fromkeys(found))


def from_commands(listed: Iterable[Command]) -> tuple[Hint, ...]:
    """What commands outside a Dockerfile tell: a Makefile's."""
    out: list[Hint] = []
    for command in listed:
        out += _cargo_flags(command.words, command.where)
        words = command.words
        if words[:2] in (("docker", "run"), ("podman", "run")):
            for flag, value in itertools.pairwise(words):
                mapped = re.fullmatch(r"(?:[\d.]+:)?(\d+):(\d+)(?:/tcp)?", value)
                if flag in ("-p", "--publish") and mapped:
                    out += [Hint("port", mapped[2], command.where), Hint("publish", mapped[1], command.where)]
    return tuple(dict.fromkeys(out))


def _known(parsed: Dockerfile, lineage: Sequence[Stage]) -> dict[str, str]:
    """Variables with a value in a stage: those of its ARGs and ENVs."""
    known: dict[str, str] = {}
    for stage in lineage:
        for instruction in stage.instructions:
            if instruction.keyword in ("ARG", "ENV"):
                for name, given in assignments(instruction).items():
                    value = parsed.args.get(name) if given is None else given
                    if value is not None:
                        known[name] = expand(value, known)
    return known


def _is_rust(parsed: Dockerfile, stage: Stage) -> bool:
    return _RUST_IMAGE.search(parsed.lineage(stage)[0].base) is not None


def _compiles(parsed: Dockerfile, stage: Stage) -> bool:
    """Whether a stage, or one that is made from it, runs cargo."""
    if _is_rust(parsed, stage):
        return True
    for other in parsed.stages[stage.index :]:
        if stage in parsed.lineage(other):
            for instruction in other.instructions:
                if instruction.keyword == "RUN" and any(_CARGO.search(c.words[0]) for c in commands(instruction)):
                    return True
    return False


def _packages(stage: Stage, known: Mapping[str, str], kind: str) -> Iterator[Hint]:
    for instruction in stage.instructions:
        if instruction.keyword == "RUN":
            for command in commands(instruction, known):
                for name in apt_packages(command):
                    yield Hint(kind, name, instruction.where_is(name))
                for name in apk_packages(command):
                    yield from _of_alpine(name, kind, instruction.where_is(name))


def _of_alpine(name: str, kind: str, where: str) -> Iterator[Hint]:
    """Alpine's package as Debian's."""
    from layerdoit.cargo.native import table

    data = table()
    if name in data.of_alpine:
        provider = data.providers(data.data["suite"])[data.of_alpine[name]]
        names = (provider.run if kind == "apt-run" else ()) or provider.build
        yield from (Hint(kind, one, where) for one in names)
    elif name in _SAME_ON_ALPINE:
        yield Hint(kind, name, where)
    elif name not in _ONLY_ON_ALPINE:
        yield Hint("apk", name, where)


# --- cargo ------------------------------------------------------------------------------------------------------------


def _cargo(stage: Stage, known: Mapping[str, str]) -> Iterator[Hint]:
    for instruction in stage.instructions:
        if instruction.keyword == "ARG":
            for name in assignments(instruction):
                yield Hint("arg", name, instruction.where_is(name))
        if instruction.keyword == "RUN":
            for command in commands(instruction, known):
                yield from _cargo_flags(command.words, instruction.where_is("cargo"))


_VALUED = {
    "--features": "features", "-F": "features", "--package": "package", "-p": "package", "--bin": "bin",
    "--profile": "profile", "--target": "target",
}  # fmt: skip


def _cargo_flags(words: Sequence[str], where: str) -> Iterator[Hint]:
    words = [word for word in words if not word.startswith("+")]
    if len(words) < 2 or not _CARGO.search(words[0]) or words[1] not in _CARGO_BUILDS:
        return
    if words[1] == "install" and not {"--path", "."} & {word.partition("=")[0] for word in words}:
        return  # a tool, not this project
    for index, word in enumerate(words):
        flag, sign, value = word.partition("=")
        following = words[index + 1] if index + 1 < len(words) else ""
        value = value if sign else following
        if flag in _VALUED and value and "$" not in value and not value.startswith("-"):
            if flag in ("--features", "-F"):
                value = ",".join(filter(None, re.split(r"[,\s]+", value)))
            yield Hint(_VALUED[flag], value, where)
        elif flag in ("--release", "-r"):
            yield Hint("profile", "release", where)
        elif flag == "--no-default-features":
            yield Hint("default-features", "no", where)
        elif flag == "--all-features":
            yield Hint("all-features", "yes", where)


# --- the image --------------------------------------------------------------------------------------------------------


def _environment(stage: Stage, known: Mapping[str, str], kind: str) -> Iterator[Hint]:
    for instruction in stage.instructions:
        if instruction.keyword == "ENV":
            for name, value in assignments(instruction).items():
                filled = expand(value or "", known)
                if "$" not in filled:
                    yield Hint(kind, f"{name}={filled}", instruction.where_is(name))


def _image(parsed: Dockerfile, image: Sequence[Stage], exists: Exists) -> list[Hint]:
    """What the last stage and its parents say of the image; later ones win."""
    known = _known(parsed, image)
    found: list[Hint] = []
    last: dict[str, Hint] = {}
    workdir = "/"
    for stage in image:
        found += _environment(stage, known, "env")
        for instruction in stage.instructions:
            value = expand(instruction.value, known)
            if instruction.keyword == "WORKDIR" and "$" not in value:
                workdir = posixpath.join(workdir, value.strip("\"'"))
                last["workdir"] = Hint("workdir", workdir, instruction.where)
            elif instruction.keyword == "USER" and "$" not in value:
                last["user"] = Hint("user", value.strip("\"'"), instruction.where)
            elif instruction.keyword in ("ENTRYPOINT", "CMD"):
                last[instruction.keyword] = Hint(
                    instruction.keyword, json.dumps(_words(instruction, known)), instruction.where
                )
                if instruction.keyword == "ENTRYPOINT":
                    last.pop("CMD", None)
            else:
                found += _statement(instruction, value, parsed, workdir, exists)
    runs = {"ENTRYPOINT", "CMD"} & last.keys()
    if runs and "user" not in last and not changes_user(parsed, image[-1]):
        found.append(Hint("root", "", image[-1].where))
    return [*found, *(hint for name, hint in last.items() if name in ("workdir", "user")), *_program(last)]


def _words(instruction: Instruction, known: Mapping[str, str]) -> list[str]:
    words = instruction.json
    if words is not None:
        return [expand(word, known) for word in words]
    first = next(iter(commands(instruction, known)), None)
    return list(first.words) if first else []


def _program(last: Mapping[str, Hint]) -> Iterator[Hint]:
    """The program that the image starts, without init wrappers, and its arguments."""
    entry, cmd = last.get("ENTRYPOINT"), last.get("CMD")
    head: list[str] = json.loads(entry.value) if entry else []
    tail: list[str] = json.loads(cmd.value) if cmd else []
    words = head + tail
    start = next((i for i, word in enumerate(words) if word.rpartition("/")[2] not in _WRAPPERS), None)
    if start is None or re.search(r"[$\s]|\.(sh|py)$", words[start]):
        return
    program = entry if entry is not None and start < len(head) else cmd
    assert program is not None  # noqa: S101 - one of them holds the word
    yield Hint("entrypoint", words[start].rpartition("/")[2], program.where)
    arguments = words[start + 1 :]
    if arguments and not any("$" in word for word in arguments):
        yield Hint("cmd", json.dumps(arguments), (cmd or program).where)


def _statement(
    instruction: Instruction, value: str, parsed: Dockerfile, workdir: str, exists: Exists
) -> Iterator[Hint]:
    if instruction.keyword == "EXPOSE":
        for port in value.split():
            if re.fullmatch(r"\d{1,5}(/(tcp|udp))?", port):
                yield Hint("port", port, instruction.where_is(port))
    elif instruction.keyword == "VOLUME":
        for path in instruction.json or value.split():
            yield Hint("volume", path, instruction.where)
    elif instruction.keyword == "HEALTHCHECK":
        found = _URL_PATH.search(value)
        if found:
            yield Hint("health", found["path"] or "/", instruction.where)
    elif instruction.keyword in ("COPY", "ADD"):
        yield from _assets(instruction, value, parsed, workdir, exists)


def _assets(instruction: Instruction, value: str, parsed: Dockerfile, workdir: str, exists: Exists) -> Iterator[Hint]:
    """Files of the project that are copied into the image: from the context, or from where a stage had them."""
    words = list(instruction.json or split(value))
    if len(words) < 2 or any(re.search(r"[$*?<]|^https?:", word) for word in words):
        return
    *sources, target = words
    origin = instruction.flag("from")
    places = _workdirs(parsed, origin) if origin is not None else ["/"]
    place = posixpath.normpath(posixpath.join(workdir, target))
    for source in sources:
        inside = _inside(source, places, exists) if origin is not None else posixpath.normpath(source.lstrip("/"))
        if inside in (None, ".") or inside.startswith("..") or not exists(inside):
            continue
        if re.search(r"(^|/)(target|Cargo\.(toml|lock)|src|\.git)(/|$)", inside):
            continue
        # Of a folder the contents are copied, a file into a folder that is named with a / at its end.
        into = exists(f"{inside}/.") is False and (target.endswith("/") or target in (".", "./") or len(sources) > 1)
        yield Hint(
            "asset",
            f"{inside}:{posixpath.join(place, posixpath.basename(inside)) if into else place}",
            instruction.where,
        )


def _workdirs(parsed: Dockerfile, origin: str) -> list[str]:
    """The folders that the sources may lie in, in the stage called `origin`."""
    stage = next((s for s in parsed.stages if s.name == origin or str(s.index) == origin), None)
    found = ["/"]
    for part in parsed.lineage(stage) if stage else ():
        for instruction in part.instructions:
            if instruction.keyword == "WORKDIR":
                found.append(posixpath.join(found[-1], instruction.value))
    return found[1:]


def _inside(source: str, places: Sequence[str], exists: Exists) -> str | None:
    for place in reversed(places):
        absolute = posixpath.normpath(posixpath.join(place, source))
        inside = posixpath.relpath(absolute, place)
        if not inside.startswith("..") and exists(inside):
            return inside
    return None
