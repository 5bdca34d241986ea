"""Which external crates cost most when the deps layer was cooked, by cargo's own timings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from layerdoit.core.units import LONGEST
from layerdoit.history.crates import Crate

SHOWN: Final = 15


@dataclass(frozen=True)
class CrateFigures:
    """A crate as the latest cook that compiled it saw it. `share`: of that cook's compiling; `cooks`: that had it."""

    crate: str
    version: str
    seconds: float
    share: float
    cooks: int


@dataclass(frozen=True)
class Slowest:
    """The slowest crates; `cooks`: cooks of which cargo told the timings."""

    cooks: int
    crates: Sequence[CrateFigures]


def cooked(rows: Iterable[Mapping[str, Any]]) -> tuple[Crate, ...]:
    """A run's crates; without what no clock says."""
    found = (Crate(**row) for row in rows)
    return tuple(one for one in found if 0 <= one.seconds < LONGEST and 0 <= one.share <= 1)


def slowest(cooks: Sequence[Sequence[Crate]]) -> Slowest:
    """`cooks`: crates of each run, the oldest run first."""
    told = [crates for crates in cooks if crates]
    latest: dict[str, Crate] = {}
    times: dict[str, int] = {}
    for crates in told:
        # Two versions of a crate in one cook: the slower one is shown.
        mine = {one.crate: one for one in sorted(crates, key=lambda one: one.seconds)}
        latest |= mine
        for name in mine:
            times[name] = times.get(name, 0) + 1
    ranked = sorted(latest.values(), key=lambda one: (-one.seconds, one.crate))[:SHOWN]
    return Slowest(
        len(told),
        tuple(CrateFigures(one.crate, one.version, one.seconds, one.share, times[one.crate]) for one in ranked),
    )


def as_json(found: Slowest) -> dict[str, Any]:
    """The documented form."""
    return {"cooks": found.cooks, "crates": [dict(vars(one)) for one in found.crates]}
