"""Work side by side, a thread for each job. Ctrl-C reaches all of them, and all have ended when it comes out.

In turns: one job at a time runs Python, until it waits for a child process; so what reads a note, changes it and writes
it again is never disturbed. Jobs that wait for something else (a service that becomes healthy) run without turns.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from layerdoit.core import console
from layerdoit.core.errors import Interrupted
from layerdoit.core.signals import Event, Events, next_event, pass_on, posted_to

T = TypeVar("T")

_AGAIN: Final = 0.05
"""Seconds after which a thread that could not have a signal is told again."""
_here = threading.local()


@dataclass
class Ended(Generic[T]):
    """How a job ended: with a result, or with an error."""

    result: T | None = None
    error: BaseException | None = None


def all_of(jobs: Mapping[str, Callable[[], T]], *, in_turns: bool = True) -> dict[str, Ended[T]]:
    """Run the jobs until each has ended. `Interrupted` comes out when all of them have, if a signal came."""
    if len(jobs) == 1:
        return {name: _alone(job) for name, job in jobs.items()}
    found: dict[str, Ended[T]] = {name: Ended() for name in jobs}
    events: Events = queue.SimpleQueue()
    turn: threading.Lock | None = threading.Lock() if in_turns else None
    speaker = console.speaker()

    def run(name: str, job: Callable[[], T]) -> None:
        console.speak_as(speaker)
        try:
            if turn is not None:
                _took(turn)
            found[name] = _alone(job)
        except BaseException as error:  # noqa: BLE001 - it comes out of `all_of`
            found[name] = Ended(error=error)
        finally:
            if getattr(_here, "turn", None) is not None:
                _gave(_here.turn)
            events.put(("exit",))

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in jobs.items()]
    with posted_to(events) as caught:
        for thread in threads:
            thread.start()
        _awaited(threads, events)
    if caught:
        raise Interrupted(caught[0])
    return found


def _alone(job: Callable[[], T]) -> Ended[T]:
    try:
        return Ended(job())
    except Exception as error:
        if isinstance(error, Interrupted) and threading.current_thread() is threading.main_thread():
            raise
        return Ended(error=error)


def _awaited(threads: list[threading.Thread], events: Events) -> None:
    """Wait for all; pass on what signals come meanwhile, to each that has not ended."""
    left, waiting = len(threads), dict[threading.Thread, int]()
    while left:
        event = next_event(events) if not waiting else _soon(events)
        if event is not None and event[0] == "exit":
            left -= 1
        elif event is not None and event[0] == "signal":
            waiting = dict.fromkeys(threads, event[1])
        waiting = {one: number for one, number in waiting.items() if one.is_alive() and not pass_on(number, one)}


def _soon(events: Events) -> Event | None:
    try:
        return events.get(timeout=_AGAIN)
    except queue.Empty:
        return None


@contextlib.contextmanager
def others_run() -> Iterator[None]:
    """This thread waits for something: another job has its turn."""
    turn: threading.Lock | None = getattr(_here, "turn", None)
    if turn is None:
        yield
        return
    _gave(turn)
    try:
        yield
    finally:
        _took(turn)


def _took(turn: threading.Lock) -> None:
    turn.acquire()
    _here.turn = turn


def _gave(turn: threading.Lock) -> None:
    _here.turn = None
    turn.release()
