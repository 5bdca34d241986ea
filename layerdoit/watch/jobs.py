"""A cycle beside the watch: a process of its own, waited for by a thread of its own."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from layerdoit.core.ending import Ending
from layerdoit.watch import cycle

_BEAT: Final = re.compile(r"\d\d:\d\d:\d\d ")
"""What a plain line of progress begins with (engine/display.py)."""
LINES: Final = 200
"""Lines of its output that are kept."""


class Job:
    """One wish, being done. Any thread may call what is public. `aside`: its warnings, and what the compiler said;
    `lines`: the last ones of its output.
    """

    def __init__(
        self, wish: cycle.Wish, told: Callable[[str], None], done: Callable[[], None] = lambda: None, *, coloured: bool
    ) -> None:
        """`told`: hears its lines, but those aside; `done`: is called when it has ended."""
        self.wish = wish
        self.seconds = 0.0
        self.aside: list[str] = []
        self.lines: deque[str] = deque(maxlen=LINES)
        self._told, self._done, self._coloured = told, done, coloured
        self._ending = Ending()
        self._name = ""
        self._error: BaseException | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Job:
        """Begin."""
        self._thread.start()
        return self

    def end(self) -> None:
        """End it; returns at once. Asked again, with more force."""
        self._ending.ask()

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it goes on."""
        return self._over

    def join(self) -> None:
        """Wait until it has ended, however it ends."""
        self._thread.join()

    def result(self) -> str:
        """Wait for it; the name of the facts that it came to (see `Facts.name`). `Failed`; `Stopped` after `end`."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._name

    def _hear(self, stream: str, line: str) -> None:
        beat = _BEAT.match(line)
        if stream == "stdout":
            self.lines.append(line)
            self._told(line)
        elif beat is not None:
            self._told(line[beat.end() :])
        else:
            self.aside.append(line)

    def _run(self) -> None:
        begun = time.monotonic()
        try:
            self._name = cycle.run(self.wish, self._hear, self._ending, coloured=self._coloured)
        except BaseException as error:  # noqa: BLE001 - it comes out of `result`
            self._error = error
        self.seconds = time.monotonic() - begun
        # Whoever is told may look at once.
        self._over = True
        self._done()
