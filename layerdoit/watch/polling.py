"""Look for changes of the entries of folders again and again, where nobody tells of them.

Own code, for watchfiles compares times in whole seconds: of two edits in one second it misses the second.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Set as AbstractSet
from typing import Final

from layerdoit.watch.notices import counts

SHORTEST: Final = 1.0
"""Seconds from one look to the next, at least."""
_SHARE: Final = 20.0
"""How much longer than a look takes nothing is done after it."""


class Polling:
    """A set of folders that is looked at. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Each with what its entries are now; None: not known yet, or not for sure.
        self._known: dict[str, int | None] = {}
        self._due = 0.0

    def want(self, folders: AbstractSet[str]) -> bool:
        """Look at these folders from now on, and at no others. Whether one of them is new; then look at once."""
        with self._lock:
            new = folders - self._known.keys()
            self._known = {folder: self._known.get(folder) for folder in folders}
            self._due = 0.0 if new else self._due
            return bool(new)

    @property
    def due(self) -> float | None:
        """When to `look` next, on the clock of `time.monotonic`; None where there is nothing to look at."""
        return self._due if self._known else None

    def look(self) -> bool:
        """Whether entries of a folder have changed. One that has is looked at twice: the clock of files is coarse."""
        begun = time.monotonic()
        with self._lock:
            known = dict(self._known)
        found = {folder: _entries(folder) for folder in known}
        changed = {folder for folder, now in found.items() if known[folder] != now}
        with self._lock:
            for folder, now in found.items():
                if folder in self._known:
                    again = folder in changed and known[folder] is not None
                    self._known[folder] = None if again else now
            ended = time.monotonic()
            self._due = ended + max(SHORTEST, _SHARE * (ended - begun))
        return bool(changed)


def _entries(folder: str) -> int:
    """One number for all that counts of a folder. Of a folder in it only that it is there: it is looked at itself."""
    try:
        with os.scandir(folder) as entries:
            rows = [_row(entry) for entry in entries if counts(folder, entry.name)]
    except OSError as error:
        return hash(error.errno)
    return hash(tuple(sorted(rows)))


def _row(entry: os.DirEntry[str]) -> tuple[str, int, int, int, int, int]:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:  # gone meanwhile
        return (entry.name, 0, 0, 0, 0, 0)
    if stat.S_ISDIR(found.st_mode):
        return (entry.name, found.st_ino, found.st_mode, 0, 0, 0)
    return (entry.name, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
