"""What a watch shows: a block with its projects on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from layerdoit.core import painter, terminal
from layerdoit.engine.board_view import Look
from layerdoit.watch.events import Event
from layerdoit.watch.json_lines import JsonLines
from layerdoit.watch.keys import Keyboard
from layerdoit.watch.lines import Lines, Output
from layerdoit.watch.panel import Panel, told
from layerdoit.watch.panel_view import frame
from layerdoit.watch.scrolled import printed

_ASKED: Final = ("r", "t", "q")
"""Keys that the watch answers; `l` is answered here."""


class Shown(Protocol):
    """What shows a watch. Both may be called from any thread; `close` gives the terminal back, and may come twice."""

    def tell(self, event: Event) -> None:
        """Something happened. BrokenPipeError: nobody reads the lines any more."""

    def close(self) -> None:
        """The watch is over."""


def shown(projects: Sequence[str], json: bool, keys: Callable[[str], None], *, logs: bool = True) -> Shown:
    """What this terminal, or what takes its place, can show. It is shown from here on until it is closed.

    `keys`: called with `r`, `t` or `q`, from a thread of its own; it must not block. `logs`: lines of services are
    shown at first; `l` changes it. To be called in the main thread, where Ctrl-Z is to give the terminal back.
    """
    if json:
        return JsonLines()
    if terminal.moves(sys.stdout) and terminal.alone():
        return Screen(projects, keys, logs=logs)
    return Lines(projects, logs=logs)


class Screen:
    """A block that stays at the end of the terminal; what is printed meanwhile scrolls by above it."""

    def __init__(self, projects: Sequence[str], keys: Callable[[str], None], *, logs: bool) -> None:
        self._panel = Panel.of(projects, logs=logs)
        self._keys = keys
        self._look = Look(terminal.colour(sys.stdout), terminal.can_show("█░·…", sys.stdout))
        self._lock = threading.Lock()
        self._output = Output()
        self._stack = contextlib.ExitStack()
        self._painter = self._stack.enter_context(painter.block(self._frame, sys.stdout, paused=True))
        # Closed first: no key is read of a terminal without a block. It shows the block when the terminal is ours.
        self._keyboard = Keyboard(self._pressed, self._painter.pause, self._painter.resume)
        self._stack.callback(self._keyboard.close)
        self._keyboard.open()

    def tell(self, event: Event) -> None:
        """Show it in the block, and print what stays."""
        with self._lock:
            before = self._panel
            after = self._panel = told(before, event)
        # Not under the lock: the painter asks for a frame under its own.
        said = printed(event, before, after, self._look, brief=True)
        if said is not None:
            self._output.print(said)
        self._painter.refresh()

    def close(self) -> None:
        """Take the block away, and have the terminal as it was."""
        self._stack.close()

    def _pressed(self, key: str) -> None:
        if key == "l":
            with self._lock:
                self._panel = self._panel._replace(logs=not self._panel.logs)
            self._painter.refresh()
        elif key in _ASKED:
            self._keys(key)

    def _frame(self, size: terminal.Size) -> list[str]:
        return frame(self._panel, size, time.time(), self._look, keys=self._keyboard.reads)
