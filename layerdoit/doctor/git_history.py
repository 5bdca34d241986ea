"""Packages that ask git when they are compiled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from layerdoit.core.prose import listed
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.cargo.git_asked import Asked

HISTORY = Rule(
    "git-history",
    "hint",
    "A package asks git when it is compiled.",
    "a build has no history of git (a commit alone makes no new image): it finds no commit, falls back or fails",
    "have it read a variable first, and give that in env: of layerdoit.yaml, or in a file named by CONFIG=",
)
RULES = tuple(rules(globals()))


def history(asked: Iterable[Asked]) -> Iterator[Finding]:
    """`asked`: where packages of the workspace ask git."""
    places = [found.where for found in asked]
    if places:
        here = "git is asked" if len(places) == 1 else f"git is asked here and in {listed(places[1:], 3)}"
        yield HISTORY.found(f"{here}; the image has no commit", places[0])
