"""What calls of cargo, in a Dockerfile or a Makefile, say of packages, binaries, features, profile and target. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from layerdoit.dockerfile.parse import Command, Stage, assignments, commands
from layerdoit.init.hints import Files, Hint

CARGO: Final = re.compile(r"(^|/)(xx-)?cargo(-chef)?$")
_BUILDS: Final = frozenset(("build", "b", "rustc", "install", "zigbuild", "auditable"))
_VALUED: Final = {
    "--features": "features", "-F": "features", "--package": "package", "-p": "package", "--bin": "bin",
    "--profile": "profile", "--target": "target",
}  # fmt: skip


def of_stage(stage: Stage, known: Mapping[str, str], files: Files) -> Iterator[Hint]:
    """Build arguments of a stage that runs cargo, and what it has cargo build."""
    itself = " ".join(one.value for one in stage.instructions if one.keyword != "ARG")
    for instruction in stage.instructions:
        if instruction.keyword == "ARG":
            for name in assignments(instruction):
                if re.search(rf"\$\{{?{name}\b", itself) and not files.names(name):
                    continue  # only the Dockerfile itself asks for it
                yield Hint("arg", name, instruction.where_is(name))
        if instruction.keyword == "RUN":
            for command in commands(instruction, known):
                yield from _flags(command.words, instruction.where_is("cargo"))


def of_commands(listed: Iterable[Command]) -> tuple[Hint, ...]:
    """What commands outside a Dockerfile tell: a Makefile's."""
    out: list[Hint] = []
    for command in listed:
        out += _flags(command.words, command.where)
        words = command.words
        if words[:2] in (("docker", "run"), ("podman", "run")):
            for flag, value in itertools.pairwise(words):
                mapped = re.fullmatch(r"(?:[\d.]+:)?(\d+):(\d+)(?:/tcp)?", value)
                if flag in ("-p", "--publish") and mapped:
                    out += [Hint("port", mapped[2], command.where), Hint("publish", mapped[1], command.where)]
    return tuple(dict.fromkeys(out))


def _flags(words: Sequence[str], where: str) -> Iterator[Hint]:
    words = [word for word in words if not word.startswith("+")]
    if len(words) < 2 or not CARGO.search(words[0]) or words[1] not in _BUILDS:
        return
    if words[1] == "install" and not {"--path", "."} & {word.partition("=")[0] for word in words}:
        return  # a tool, not this project
    if any(re.search(r"\bwasm32-", word) for word in words):
        return  # what browsers run
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
