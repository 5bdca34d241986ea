"""Processes with a clock, and the engine: builds, images, and BuildKit's records, each removed by its exact id."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerdoit.engine.api import builder_name
from layerdoit.secrets import Secrets

# What a developer's shell may set and what would make the peers' builds differ.
_UNSET = re.compile(r"CARGO_(TARGET_DIR|INCREMENTAL|BUILD_.*|ENCODED_RUSTFLAGS|PROFILE_.*)|RUSTFLAGS|RUSTC(_\w+)?|CI")
_COMPILING = re.compile(r"^(?:#\d+ +[\d.]+ )?[ \t]*Compiling (\S+ v[^\s]+)", re.MULTILINE)
_RECORD = re.compile(r"^ID:\s+(\w+)\n(?=(?:Parents?:.*\n)?Created at:)", re.MULTILINE)
_PARENTS = re.compile(r"^Parents?:\s+(.*)$", re.MULTILINE)
_DESCRIPTION = re.compile(r"^Description:[ \t]+(.*?)\nUsage count:", re.MULTILINE | re.DOTALL)
_PRUNE_PASSES = 8
_PATIENCE = 15.0


@dataclass(frozen=True)
class Ran:
    """One process: exit code, seconds on the wall, both outputs as one text."""

    code: int
    seconds: float
    output: str


@dataclass(frozen=True)
class Record:
    """One entry of BuildKit's cache: a layer or a mount."""

    id: str
    parents: tuple[str, ...]
    description: str


class Failed(Exception):
    """Something that is not measured, but needed, did not work."""


def environment() -> dict[str, str]:
    """The environment of everything that is measured."""
    return {name: value for name, value in os.environ.items() if not _UNSET.fullmatch(name)}


def timed(argv: Sequence[str], cwd: Path, more: Mapping[str, str] | None = None) -> Ran:
    """Run a process to its end. Its output goes to a file: a pipe would have to be emptied while the clock runs."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env={**environment(), **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = process.wait()
            seconds = time.perf_counter() - begun
        except BaseException:
            _end(process)
            raise
        output.seek(0)
        return Ran(code, seconds, output.read())


def _end(process: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ask(
    argv: Sequence[str], cwd: Path | None = None, *, check: bool = True, more: Mapping[str, str] | None = None
) -> str:
    """The standard output of a process that is not measured."""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env={**environment(), **(more or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        output, errors = process.communicate()
    except BaseException:
        _end(process)
        raise
    if check and process.returncode != 0:
        words = "\n".join((output + errors).strip().splitlines()[-15:])
        raise Failed(f"{' '.join(argv[:4])} … failed:\n{words}")
    return output


def compiled(output: str) -> list[str]:
    """`name vVERSION` of every crate that cargo said it compiled, in plain progress or raw output."""
    return _COMPILING.findall(output)


# --- builds ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Build:
    """One `docker buildx build` of a peer."""

    dockerfile: Path
    context: Path
    tag: str
    args: Mapping[str, str]
    secrets: Secrets
    iidfile: Path | None = None

    def argv(self) -> list[str]:
        """The command; the flags are those that layerdoit's own builds have, but for the progress."""
        command = ["docker", "buildx", "build", "--progress", "plain", "--provenance", "false", "--load"]
        command += ["--builder", builder_name(), "--file", str(self.dockerfile), "--tag", self.tag]
        for name, value in {**self.args, **self.secrets.args}.items():
            command += ["--build-arg", f"{name}={value}"]
        for name, path in self.secrets.files.items():
            command += ["--secret", f"id={name},src={path}"]
        for name in self.secrets.values:
            command += ["--secret", f"id={name},env={_variable(name)}"]
        if self.iidfile:
            command += ["--iidfile", str(self.iidfile)]
        return [*command, str(self.context)]

    def environment(self) -> dict[str, str]:
        """Secrets that are no files."""
        return {_variable(name): content for name, content in self.secrets.values.items()}


def _variable(name: str) -> str:
    return "LAYERDOIT_SECRET_" + name.upper().replace("-", "_")


@contextlib.contextmanager
def contents(image: str, paths: Iterable[str], folder: Path) -> Iterator[Path]:
    """Files of an image, copied out of a container that never starts: path `/a/b` becomes `<folder>/a/b`."""
    container = ask(["docker", "create", image, "none"]).strip()
    target = Path(tempfile.mkdtemp(dir=folder))
    try:
        for path in paths:
            place = target / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            ask(["docker", "cp", f"{container}:{path}", str(place)], check=False)
        yield target
    finally:
        ask(["docker", "rm", "--force", container], check=False)
        shutil.rmtree(target, ignore_errors=True)


# --- cleaning --------------------------------------------------------------------------------------------------------


def records() -> list[Record]:
    """BuildKit's cache, as it is now."""
    return parsed(ask(["docker", "buildx", "du", "--verbose", "--builder", builder_name()]))


def parsed(listing: str) -> list[Record]:
    """The records in the output of `docker buildx du --verbose`."""
    heads = list(_RECORD.finditer(listing))
    ends = [*(head.start() for head in heads[1:]), len(listing)]
    found = []
    for head, end in zip(heads, ends, strict=True):
        text = listing[head.start() : end]
        above = _PARENTS.search(text)
        described = _DESCRIPTION.search(text)
        parents = tuple(re.findall(r"\w+", above[1])) if above else ()
        found.append(Record(head[1], parents, described[1].strip() if described else ""))
    return found


def owned(found: Iterable[Record], marker: str, project: str) -> list[str]:
    """Ids of the records that a benchmark made, children before parents.

    They hold `marker` (unique to the benchmark) in their command, or are mounts of its own layerdoit project, or stand
    on one of these.
    """
    every = list(found)
    mount = f'with id "/layerdoit/{project}/'
    ours = {record.id for record in every if marker in record.description or mount in record.description}
    while more := {record.id for record in every if record.id not in ours and ours.intersection(record.parents)}:
        ours |= more
    parents = {record.id: ours.intersection(record.parents) for record in every if record.id in ours}

    def depth(record: str) -> int:
        return 1 + max((depth(parent) for parent in parents[record]), default=0)

    return sorted(ours, key=lambda record: (-depth(record), record))


def prune(marker: str, project: str) -> int:
    """Remove the benchmark's records one by one; the number of those that stay because something uses them."""
    tried: list[str] = []
    for _ in range(_PRUNE_PASSES):
        wanted = owned(records(), marker, project)
        if not wanted or wanted == tried:
            return len(wanted)
        tried = wanted
        for record in wanted:
            ask(
                ["docker", "buildx", "prune", "--force", "--builder", builder_name(), "--filter", f"id={record}"],
                check=False,
            )
    return len(owned(records(), marker, project))


def labelled(project: str, *layers: str) -> list[str]:
    """Ids of the images of one layerdoit project: all, or those of some layers."""
    listing = ["docker", "image", "ls", "--no-trunc", "--quiet", "--filter", f"label=io.layerdoit.project={project}"]
    if not layers:
        return list(dict.fromkeys(ask(listing).split()))
    found = [ask([*listing, "--filter", f"label=io.layerdoit.layer={layer}"]).split() for layer in layers]
    return list(dict.fromkeys(image for images in found for image in images))


def tagged(name: str) -> list[str]:
    """Ids of the images whose repository is a benchmark's unique name, or begins with it and a dash."""
    every = ask(["docker", "image", "ls", "--no-trunc", "--format", "{{.Repository}} {{.ID}}"]).splitlines()
    pairs = [line.split() for line in every]
    return list(dict.fromkeys(image for repository, image in pairs if f"{repository}-".startswith(f"{name}-")))


def remove_deployment(project: str) -> None:
    """Remove the containers and networks that layerdoit made for a benchmark's project."""
    label = f"label=io.layerdoit.project={project}"
    for container in ask(["docker", "ps", "--all", "--quiet", "--filter", label]).split():
        ask(["docker", "rm", "--force", container], check=False)
    for network in ask(["docker", "network", "ls", "--quiet", "--filter", label]).split():
        ask(["docker", "network", "rm", network], check=False)


def remove_images(images: Iterable[str]) -> None:
    """Remove images that this benchmark made, by id."""
    for image in dict.fromkeys(images):
        ask(["docker", "image", "rm", "--force", image], check=False)


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP end a benchmark as Ctrl-C does: after its cleaning."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, interrupt) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No signal cuts the cleaning in two."""
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in wanted}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
