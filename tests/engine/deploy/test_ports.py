"""Ports, names, networks and images that a deployment asks for: leased, taken by others, or not there."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

import pytest

from layerdoit.core.errors import ConfigError, DeployError, EngineError
from layerdoit.deploy.provider import Release
from layerdoit.engine.container import Container, Spec
from layerdoit.engine.containers import Containers
from tests.engine.deploy.cycling import Make, ask, go, names, owner
from tests.support.ports import PORT, free_port


def test_the_first_free_port_is_leased_and_kept(make: Make, image: str) -> None:
    # Held now, so that the lease is another port than the first choice; free again for the second cycle.
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", PORT)))
        first = go(make("1"), image)
    assert first.service is not None
    assert int((first.service.address or "").rpartition(":")[2]) > PORT
    second = go(make("2"), image, "k2")
    assert second.service is not None
    assert second.service.address == first.service.address
    assert ask(second.service.address) == "2"


def test_a_port_that_was_named_once_is_not_kept(make: Make, image: str) -> None:
    """Nor one that was found for another port of the service: what the settings say now counts."""
    named = free_port()
    first = go(make("1", publish=named), image)
    assert first.service is not None
    assert first.service.address == f"127.0.0.1:{named}"
    second = go(make("2"), image, "k2")
    assert second.service is not None
    address = second.service.address
    assert address != first.service.address
    kept = go(make("3", publish=0), image, "k3")
    assert kept.service is not None
    assert kept.service.address == address


def test_a_port_that_is_lost_while_the_service_is_stopped_is_told(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    first = go(make("1"), image)
    assert first.service is not None
    port = int((first.service.address or "").rpartition(":")[2])
    docker_engine.containers.get(project).stop(timeout=0)
    with socket.create_server(("127.0.0.1", port)):
        second = go(make("2"), image, "k2")
        assert second.service is not None
        assert second.service.address != first.service.address
        (remark,) = second.remarks
    assert remark.startswith(f"port {port}, which it had, is taken by ")
    assert f"(process {os.getpid()})" in remark
    assert go(make("3"), image, "k3").remarks == ()


def test_two_deployments_lease_two_ports(make: Make, image: str, project: str) -> None:
    first = go(make("1"), image)
    other = go(make("2", name=f"{project}-other"), image)
    assert first.service is not None
    assert other.service is not None
    assert first.service.address != other.service.address
    assert (ask(first.service.address), ask(other.service.address)) == ("1", "2")


def test_port_taken_by_a_process_names_the_port_and_what_to_set(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as blocker:
        port = blocker.getsockname()[1]
        failed = go(make("1", publish=port, where={"deploy.publish": "layerdoit.yaml:3"}), image)
    assert f"port {port} is taken by python" in str(failed.error)
    assert f"(process {os.getpid()})" in str(failed.error)
    assert failed.error is not None
    assert failed.error.where == "layerdoit.yaml:3"
    assert "deploy.publish" in str(failed.error)
    assert names(docker_engine, project) == []


def test_port_taken_by_a_container_names_it(docker_engine: Any, make: Make, image: str, project: str) -> None:
    first = go(make("1", owner=owner("/a/shop", "folder:1")), image)
    assert first.service is not None
    port = int((first.service.address or "").rpartition(":")[2])
    failed = go(make("2", name=f"{project}-other", publish=port), image)
    whose = f"of the project {project} (/a/shop)"
    assert f"port {port} is taken by the container {project} {whose}" in str(failed.error)
    assert names(docker_engine, project) == [project]


def test_a_port_lost_between_search_and_start_is_searched_again(
    make: Make, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Containers.create
    lost: list[int] = []
    with contextlib.ExitStack() as stack:

        def late(containers: Containers, spec: Spec) -> Container:
            if not lost and spec.publish:
                lost.append(spec.publish)
                stack.enter_context(socket.create_server(("127.0.0.1", spec.publish)))
            return create(containers, spec)

        monkeypatch.setattr(Containers, "create", late)
        result = go(make("1"), image)
        assert result.error is None
        assert result.service is not None
        assert ask(result.service.address) == "1"
    assert int((result.service.address or "").rpartition(":")[2]) > lost[0]


def test_the_name_of_somebody_elses_container_is_respected(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    foreign = docker_engine.containers.create(image, name=project)
    try:
        failed = go(make("1"), image)
        assert "is taken by a container that does not belong to this deployment" in str(failed.error)
        assert "deploy.name" in str(failed.error)
        assert make("1").destroy() is False
        foreign.reload()
        assert names(docker_engine, project) == []
    finally:
        foreign.remove(force=True)


def test_the_host_network_is_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match="network: host"):
        make("1", network="host").check(Release("api:1", "k1"))


def test_a_missing_network_is_one_message(docker_engine: Any, make: Make, image: str, project: str) -> None:
    failed = go(make("1", network="layerdoit-test-none"), image)
    assert "layerdoit-test-none" in str(failed.error)
    assert names(docker_engine, project) == []


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (FileNotFoundError(2, "No such file or directory"), "no Docker engine answers"),
        (PermissionError(13, "Permission denied"), "no permission"),
    ],
)
def test_an_engine_out_of_reach(
    make: Make, image: str, monkeypatch: pytest.MonkeyPatch, reason: OSError, says: str
) -> None:
    from requests import ConnectionError as NoConnection

    def refuse(*_: object, **__: object) -> None:
        # As the SDK reports it; the real thing would leave the SDK's socket to the garbage collector.
        raise NoConnection(f"('Connection aborted.', {reason!r})")

    # Only for the deployment: what cleans up after the test asks the engine too.
    with monkeypatch.context() as patched:
        patched.setattr("docker.APIClient.containers", refuse)
        failed = go(make("1"), image)
    assert isinstance(failed.error, EngineError)
    assert says in str(failed.error)


def test_a_missing_image_is_one_message(make: Make) -> None:
    failed = go(make("1"), "layerdoit-test-none:none")
    assert isinstance(failed.error, DeployError)
    assert "layerdoit-test-none:none does not exist" in str(failed.error)


def test_who_has_a_port_and_where_it_is_met(docker_engine: Any, make: Make, image: str, project: str) -> None:
    """For a service that looks for another one at `localhost`."""
    first = go(make("1"), image)
    assert first.service is not None
    port = int((first.service.address or "").rpartition(":")[2])
    containers = Containers(project, f"{project}-other")
    assert containers.publisher(port) == (project, f"layerdoit-{project}")
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert containers.publisher(other.getsockname()[1]) is None
