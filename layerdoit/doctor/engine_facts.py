"""What engine and buildx say of themselves: gathered here, judged in `engine`."""

from __future__ import annotations

import re
import shutil
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from layerdoit.core import command_errors, process
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine import api, builder_platform, builders
from layerdoit.engine.buildx_fields import field


@dataclass(frozen=True)
class Failed:
    """A question without an answer: why, and what to do."""

    why: str
    fix: str


@dataclass(frozen=True)
class Engine:
    """The engine. `skew`: seconds that its clock is ahead of the host's; `disk`: free and total bytes, or why not."""

    endpoint: str
    version: str
    architecture: str
    system: str
    skew: float | None
    disk: tuple[int, int] | str


@dataclass(frozen=True)
class Builder:
    """The buildx builder that builds run on."""

    name: str
    driver: str
    status: str
    platforms: tuple[str, ...]
    collects: builders.Builder
    """Its garbage collection."""


def engine() -> Engine | Failed:
    """Ask the engine."""
    try:
        endpoint = api.endpoint()
        connection = api.connect()
        version: Any = connection.get("/version") or {}
        before = time.time()
        info: Any = connection.get("/info") or {}
        middle = (before + time.time()) / 2
    except LayerdoitError as error:
        return Failed(error.what, error.hint or "docker info")
    return Engine(
        endpoint,
        str(version.get("Version", "?")),
        str(version.get("Arch", "?")),
        str(info.get("OSType", "?")),
        _skew(str(info.get("SystemTime", "")), middle),
        _disk(endpoint, str(info.get("Name", "")), str(info.get("DockerRootDir", ""))),
    )


def _skew(told: str, now: float) -> float | None:
    # Nanoseconds are more digits than datetime reads.
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)", told)
    if found is None:
        return None
    return datetime.fromisoformat(f"{found[1]}{found[2] or ''}{found[3]}").timestamp() - now


def _disk(endpoint: str, name: str, root: str) -> tuple[int, int] | str:
    """Room where the engine keeps images, if that is on this machine."""
    if not api.is_socket(endpoint) or name != socket.gethostname():
        return "the engine keeps its images on another machine"
    try:
        usage = shutil.disk_usage(Path(root))
    except OSError as error:
        return f"{root} cannot be read: {error.strerror}"
    return usage.free, usage.total


def buildx() -> tuple[int, ...] | Failed:
    """The plugin's version as numbers."""
    try:
        said = process.capture_quick(["docker", "buildx", "version"]).decode("utf-8", "replace")
    except command_errors.ProgramMissing as error:
        return Failed(error.what, error.hint or "install docker")
    except LayerdoitError:
        return Failed(
            "docker buildx is not installed", "install the buildx plugin (docker-buildx or docker-buildx-plugin)"
        )
    found = re.search(r"\bv?(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(part or 0) for part in found.groups()) if found else Failed("it does not report its version", "")


def builder(configured: str | None) -> Builder | Failed:
    """The builder that builds run on, as `docker buildx inspect` describes it."""
    name = configured or api.builder_name()
    reason = builder_platform.silent(api.described_builder(name))
    try:
        said = "" if reason else builders.inspect_output(name)
    except LayerdoitError as error:
        reason = str(error).splitlines()[-1].removeprefix("ERROR: ")
    if reason:
        return Failed(
            f"builder {name} cannot be used: {reason}",
            "docker buildx ls lists the builders; name one with BUILDER= or builder: in layerdoit.yaml",
        )
    return inspected(name, said)


def inspected(name: str, said: str) -> Builder:
    """What of the output of `docker buildx inspect` counts."""
    platforms = tuple(part.strip().rstrip("*") for part in field(said, "Platforms").split(",") if part.strip())
    return Builder(name, field(said, "Driver"), field(said, "Status"), platforms, builders.parse(name, said))


def mounts(project: str, found: Builder) -> int | None:
    """Bytes in a project's cache mounts; None where the garbage collection does not threaten them anyway."""
    from layerdoit.engine import mounts as room

    return sum(mount.size for mount in room.of_project(project, found.name)) if found.collects.threatens else None
