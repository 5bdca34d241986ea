"""Readings of a tree that begin while a burst of changes goes on; one counts where nothing came since it began."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from layerdoit.core.errors import LayerdoitError
from layerdoit.watch.changes import LONGEST

Made = TypeVar("Made")


class Coming(Protocol):
    """What is asked of `Changes`."""

    def count(self) -> int:
        """How many have come until now."""
        ...

    def settle(self, until: float) -> int:
        """Wait until it is worth while to read; how many have come until then."""
        ...

    def rest(self, until: float) -> None:
        """Wait until the burst is over."""
        ...


class Readings(Generic[Made]):
    """The readings of one thread. `at`: what was made of the one that it works on; None while it works on none.

    Another thread hears of changes, and asks what they are about.
    """

    def __init__(self, changes: Coming, read: Callable[[], Made]) -> None:
        """`read`: raises LayerdoitError or OSError where the tree is wrong, which half of a change can make it."""
        self._changes, self._read = changes, read
        self._lock = threading.Lock()
        self._goes_on = False
        # How many changes had come when the last reading began.
        self._seen = -1
        self.at: Made | None = None

    def next(self) -> Made:
        """Read, and read again what came meanwhile, until a burst is over. Raises what `read` does of the last one.

        Where changes come without end, one that begins after the longest burst counts; what came since is heard of.
        """
        with self._lock:
            self._goes_on = True
        try:
            return self._settled(time.monotonic() + LONGEST)
        finally:
            with self._lock:
                self._goes_on = False

    def _settled(self, until: float) -> Made:
        while True:
            seen = self._changes.settle(until)
            is_last = time.monotonic() >= until
            with self._lock:
                self._seen = seen
            made, error = self._tried()
            self._changes.rest(until)
            # Together: else a change in between would neither be read nor end what is begun.
            with self._lock:
                if not is_last and self._changes.count() != seen:
                    continue
                self._goes_on = False
                self.at = made
            if error is not None:
                raise error
            assert made is not None  # noqa: S101 - one of the two is there
            return made

    def _tried(self) -> tuple[Made | None, LayerdoitError | OSError | None]:
        try:
            return self._read(), None
        except (LayerdoitError, OSError) as error:
            return None, error

    def over(self) -> None:
        """Nothing is worked on."""
        with self._lock:
            self.at = None

    def is_behind(self) -> bool:
        """Whether something has changed that no reading sees, neither the last one nor one that goes on."""
        with self._lock:
            return not self._goes_on and self._changes.count() != self._seen
