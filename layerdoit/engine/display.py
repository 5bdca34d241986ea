"""Show what is going on: a block that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from layerdoit.core import console, painter, terminal
from layerdoit.core.doing import Doing, heard_by
from layerdoit.engine import board_view, groups
from layerdoit.engine.board import Board, Row, Usual

HEARTBEAT: Final = 30.0
"""Seconds after which a plain line tells that work goes on: what is silent for minutes, CI ends."""
_FIRST: Final = 10.0
"""What ends before needs no plain line: its outcome is one. Another step is told after the same time."""
_ASKED_AFTER: Final = 1.0
"""What ends before needs no estimate."""

_longest = [HEARTBEAT]

Ask = Callable[[], Usual | None]


def tell_every(seconds: float) -> None:
    """From here on, plain lines come so often: whoever reads them has only the last one in view."""
    _longest[0] = seconds


class Display:
    """What is shown while a board is worked on. `label`: whose board it is, where several are worked on at once."""

    def __init__(self, board: Board, label: str = "") -> None:
        # The groups of several that speak at once would be mixed up.
        self._alone = terminal.alone()
        self._label = label
        self._board = board
        self._lock = threading.Lock()
        self._asks: dict[str, Ask] = {}
        self._painter: painter.Painter | None = None
        self._plain: _Plain | None = None

    @contextlib.contextmanager
    def shown(self) -> Iterator[Display]:
        """Show it as this terminal, or what takes its place, can."""
        with contextlib.ExitStack() as stack:
            if terminal.moves(sys.stderr) and self._alone:
                look = board_view.Look(terminal.colour(sys.stderr), terminal.can_show("█░·…", sys.stderr))
                self._painter = stack.enter_context(painter.block(lambda size: self._frame(size, look)))
            else:
                self._plain = stack.enter_context(_Plain(self.working, self._label).running())
            yield self

    @contextlib.contextmanager
    def work(self, name: str, words: str, usual: Ask | None = None, *, folds: bool = True) -> Iterator[None]:
        """A layer is worked on. `usual`: asks how long that takes; not asked where it is over soon.

        `folds`: CI shows its lines as a group; not those of works side by side.
        """
        folds = folds and self._alone
        folded = groups.group(f"{self._label}{name}", f"{self._label}{name}: {words}") if folds else None
        with folded or contextlib.nullcontext():
            with self._lock:
                if usual is not None:
                    self._asks[name] = usual
                self._board = self._board.with_row(Row(name).begun(words, time.monotonic()))
            self._refresh()
            with heard_by(partial(self.tell, name)):
                yield
            with self._lock:
                self._board = self._board.with_row(self._board.row(name).ended(time.monotonic()))
            self._refresh()

    def tell(self, name: str, doing: Doing) -> None:
        """What is being done now for a row."""
        with self._lock:
            row = self._board.row(name)
            if row.state != "works":
                return
            self._board = self._board.with_row(row.told(doing, time.monotonic()))
        self._refresh()

    def _refresh(self) -> None:
        if self._painter is not None:
            self._painter.refresh()
        if self._plain is not None:
            self._plain.refresh()

    def working(self) -> list[Row]:
        """What is worked on now, with what is usual for it."""
        return [self._with_usual(row) for row in self._at_work()]

    def _at_work(self) -> tuple[Row, ...]:
        with self._lock:
            return self._board.working

    def _with_usual(self, row: Row) -> Row:
        with self._lock:
            due = time.monotonic() - row.since >= _ASKED_AFTER
            ask = self._asks.pop(row.name, None) if due else None
        if ask is None:
            return row
        usual = ask()
        with self._lock:
            row = self._board.row(row.name)._replace(usual=usual)
            self._board = self._board.with_row(row)
        return row

    def _frame(self, size: terminal.Size, look: board_view.Look) -> list[str]:
        self.working()
        return board_view.block(self._board, size, time.monotonic(), look)


class Told(NamedTuple):
    """The last plain line: when, of which layer's work, and in which step."""

    at: float = 0.0
    name: str = ""
    since: float = 0.0
    what: str = ""

    def due(self, row: Row) -> float:
        """When the next line is due."""
        first = min(_FIRST, _longest[0])
        if (row.name, row.since) != (self.name, self.since):
            return row.since + first
        if row.what != self.what:
            return max(row.doing_since, self.at) + first
        return self.at + _longest[0]


class _Plain:
    """Prints a line when a work has gone on for a while, when it comes to another step, and every 30 s."""

    def __init__(self, working: Callable[[], Sequence[Row]], label: str) -> None:
        self._working = working
        self._label = label
        self._changed = threading.Condition()
        self._ended = False

    @contextlib.contextmanager
    def running(self) -> Iterator[_Plain]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
            thread.join()

    def refresh(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        told: dict[str, Told] = {}
        with self._changed:
            while not self._ended:
                rows, now = self._working(), time.monotonic()
                for row in rows:
                    if told.get(row.name, Told()).due(row) <= now:
                        told[row.name] = Told(now, row.name, row.since, row.what)
                        console.aside(f"{time.strftime('%H:%M:%S')} {self._label}{board_view.plain(row, now)}")
                due = [told.get(row.name, Told()).due(row) for row in rows]
                self._changed.wait(max(0.0, min(due) - now) if due else None)
