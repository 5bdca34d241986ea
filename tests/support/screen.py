"""A program on a terminal: what a user sees of it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyte
import pytest


class Screen:
    """A program and the terminal that it runs on."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, columns: int, rows: int) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._master, terminal = os.openpty()
        self.resize(columns, rows)
        # What the user types meanwhile is not what a test is about.
        mode = termios.tcgetattr(terminal)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, mode)
        self.process = subprocess.Popen(
            argv, stdin=terminal, stdout=terminal, stderr=terminal, cwd=cwd, env=dict(env), start_new_session=True
        )
        os.close(terminal)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without empty lines at its end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    @property
    def shows_cursor(self) -> bool:
        """Whether the user sees where they type."""
        return not self._screen.cursor.hidden

    @property
    def cursor(self) -> tuple[int, int]:
        """Its row and column."""
        return self._screen.cursor.y, self._screen.cursor.x

    def type(self, text: str) -> None:
        """The user types."""
        os.write(self._master, text.encode())

    def hang_up(self) -> None:
        """The user closes the window."""
        os.close(self._master)
        self._master = os.open(os.devnull, os.O_RDONLY)

    def resize(self, columns: int, rows: int) -> None:
        """The user drags the window's corner."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen.resize(rows, columns)

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Read what the program prints until the screen is as wanted."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or not self._read():
                pytest.fail(f"the screen never was as wanted; it shows:\n{self.text}")

    def end(self, seconds: float = 60.0) -> int:
        """Read until the program has ended; its exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, self.text
        return self.process.wait(seconds)

    def close(self) -> None:
        """End what still runs."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    def _read(self) -> bool:
        """Whether there may be more."""
        # Asked before: what it writes between a look and its end is read by the next look.
        runs = self.process.poll() is None
        ready, _, _ = select.select([self._master], [], [], 0.05)
        if not ready:
            return runs
        try:
            data = os.read(self._master, 65536)
        except OSError:  # nobody holds the terminal any more
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


@contextlib.contextmanager
def running(argv: Sequence[str], *, cwd: str = "/", columns: int = 80, rows: int = 24, **env: str) -> Iterator[Screen]:
    """A program that has a terminal for itself."""
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI", "GITHUB_ACTIONS")}
    screen = Screen(argv, {**clean, "TERM": "xterm-256color", **env}, cwd, columns, rows)
    try:
        yield screen
    finally:
        screen.close()
