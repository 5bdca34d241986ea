"""Have a command ended that another thread runs, as Ctrl-C would end it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerdoit.core.signals import Events


class Ending:
    """Handed to one command of `process.stream`; whoever else has it may end that command.

    Asked again, the command is ended with more force: interrupt, terminate, kill.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: Events | None = None
        self.asked = False

    def ask(self) -> None:
        """End it; where it has not begun, it ends when it begins. Returns at once."""
        with self._lock:
            self.asked = True
            if self._events is not None:
                self._events.put(("signal", signal.SIGALRM))

    @contextlib.contextmanager
    def of(self, events: Events) -> Iterator[None]:
        """Where the command that it is about hears of it."""
        with self._lock:
            self._events = events
            if self.asked:
                events.put(("signal", signal.SIGALRM))
        try:
            yield
        finally:
            with self._lock:
                self._events = None
