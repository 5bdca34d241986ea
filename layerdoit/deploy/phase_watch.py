"""The phases that a deployment has entered, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

_SAME: Final[Mapping[str, str]] = {}


class Watch:
    """`now`: the phase that was entered last and not left; `done`: the others, with their seconds.

    `on_phase`: hears the name of each before it begins. `names`: what a phase is called, where it is not by its own.
    """

    def __init__(
        self,
        on_phase: Callable[[str], None],
        names: Mapping[str, str] = _SAME,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._on_phase = on_phase
        self._names = names
        self._clock = clock
        self._begun = 0.0
        self.now: str | None = None
        self.done: list[tuple[str, float]] = []

    def enter(self, phase: str) -> None:
        """A phase begins; the one before has ended."""
        self.leave()
        self.now, self._begun = self._names.get(phase, phase), self._clock()
        self._on_phase(self.now)

    def leave(self) -> None:
        """The phase has ended."""
        if self.now is not None:
            self.done.append((self.now, self._clock() - self._begun))
            self.now = None
