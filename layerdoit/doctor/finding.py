"""What a check says: a finding by a rule, a fact worth knowing, or that it could not be made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "hint"]
LEVELS: tuple[Level, ...] = ("error", "warning", "hint")


@dataclass(frozen=True)
class Finding:
    """Something to correct. `what`: one sentence; `where`: file:line; `why` it matters; `fix`: what to do."""

    id: str
    level: Level
    what: str
    where: str | None
    why: str
    fix: str


@dataclass(frozen=True)
class Fact:
    """Something that is so, said without judging it."""

    name: str
    value: str


@dataclass(frozen=True)
class Unchecked:
    """A check that could not be made, and why."""

    what: str
    why: str


Item = Finding | Fact | Unchecked


@dataclass(frozen=True)
class Rule:
    """What is looked for. `fix` may be given more exactly by a finding."""

    id: str
    level: Level
    about: str
    why: str
    fix: str

    def found(
        self, what: str, where: str | None = None, *, fix: str | None = None, level: Level | None = None
    ) -> Finding:
        """A finding by this rule."""
        return Finding(self.id, level or self.level, what, where, self.why, fix or self.fix)


def rules(namespace: Mapping[str, Any]) -> Iterator[Rule]:
    """The rules that a module defines, in their order."""
    return (value for value in namespace.values() if isinstance(value, Rule))
