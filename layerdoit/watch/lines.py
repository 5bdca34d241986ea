"""Plain lines for a watch without a terminal: one for each event that says something new, errors in full."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

from layerdoit.core import console, terminal
from layerdoit.engine.board_view import Look
from layerdoit.watch.events import Event
from layerdoit.watch.panel import Panel, told
from layerdoit.watch.scrolled import Printed, printed


class Lines:
    """Prints to stdout, in the order in which it is told. BrokenPipeError: nobody reads them any more."""

    def __init__(self, projects: Sequence[str], *, logs: bool) -> None:
        self._panel = Panel.of(projects, logs=logs)
        self._look = Look(terminal.colour(sys.stdout))
        # The one who tells may be a thread that speaks for nobody.
        self._as_typed = console.speaker()[1]
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Print what there is to say of an event."""
        with self._lock:
            before, self._panel = self._panel, told(self._panel, event)
            said = printed(event, before, self._panel, self._look, brief=False)
            if said is not None:
                say(said, self._as_typed)

    def close(self) -> None:
        """Nothing is left to be done."""


def say(said: Printed, as_typed: Callable[[str], str] | None) -> None:
    """Print it, above a block where there is one. `as_typed`: puts the names that a project's tasks have into ours."""
    console.pass_on(as_typed(said.text) if said.ours and as_typed is not None else said.text)
