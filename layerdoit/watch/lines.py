"""Plain lines for a watch without a terminal: one for each event that says something new, errors in full."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from layerdoit.core import console, terminal
from layerdoit.engine.board_view import Look
from layerdoit.watch.events import Event
from layerdoit.watch.panel import Panel, told
from layerdoit.watch.scrolled import Printed, printed


class Output:
    """Prints to stdout, above a block where there is one.

    BrokenPipeError, once: nobody reads it any more. What the end of the watch says after that is lost without a word.
    """

    def __init__(self) -> None:
        # The one who tells may be a thread that speaks for nobody.
        self._as_typed = console.speaker()[1]
        self._unread = False

    def print(self, said: Printed) -> None:
        """Lines; ours get the names that the project's tasks have."""
        if self._unread:
            return
        try:
            console.pass_on(self._as_typed(said.text) if said.ours and self._as_typed is not None else said.text)
        except BrokenPipeError:
            self._unread = True
            raise


class Lines:
    """Prints what there is to say of events, in the order in which it is told."""

    def __init__(self, projects: Sequence[str], *, logs: bool) -> None:
        self._panel = Panel.of(projects, logs=logs)
        self._look = Look(terminal.colour(sys.stdout))
        self._output = Output()
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Print what there is to say of an event."""
        with self._lock:
            before, self._panel = self._panel, told(self._panel, event)
            said = printed(event, before, self._panel, self._look, brief=False)
            if said is not None:
                self._output.print(said)

    def close(self) -> None:
        """Nothing is left to be done."""
