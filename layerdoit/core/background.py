"""Run a function in a background thread and collect its result later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from layerdoit.core.errors import LayerdoitError

T = TypeVar("T")


class Late(LayerdoitError):
    """The deadline passed before the answer came."""


class Background(Generic[T]):
    """Calls `ask` in a daemon thread, which never keeps the program from exiting.

    `deadline`: when to stop waiting, on the clock of `time.monotonic`; None: wait as long as it takes.
    """

    def __init__(self, ask: Callable[[], T], deadline: float | None = None) -> None:
        self._ask = ask
        self._deadline = deadline
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answer.append(self._ask())
        except BaseException as error:  # noqa: BLE001  (raised again in `result`)
            self._error = error

    def result(self) -> T:
        """Wait for the answer. Raises the error that `ask` raised, or `Late` after the deadline."""
        self._thread.join(None if self._deadline is None else max(0.0, self._deadline - time.monotonic()))
        if not (self._answer or self._error or self._thread.is_alive()):
            # A process that was forked meanwhile has no such thread.
            self._run()
        if self._error is not None:
            raise self._error
        if not self._answer:
            raise Late("it did not answer in time")
        return self._answer[0]


def begun(holder: object, name: str, ask: Callable[[], T]) -> Background[T]:
    """What was asked first under a name, and is kept in `holder`: the first call begins to ask.

    No cached property: its lock would be held for ever in a process that is forked meanwhile.
    """
    found: Background[T] | None = holder.__dict__.get(name)
    if found is None:
        found = holder.__dict__[name] = Background(ask)
    return found
