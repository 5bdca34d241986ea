"""Changes of the entries of a set of folders, as the kernel tells them, whatever becomes of the folders."""

from __future__ import annotations

import os
import threading
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Final

from layerdoit.core.state import FOLDER
from layerdoit.watch.inotify import Inotify

_GIT: Final = ".git"
_LOCK: Final = ".lock"
_OF_DOIT: Final = ".doit."


def counts(folder: str, name: str) -> bool:
    """Whether an entry of a folder may matter: not what we, doit, or a git that only looks write beside the sources."""
    if name == FOLDER or name.startswith(_OF_DOIT):
        return False
    return not (name.endswith(_LOCK) and _GIT in PurePath(folder).parts)


class Notices:
    """A set of folders that is watched. One that is missing is watched as soon as it is there. For several threads.

    OSError as `Inotify` and `Inotify.add` raise it.
    """

    def __init__(self) -> None:
        self._kernel = Inotify()
        self._lock = threading.Lock()
        self._wanted: AbstractSet[str] = frozenset()
        # Folders above missing ones -> the names in them that lead there.
        self._vigils: dict[str, set[str]] = {}
        self._tops: dict[str, tuple[int, int]] = {}

    def fileno(self) -> int:
        """Readable when there is something to `take`."""
        return self._kernel.fileno()

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._kernel.close()

    def want(self, folders: AbstractSet[str]) -> bool:
        """Watch these folders from now on, and no others. Whether one of them was not watched before."""
        with self._lock:
            for folder in self._wanted - folders:
                self._kernel.remove(folder)
            self._wanted = folders
            added = self._complete()
            tops = (folder for folder in folders if os.path.dirname(folder) not in folders)
            self._tops = {folder: found for folder in tops if (found := _id(folder))}
            return added

    def take(self) -> bool:
        """Read what the kernel has told since, and whether any of it counts. What is lost is not watched again yet."""
        with self._lock:
            notices, found = self._kernel.read()
            if found:
                # What became of the folders themselves may be among what was dropped.
                for folder in (*self._wanted, *self._vigils):
                    self._kernel.remove(folder)
            for one in notices:
                found = found or one.lost or self._matters(one.folder, one.name)
                if one.lost:
                    self._lose(one.folder, with_inner=one.moved)
            return found

    def restore(self) -> bool:
        """Watch again what was lost and is there. Whether there was any."""
        with self._lock:
            return self._complete()

    def check(self) -> bool:
        """Whether a folder is another one now because something above it was renamed, of which nobody is told."""
        with self._lock:
            other = [
                folder for folder, known in self._tops.items() if self._kernel.has(folder) and _id(folder) != known
            ]
            for folder in other:
                self._lose(folder, with_inner=True)
            return bool(other)

    def _matters(self, folder: str, name: str) -> bool:
        if folder in self._wanted:
            return counts(folder, name)
        return name in self._vigils.get(folder, ())

    def _lose(self, folder: str, *, with_inner: bool) -> None:
        self._kernel.remove(folder)
        if with_inner:
            below = folder.rstrip("/") + "/"
            for other in (*self._wanted, *self._vigils):
                if other.startswith(below):
                    self._kernel.remove(other)

    # --- what is wanted and not watched ------------------------------------------------------------------------------

    def _complete(self) -> bool:
        added, vigils = False, dict[str, set[str]]()
        for folder in [one for one in self._wanted if not self._kernel.has(one)]:
            added |= self._attach(folder, vigils)
        for folder in self._vigils.keys() - vigils.keys() - self._wanted:
            self._kernel.remove(folder)
        self._vigils = vigils
        return added

    def _attach(self, folder: str, vigils: dict[str, set[str]]) -> bool:
        try:
            # Perhaps it is made between the two looks.
            while not self._kernel.add(folder):
                above, name = os.path.split(folder)
                while not self._kernel.add(above):
                    above, name = os.path.split(above)
                if not os.path.isdir(os.path.join(above, name)):
                    vigils.setdefault(above, set()).add(name)
                    return False
        except PermissionError:
            # Nobody can read it either.
            return False
        if folder in self._tops and (found := _id(folder)):
            self._tops[folder] = found
        return True


def _id(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino
