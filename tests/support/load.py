"""Requests at a steady rate from threads of their own, and what became of them."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter

TIMEOUT = 10.0


class Load:
    """So many requests a second as long as the block lasts. `ended`: how they ended, by status or kind of error.

    `bodies`: what was answered, in the order of the requests.
    """

    def __init__(self, address: str, rate: float = 100.0) -> None:
        self._address = address
        self._rate = rate
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._clock = threading.Thread(target=self._run)
        self._lock = threading.Lock()
        self._answers: list[tuple[float, str, str]] = []

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
            connection.request("GET", "/")
            answer = connection.getresponse()
            how, body = str(answer.status), answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            how, body = type(error).__name__, ""
        finally:
            connection.close()
        with self._lock:
            self._answers.append((begun, how, body))

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
        return Counter(how for _, how, _ in self._answers)

    @property
    def bodies(self) -> list[str]:
        return [body for _, how, body in sorted(self._answers) if how == "200"]

    @property
    def gap(self) -> float:
        """The longest time between two requests that were answered."""
        times = sorted(begun for begun, how, _ in self._answers if how == "200")
        return max((after - before for before, after in itertools.pairwise(times)), default=0.0)
