"""Projects on a real engine for the cache tests: ours, with an image of each layer, and what others have beside it."""

from __future__ import annotations

import re
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerdoit.engine.handle import Engine
from layerdoit.engine.images import PREFIX
from layerdoit.flows.session import Session
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.engine.static_program import program

# Images are of one program: appends to the file that it is given; without one, it waits for the end of its input.
TOOL = r"""
use std::{env, fs::OpenOptions, io::{self, Read, Write}};
fn main() {
    match env::args().nth(1) {
        Some(path) => OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(b"x").unwrap(),
        None => { let _ = io::stdin().read_to_end(&mut Vec::new()); }
    }
}
"""

# The same shape as the real layers.
LAYERS = """
FROM scratch AS base
COPY tool /tool
COPY name /build/name
FROM scratch AS runtime
COPY tool /tool
COPY name /runtime
FROM base AS deps
RUN ["/tool", "/build/crates"]
FROM deps AS build
ARG MOUNT
RUN --mount=type=cache,id=${MOUNT},target=/build,sharing=locked ["/tool", "/build/log"]
RUN ["/tool", "/made"]
FROM runtime AS app
COPY --from=build /made /made
CMD ["/tool"]
"""

FOREIGN = """
FROM scratch
COPY tool /tool
COPY name /name
ARG MOUNT
RUN --mount=type=cache,id=${MOUNT},target=/target ["/tool", "/target/log"]
RUN --mount=type=cache,target=/of-NAME ["/tool", "/of-NAME/log"]
CMD ["/tool"]
"""


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return program(TOOL, tmp_path_factory.mktemp("tool") / "tool")


def build(context: Path, tag: str, labels: Mapping[str, str], *options: str) -> str:
    """One build; what it printed."""
    command = ["docker", "buildx", "build", "--builder", "default", "--progress", "plain", "--provenance", "false"]
    command += ["--load", "--tag", tag, *options]
    for name, value in labels.items():
        command += ["--label", f"{PREFIX}{name}={value}"]
    return subprocess.run([*command, str(context)], check=True, capture_output=True, text=True).stderr


def context_of(folder: Path, tool: Path, name: str, dockerfile: str) -> Path:
    folder.mkdir(parents=True)
    # Nobody else's content: of equal steps in builds beside each other, BuildKit runs, and shows, only one.
    (folder / "tool").write_bytes(tool.read_bytes() + name.encode())
    (folder / "tool").chmod(0o755)
    (folder / "name").write_text(name)
    (folder / "Dockerfile").write_text(dockerfile.replace("NAME", name))
    return folder


def records(needle: str) -> dict[str, str]:
    """Ids of the mount records whose description holds the text -> their description.

    While BuildKit measures a mount for another process, it lists an ordinary record in use instead: asked again then.
    """
    alike = re.sub(r"[^a-z0-9]", ".", needle)
    command = ["docker", "buildx", "du", "--builder", "default", "--verbose", "--filter"]
    for _ in range(200):
        listing = subprocess.run(
            [*command, f"id=|.|,description~=|{alike}|"], check=True, capture_output=True, text=True
        )
        found, measured = {}, False
        for block in listing.stdout.split("\n\n"):
            facts = {name: value.strip() for name, _, value in (line.partition(":") for line in block.splitlines())}
            if needle in facts.get("Description", "") and facts["Description"].startswith("cached mount"):
                if facts["Type"] == "exec.cachemount":
                    found[facts["ID"]] = facts["Description"]
                else:
                    measured |= facts["Reclaimable"] == "false"
        if not measured:
            return found
    raise AssertionError(f"BuildKit measures {needle} for ever")


def prune(record: str) -> None:
    """Remove a record, as often as it takes: one that BuildKit measures stays."""
    command = ["docker", "buildx", "prune", "--builder", "default", "--force", "--filter", f"id={record}"]
    for _ in range(200):
        if record in subprocess.run(command, check=True, capture_output=True, text=True).stdout:
            return
    raise AssertionError(f"{record} stays")


def opened(root: Path) -> Session:
    """A project as a new run opens it."""
    return Session(Run(), Project.open(root, {}))


def parts(session: Session) -> tuple[Inputs, Engine]:
    """What clearing asks for."""
    return session.inputs, session.engine


@dataclass
class Ours:
    """A project with an image of each layer for its tree as it is, and an older app image that is deployed."""

    session: Session
    name: str
    client: Any
    context: Path

    @property
    def parts(self) -> tuple[Inputs, Engine]:
        return parts(self.session)

    @property
    def mount(self) -> str:
        return f"layerdoit/{self.name}/0123abcd/dev/host"

    def make(self) -> None:
        runtime = next(spec.key for spec in self.session.inputs.specs if spec.layer == "runtime")
        for spec in self.session.inputs.specs:
            self.layer(spec.layer, spec.key, runtime)
        self.client.images.get(self.tag("app")).tag(self.name, "latest")

    def layer(self, layer: str, key: str, runtime: str = "", **more: str) -> str:
        """An image of a layer; its tag."""
        target = "base" if layer == "base" else layer
        labels = {
            "project": self.name,
            "layer": layer,
            "key": key,
            "runtime": runtime if layer == "app" else "",
            **more,
        }
        tag = f"{self.name}:{layer}-{key[:12]}"
        build(self.context, tag, labels, "--target", target, "--build-arg", f"MOUNT={self.mount}")
        return tag

    def deploy_older(self) -> str:
        """A container of an app image that the tree no longer asks for."""
        runtime = next(spec.key for spec in self.session.inputs.specs if spec.layer == "runtime")
        tag = self.layer("app", "f" * 64, runtime)
        labels = {f"{PREFIX}project": self.name, f"{PREFIX}deployment": "web"}
        self.client.containers.run(tag, detach=True, stdin_open=True, name=f"{self.name}-web", labels=labels)
        return tag

    def tag(self, layer: str) -> str:
        return next(spec.tag for spec in self.session.inputs.specs if spec.layer == layer)

    def layers_there(self) -> set[str]:
        """Layers whose image for the present tree is there."""
        return {spec.layer for spec in self.session.inputs.specs if self.session.engine.images.inspect(spec.tag)}

    def mounts_there(self) -> int:
        return len(records(f'with id "/{self.mount}"'))

    def everything(self) -> tuple[list[str], int]:
        found = self.client.images.list(filters={"label": f"{PREFIX}project={self.name}"})
        return sorted(tag for image in found for tag in image.tags), self.mounts_there()


def clean_up(client: Any, *projects: str) -> None:
    for name in projects:
        for container in client.containers.list(all=True, filters={"label": f"{PREFIX}project={name}"}):
            container.remove(force=True, v=True)
        for image in client.images.list(filters={"label": f"{PREFIX}project={name}"}):
            # What a later build took the tag of has none.
            for reference in image.tags or [image.id]:
                client.images.remove(reference)
        for record in records(f"layerdoit/{name}/"):
            prune(record)


@pytest.fixture
def ours(docker_engine: Any, tool: Path, tmp_path: Path) -> Iterator[Ours]:
    name = f"ldc-{uuid.uuid4().hex[:8]}"
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src/main.rs").write_text("fn main() {}\n")
    (root / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n')
    (root / "Cargo.lock").write_text(f'version = 4\n\n[[package]]\nname = "{name}"\nversion = "0.1.0"\n')
    session = opened(root)
    made = Ours(session, name, docker_engine, context_of(tmp_path / "context", tool, name, LAYERS))
    made.make()
    yield made
    connection = getattr(session.engine.api, "_connection", None)
    if connection is not None:
        connection.close()
    clean_up(docker_engine, name)


@dataclass
class Neighbours:
    """What others have on the same engine: a project whose name begins with ours, and a plain Dockerfile build."""

    client: Any
    builds: tuple[tuple[Path, str, Mapping[str, str], str], ...]
    containers: tuple[str, ...]
    volume: str

    def rebuild(self) -> list[str]:
        """Steps that the next builds would run again."""
        again = []
        for context, tag, labels, mount in self.builds:
            printed = build(context, tag, labels, "--build-arg", f"MOUNT={mount}")
            steps = {line.split()[0] for line in printed.splitlines() if "] COPY" in line or "] RUN" in line}
            cached = {line.split()[0] for line in printed.splitlines() if line.endswith(" CACHED")}
            assert len(steps) == 4, printed
            again += [line for line in printed.splitlines() if line.split(" ")[0] in steps - cached]
        return again

    def state(self) -> dict[str, Any]:
        """All that must not change."""
        return {
            "images": {tag: self.client.images.get(tag).id for _, tag, _, _ in self.builds},
            "mounts": {mount: records(f'with id "/{mount}"') for _, _, _, mount in self.builds},
            "unnamed": {name: records(f'with id "//of-{name}"') for name in self.containers},
            "containers": {
                name: self.client.containers.get(name).attrs["State"]["StartedAt"] for name in self.containers
            },
            "running": [self.client.containers.get(name).status for name in self.containers],
            "volume": self.client.volumes.get(self.volume).attrs["CreatedAt"],
        }


@pytest.fixture
def neighbours(docker_engine: Any, tool: Path, tmp_path: Path, ours: Ours) -> Iterator[Neighbours]:
    second, plain = f"{ours.name}2", f"plain-{uuid.uuid4().hex[:8]}"
    labels = {"project": second, "layer": "app", "key": "a" * 64}
    unlabelled: dict[str, str] = {}
    mount = f"layerdoit/{second}/0123abcd/dev/host"
    builds = (
        (context_of(tmp_path / "second", tool, second, FOREIGN), f"{second}:app-{'a' * 12}", labels, mount),
        (context_of(tmp_path / "plain", tool, plain, FOREIGN), f"{plain}:1", unlabelled, f"{plain}-target"),
    )
    for context, tag, found, identity in builds:
        build(context, tag, found, "--build-arg", f"MOUNT={identity}")
    volume = docker_engine.volumes.create(plain).name
    names = tuple(tag.split(":")[0] for _, tag, _, _ in builds)
    for name, (_, tag, _, _) in zip(names, builds, strict=True):
        docker_engine.containers.run(tag, detach=True, stdin_open=True, name=name, volumes=[f"{volume}:/data"])
    yield Neighbours(docker_engine, builds, names, volume)
    for name in names:
        docker_engine.containers.get(name).remove(force=True)
    docker_engine.volumes.get(volume).remove()
    for (_, tag, _, identity), name in zip(builds, names, strict=True):
        docker_engine.images.remove(tag)
        for record in records(f'with id "/{identity}"') | records(f'with id "//of-{name}"'):
            prune(record)
