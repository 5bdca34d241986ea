"""Questions asked in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from layerdoit.core.errors import LayerdoitError

T = TypeVar("T")


class Late(LayerdoitError):
    """No answer in time."""


class Background(Generic[T]):
    """A question, asked in a thread that does not keep the program from ending.

    `deadline`: until when to wait for the answer, by `time.monotonic`; None: for as long as it takes.
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
        """Wait for the answer. Raises the error that came instead, or `Late` after the deadline."""
        self._thread.join(None if self._deadline is None else max(0.0, self._deadline - time.monotonic()))
        if not (self._answer or self._error or self._thread.is_alive()):
            # A process that was forked meanwhile has no such thread.
            self._run()
        if self._error is not None:
            raise self._error
        if not self._answer:
            raise Late("it took too long")
        return self._answer[0]
