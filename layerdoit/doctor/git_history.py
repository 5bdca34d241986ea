"""Packages that ask git when they are compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from layerdoit.cargo import git_asked
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
SHALLOW = Rule(
    "git-shallow",
    "warning",
    "Builds are told of git, and this clone has only the last commits.",
    "`git describe` and a count of commits give something else than in a whole clone",
    "git fetch --unshallow --tags; in CI, have the whole history checked out (fetch-depth: 0)",
)
RULES = tuple(rules(globals()))


def history(asked: Iterable[Asked], config: Config, *, shallow: bool = False) -> Iterator[Finding]:
    """`asked`: where packages of the workspace ask git; `shallow`: whether the clone is."""
    found = list(asked)
    if config.build.git == "none":
        if found:
            yield HISTORY.found(f"{_places(found, 'git is asked')}; the image has no commit", found[0].where)
        return
    if shallow:
        yield SHALLOW.found(f"the clone is shallow, and build.git is {config.build.git}", config.where.get("build.git"))
    if lacking := git_asked.lacking(found, config):
        yield PROGRAM.found(_places(lacking, "the program git is called"), lacking[0].where)


def _places(found: Sequence[Asked], what: str) -> str:
    others = [one.where for one in found[1:]]
    return f"{what} here and in {listed(others, 3)}" if others else what
