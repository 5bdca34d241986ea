"""Calls of `docker compose` that outlived a killed deployment: they would still create containers."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

GRACE: Final = 10.0
"""Seconds that they have to end."""


def end(overlay: Path) -> tuple[str, ...]:
    """End those that were given our file, which is this project's alone; say so."""
    found = _with(overlay)
    if not found:
        return ()
    _signal(found, signal.SIGINT)
    deadline = time.monotonic() + GRACE
    while left := _with(overlay):
        time.sleep(0.02)
        if time.monotonic() > deadline:
            _signal(left, signal.SIGKILL)
    return ("ended a docker compose of an interrupted deployment",)


def _with(overlay: Path) -> list[int]:
    """`docker compose … -f OVERLAY …`, and the plugin that it starts."""
    wanted = os.fsencode(overlay)
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().rstrip(b"\0").split(b"\0")
            program = os.path.basename(words[0])
            if program in (b"docker", b"docker-compose") and wanted in words and b"up" in words:
                found.append(int(path.parent.name))
    return found


def _signal(processes: list[int], signum: int) -> None:
    for one in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(one, signum)
