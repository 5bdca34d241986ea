"""How a child is ended that does not end by itself: interrupt, terminate, kill."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from layerdoit.core.signals import Events

GROUP_GRACE: Final = 1.0
"""Seconds that grandchildren have to exit after their parent."""
BUSY_GRACE: Final = 1.0
"""Seconds that an interrupt waits at most for a child that should not be interrupted right now."""
_LOOK: Final = 0.02
"""How often, in seconds, it is asked whether it still is so."""


class Graces(NamedTuple):
    """Seconds that a child has to exit after SIGINT, and then after SIGTERM, before SIGKILL.

    After SIGINT, BuildKit needs a moment to cancel a running step. `busy`: whether an interrupt that has waited so many
    seconds has to wait on, by what the child has printed; for `BUSY_GRACE` at most.
    """

    interrupt: float = 8.0
    terminate: float = 3.0
    busy: Callable[[float], bool] | None = None


GRACES: Final = Graces()


def wait(graces: Graces, events: Events, deliver: Callable[[str, bytes], None]) -> None:
    """While the child is busy, deliver what it prints. Another signal, or the end of the child, ends the wait."""
    begun = time.monotonic()
    while graces.busy is not None and (waited := time.monotonic() - begun) < BUSY_GRACE and graces.busy(waited):
        with contextlib.suppress(queue.Empty):
            event = events.get(timeout=_LOOK)
            if event[0] == "data":
                deliver(event[1], event[2])
            elif event[0] != "eof":
                return


def end(child: Any, events: Events, graces: Graces, *, send: Callable[[int], None] | None = None) -> None:
    """Interrupt, terminate, kill. Another signal from the user skips to the next rung. `send`: to the child alone."""

    def to_group(signum: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signum)

    signal_child = send or to_group
    for signum, grace in ((signal.SIGINT, graces.interrupt), (signal.SIGTERM, graces.terminate)):
        if child.returncode is not None or grace <= 0:
            continue
        signal_child(signum)
        if _ended_within(child, events, grace):
            break
    if child.returncode is None:
        signal_child(signal.SIGKILL)
    child.wait()
    if send is None:
        _end_group(child.pid)


def _ended_within(child: Any, events: Events, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while child.returncode is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        with contextlib.suppress(queue.Empty):
            if events.get(timeout=left)[0] == "signal":
                return False
    return True


def _end_group(group: int) -> None:
    """End the processes that an exited child left behind in its group."""
    deadline = time.monotonic() + GROUP_GRACE
    signum: int = signal.SIGTERM
    while True:
        try:
            os.killpg(group, signum)
        except (ProcessLookupError, PermissionError):
            return
        if signum == signal.SIGKILL:
            return
        signum = 0 if time.monotonic() < deadline else signal.SIGKILL
        time.sleep(0.01)
