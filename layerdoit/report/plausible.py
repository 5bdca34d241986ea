"""What a clock can have said: a history of others' making must not spoil the figures. Pure."""

from __future__ import annotations

from typing import Final

LONGEST: Final = 1e9
"""Seconds; nothing that was measured took more."""
MOMENTS: Final = 1e11
"""Seconds since 1970; in the year 5138."""


def is_duration(seconds: float) -> bool:
    """Whether something can have taken so long; not of what is no number."""
    return 0 <= seconds < LONGEST


def duration(seconds: float | None) -> float | None:
    """Seconds that something took; None for what no clock says."""
    return seconds if seconds is not None and is_duration(seconds) else None


def moment(at: float) -> float | None:
    """Seconds since 1970; None for what no clock shows."""
    return at if 0 <= at < MOMENTS else None
