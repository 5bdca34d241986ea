"""`docker buildx build`: the argument list, the run, and errors in plain words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from layerdoit.core import process
from layerdoit.core.errors import BuildError, EngineError, LayerdoitError
from layerdoit.engine.api import builder_name, endpoint
from layerdoit.engine.buildx_program import buildx
from layerdoit.engine.progress import Display, Reader, Report
from layerdoit.engine.sdk import unreachable

# The app build's script ends with these.
RESEND = 86
RUNTIME_MISMATCH = 87
NO_BINARY = 88


@dataclass(frozen=True)
class Build:
    """One call of `docker buildx build`. Secrets by id: `secrets` are files, `values` contents; `contexts`: folders."""

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
    afresh: Sequence[str] = ()
    builder: str | None = None

    def argv(self) -> list[str]:
        """The command, as it could be typed."""
        return [*buildx(), "build", *self.flags("rawjson"), str(self.context)]

    def flags(self, progress: str) -> list[str]:
        """What is asked of buildx; `progress`: the form in which it tells of it."""
        command = ["--progress", progress, "--provenance", "false", "--load"]
        command += ["--builder", self.builder or builder_name()]
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
        for stage in self.afresh:
            command += ["--no-cache-filter", stage]
        if self.target:
            command += ["--target", self.target]
        if self.ssh:
            command += ["--ssh", "default"]
        return command

    def environment(self) -> dict[str, str]:
        """What buildx's own environment has to hold: secrets that are no files."""
        # It would ask git about the staged context, which is nobody's work tree: 30 ms.
        return {"BUILDX_GIT_INFO": "false", **secret_environment(self.values)}


def _secret_flags(files: Mapping[str, Path], values: Iterable[str]) -> list[str]:
    """The flags that name secrets: files by their path, contents by the variable that holds them."""
    sources = [
        *(f"id={name},src={path}" for name, path in files.items()),
        *(f"id={name},env={_variable(name)}" for name in values),
    ]
    return [word for source in sources for word in ("--secret", source)]


def secret_environment(values: Mapping[str, str]) -> dict[str, str]:
    """The variables that `_secret_flags` names."""
    return {_variable(name): content for name, content in values.items()}


def _variable(name: str) -> str:
    return "LAYERDOIT_SECRET_" + name.upper().replace("-", "_")


@dataclass(frozen=True)
class Built:
    """What a build did: seconds on the wall, and what it said."""

    seconds: float
    report: Report


class ContextDiffers(BuildError):
    """The sources that reached the build are not those that were keyed: they must be sent again."""


class StepFailed(BuildError):
    """A step of the Dockerfile failed; `said` is what it printed last."""

    said = ""


class Cleared(BuildError):
    """An image that the build needs went while it was under way: what is there must be looked at again."""


def run(build: Build, log: TextIO, expected_crates: int | None = None) -> Built:
    """Build; raises `BuildError` with the failing step's own words, `EngineError` when there is no engine or buildx."""
    display = Display(build.layer, expected_crates)
    reader = Reader(display, lambda line: print(process.redact(line), file=log))
    argv = build.argv()
    print("$", process.redact(" ".join(argv)), file=log)
    begun = time.monotonic()
    try:
        code = process.stream(argv, env=build.environment(), on_line=lambda _, line: reader.feed(line))
    finally:
        display.clear()
        log.flush()
    seconds = time.monotonic() - begun
    if code != 0:
        raise _failure(build, reader.report, Path(log.name))
    return Built(seconds, reader.report)


def _failure(build: Build, report: Report, log: Path) -> Exception:
    error = next((line for line in reversed(report.errors) if line.startswith("ERROR")), "")
    text = process.redact(error.removeprefix("ERROR: ") or " ".join(report.errors[-3:]))
    if known := _engine_failure(build, report, text):
        return known
    code = text.rsplit("exit code: ", 1)[-1].strip() if "exit code: " in text else ""
    if code == str(RESEND):
        return ContextDiffers(f"{build.layer}: the sources changed on their way to the build")
    if code == str(RUNTIME_MISMATCH):
        return _mismatch(report)
    if report.failed_step is None or not report.tail:
        return BuildError(f"{build.layer} did not build: {text}", hint=f"the whole log: {log}")
    words = process.redact("\n".join(_relevant(report.tail)))
    failed = StepFailed(f"{build.layer} did not build\n{words}", hint=f"correct it and run again; the whole log: {log}")
    failed.said = "\n".join(report.tail)
    return failed


def _engine_failure(build: Build, report: Report, text: str) -> LayerdoitError | None:
    """What is wrong with engine, buildx or disk, known by their words."""

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
    if text.startswith("no builder "):
        hint = "docker buildx ls lists the builders; name one with BUILDER= or builder: in layerdoit.yaml"
        return EngineError(text, hint=hint)
    if any("o space left on device" in line for line in (text, *report.tail)):
        hint = "doit cache_status shows what this project holds; docker system df the rest"
        return BuildError(f"{build.layer}: the disk is full", hint=hint)
    return None


def _relevant(tail: Sequence[str]) -> Sequence[str]:
    """The compiler's errors in full: from the first of them on; otherwise the last lines."""
    first = next(
        (index for index, line in enumerate(tail) if line.startswith(("error", "warning: unused", "error["))), None
    )
    lines = tail[first:] if first is not None else tail[-40:]
    return [line for line in lines if not line.lstrip().startswith(("Compiling ", "Downloaded ", "Downloading "))]


def _mismatch(report: Report) -> BuildError:
    lines = []
    packages = []
    for note in report.noted("missing"):
        fields = dict(word.split("=", 1) for word in note.split() if "=" in word)
        lacks = f"which the runtime image lacks (package {fields.get('package')})"
        lines.append(f"{fields.get('binary')} needs {fields.get('library')}, {lacks}")
        packages.append(fields.get("package", "?"))
    lines += [
        f"{note.split(' ', 1)[-1]} (the builder's libraries are newer than the runtime's)"
        for note in report.noted("too-new")
    ]
    hint = "use one suite for builder and runtime image (base.suite, base.image, base.runtime_image)"
    if packages:
        hint = f"add to layerdoit.yaml: base: {{runtime_packages: [{', '.join(sorted(set(packages)))}]}}"
    return BuildError("the binaries would not start on the runtime image:\n" + "\n".join(lines), hint=hint)
