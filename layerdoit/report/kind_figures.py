"""What is measured of one kind of change, and how it moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from layerdoit.history import Figures
    from layerdoit.report.change_kinds import Kind


class Trend(NamedTuple):
    """The older and the newer half of the measurements; medians, or shares of hits."""

    older: float
    newer: float
    n_older: int
    n_newer: int


@dataclass(frozen=True)
class KindFigures:
    """A kind of change: seconds until the image was ready, and of the whole run with the container's part."""

    kind: Kind
    ready: Figures
    whole: Figures | None
    trend: Trend | None
