"""Which external crates took how long when the deps layer was cooked, as cargo reported it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

KEPT: Final = 40
"""Slowest crates that are kept of a cook."""


@dataclass(frozen=True)
class Crate:
    """A crate that a cook compiled. `seconds`: of all its units; `share`: of those of all external crates, 0 to 1."""

    crate: str
    version: str
    seconds: float
    share: float


def read(timings: Iterable[tuple[str, str, float]], external: Collection[tuple[str, str]]) -> tuple[Crate, ...]:
    """The slowest of the crates (name, version, seconds), slowest first. `external`: those that are no stubs."""
    found = {(name, version): spent for name, version, spent in timings if (name, version) in external}
    total = sum(found.values())
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:KEPT]
    return tuple(Crate(*name, seconds, seconds / total if total else 0.0) for name, seconds in ranked)
