"""How two times compare, in words; and what the project's benchmark says of layerdoit beside the best Dockerfile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from layerdoit.history.benchmarks import DOCKERFILES, OURS
from layerdoit.report.plausible import is_duration

if TYPE_CHECKING:
    from layerdoit.history.benchmarks import Recorded

SAME: Final = 1.05
"""Times that differ by less are the same: builds vary as much."""
PEERS: Final[Mapping[str, str]] = {
    "plain": "a plain Dockerfile",
    "mount": "a Dockerfile with a target mount",
    "chef": "a Dockerfile with cargo-chef",
    "native": "cargo on this machine",
}


@dataclass(frozen=True)
class Compared:
    """A change in one benchmark: `median` of `n` builds of layerdoit, `other` of `n_other` builds of the best peer."""

    scenario: str
    peer: str
    median: float
    n: int
    other: float
    n_other: int
    at: float

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return dict(vars(self))


def times(ratio: float) -> str:
    """`2.3 ×`."""
    return f"{ratio:.1f} ×" if ratio < 9.95 else f"{ratio:,.0f} ×"


def figure(ours: float, other: float) -> tuple[str, str]:
    """`2.3 × faster` and `than`, so that what is compared with follows."""
    ours, other = max(ours, 0.001), max(other, 0.001)
    if ours * SAME < other:
        return f"{times(other / ours)} faster", "than"
    if other * SAME < ours:
        return f"{times(ours / other)} slower", "than"
    return "as fast", "as"


def compared(recorded: Recorded | None, scenario: str) -> Compared | None:
    """With the fastest Dockerfile that was measured in the same benchmark; None where there is none."""
    if recorded is None or (scenario, OURS) not in recorded.seconds:
        return None
    at = recorded.moments.get((scenario, OURS), recorded.at)
    others = [
        (*recorded.seconds[scenario, peer], peer)
        for peer in DOCKERFILES
        if (scenario, peer) in recorded.seconds and recorded.moments.get((scenario, peer), recorded.at) == at
    ]
    median, n = recorded.seconds[scenario, OURS]
    known = [one for one in others if is_duration(one[0])]
    if not known or not is_duration(median):
        return None
    other, n_other, peer = min(known)
    return Compared(scenario, peer, median, n, other, n_other, at)
