"""File systems that do not tell of all changes: others than this machine write there, or the kernel is passed by."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_REMOTE: Final = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "fakeowner", "fuse", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "osxfs", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
})  # fmt: skip
_FUSE: Final = "fuse."
# Those that only this machine writes.
_OWN: Final = frozenset({
    "fuse.bindfs", "fuse.encfs", "fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.mergerfs", "fuse.ntfs-3g",
    "fuse.portal", "fuse.unionfs", "fuse.unionfs-fuse",
})  # fmt: skip


def is_silent(kind: str) -> bool:
    """Whether a file system of this type does not tell of all changes."""
    return kind in _REMOTE or (kind.startswith(_FUSE) and kind not in _OWN)


def kinds(mountinfo: str) -> Mapping[str, str]:
    """The types of the mounted file systems, by `major:minor`."""
    found = {}
    for line in mountinfo.splitlines():
        words, _, behind = line.partition(" - ")
        if behind and len(words.split()) > 2:
            found[words.split()[2]] = behind.split()[0]
    return found


def silent(folders: Iterable[str]) -> Mapping[str, str]:
    """The folders on such file systems, each with the type."""
    try:
        known = kinds(_MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return {}
    by_device = {device: kind for device, kind in known.items() if is_silent(kind)}
    if not by_device:
        return {}
    found = ((folder, by_device.get(_device(folder))) for folder in folders)
    return {folder: kind for folder, kind in found if kind is not None}


def _device(folder: str) -> str:
    """That of the nearest folder above where there is none."""
    while True:
        try:
            device = os.stat(folder).st_dev
        except OSError:
            if folder == os.path.dirname(folder):
                return ""
            folder = os.path.dirname(folder)
            continue
        return f"{os.major(device)}:{os.minor(device)}"
