"""A deployment as its user sees it: status, logs, the end of it, volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.deploy.provider import Held, Release
from tests.engine.deploy.cycling import Make, ask, go, names, owner
from tests.support.ports import PORT, free_port
from tests.support.waiting import until


def test_status_logs_and_destroy(docker_engine: Any, make: Make, image: str, project: str) -> None:
    deployment = make("1")
    assert deployment.status().health == "not deployed"
    with pytest.raises(DeployError, match="is not deployed"):
        deployment.logs()
    assert deployment.holds() == ()
    assert go(deployment, image).error is None
    assert deployment.status().health == "healthy"
    assert deployment.holds() == (Held(project, docker_engine.images.get(image).id, "k1"),)
    # It is healthy by an answer, whether or not the engine has kept what it said already.
    until(lambda: list(deployment.logs()) == ["starting 1", "listening"])
    assert list(deployment.logs(tail=1)) == ["listening"]
    docker_engine.containers.get(project).pause()
    assert deployment.status().health == f"paused: docker unpause {project} lets it go on"
    with pytest.raises(DeployError, match=r"is not running \(paused\)"):
        deployment.shell()
    docker_engine.containers.get(project).unpause()
    docker_engine.containers.get(project).kill()
    assert "exit code 137" in deployment.status().health
    assert [one.by for one in deployment.holds()] == [project], "a stopped container needs its image too"
    assert deployment.destroy() is True
    assert (names(docker_engine, project), deployment.holds()) == ([], ())
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


def test_relative_volumes_are_the_projects(
    docker_engine: Any, make: Make, image: str, project: str, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    assert go(make(volumes=("./data:/data:ro",), root=tmp_path), image).error is None
    mounts = docker_engine.containers.get(project).attrs["Mounts"]
    assert [(mount["Source"], mount["Destination"], mount["RW"]) for mount in mounts] == [
        (str(tmp_path / "data"), "/data", False)
    ]


def test_an_engine_without_docker_init(make: Make, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from docker import APIClient
    from docker.errors import APIError

    starts: list[str] = []
    original = APIClient.start

    def start(api: Any, identity: str) -> None:
        starts.append(identity)
        if api.inspect_container(identity)["HostConfig"]["Init"]:
            raise APIError("500", explanation='exec: "docker-init": executable file not found in $PATH')
        original(api, identity)

    monkeypatch.setattr(APIClient, "start", start)
    result = go(make("1"), image)
    assert result.error is None
    assert len(set(starts)) == 2


def test_a_renamed_container_is_found_by_its_labels(
    docker_engine: Any, make: Make, image: str, project: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(make("1"), image).error is None
    docker_engine.containers.get(project).rename(f"{project}-mine")
    found = make("1").status()
    assert found.service is not None
    assert (found.service.name, found.health) == (f"{project}-mine", "healthy")
    second = go(make("2"), image, "k2")
    assert names(docker_engine, project) == [project]
    assert second.service is not None
    assert ask(second.service.address) == "2"
    assert any(f"{project}-mine" in told for told in second.recovered)
    # Beside one that has the name, it is only spoken of: somebody may want to keep it.
    docker_engine.containers.get(project).rename(f"{project}-kept")
    docker_engine.containers.get(f"{project}-kept").stop(timeout=0)
    port = free_port()
    assert go(make("3", publish=port), image, "k3").error is None
    docker_engine.containers.get(f"{project}-kept").start()
    assert go(make("4", publish=port), image, "k4").error is None
    assert names(docker_engine, project) == [project, f"{project}-kept"]
    assert f"docker rm -f {project}-kept" in capsys.readouterr().err


def test_the_container_of_a_namesake_is_respected(docker_engine: Any, make: Make, image: str, project: str) -> None:
    theirs = go(make("1", owner=owner("/a/server", "folder:1")), image)
    ours = make("2", owner=owner("/b/server", "folder:2"))
    failed = go(ours, image, "k2")
    assert failed.error is not None
    assert {"/a/server", "/b/server"} <= set(failed.error.what.split())
    assert (ours.status().service, "/a/server" in ours.status().remark) == (None, True)
    for act in (ours.destroy, ours.logs, lambda: ours.check(Release(image, "k2"))):
        with pytest.raises(LayerdoitError, match="belongs to another project"):
            act()
    assert names(docker_engine, project) == [project]
    assert theirs.service is not None
    assert ask(theirs.service.address) == "1"


@pytest.mark.parametrize(
    ("listen", "says", "hint"),
    [
        (f"127.0.0.1:{PORT}", "it listens on 127.0.0.1 only", f'deploy: {{env: {{LISTEN: "0.0.0.0:{PORT}"}}}}'),
        (f"0.0.0.0:{PORT + 1}", f"it listens on port {PORT + 1}, not on {PORT}", f"write deploy: {{port: {PORT + 1}}}"),
    ],
    # Each worker has ports of its own, and all must have the same names.
    ids=["only inside the container", "on another port"],
)
def test_a_service_that_listens_elsewhere(make: Make, image: str, listen: str, says: str, hint: str) -> None:
    deployment = make("1", env={"LISTEN": listen}, health={"timeout": 3}, where={"deploy.port": "layerdoit.yaml:2"})
    failed = go(deployment, image)
    assert failed.error is not None
    assert says in failed.error.what
    assert hint in (failed.error.hint or "")
    assert failed.error.where == "layerdoit.yaml:2"


def test_status_says_where_it_listens_instead(make: Make, image: str) -> None:
    by_command = {"path": None, "command": ("/server", "check")}
    assert go(make("1", port=PORT + 1, health=by_command), image).error is None
    status = make("1", port=PORT + 1).status()
    assert status.health.endswith(f"it listens on port {PORT}, not on {PORT + 1} (deploy.port)")


def test_status_asks_at_the_port_that_it_was_started_with(make: Make, image: str) -> None:
    served = go(make("1"), image)
    status = make("1", port=PORT + 1).status()
    assert (status.health, status.service) == ("healthy", served.service)


def test_an_ipv6_address_stands_in_brackets(make: Make, image: str) -> None:
    served = go(make("1", bind="::1"), image)
    assert served.error is None
    assert served.service is not None
    assert (served.service.url or "").startswith("http://[::1]:")
    assert ask(served.service.address) == "1"


def test_a_volume_that_the_engine_refuses_names_its_setting(make: Make, image: str) -> None:
    where = {"deploy.volumes": "layerdoit.yaml:3"}
    failed = go(make("1", volumes=("data:/data:nonsense",), where=where), image)
    assert failed.error is not None
    assert failed.error.where == "layerdoit.yaml:3"
    assert "the engine refuses deploy.volumes" in failed.error.what
