"""Packages that ask git when they are compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from layerdoit.core.prose import listed
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.cargo.git_asked import Asked
    from layerdoit.config import Config

HISTORY = Rule(
    "git-history",
    "hint",
    "A package asks git when it is compiled.",
    "builds are told nothing of git unless build.git says so: it finds no commit, falls back or fails",
    "in layerdoit.yaml: build: {git: commit}; where the program git is called, base: {packages: [git]} too",
)
PROGRAM = Rule(
    "git-program",
    "warning",
    "A package calls the program git when it is compiled, and the builder has none.",
    "it finds no commit, although build.git tells it",
    "in layerdoit.yaml: base: {packages: [git]}",
)
RULES = tuple(rules(globals()))


def history(asked: Iterable[Asked], config: Config) -> Iterator[Finding]:
    """`asked`: where packages of the workspace ask git."""
    found = list(asked)
    if config.build.git == "none":
        if found:
            yield HISTORY.found(f"{_places(found, 'git is asked')}; the image has no commit", found[0].where)
        return
    # An image or a Dockerfile of the project's own may have it.
    ours = config.base.image is None and config.dockerfiles.base is None
    lacking = [one for one in found if one.program] if ours and "git" not in config.base.packages else []
    if lacking:
        yield PROGRAM.found(_places(lacking, "the program git is called"), lacking[0].where)


def _places(found: Sequence[Asked], what: str) -> str:
    others = [one.where for one in found[1:]]
    return f"{what} here and in {listed(others, 3)}" if others else what
