"""The same as `Notices` on systems without inotify, by watchfiles, which wakes up every few milliseconds to look."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from layerdoit.watch.notices import counts

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

_STEP: Final = 20
"""Milliseconds from one look to the next."""
_AT_MOST: Final = 100


class Portable:
    """A set of folders that is watched. See `Notices`, of which it has the methods. OSError where it cannot be."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: AbstractSet[str] = frozenset()
        self._missing: tuple[str, ...] = ()
        # It is begun again where a folder came or went.
        self._lost = False
        self._running: tuple[RustNotify, threading.Event, threading.Thread] | None = None
        self._ready, self._writer = os.pipe()
        os.set_blocking(self._ready, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """Readable when there is something to `take`."""
        return self._ready

    def close(self) -> None:
        """End it."""
        self._end()
        os.close(self._ready)
        os.close(self._writer)

    def want(self, folders: AbstractSet[str]) -> bool:
        """Watch these folders from now on, and no others. Whether one of them was not watched before."""
        with self._lock:
            new, self._wanted = folders - self._wanted, folders
        self._begin()
        return bool(new)

    def take(self) -> bool:
        """Whether anything that counts has changed since."""
        found = False
        with suppress(BlockingIOError):
            while os.read(self._ready, 64):
                found = True
        return found

    def restore(self) -> bool:
        """Watch again what was lost and is there. Whether there was any."""
        with self._lock:
            lost, self._lost = self._lost, False
        if lost:
            self._begin()
        return lost

    def check(self) -> bool:
        """Whether it ended by itself."""
        return self._running is not None and not self._running[2].is_alive()

    def _begin(self) -> None:
        before, stop = self._running, threading.Event()
        made = self._made()
        thread = threading.Thread(target=self._hear, args=(made, stop), name="portable changes", daemon=True)
        self._running = (made, stop, thread)
        thread.start()
        self._stop(before)

    def _made(self) -> RustNotify:
        from watchfiles._rust_notify import RustNotify

        while True:
            self._missing = tuple(folder for folder in self._wanted if not os.path.isdir(folder))
            try:
                return RustNotify(sorted(set(_there(self._wanted))), False, False, 0, False, True)
            except FileNotFoundError:
                continue  # since it was looked for
            except RuntimeError as error:
                raise OSError(errno.EIO, str(error)) from error

    def _end(self) -> None:
        self._stop(self._running)
        self._running = None

    @staticmethod
    def _stop(running: tuple[RustNotify, threading.Event, threading.Thread] | None) -> None:
        if running is not None:
            made, stop, thread = running
            stop.set()
            thread.join()
            made.close()

    def _hear(self, made: RustNotify, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                found = made.watch(_AT_MOST, _STEP, 0, stop)
            except RuntimeError:  # such as a name of no encoding: who reads the tree will see
                self._note(lost=True)
                return
            if isinstance(found, str):
                return
            paths = [path for _, path in found]
            missing = [folder for folder in self._wanted if not os.path.isdir(folder)]
            lost = any(path in self._wanted or _leads(path, (*missing, *self._missing)) for path in paths)
            if lost or any(counts(*os.path.split(path)) for path in paths):
                self._note(lost=lost)

    def _note(self, *, lost: bool) -> None:
        with self._lock:
            self._lost = self._lost or lost
        with suppress(BlockingIOError):  # it is noted already
            os.write(self._writer, b"x")


def _leads(path: str, folders: Iterable[str]) -> bool:
    return any(folder.startswith(f"{path}/") for folder in folders)


def _there(folders: Iterable[str]) -> Iterator[str]:
    """The folders; instead of a missing one, the nearest above it."""
    for folder in folders:
        place = folder
        while not os.path.isdir(place):
            place = os.path.dirname(place)
        yield place
