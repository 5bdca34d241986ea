"""One cycle of a deployment, and what there is afterwards."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerdoit.deploy.docker.checks import Checks
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.provider import Deployed, Release
from layerdoit.engine.container import Container
from layerdoit.engine.ownership import Owner

Make = Callable[..., DockerProvider]


def owner(folder: str, *marks: str) -> Owner:
    """Whose a deployment is, by marks that no other process of these tests has: it would replace what is here."""
    return Owner(tuple(f"{mark}-{os.getpid()}" for mark in marks), folder)


def go(provider: DockerProvider, image: str, key: str = "k1") -> Deployed:
    return provider.deploy(Release(image, key))


def ask(address: str | None, timeout: float = 10.0) -> str | None:
    assert address is not None
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def way(docker_engine: Any, name: str) -> str:
    """How the container that serves was started beside the one before it."""
    return str(docker_engine.containers.get(name).labels["io.layerdoit.way"])


def names(docker_engine: Any, project: str) -> list[str]:
    found = docker_engine.containers.list(all=True, filters={"label": f"io.layerdoit.project={project}"})
    return sorted(container.name for container in found)


def looks(monkeypatch: pytest.MonkeyPatch, file: Path) -> list[str | None]:
    """What each look at a candidate finds. The first one makes the file, for which a server with WAITS has waited."""
    found: list[str | None] = []
    look = Checks.candidate_problem

    def noted(checks: Checks, container: Container, command_timeout: float, running_for: float) -> str | None:
        found.append(look(checks, container, command_timeout, running_for))
        file.touch()
        return found[-1]

    monkeypatch.setattr(Checks, "candidate_problem", noted)
    return found
