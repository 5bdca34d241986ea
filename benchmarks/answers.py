"""What a service answers over HTTP: waited for, or asked without a pause; each question on a connection of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from layerdoit.core.errors import LayerdoitError

POLL: Final = 0.02
"""Seconds between two questions. More of them take the processor from what compiles, where a program answers meanwhile:
at 250 each second, an edit of the example took 0.27 s longer.
"""
PATIENCE: Final = 180.0
_ANSWERS: Final = 5.0
_READ: Final = 1 << 16


@dataclass(frozen=True)
class Address:
    """A path of a service on this machine."""

    port: int
    path: str

    def body(self, seconds: float = _ANSWERS) -> str | None:
        """What it answers; None for no whole answer in time, or one that is no success."""
        found = self._asked(seconds)
        head, there, body = found.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if not there or len(words) < 2 or not words[1].startswith(b"2"):
            return None
        return body.decode(errors="replace")

    def _asked(self, seconds: float) -> bytes:
        words = f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n\r\n"
        found = b""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), seconds) as one:
            one.sendall(words.encode())
            while piece := one.recv(_READ):
                found += piece
        return found

    def until(self, is_it: Callable[[str], bool], fails: Callable[[], str], seconds: float = PATIENCE) -> float:
        """Ask until the answer is the one; the time of `time.perf_counter` at which it came. `fails`: '' or why not."""
        deadline = time.perf_counter() + seconds
        while True:
            body = self.body()
            now = time.perf_counter()
            if body is not None and is_it(body):
                return now
            if why := fails():
                raise LayerdoitError(why)
            if now > deadline:
                raise LayerdoitError(f"no such answer within {seconds:g} s: the last one was {body!r:.200}")
            time.sleep(POLL)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Lost:
    """Requests in even distances, each in a thread of its own: one that waits holds no other up."""

    def __init__(self, address: Address, each_second: int) -> None:
        self.asked = self.lost = 0
        self._address, self._pause = address, 1 / each_second
        self._over = threading.Event()
        self._counting = threading.Lock()
        self._threads: list[threading.Thread] = []

    @contextlib.contextmanager
    def counted(self) -> Iterator[Lost]:
        """Ask from now on to the end of the block; then all have had their answers, or their time."""
        asking = threading.Thread(target=self._ask, daemon=True)
        asking.start()
        try:
            yield self
        finally:
            self._over.set()
            asking.join()
            for one in self._threads:
                one.join()

    def _ask(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            one = threading.Thread(target=self._one, daemon=True)
            self._threads.append(one)
            one.start()
            due += self._pause
            time.sleep(max(0.0, due - time.monotonic()))

    def _one(self) -> None:
        answered = self._address.body() is not None
        with self._counting:
            self.asked += 1
            self.lost += not answered
