"""What is being done right now, told by whoever does it to whoever shows it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import NamedTuple


class Doing(NamedTuple):
    """One moment of a work.

    `words`: in our words (`installing Debian packages`); `done` of `total` things of a `unit` (`crates`; `bytes` are
    shown as such); `share`: how much of it is done, 0 to 1; `jobs`: what runs at this moment.
    """

    words: str
    done: int | None = None
    total: int | None = None
    unit: str = ""
    share: float | None = None
    jobs: tuple[str, ...] = ()


def transferred(words: str, parts: Collection[tuple[int, int]]) -> Doing:
    """Bytes, done and in all, of parts that are sent or received side by side. A total of 0 is not known."""
    if not parts:
        return Doing(words)
    done, totals = sum(one for one, _ in parts), [total for _, total in parts]
    total = sum(totals) if all(totals) else None
    return Doing(words, done, total, "bytes", min(1.0, done / total) if total else None)


Tell = Callable[[Doing], None]
# A thread for itself: with `doit -n -P thread`, several projects are built at once.
_here = threading.local()


def tell(doing: Doing) -> None:
    """Say what is being done; where nobody listens, nothing happens."""
    listener: Tell | None = getattr(_here, "listener", None)
    if listener is not None:
        listener(doing)


class Together:
    """Transfers in several threads, told as one to who listens where this was made."""

    def __init__(self, words: str) -> None:
        self._words = words
        self._listener: Tell | None = getattr(_here, "listener", None)
        self._lock = threading.Lock()
        self._parts: dict[str, Doing] = {}

    def part(self, name: str) -> contextlib.AbstractContextManager[None]:
        """One of them, in the thread that does it."""
        return heard_by(partial(self._told, name))

    def _told(self, name: str, doing: Doing) -> None:
        if self._listener is None:
            return
        with self._lock:
            self._parts[name] = doing
            sizes = [(one.done, one.total or 0) for one in self._parts.values() if one.done is not None]
            self._listener(transferred(self._words, sizes))


@contextlib.contextmanager
def heard_by(listener: Tell) -> Iterator[None]:
    """Have a listener told of what this thread does."""
    before: Tell | None = getattr(_here, "listener", None)
    _here.listener = listener
    try:
        yield
    finally:
        _here.listener = before
