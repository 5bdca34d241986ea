"""Builders that are not the engine's own, for the tests of one worker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit.engine.api import builder_name
from layerdoit.engine.broker import bootstrap_os
from layerdoit.engine.buildx import Build, Shared
from layerdoit.engine.handle import Engine
from layerdoit.engine.images import PREFIX
from layerdoit.layers.key import Spec
from tests.engine.registry_fixture import docker
from tests.support import buildkitd
from tests.support.buildkitd import Daemon


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A BuildKit on a unix socket, and no builders but those of the test."""
    with buildkitd.own_builders(), buildkitd.running() as found:
        yield found


@pytest.fixture(scope="module")
def contained(farm: str, docker_engine: Any) -> Iterator[str]:
    """A builder in a container of the engine: its name."""
    assert farm
    with buildkitd.in_container(f"lt-{uuid.uuid4().hex[:8]}", bootstrap_os("trixie")) as found:
        yield found


@pytest.fixture(scope="module")
def farm(daemon: Daemon) -> str:
    """A builder on it: its name."""
    return daemon.builder("farm")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Spec]:
    """A layer of one file that is on the engine; it and what was built on it is removed."""
    spec = Spec("base", {"of": uuid.uuid4().hex}, f"lt-{uuid.uuid4().hex[:10]}")
    labels = [f"{PREFIX}layer=base", f"{PREFIX}key={spec.key}", f"{PREFIX}project={spec.repository}"]
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY below /below\n")
    (tmp_path / "below").write_text("below")
    words = [word for label in labels for word in ("--label", label)]
    docker("buildx", "build", "--builder", builder_name(), "--load", *words, "--tag", spec.tag, str(tmp_path))
    yield spec
    for tag in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", spec.repository).split():
        docker("image", "rm", "--force", tag)


def built_on(spec: Spec, builder: str, text: str, folder: Path, shared: Shared | None = None) -> tuple[str, str]:
    """Build an app on the layer; what it has in its files, of the layer and its own, and what the log says."""
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text("ARG BELOW\nFROM ${BELOW} AS app\nCOPY own /own\n")
    (folder / "own").write_text(text)
    tag = f"{spec.repository}:app"
    build = Build("app", folder / "Dockerfile", folder, [tag], {}, {"BELOW": spec.tag}, builder=builder)
    with open(folder / "log", "w", encoding="utf-8") as log:
        Engine(builder).build(build, log, shared=shared)
    container = docker("create", tag, "x")
    try:
        docker("cp", f"{container}:/", str(folder / "made"))
    finally:
        docker("rm", container)
    return "".join((folder / "made" / name).read_text() for name in ("below", "own")), (folder / "log").read_text()
