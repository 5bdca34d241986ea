"""What the tests of compose deployments share: a folder with a compose file, of which nothing is left on the engine."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.compose.composing import Project, compose_answers
from tests.engine.deploy.conftest import image, locks

__all__ = ["image", "locks"]


@pytest.fixture
def composed(docker_engine: Any, image: str, tmp_path: Path) -> Iterator[Project]:
    compose_answers()
    project = Project(f"ldk-{uuid.uuid4().hex[:8]}", tmp_path / "app", image, docker_engine)
    project.root.mkdir()
    yield project
    filters = {"label": f"com.docker.compose.project={project.name}"}
    for container in docker_engine.containers.list(all=True, filters=filters):
        container.remove(force=True, v=True)
    for network in docker_engine.networks.list(filters=filters):
        network.remove()
    for volume in docker_engine.volumes.list(filters=filters):
        volume.remove()
