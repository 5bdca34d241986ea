"""A deployment as its user sees it: status, logs, the end of it, volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker.deployment import DockerDeployment
from layerdoit.deploy.provider import DeployConfig
from tests.engine.deploy.cycling import Make, ask, go, names
from tests.support.ports import PORT


def test_status_logs_and_destroy(docker_engine: Any, make: Make, image: str, project: str) -> None:
    deployment = make("1")
    assert deployment.status().health == "not deployed"
    with pytest.raises(DeployError, match="is not deployed"):
        deployment.logs()
    assert go(deployment, image).error is None
    assert deployment.status().health == "healthy"
    assert list(deployment.logs()) == ["starting 1", "listening"]
    assert list(deployment.logs(tail=1)) == ["listening"]
    docker_engine.containers.get(project).kill()
    assert "exit code 137" in deployment.status().health
    assert deployment.destroy() is True
    assert names(docker_engine, project) == []
    assert docker_engine.networks.list(filters={"label": f"io.layerdoit.project={project}"}) == []
    assert deployment.destroy() is False


def test_a_stopped_service_is_replaced(docker_engine: Any, make: Make, image: str, project: str) -> None:
    first = go(make("1"), image)
    docker_engine.containers.get(project).kill()
    second = go(make("1"), image)
    assert first.service is not None
    assert second.service is not None
    assert second.service.id != first.service.id
    assert second.service.address == first.service.address
    assert ask(second.service.address) == "1"


def test_relative_volumes_are_the_projects(docker_engine: Any, image: str, project: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    config = DeployConfig(project, PORT, health_path="/", volumes=("./data:/data:ro",))
    assert go(DockerDeployment(project, config, root=tmp_path), image).error is None
    mounts = docker_engine.containers.get(project).attrs["Mounts"]
    assert [(mount["Source"], mount["Destination"], mount["RW"]) for mount in mounts] == [
        (str(tmp_path / "data"), "/data", False)
    ]


def test_an_engine_without_docker_init(make: Make, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from docker.errors import APIError

    deployment = make("1")
    api = deployment._containers._api
    starts: list[str] = []
    original = api.start

    def start(identity: str) -> None:
        starts.append(identity)
        if api.inspect_container(identity)["HostConfig"]["Init"]:
            raise APIError("500", explanation='exec: "docker-init": executable file not found in $PATH')
        original(identity)

    monkeypatch.setattr(api, "start", start)
    result = go(deployment, image)
    assert result.error is None
    assert len(set(starts)) == 2
