"""The stages of a Dockerfile: which compile, which lead to the image, and which variables each knows. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from layerdoit.dockerfile.parse import Dockerfile, Stage, assignments, commands, expand
from layerdoit.dockerfile.steps import stage_named
from layerdoit.init.cargo_calls import CARGO

_RUST_IMAGE: Final = re.compile(r"(^|/)(rust|cargo-chef|rustlang)([:/@-]|$)")


def used(parsed: Dockerfile, final: Stage) -> list[Stage]:
    """The stages that lead to the last one."""
    found: list[Stage] = []
    waiting = [final]
    while waiting:
        stage = waiting.pop()
        if stage in found:
            continue
        found.append(stage)
        waiting += [parent] if (parent := parsed.parent(stage)) else []
        for instruction in stage.instructions:
            origins = [value for name, value in instruction.flags if name == "from"]
            origins += re.findall(r"\bfrom=([\w.-]+)", " ".join(v for n, v in instruction.flags if n == "mount"))
            waiting += [other for origin in origins if (other := stage_named(parsed, origin))]
    return found


def known_in(parsed: Dockerfile, lineage: Sequence[Stage]) -> dict[str, str]:
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


def is_rust(parsed: Dockerfile, stage: Stage) -> bool:
    """Whether a stage is made from an image with a Rust toolchain."""
    return _RUST_IMAGE.search(parsed.lineage(stage)[0].base) is not None


def compiles(parsed: Dockerfile, stage: Stage) -> bool:
    """Whether a stage, or one that is made from it, runs cargo."""
    if is_rust(parsed, stage):
        return True
    for other in parsed.stages[stage.index :]:
        if stage in parsed.lineage(other):
            for instruction in other.instructions:
                if instruction.keyword == "RUN" and any(CARGO.search(c.words[0]) for c in commands(instruction)):
                    return True
    return False


def made_by_cargo(parsed: Dockerfile, stage: Stage) -> bool:
    """Whether a stage, or one that it is made from, runs cargo."""
    return any(compiles(parsed, part) for part in parsed.lineage(stage))
