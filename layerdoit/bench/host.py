"""The machine that measures: what it is, and whether it has something else to do."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from pathlib import Path
from typing import Any

from layerdoit.bench.running import ask
from layerdoit.core.errors import ProcessError
from layerdoit.core.version import __version__
from layerdoit.engine.api import connect


def cores() -> int:
    """Those that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def machine() -> str:
    """Processor and cores."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {cores()} cores"
    return f"{platform.machine()}, {cores()} cores"


def busy() -> str:
    """A sentence when others keep the machine from measuring well; '' when not."""
    load = os.getloadavg()[0]
    if load <= cores() / 2:
        return ""
    return f"the machine was busy before anything was measured (load {load:.1f} on {cores()} cores): times are too long"


def about(runs: int) -> dict[str, Any]:
    """The part of a header that every benchmark has."""
    return {
        "machine": machine(),
        "engine": str((connect().get("/version") or {}).get("Version", "")),
        "buildx": ask(["docker", "buildx", "version"]).split()[1],
        "cargo": _cargo(),
        "layerdoit": __version__,
        "date": time.strftime("%Y-%m-%d"),
        "runs": runs,
        "load": f"{os.getloadavg()[0]:.1f} at the start",
    }


def _cargo() -> str:
    try:
        return (ask(["cargo", "--version"]).split()[1:2] or [""])[0]
    except ProcessError:
        return ""
