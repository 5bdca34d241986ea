"""Plain lines for a watch without a terminal: one for each event that says something new, errors in full."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from layerdoit.core import console, terminal
from layerdoit.engine.board_view import Look
from layerdoit.watch.events import Event
from layerdoit.watch.panel import Panel, told
from layerdoit.watch.scrolled import Printed, printed

AsTyped = Mapping[str, Callable[[str], str]]
"""For each project, what puts the names into a text that its tasks and files have where the command was typed."""


class Output:
    """Prints to stdout, above a block where there is one.

    BrokenPipeError, once: nobody reads it any more. What the end of the watch says after that is lost without a word.
    """

    def __init__(self, as_typed: AsTyped | None = None) -> None:
        self._as_typed = as_typed or {}
        # The one who tells may be a thread that speaks for nobody.
        self._speaker = console.speaker()[1]
        self._unread = False

    def print(self, said: Printed, project: str = "") -> None:
        """Lines; ours get the names that tasks and files of the project have."""
        if self._unread:
            return
        typed = self._as_typed.get(project, self._speaker)
        try:
            console.pass_on(typed(said.text) if said.ours and typed is not None else said.text)
        except BrokenPipeError:
            self._unread = True
            raise


class Lines:
    """Prints what there is to say of events, in the order in which it is told."""

    def __init__(self, projects: Sequence[str], *, logs: bool, as_typed: AsTyped | None = None) -> None:
        self._panel = Panel.of(projects, logs=logs)
        self._look = Look(terminal.colour(sys.stdout))
        self._output = Output(as_typed)
        self._lock = threading.Lock()

    def tell(self, event: Event) -> None:
        """Print what there is to say of an event."""
        with self._lock:
            before, self._panel = self._panel, told(self._panel, event)
            said = printed(event, before, self._panel, self._look, brief=False)
            if said is not None:
                self._output.print(said, event.project)

    def close(self) -> None:
        """Nothing is left to be done."""
