"""Paint a block of lines that moves, at the end of what a terminal shows."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TextIO

from layerdoit.core import terminal

Frame = Callable[[terminal.Size], list[str]]
"""The lines of the block for a window of this size, none wider than it, at most so many as it has rows."""

_PAUSE: Final = 0.1
"""Seconds between two frames at least."""
_TICK: Final = 0.5
"""Seconds after which the block is painted whatever happens: its clock goes on."""


class Painter:
    """Keeps a block on a terminal until it is closed.

    While the block is shown, the cursor rests on its first column of its first line, visible. So whatever the window
    becomes, all that is below the cursor is ours, nothing has to be counted to erase it, and a program that is killed
    leaves no terminal without a cursor.
    """

    def __init__(self, stream: TextIO, frame: Frame, *, paused: bool = False) -> None:
        self._stream = stream
        self._frame = frame
        self._lock = threading.RLock()
        self._shown: list[str] = []
        self._dirty = threading.Event()
        self._closed = False
        self._paused = paused
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """From here on, the block is shown."""
        self._thread.start()

    def refresh(self) -> None:
        """There is something new to paint."""
        self._dirty.set()

    def print(self, text: str, stream: TextIO) -> None:
        """Print lines that stay, above the block."""
        with self._lock:
            self._erase()
            stream.write(f"{text}\n")
            stream.flush()
            self._paint()

    def pause(self) -> None:
        """Take the block away for a while: another program has the terminal."""
        with self._lock:
            self._paused = True
            self._erase()

    def resume(self) -> None:
        """Paint it where the cursor is now; what was there of it, the other program has moved."""
        with self._lock:
            self._paused = False
            self._shown = []
        self._dirty.set()

    def close(self) -> None:
        """Take the block away."""
        self._closed = True
        self._dirty.set()
        with self._lock:
            self._erase()

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                self._paint()
            begun = time.monotonic()
            self._dirty.wait(_TICK)
            self._dirty.clear()
            if not self._closed:
                time.sleep(max(0.0, _PAUSE - (time.monotonic() - begun)))

    def _paint(self) -> None:
        if self._closed or self._paused:
            return
        size = terminal.size(self._stream)
        lines = self._frame(terminal.Size(size.columns - 1, size.rows - 1))
        if lines == self._shown:
            return
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        self._write("\r" + "\x1b[K\r\n".join(lines) + f"\x1b[J{back}\r")
        self._shown = lines

    def _erase(self) -> None:
        if self._shown:
            self._write("\r\x1b[J")
            self._shown = []

    def _write(self, text: str) -> None:
        # Whoever took the terminal away, the work goes on.
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._closed = True


_painters: list[Painter] = []


def shown() -> Painter | None:
    """The block that is on the terminal now."""
    return _painters[-1] if _painters else None


@contextlib.contextmanager
def block(frame: Frame, stream: TextIO | None = None, *, paused: bool = False) -> Iterator[Painter]:
    """Show a block while something is done. `paused`: not before it is resumed."""
    painter = Painter(stream or sys.stderr, frame, paused=paused)
    _painters.append(painter)
    try:
        painter.start()
        yield painter
    finally:
        _painters.remove(painter)
        painter.close()
