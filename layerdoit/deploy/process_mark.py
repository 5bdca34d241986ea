"""A text that tells one process from every other: whoever finds it on a lock can say whether its holder is gone."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_HOST: Final = 60
"""Characters of the host's name: a tag of Azure holds 256 in all."""


def mine() -> str:
    """That of this process: `<host>/<boot>/<namespace>/<number>-<start>`, without blanks."""
    return f"{_place() or socket.gethostname()[:_HOST]}/{os.getpid()}-{_began(os.getpid())}"


def is_gone(mark: str) -> bool:
    """Whether it was a process of this machine that runs no longer; of another machine nobody can tell."""
    place, _, rest = mark.rpartition("/")
    number, _, began = rest.partition("-")
    return bool(place) and place == _place() and number.isdigit() and _began(int(number)) != began


def _place() -> str:
    """Where the number of a process means the same, '' where that cannot be said.

    Two machines may have one name; after another start, and in another container, numbers mean other processes.
    """
    with contextlib.suppress(OSError):
        boot, namespace = _BOOT.read_text(encoding="ascii").strip(), os.readlink("/proc/self/ns/pid")
        return f"{socket.gethostname()[:_HOST]}/{boot[:8]}/{''.join(filter(str.isdigit, namespace))}"
    return ""


def _began(number: int) -> str:
    """When a process began, in the kernel's own measure: numbers are used again. '' where there is none."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    return ""
