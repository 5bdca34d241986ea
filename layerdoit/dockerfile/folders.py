# ruff: noqa: S108 - paths of an image
"""Folders of an image that its user owns: the working directory, and where named volumes are mounted.

An empty volume takes over the owner of the folder that it is mounted on. The folders come as empty ones of the build
context, because an image may have no shell.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from typing import Final

from layerdoit.dockerfile.quoting import copied

CONTEXT: Final = "folders"
"""Where they lie in the build context, each below its number."""

# Folders of the system, whose owner and mode programs rely on.
_SYSTEM: Final = frozenset((
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr",
    "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/sbin", "/usr/sbin",
    "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/run", "/var/spool", "/var/tmp",
))  # fmt: skip
_KERNEL: Final = ("/dev/", "/proc/", "/sys/")
_PRIVATE: Final = "/root"


def is_root(user: str) -> bool:
    """Whether a user, as `image.user` names it, may do everything."""
    return user.partition(":")[0] in ("root", "0")


def mounted(volumes: Iterable[str]) -> list[str]:
    """Where volumes with a name are mounted; what is mounted from a path keeps its owner, and may be a file."""
    parts = [volume.split(":") for volume in volumes]
    return [target for source, target, *_ in parts if "/" not in source and not source.startswith((".", "~"))]


def owned(user: str, workdir: str, volumes: Iterable[str]) -> tuple[str, ...]:
    """The folders that are made for the user, the upper ones first; none for root."""
    if is_root(user):
        return ()
    found = {posixpath.normpath(folder) for folder in (workdir, *mounted(volumes))}
    return tuple(sorted(folder for folder in found if folder not in _SYSTEM and not f"{folder}/".startswith(_KERNEL)))


def closed(folders: Iterable[str]) -> str | None:
    """The first of the folders that only root may enter."""
    return next((folder for folder in folders if f"{folder}/".startswith(f"{_PRIVATE}/")), None)


def staged(folders: Sequence[str]) -> list[str]:
    """The empty folders that the build context must have."""
    return [f"{CONTEXT}/{number}/{posixpath.basename(folder)}" for number, folder in enumerate(folders)]


def instructions(folders: Sequence[str], user: str, escape: str) -> list[str]:
    """The instructions that make them, or give those that are there to the user; what is above them stays as it is."""
    return [
        copied(f"{CONTEXT}/{number}/", posixpath.dirname(folder).rstrip("/") + "/", escape).replace(
            "COPY ", f"COPY --chown={user} ", 1
        )
        for number, folder in enumerate(folders)
    ]
