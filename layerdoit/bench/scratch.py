"""One benchmark's name, its folder, and its end: what carries the name goes, also after Ctrl-C, also after a kill.

The name tells machine and process, so that another benchmark knows whether the one that made something still runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerdoit.bench import buildkit
from layerdoit.bench.running import SESSION, environment, say
from layerdoit.core.signals import as_errors, ignored
from layerdoit.engine.mounts import this_host

_FOLDER: Final = "layerdoit-bench-"
_PROC: Final = Path("/proc")
_END_GRACE: Final = 12.0
"""Seconds that a process of a killed benchmark has to end by itself."""
_RELEASE_GRACE: Final = 15.0
"""Seconds that BuildKit has to let go of what a cancelled build used."""
_CLOCK_STEP: Final = 60.0
"""Seconds that a clock may be set back meanwhile."""
_POLL: Final = 0.1


@dataclass(frozen=True)
class Scratch:
    """A benchmark that runs. `name`: of its layerdoit project, and in every image, layer and mount; `work`: folder."""

    name: str
    work: Path

    @property
    def began(self) -> float:
        """Seconds since 1970."""
        return began(self.name)


def began(name: str) -> float:
    """When a session began, by its name."""
    return float(int(name[-8:], 16))


# --- names -----------------------------------------------------------------------------------------------------------


def place() -> str:
    """Six hexadecimal digits for this machine, or this container: where a process number means this process."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{this_host()} {os.uname().nodename} {space}".encode()).hexdigest()[:6]


def identity() -> str:
    """Of what this process does now: its place, number, and the time."""
    return f"{place()}-{os.getpid():06x}{int(time.time()):08x}"


def _started(pid: int) -> float:
    """When a process started, in seconds since 1970; 0 where the system does not say."""
    try:
        # The program's name, in parentheses, may hold anything.
        ticks = int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19])
        booted = next(line for line in (_PROC / "stat").read_text().splitlines() if line.startswith("btime "))
        return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, LookupError, ValueError, StopIteration):
        return 0.0


def _pattern(project: str) -> re.Pattern[str]:
    digits = r"([0-9a-f]{6})([0-9a-f]{8})(?![0-9a-f])"
    return re.compile(rf"(?<![\w.-]){re.escape(project)}-bench-{place()}-{digits}")


def _runs(pid: int, began: float) -> bool:
    """Whether a process runs that may have begun a session then: it is not a later one of the same number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(pid) <= began + _CLOCK_STEP


def dead(texts: Iterable[str], project: str) -> list[str]:
    """The sessions of a project that texts name, made on this machine by processes that are gone."""
    pattern, found = _pattern(project), dict[str, bool]()
    for text in texts:
        for match in pattern.finditer(text):
            if match[0] not in found:
                found[match[0]] = not _runs(int(match[1], 16), int(match[2], 16))
    return sorted(name for name, gone in found.items() if gone)


# --- begin and end ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for one benchmark. A signal inside raises Interrupted; the folder goes whatever happens."""
    path = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{identity()}-")).resolve()
    try:
        with as_errors():
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def opened(project: str, work: Path) -> Iterator[Scratch]:
    """A session of a project; what it made, and what a killed one left behind, is removed."""
    name = f"{project}-bench-{identity()}"
    for left in leftovers(project):
        say(f"removing what a benchmark that was killed left behind ({left}) …")
        clear(left)
    _clear_folders()
    try:
        with environment(name):
            yield Scratch(name, work)
    finally:
        with ignored():
            say("removing what this benchmark made …")
            clear(name)


def leftovers(project: str) -> list[str]:
    """Sessions of a project that were killed, and of which the engine or a process still tells."""
    known = [*buildkit.names(), *(record.description for record in buildkit.records())]
    return dead([*known, *(name for _, name in _processes())], project)


def clear(name: str) -> None:
    """Remove everything that has a session's name: processes, containers, images, layers and mounts."""
    _end_processes(name)
    buildkit.remove_containers(name)
    # First the tags: a borrowed base image has others, and stays.
    buildkit.remove_images(buildkit.tags_of(name))
    buildkit.remove_images(buildkit.images_of(name))
    deadline = time.monotonic() + _RELEASE_GRACE
    while left := buildkit.remove_volumes(name) + buildkit.prune(name, name, began(name)):
        if time.monotonic() > deadline:
            say(f"{left} volumes and records of BuildKit's cache are in use and stay; the next benchmark removes them")
            return
        time.sleep(_POLL)


def _clear_folders() -> None:
    """Folders of benchmarks that were killed, of any project."""
    for path in Path(tempfile.gettempdir()).glob(f"{_FOLDER}{place()}-*"):
        found = re.fullmatch(r"([0-9a-f]{6})([0-9a-f]{8})-\w+", path.name.removeprefix(f"{_FOLDER}{place()}-"))
        if found and not _runs(int(found[1], 16), int(found[2], 16)):
            shutil.rmtree(path, ignore_errors=True)


def _processes() -> Iterator[tuple[int, str]]:
    """Processes of benchmarks, with the session that each belongs to."""
    marker = f"\0{SESSION}=".encode()
    for path in _PROC.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            found = b"\0" + path.read_bytes()
            if marker in found:
                yield int(path.parent.name), found.split(marker, 1)[1].split(b"\0", 1)[0].decode(errors="replace")


def _end_processes(name: str) -> None:
    deadline = time.monotonic() + _END_GRACE
    signum = signal.SIGINT
    told: set[int] = set()
    while left := {pid for pid, owner in _processes() if owner == name and pid != os.getpid()}:
        if time.monotonic() > deadline:
            signum, told = signal.SIGKILL, set()
        for pid in left - told:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signum)
        told |= left
        if signum == signal.SIGKILL:
            return
        time.sleep(_POLL)
