"""What is asked for, and how long that takes by what this project measured before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerdoit.bench.peers import PEERS
from layerdoit.bench.scenarios import REPEATS, SCENARIOS
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion
from layerdoit.core.units import count_text, duration_text
from layerdoit.history.benchmarks import OURS

RIVALS: Final = tuple(peer for peer in PEERS if peer != OURS)
_MOST_RUNS: Final = 100


@dataclass(frozen=True)
class Wanted:
    """Peers, ours among them; scenarios in their order, cold first; how often all of them are measured."""

    peers: tuple[str, ...]
    scenarios: tuple[str, ...]
    runs: int


def wanted(against: str, scenarios: str, runs: str) -> Wanted:
    """From the words of the command line; a ConfigError lists what is valid."""
    rivals = _names("against", against, RIVALS)
    chosen = _names("scenarios", scenarios, tuple(SCENARIOS)) if scenarios else tuple(SCENARIOS)
    if not (runs.isascii() and runs.isdigit() and 0 < int(runs) <= _MOST_RUNS):
        raise ConfigError(
            f'--runs expects a number from 1 to {_MOST_RUNS}, got "{runs}"', hint="for example --runs 3, the default"
        )
    peers = tuple(peer for peer in PEERS if peer == OURS or peer in rivals)
    # Without a first build there is nothing to edit.
    return Wanted(peers, tuple(name for name in SCENARIOS if name == "cold" or name in chosen), int(runs))


def _names(option: str, written: str, valid: Sequence[str]) -> tuple[str, ...]:
    words = [word for part in written.split(",") if (word := part.strip())]
    if not words:
        raise ConfigError(f"--{option} is empty", hint=f"valid names: {', '.join(valid)}")
    for word in words:
        if word not in valid:
            raise ConfigError(f'--{option}: there is no "{word}"', hint=suggestion(word, valid, "valid names"))
    return tuple(words)


# --- beforehand ------------------------------------------------------------------------------------------------------


def seconds(found: Wanted, cold: float | None, recorded: Mapping[tuple[str, str], tuple[float, int]]) -> float | None:
    """How long all builds take together. None where that of one of them is not known.

    `cold`: of a build from nothing with layerdoit, which says it for the others roughly; `recorded`: what was measured.
    """
    known = {("cold", peer): (cold, 1) for peer in found.peers if cold is not None} | dict(recorded)
    places = [(scenario, peer) for scenario in found.scenarios for peer in found.peers]
    if any(place not in known for place in places):
        return None
    return found.runs * sum(known[place][0] * REPEATS.get(place[0], 1) for place in places)


def announced(found: Wanted, project: str, variant: str, expected: float | None) -> str:
    """What is about to be done, in two lines."""
    builds = found.runs * len(found.peers) * sum(REPEATS.get(scenario, 1) for scenario in found.scenarios)
    rivals = ", ".join(peer for peer in found.peers if peer != OURS)
    took = "unknown, as it was not measured here before" if expected is None else f"about {duration_text(expected)}"
    times = count_text(found.runs, "run")
    return (
        f"{project}, {variant}: layerdoit against {rivals}; {', '.join(found.scenarios)}; {times}, {builds} builds\n"
        f"on a copy of the current tree; expected time: {took}"
    )


def expected(folder: Path, variant: str, found: Wanted) -> float | None:
    """`seconds`, by the history in a state folder."""
    from layerdoit import history
    from layerdoit.history import benchmarks

    recorded = benchmarks.latest(folder, variant)
    cold = history.expected(folder, variant, ("deps", "app")).seconds
    return seconds(found, cold, {} if recorded is None else recorded.seconds)
