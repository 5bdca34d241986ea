"""`docker buildx build`: its arguments, its run, and its failures."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from layerdoit.core import process
from layerdoit.core.errors import BuildError, EngineError, LayerdoitError
from layerdoit.core.ladder import Graces
from layerdoit.engine import build_log
from layerdoit.engine.api import builder_name, endpoint
from layerdoit.engine.buildx_program import buildx
from layerdoit.engine.progress import Listener, Reader, Report
from layerdoit.engine.sdk import unreachable

# What gRPC says of a daemon that ended, or whose machine did.
_GONE = re.compile(r"code = Unavailable|error reading from server|transport is closing|connection reset by peer")
_EXIT_CODE = re.compile(r"exit code: (\d+)\s*$")


@dataclass(frozen=True)
class Build:
    """One call of `docker buildx build`. Secrets by id: `secrets` are files, `values` contents; `contexts`: folders.

    `platform`: what the image is for, None for the builder's own. `output`: a folder that the files of the result are
    written to, instead of an image; `layout`: a folder that gets the image, where the engine does not, in blobs of this
    `compression`.
    """

    layer: str
    dockerfile: Path
    context: Path
    tags: Sequence[str]
    labels: Mapping[str, str]
    args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    ssh: bool = False
    no_cache_stages: Sequence[str] = ()
    builder: str | None = None
    output: Path | None = None
    platform: str | None = None
    layout: Path | None = None
    compression: str = "uncompressed"

    def argv(self) -> list[str]:
        """The command, as a user could type it."""
        return [*buildx(), "build", *self.flags("rawjson"), str(self.context)]

    def flags(self, progress: str) -> list[str]:
        """The flags for buildx; `progress`: the form of its progress output."""
        command = ["--progress", progress, "--provenance", "false", *self._result()]
        command += ["--builder", self.builder or builder_name()]
        command += ["--platform", self.platform] if self.platform else []
        command += ["--file", str(self.dockerfile)]
        for flag, pairs in (
            ("--build-arg", self.args),
            ("--build-context", self.contexts),
            ("--label", self.labels),
        ):
            for name, value in pairs.items():
                command += [flag, f"{name}={value}"]
        command += _secret_flags(self.secrets, self.values)
        for tag in self.tags:
            command += ["--tag", tag]
        for stage in self.no_cache_stages:
            command += ["--no-cache-filter", stage]
        if self.target:
            command += ["--target", self.target]
        if self.ssh:
            command += ["--ssh", "default"]
        return command

    def _result(self) -> list[str]:
        if self.output is not None:
            return ["--output", f"type=local,dest={self.output}"]
        if self.layout is not None:
            # Into a folder, only those blobs are sent that it lacks.
            return ["--output", f"type=oci,tar=false,compression={self.compression},dest={self.layout}"]
        return ["--load"]

    def environment(self) -> dict[str, str]:
        """The environment for buildx: secrets that are not files."""
        # It would ask git about the staged context, which is nobody's work tree: 30 ms.
        return {"BUILDX_GIT_INFO": "false", **secret_environment(self.values)}


def _secret_flags(files: Mapping[str, Path], values: Iterable[str]) -> list[str]:
    """The flags that pass secrets: files by path, contents by the variable that holds them."""
    sources = [
        *(f"id={name},src={path}" for name, path in files.items()),
        *(f"id={name},env={_variable(name)}" for name in values),
    ]
    return [word for source in sources for word in ("--secret", source)]


def secret_environment(values: Mapping[str, str]) -> dict[str, str]:
    """The variables that `_secret_flags` refers to."""
    return {_variable(name): content for name, content in values.items()}


def _variable(name: str) -> str:
    return "LAYERDOIT_SECRET_" + name.upper().replace("-", "_")


class Shared(NamedTuple):
    """The repository where layers are shared, and the layers that are pushed there; none where nothing is."""

    repository: str | None = None
    layers: Collection[str] = ()


class Built(NamedTuple):
    """A finished build: wall-clock seconds, and what it reported."""

    seconds: float
    report: Report


class StepFailed(BuildError):
    """A step of the Dockerfile failed, as data; those who know what the step runs word it for the user.

    `code`: the exit code of its command, None if it is not a command; `tail`: its last lines; `notes`: as in `Report`;
    `text`: buildx's own message.
    """

    def __init__(
        self,
        layer: str,
        step: str,
        code: int | None,
        tail: tuple[str, ...],
        notes: tuple[str, ...],
        log: Path,
        text: str,
    ) -> None:
        super().__init__(_did_not_build(layer, text), hint=whole_log(log))
        self.layer = layer
        self.step = step
        self.code = code
        self.tail = tail
        self.notes = notes
        self.log = log
        self.text = text


def whole_log(log: Path) -> str:
    """The hint that names a build's log file."""
    return f"the whole log: {log}"


def _did_not_build(layer: str, text: str) -> str:
    return f"{layer} did not build: {text or 'buildx ended without an error message'}"


def run(build: Build, log: TextIO, expected: int | None = None, listener: Listener | None = None) -> Built:
    """Build. Raises `StepFailed` if a step failed, `EngineError` if there is no engine or buildx, else `BuildError`.

    `expected`: how many of the things that `listener` counts will be worked on.
    """
    reader = Reader(lambda line: print(line, file=log), listener, expected)
    argv = build.argv()
    print(build_log.header(argv), file=log)
    begun = time.monotonic()
    try:
        code = process.stream(
            argv,
            env=build.environment(),
            on_line=lambda _, line: reader.feed(line),
            # The reader masks secrets, in text; in an event, they may be encoded.
            masked=False,
            graces=Graces(busy=reader.commands.is_starting),
        )
    finally:
        log.flush()
    seconds = time.monotonic() - begun
    if code != 0:
        raise failure(build, reader.report, Path(log.name))
    return Built(seconds, reader.report)


def failure(build: Build, report: Report, log: Path) -> LayerdoitError:
    """Turn the report of a failed build into an error."""
    error = next((line for line in reversed(report.errors) if line.startswith("ERROR")), "")
    text = error.removeprefix("ERROR: ") or " ".join(report.errors[-3:])
    if known := _engine_failure(build, report, text):
        return known
    if report.failed_step is None:
        return BuildError(_did_not_build(build.layer, text), hint=whole_log(log))
    code = int(found[1]) if (found := _EXIT_CODE.search(text)) else None
    return StepFailed(build.layer, report.failed_step, code, tuple(report.tail), tuple(report.notes), log, text)


def _engine_failure(build: Build, report: Report, text: str) -> LayerdoitError | None:
    """An error of engine, buildx or disk, recognised by its message."""

    def said(*words: str) -> bool:
        return any(word in text for word in words)

    # Without the plugin, docker complains of the command, or of its first option.
    if said("is not a docker command", "unknown command: docker buildx", "unknown flag: --progress"):
        hint = "install the buildx plugin (package docker-buildx or docker-buildx-plugin)"
        return EngineError("docker buildx is not installed", hint=hint)
    if said("invalid progress mode", "unknown flag: --"):
        return EngineError("docker buildx is too old", hint="install the buildx plugin 0.13 or later")
    if said("permission denied while trying to connect"):
        return unreachable(endpoint(), PermissionError())
    if said("Cannot connect to the Docker daemon", "error during connect"):
        return unreachable(endpoint(), ConnectionError())
    if build.builder and _GONE.search(text):
        hint = (
            f"docker buildx inspect {build.builder} shows whether it runs; then run again: what was built before stays"
        )
        return EngineError(f"builder {build.builder} was gone while {build.layer} was built: {text}", hint=hint)
    if text.startswith("no builder "):
        hint = "docker buildx ls lists the builders; name one with BUILDER= or builder: in layerdoit.yaml"
        return EngineError(text, hint=hint)
    return disk_full(build.layer, (text, *report.tail))


_FULL: Final = re.compile(r"[Nn]o space left on device|tar: .*: Wrote only \d+ of \d+ bytes")


def disk_full(layer: str, lines: Iterable[str]) -> BuildError | None:
    """The error for a disk that is full, where lines of a build say that it is."""
    if not any(_FULL.search(line) for line in lines):
        return None
    hint = "free some space; `doit cache_status` shows what this project uses, `docker system df` the rest"
    return BuildError(f"{layer}: the disk is full", hint=hint)
