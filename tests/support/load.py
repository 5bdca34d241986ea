"""Requests at a steady rate from threads of their own, and what became of them."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter
from typing import NamedTuple

TIMEOUT = 10.0


class Answer(NamedTuple):
    """How one request ended; its times in seconds."""

    begun: float
    end: float
    how: str
    body: str


class Load:
    """So many requests a second as long as the block lasts. `ended`: how they ended, by status or kind of error.

    `bodies`: what was answered, in the order in which the requests were made.
    """

    def __init__(self, address: str, rate: float = 100.0, path: str = "/") -> None:
        self._address = address
        self._path = path
        self._rate = rate
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clock = threading.Thread(target=self._run)
        self._lock = threading.Lock()
        self._answers: list[Answer] = []

    def _run(self) -> None:
        first, number = time.perf_counter(), 0
        while not self._stop.is_set():
            one = threading.Thread(target=self._ask)
            one.start()
            self._threads.append(one)
            number += 1
            self._stop.wait(max(0.0, first + number / self._rate - time.perf_counter()))

    def _ask(self) -> None:
        begun = time.perf_counter()
        connection = http.client.HTTPConnection(self._address, timeout=TIMEOUT)
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            how, body = str(answer.status), answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            how, body = type(error).__name__, ""
        finally:
            connection.close()
        with self._lock:
            self._answers.append(Answer(begun, time.perf_counter(), how, body))

    def __enter__(self) -> Load:
        self._clock.start()
        self.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(len(self._answers) + 10)
        self._stop.set()
        self._clock.join()
        for one in self._threads:
            one.join()

    def wait(self, count: int) -> None:
        """Until so many requests have ended."""
        while len(self._answers) < count:
            time.sleep(0.005)

    @property
    def ended(self) -> Counter[str]:
        return Counter(answer.how for answer in self._answers)

    @property
    def bodies(self) -> list[str]:
        return [answer.body for answer in sorted(self._answers) if answer.how == "200"]

    @property
    def backwards(self) -> list[tuple[Answer, Answer]]:
        """Pairs of a new answer and an older one to a request that was made only after the new one had ended.

        Of two requests under way at once, either may reach the server first, whichever was made first.
        """
        good = [answer for answer in sorted(self._answers) if answer.how == "200"]
        by_end = sorted(good, key=lambda answer: answer.end)
        found: list[tuple[Answer, Answer]] = []
        newest: Answer | None = None
        ended = 0
        for answer in good:
            while by_end[ended].end < answer.begun:
                if newest is None or by_end[ended].body > newest.body:
                    newest = by_end[ended]
                ended += 1
            if newest is not None and answer.body < newest.body:
                found.append((newest, answer))
        return found

    @property
    def gap(self) -> float:
        """The longest time between two requests that were answered."""
        times = sorted(answer.begun for answer in self._answers if answer.how == "200")
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)
