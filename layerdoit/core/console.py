"""Lines for the person at the terminal."""

from __future__ import annotations

import os
import sys


def say(text: str) -> None:
    """A line for the user."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A line that must not get lost among a program's output, or be read as output."""
    print(f"layerdoit: {text}", file=sys.stderr, flush=True)


def unread() -> bool:
    """Is the reader of our output gone, such as `head` once it has enough? An engine that hung up is something else."""
    return bool(_without_reader())


def discard() -> None:
    """Send output whose reader is gone, and what Python still holds of it, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in _without_reader():
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _without_reader() -> list[int]:
    import select

    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        try:
            poll.register(stream.fileno(), 0)
        except (OSError, ValueError):  # no file of the system, or closed
            continue
    return [descriptor for descriptor, event in poll.poll(0) if event & (select.POLLERR | select.POLLHUP)]
