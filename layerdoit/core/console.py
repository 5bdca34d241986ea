"""Print lines for the user."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

_speaker = threading.local()


def say(text: str) -> None:
    """Print a line for the user. Tasks that it names (`doit cycle_fast`) get the names that this project's have."""
    _print(_marked(_named(text)), sys.stdout)


def pass_on(text: str) -> None:
    """Print a line of another program, such as one of a container's log, as it is."""
    _print(_marked(text), sys.stdout)


def warn(text: str) -> None:
    """Print a warning to stderr, so that it is neither lost in a program's output nor parsed as output."""
    aside(f"layerdoit: {_named(text)}")


def aside(text: str) -> None:
    """Print to stderr what stands beside the output proper: progress, and what a compiler says."""
    _print(_marked(text), sys.stderr)


def speak_for(whose: str, as_typed: Callable[[str], str] | None = None) -> None:
    """From here on, this thread's lines are those of a project of that prefix. '': of the only one.

    `as_typed`: puts the names that its tasks have into a line.
    """
    _speaker.whose = whose
    _speaker.as_typed = as_typed


Speaker = tuple[str, Callable[[str], str] | None]


def speaker() -> Speaker:
    """For whom this thread speaks."""
    return getattr(_speaker, "whose", ""), getattr(_speaker, "as_typed", None)


def speak_as(found: Speaker) -> None:
    """From here on, this thread speaks for whom another one spoke."""
    speak_for(*found)


def _named(text: str) -> str:
    """JSON stays JSON."""
    as_typed: Callable[[str], str] | None = getattr(_speaker, "as_typed", None)
    return text if as_typed is None or text.startswith("{") else as_typed(text)


def _marked(text: str) -> str:
    """With `doit -n`, several projects speak at once: each line says whose it is. JSON stays JSON."""
    whose = getattr(_speaker, "whose", "")
    if not whose or text.startswith("{"):
        return text
    from layerdoit.core import terminal

    return text if terminal.alone() else "\n".join(f"{whose}: {line}" for line in text.split("\n"))


def _print(text: str, stream: TextIO) -> None:
    # Only where there is a block to print above, its module was imported.
    module = sys.modules.get("layerdoit.core.painter")
    painter = module.shown() if module is not None else None
    if painter is not None:
        painter.print(text, stream)
    else:
        # In one piece: with `doit -n`, several processes print.
        stream.write(f"{text}\n")
        stream.flush()


def show(text: str) -> None:
    """Print what another program said, such as a compiler, to stderr as it is, with an empty line after it."""
    aside(f"{text}\n")


def replace_unprintable() -> None:
    """From here on output shows `?` for what its encoding lacks, instead of ending the work (ASCII, odd file names)."""
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", None) in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


def unread() -> bool:
    """Whether the reader of our output is gone, such as `head` after its last line. Tells that from a lost engine."""
    return bool(_without_reader())


def discard() -> None:
    """Redirect output that nobody reads any more to /dev/null, including what Python still buffers."""
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
