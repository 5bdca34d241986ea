"""One cycle of a deployment, and what there is afterwards."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from typing import Any

from layerdoit import cycle
from layerdoit.deploy.base import Release
from layerdoit.deploy.docker import DockerDeployment

Make = Callable[..., DockerDeployment]


def go(deployment: DockerDeployment, image: str, key: str = "k1") -> cycle.CycleResult:
    return cycle.run(deployment, lambda: Release(image, key))


def ask(address: str | None, timeout: float = 1.0) -> str | None:
    assert address is not None
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def names(docker_engine: Any, project: str) -> list[str]:
    found = docker_engine.containers.list(all=True, filters={"label": f"io.layerdoit.project={project}"})
    return sorted(container.name for container in found)
