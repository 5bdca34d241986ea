"""Signals: post them to a queue while a child runs, raise an exception otherwise, end children at exit."""

from __future__ import annotations

import atexit
import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from layerdoit.core.errors import Interrupted

Event = (
    tuple[Literal["data"], str, bytes]
    | tuple[Literal["eof"], str]
    | tuple[Literal["exit"]]
    | tuple[Literal["signal"], int]
)
Events = queue.SimpleQueue[Event]

CAUGHT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_GRACE: Final = 15.0
"""Seconds that exit waits for threads to end their children; longer than interrupt, terminate and kill take."""
LAST_WORDS: Final = 0.5
"""Seconds that such a thread then has to print its last message."""
_POLL: Final = 0.02
_MISSED: Final = 0.2
"""How often, in seconds, a wait checks for signals that came just before it began or to another thread."""

_live: dict[Events, threading.Thread] = {}


@contextlib.contextmanager
def as_errors() -> Iterator[None]:
    """Raise `Interrupted` on SIGINT, SIGTERM and SIGHUP, so that the process does not end without a message."""

    def raise_interrupted(signum: int, _frame: object) -> None:
        raise Interrupted(signum)

    with _handled_by(raise_interrupted):
        yield


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Ignore signals: a rollback takes less than a second, and a second Ctrl-C must not cut it short."""
    with _handled_by(lambda _signum, _frame: None):
        yield


@contextlib.contextmanager
def posted_to(events: Events) -> Iterator[list[int]]:
    """Post SIGINT, SIGTERM and SIGHUP to `events`. Outside the main thread, only what `pass_on` passes on."""
    caught: list[int] = []

    def note(signum: int, _frame: object) -> None:
        caught.append(signum)
        events.put(("signal", signum))

    with _handled_by(note):
        yield caught


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        with _switch:
            _handlers.setdefault(threading.get_ident(), []).append(handler)
        try:
            yield
        finally:
            with _switch:
                _handlers[threading.get_ident()].pop()
        return
    previous: dict[int, Any] = {}
    try:
        for signum in CAUGHT:
            # An ignored signal stays ignored: `nohup`, background jobs.
            if signal.getsignal(signum) not in (signal.SIG_IGN, None):
                previous[signum] = signal.signal(signum, handler)
        yield
    finally:
        for restored, old in previous.items():
            signal.signal(restored, old)


# --- threads ---------------------------------------------------------------------------------------------------------

Handler = Callable[[int, object], None]
# Only the main thread gets signals. What the others would do with one; the last one counts.
_handlers: dict[int, list[Handler]] = {}
_switch = threading.Lock()


def pass_on(signum: int, thread: threading.Thread) -> bool:
    """Let a thread have a signal, as it asked for: posted, raised or ignored; whether it has it.

    Where it asked for nothing, it is told later: it neither waits for a child nor for a service.
    """
    with _switch:
        asked = _handlers.get(thread.ident or 0)
        if not asked:
            return False
        try:
            asked[-1](signum, None)
        except Interrupted:
            import ctypes

            # Python raises it where it would run a signal's handler; meanwhile the thread cannot leave its block.
            kind = ctypes.py_object(_interrupted_by(signum))
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), kind)
    return True


def _interrupted_by(number: int) -> type[Interrupted]:
    """A kind of its own, for an exception of another thread is made there, without arguments."""

    class Passed(Interrupted):
        def __init__(self) -> None:
            super().__init__(number)

    return Passed


def next_event(events: Events) -> Event:
    """Wait for the next event.

    A signal that comes between Python's last check for signals and the system call does not interrupt the wait: its
    handler runs at the next event. A silent child has none for minutes.
    """
    while True:
        with contextlib.suppress(queue.Empty):
            return events.get(timeout=_MISSED)


@contextlib.contextmanager
def ended_at_exit(events: Events) -> Iterator[None]:
    """If the interpreter exits meanwhile, tell the thread that has a child to end it, as Ctrl-C would."""
    _live[events] = threading.current_thread()
    try:
        yield
    finally:
        del _live[events]


@atexit.register
def _end_live() -> None:
    threads = dict(_live)
    again: Events = queue.SimpleQueue()
    deadline = time.monotonic() + EXIT_GRACE
    with posted_to(again):
        for events in threads:
            events.put(("signal", signal.SIGINT))
        while not threads.keys().isdisjoint(_live) and time.monotonic() < deadline:
            # An impatient user's next Ctrl-C is passed on.
            with contextlib.suppress(queue.Empty):
                event = again.get(timeout=_POLL)
                for events in threads:
                    events.put(event)
        for thread in threads.values():
            thread.join(LAST_WORDS)
