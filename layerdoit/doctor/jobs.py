"""Questions asked at the same time, each with the same last moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from layerdoit.core.errors import LayerdoitError

T = TypeVar("T")


class Late(LayerdoitError):
    """No answer in time."""


class Job(Generic[T]):
    """A question, asked in a thread that does not keep the program from ending."""

    def __init__(self, ask: Callable[[], T], deadline: float) -> None:
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
        """The answer, or the error that came instead; `Late` after the deadline."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        if self._error is not None:
            raise self._error
        if not self._answer:
            raise Late("it took too long")
        return self._answer[0]


class Jobs:
    """Questions that have to be answered within so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def ask(self, question: Callable[[], T]) -> Job[T]:
        """Ask now; the answer is waited for when it is needed."""
        return Job(question, self._deadline)
