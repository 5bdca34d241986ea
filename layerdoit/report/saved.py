"""What was saved compared with other builds that `doit layers bench` measured: only what has a counterpart. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from layerdoit.report.change_kinds import Kind
from layerdoit.report.plausible import is_duration

if TYPE_CHECKING:
    from layerdoit.history.benchmarks import Recorded
    from layerdoit.report.kind_figures import KindFigures

PLAIN: Final = "plain"
COMMAND: Final = "doit layers bench --against plain"
SCENARIOS: Final[Mapping[Kind, str]] = {
    "nothing": "nothing",
    "files": "asset",
    "leaf": "leaf",
    "library": "deep",
    "manifest": "manifest",
    "dependency": "bump",
}
"""The benchmark's change that is like those of a kind. A new toolchain, pulls, and what is not known have none."""


@dataclass(frozen=True)
class SavedKind:
    """Runs of one kind. `median`: of their seconds; `plain`: median seconds of the plain build, of `n_plain` builds."""

    kind: Kind
    runs: int
    median: float
    plain: float
    n_plain: int

    @property
    def seconds(self) -> float:
        """Saved by all of these runs; less than zero where the plain build is faster."""
        return self.runs * (self.plain - self.median)


@dataclass(frozen=True)
class Saved:
    """`at`: when the plain build was measured; `left_out`: runs that went well, of kinds without a counterpart."""

    at: float
    kinds: Sequence[SavedKind]
    left_out: Mapping[Kind, int]

    @property
    def seconds(self) -> float:
        """Over all kinds."""
        return sum(one.seconds for one in self.kinds)

    @property
    def runs(self) -> int:
        """That are counted."""
        return sum(one.runs for one in self.kinds)


def saved(kinds: Sequence[KindFigures], recorded: Recorded | None, peer: str = PLAIN) -> Saved | None:
    """Compared with a Dockerfile; None where no build of it is recorded."""
    if recorded is None or not any(measured == peer for _, measured in recorded.seconds):
        return None
    found: list[SavedKind] = []
    left_out: dict[Kind, int] = {}
    for one in kinds:
        plain = recorded.seconds.get((SCENARIOS.get(one.kind, ""), peer))
        if plain is None or not is_duration(plain[0]):
            left_out[one.kind] = one.ready.n
        else:
            found.append(SavedKind(one.kind, one.ready.n, one.ready.median, *plain))
    return Saved(recorded.at, tuple(found), left_out)


def as_json(found: Saved | None) -> dict[str, Any] | None:
    """The documented form."""
    if found is None:
        return None
    return {
        "seconds": found.seconds,
        "runs": found.runs,
        "recorded_at": found.at,
        "kinds": {
            one.kind: {
                "seconds": one.seconds,
                "runs": one.runs,
                "median": one.median,
                "plain_median": one.plain,
                "plain_n": one.n_plain,
            }
            for one in found.kinds
        },
        "left_out": dict(found.left_out),
    }
