"""The keys that are pressed while a watch is shown, and the terminal in the mode for that.

The mode is that of a single key, without echo; signals come as ever. Whoever takes the terminal away (Ctrl-Z, another
program in the foreground) gets it as it was before, and nothing is read or painted until it comes back.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from typing import Any, Final

_STOPS: Final = b"s"
_GOES_ON: Final = b"c"
_ENDS: Final = b"e"
_AGAIN: Final = 0.5
"""Seconds after which one in the background asks whether it still is: not every shell says so."""
_GIVEN: Final = 0.5
"""Seconds that Ctrl-Z waits for the terminal to be given back."""
_ENDED: Final = 1.0
"""Seconds that the end waits for the thread."""
_MOST: Final = 4
"""More characters at once than anybody presses: something was pasted into the wrong window."""
# Arrows and the like, and what is pressed with Alt.
_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)


class Keyboard:
    """Tells of keys from `open` to `close`; both are for the main thread, elsewhere Ctrl-Z is not answered.

    `pressed`: called with each character, in lower case; `away`: the terminal is given back, now; `back`: it is ours
    again. All are called from a thread of its own. Where stdin is no terminal, there are no keys but the rest.
    """

    def __init__(self, pressed: Callable[[str], None], away: Callable[[], None], back: Callable[[], None]) -> None:
        self._pressed = pressed
        self._away = away
        self._back = back
        self._stdin = _descriptor(sys.stdin)
        self._stdout = _descriptor(sys.stdout)
        self._before: list[Any] | None = None
        # Whether the terminal is ours, as it was last seen; None: nothing that was seen counts any more.
        self._ours: bool | None = None
        self._taken = False
        self._lock = threading.Lock()
        self._given = threading.Event()
        self._wake = (-1, -1)
        self._old: dict[signal.Signals, Any] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def reads(self) -> bool:
        """Whether keys are read."""
        return self._stdin is not None

    def open(self) -> None:
        """From here on, keys are told."""
        self._wake = os.pipe()
        os.set_blocking(self._wake[1], False)
        # However the interpreter ends.
        atexit.register(self._give_back)
        if threading.current_thread() is threading.main_thread():
            for signum, handler in ((signal.SIGTSTP, self._stop), (signal.SIGCONT, self._go_on)):
                # What others have set or ignore stays.
                if signal.getsignal(signum) is signal.SIG_DFL:
                    self._old[signum] = signal.signal(signum, handler)
        self._thread.start()

    def close(self) -> None:
        """The terminal is as it was. Whatever the thread is at, it takes no longer than a second."""
        for signum, old in self._old.items():
            signal.signal(signum, old)
        self._old.clear()
        self._tell(_ENDS)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(_ENDED)
        self._give_back()
        atexit.unregister(self._give_back)
        if not self._thread.is_alive():
            for descriptor in self._wake:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            self._wake = (-1, -1)

    # --- signals, in the main thread -------------------------------------------------------------------------------

    def _stop(self, _signum: int, _frame: object) -> None:
        """Ctrl-Z: stop as any program does, after the terminal is as it was.

        The thread gives it back: this may have come in the middle of a line that the main thread prints.
        """
        self._given.clear()
        self._tell(_STOPS)
        self._given.wait(_GIVEN)
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        # Here it stops, until it is continued; at once where no shell could ever continue it.
        signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._stop)
        self._tell(_GOES_ON)

    def _go_on(self, _signum: int, _frame: object) -> None:
        self._tell(_GOES_ON)

    def _tell(self, word: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._wake[1], word)

    # --- the thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        stopped = False
        self._look()
        while True:
            for word in self._next(may_read=bool(self._ours)):
                if word == _ENDS[0]:
                    return
                stopped = word == _STOPS[0]
                self._ours = None
                if stopped:
                    self._give_back()
                    self._away()
                    self._given.set()
            if not stopped:
                self._look()

    def _next(self, *, may_read: bool) -> bytes:
        """Wait for what the main thread has to say, and tell of keys meanwhile."""
        stdin = [self._stdin] if may_read and self._stdin is not None else []
        ready, _, _ = select.select([self._wake[0], *stdin], [], [], None if may_read else _AGAIN)
        if self._wake[0] in ready:
            return os.read(self._wake[0], 64)
        # Looked at again: reading in the background would stop the process.
        if ready and self._stdin is not None and self._in_foreground():
            self._read(self._stdin)
        return b""

    def _read(self, stdin: int) -> None:
        try:
            data = os.read(stdin, 1024)
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            self._stdin = None
            return
        keys = _SEQUENCE.sub("", data.decode(errors="ignore")).lower()
        for key in keys if len(keys) <= _MOST else "":
            self._pressed(key)

    def _look(self) -> None:
        """Take the terminal or leave it, by whether it is ours."""
        ours = self._in_foreground()
        if ours == self._ours:
            return
        self._ours = ours
        if ours:
            self._take()
            self._back()
        else:
            self._taken = False
            self._away()

    def _in_foreground(self) -> bool:
        descriptor = self._stdin if self._stdin is not None else self._stdout
        if descriptor is None:
            return True
        try:
            return os.tcgetpgrp(descriptor) == os.getpgrp()
        except OSError:  # a terminal that controls nobody, as some containers have it
            return True

    def _take(self) -> None:
        with self._lock, contextlib.suppress(termios.error):
            self._taken = True
            if self._stdin is None:
                return
            if self._before is None:
                self._before = termios.tcgetattr(self._stdin)
            mode = termios.tcgetattr(self._stdin)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            # Not after all that is printed was read: Ctrl-S would hold it up.
            termios.tcsetattr(self._stdin, termios.TCSANOW, mode)

    def _give_back(self) -> None:
        with self._lock:
            if self._taken and self._before is not None and self._stdin is not None and self._in_foreground():
                with contextlib.suppress(termios.error):
                    # What was pressed too late is not typed into the shell.
                    termios.tcflush(self._stdin, termios.TCIFLUSH)
                    termios.tcsetattr(self._stdin, termios.TCSANOW, self._before)
            self._taken = False


def _descriptor(stream: Any) -> int | None:
    """Of a stream that is a terminal."""
    try:
        return stream.fileno() if stream.isatty() else None
    except (OSError, ValueError, AttributeError):
        return None
