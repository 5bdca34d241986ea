"""The outcome of a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.layers.plan import Step


@dataclass(frozen=True)
class Outcome:
    """What was done for a layer: seconds, how, and cargo's counts (compiled, units, external).

    `cold`: built from scratch, with nothing left by an earlier build; `export`: the seconds in which the image was
    written; `sent`: bytes that went to the builder; `size`: bytes of the image; `crates`: (name, version, seconds) of
    each that a cook compiled; `shared`: how many came from a store of compilers (sccache), None without one; `notes`:
    the lines that the build's scripts print for layerdoit, whole.
    """

    step: Step
    seconds: float = 0.0
    how: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    not_fresh: tuple[str, ...] = ()
    cold: bool = False
    export: float = 0.0
    sent: int | None = None
    size: int | None = None
    crates: tuple[tuple[str, str, float], ...] = ()
    shared: int | None = None
    notes: tuple[str, ...] = ()
