"""What the kernel tells of the entries of folders; it also says where it has told too little.

Own code, for watchfiles does not wait without waking up: it looks every few milliseconds whether its threads have seen
something. It has each opening of a file told, too, by which the queue may overflow, and keeps it to itself when it has.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

# <sys/inotify.h>
_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE = 0x2, 0x4, 0x8, 0xC0, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED, _ONLYDIR = 0x400, 0x800, 0x2000, 0x4000, 0x8000, 0x1000000
# Nothing that reading does.
_ASKED: Final = _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_HEAD: Final = struct.Struct("iIII")
_AT_ONCE: Final = 1 << 18
_MISSING: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class Notice(NamedTuple):
    """One thing that happened to an entry of a folder, or to the folder itself where `name` is ''.

    `lost`: nothing more will be told of the folder at this path; `moved`: it has another path now.
    """

    folder: str
    name: str
    lost: bool = False
    moved: bool = False


class Inotify:
    """The queue of the kernel, and the folders of which it tells, not of those in them. Not for two threads at once.

    OSError where there is none: ENOSYS on other systems, EMFILE where the limit of the user is reached.
    """

    def __init__(self) -> None:
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            made = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
        self._descriptor: int = _checked(made)
        # Two paths may lead to one folder, which has one watch.
        self._paths: dict[int, set[str]] = {}
        self._watches: dict[str, int] = {}

    def fileno(self) -> int:
        """Readable when there is something to `read`."""
        return self._descriptor

    def close(self) -> None:
        """End all of it."""
        os.close(self._descriptor)

    def has(self, folder: str) -> bool:
        """Whether the folder is watched."""
        return folder in self._watches

    def add(self, folder: str) -> bool:
        """Watch a folder; False where there is none. OSError otherwise: ENOSPC at the limit of the user, EACCES."""
        try:
            watch = _checked(self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _ASKED))
        except OSError as error:
            if error.errno in _MISSING:
                return False
            raise
        if self._watches.get(folder, watch) != watch:
            self.remove(folder)
        self._watches[folder] = watch
        self._paths.setdefault(watch, set()).add(folder)
        return True

    def remove(self, folder: str) -> None:
        """Watch it no longer, if it was."""
        watch = self._watches.pop(folder, None)
        if watch is None:
            return
        paths = self._paths[watch]
        paths.discard(folder)
        if not paths:
            del self._paths[watch]
            self._libc.inotify_rm_watch(self._descriptor, watch)

    def read(self) -> tuple[list[Notice], bool]:
        """What has been told since; and whether the kernel had to drop some of it."""
        found, dropped = list[Notice](), False
        while True:
            try:
                told = os.read(self._descriptor, _AT_ONCE)
            except BlockingIOError:
                return found, dropped
            for watch, mask, name in _records(told):
                dropped |= bool(mask & _OVERFLOW)
                lost, moved = bool(mask & (_DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED)), bool(mask & _MOVE_SELF)
                found += (Notice(path, name, lost, moved) for path in self._paths.get(watch, ()))


def _records(told: bytes) -> Iterator[tuple[int, int, str]]:
    at = 0
    while at < len(told):
        watch, mask, _, length = _HEAD.unpack_from(told, at)
        at += _HEAD.size + length
        yield watch, mask, os.fsdecode(told[at - length : at].rstrip(b"\0"))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
