"""Read one file's stat data, then its content, so that no later change can hide."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from layerdoit.core.errors import WorkspaceError

# A file changed twice within one tick of the kernel's clock keeps its times: too young to be trusted (git: "racy").
RACY_NS = 20_000_000
ABSENT = (0, 0, 0, 0, 0)
DIRECTORY = (0, 0, 0, 0, stat.S_IFDIR)
UNTRUSTED = (-1, -1, -1, -1, -1)

Signature = tuple[int, int, int, int, int]


def signature(found: os.stat_result) -> Signature:
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode)


def only_gone(error: OSError) -> None:
    """Raise the error again unless it means that the file is gone (ELOOP: a folder became a link to itself)."""
    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise error


def stat_flat(hosts: Sequence[str], folders: Sequence[str]) -> list[int]:
    lstat, is_dir = os.lstat, stat.S_IFDIR
    flat: list[int] = []
    for host in hosts:
        try:
            found = lstat(host)
        except OSError as error:
            only_gone(error)
            flat += ABSENT
            continue
        mode = found.st_mode
        if mode & 0o170000 == is_dir:
            flat += DIRECTORY
        else:
            flat += (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, mode)
    for folder in folders:
        try:
            flat.append(lstat(folder).st_mode & 0o170000)
        except OSError as error:
            only_gone(error)
            flat.append(0)
    return flat


class Found(NamedTuple):
    signature: Signature
    kind: str
    digest: bytes


NOTHING = Found(ABSENT, "-", bytes(32))


def read_entry(host: str, now: int) -> Found:
    """Hash one file or link; its stat data are taken before its content, so that a later change differs from them."""
    for _ in range(5):
        try:
            found = os.lstat(host)
            if stat.S_ISLNK(found.st_mode):
                kind, digest = "l", hashlib.sha256(os.fsencode(os.readlink(host))).digest()
            elif stat.S_ISREG(found.st_mode):
                found, digest = hash_file(host)
                kind = "x" if found.st_mode & stat.S_IXUSR else "f"
            else:
                return Found(signature(found), "-", bytes(32))
        except (FileNotFoundError, NotADirectoryError):
            return NOTHING
        except PermissionError:
            raise
        except OSError:
            continue  # became a link or a folder since the lstat
        young = max(found.st_mtime_ns, found.st_ctime_ns) + RACY_NS >= now
        return Found(UNTRUSTED if young else signature(found), kind, digest)
    raise WorkspaceError("this file keeps changing while it is being read", where=host)


def hash_file(host: str) -> tuple[os.stat_result, bytes]:
    descriptor = os.open(host, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("no longer a regular file")
        small = found.st_size <= 1 << 20
        content = hashlib.sha256(file.readall()) if small else hashlib.file_digest(file, "sha256")
        return found, content.digest()
