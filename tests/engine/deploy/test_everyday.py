"""Everyday settings of a container on a real engine: restart, memory, processors, health of each kind, commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.deploy.docker.deployment import DockerProvider
from tests.engine.deploy.cycling import Make, ask, go, looks, names
from tests.support.waiting import until


def policy(docker_engine: Any, name: str) -> str:
    return str(docker_engine.containers.get(name).attrs["HostConfig"]["RestartPolicy"]["Name"])


@pytest.mark.parametrize("part", ["", "-old"], ids=["as it serves", "as a killed deployment left it"])
def test_what_ends_again_and_again_is_replaced(
    docker_engine: Any, make: Make, image: str, project: str, tmp_path: Path, part: str
) -> None:
    """Between two starts, the engine renames no container and takes no network from it."""
    needed = tmp_path / "needed"
    needed.touch()
    settings = {"env": {"READS": "/data/needed"}, "volumes": (f"{tmp_path}:/data",), "restart": "always"}
    assert go(make("1", **settings), image).error is None
    needed.unlink()
    there = docker_engine.containers.get(project)
    if part:
        there.rename(project + part)
    there.restart(timeout=0)

    def rests() -> bool:
        # The engine waits longer each time: the next start is seconds away.
        there.reload()
        return bool(there.attrs["RestartCount"] >= 6 and there.attrs["State"]["Restarting"])

    until(rests, 120, "a container that ends again and again")
    done = go(make("2"), image, "k2")
    assert done.error is None
    assert done.service is not None
    assert ask(done.service.address) == "2"
    assert names(docker_engine, project) == [project]


def test_the_engine_starts_again_what_serves_and_nothing_else(
    docker_engine: Any, make: Make, image: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A candidate that ends is seen at once with its reason; the old one never comes back beside the new one."""
    seen: list[tuple[str, str]] = []
    original = DockerProvider.replacement

    def watched(provider: DockerProvider, *networks: Any) -> Any:
        steps = original(provider, *networks)
        wait, remove = steps.wait_healthy, steps.remove_old

        def waiting(candidate: Any) -> Any:
            seen.append(("candidate", policy(docker_engine, candidate.id)))
            return wait(candidate)

        def removing() -> None:
            monkeypatch.setattr(
                steps._containers, "remove", lambda one: seen.append(("old", policy(docker_engine, one.id)))
            )
            remove()

        monkeypatch.setattr(steps, "wait_healthy", waiting)
        monkeypatch.setattr(steps, "remove_old", removing)
        return steps

    assert go(make("1"), image).error is None
    assert policy(docker_engine, project) == "unless-stopped"
    monkeypatch.setattr(DockerProvider, "replacement", watched)
    assert go(make("2", restart="always", memory=64_000_000, cpus=0.5), image, "k2").error is None
    monkeypatch.undo()
    assert seen == [("candidate", "no"), ("old", "no")]
    assert policy(docker_engine, project) == "always"
    host = docker_engine.containers.get(project).attrs["HostConfig"]
    assert (host["Memory"], host["NanoCpus"]) == (64_000_000, 500_000_000)
    failed = go(make("3", env={"EXIT": "3"}, restart="always"), image, "k3")
    assert "ended with exit code 3" in str(failed.error)
    assert names(docker_engine, project) == [project]
    docker_engine.containers.get(project).update(restart_policy={"Name": "no"})
    again = go(make("2", restart="always", memory=64_000_000, cpus=0.5), image, "k2")
    assert again.recovered == (f"{project} has its restart policy (always) again",)
    assert not again.phases


@pytest.mark.parametrize(
    ("changes", "setting"), [({"memory": 1_000_000}, "deploy.memory"), ({"cpus": 900.0}, "deploy.cpus")]
)
def test_what_the_engine_does_not_have_names_its_setting(
    make: Make, image: str, changes: dict[str, Any], setting: str
) -> None:
    failed = go(make("1", where={setting: "layerdoit.yaml:5"}, **changes), image)
    assert failed.error is not None
    assert failed.error.where == "layerdoit.yaml:5"
    assert setting in failed.error.what


def test_health_by_a_line_of_the_log(
    docker_engine: Any, make: Make, image: str, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = looks(monkeypatch, tmp_path / "go")
    by_log: dict[str, Any] = {"path": None, "log": "^listening$"}
    waits: dict[str, Any] = {"env": {"WAITS": "/data/go"}, "volumes": (f"{tmp_path}:/data",)}
    first = go(make("1", port=None, health=by_log, **waits), image)
    assert first.error is None
    assert found[0] is not None
    assert found[-1] is None
    assert not any("nobody asked" in remark for remark in first.remarks)
    where = {"deploy.health.log": "layerdoit.yaml:9"}
    failed = go(make("2", port=None, health={**by_log, "log": "ready", "timeout": 1}, where=where), image, "k2")
    assert failed.error is not None
    assert 'within 1 s (no line of its log matches "ready")' in failed.error.what
    assert failed.error.where == "layerdoit.yaml:9"
    assert names(docker_engine, project) == [project]
    assert make("1", port=None, health=by_log, **waits).status().health == "healthy"


def test_health_by_status_and_text(make: Make, image: str) -> None:
    assert go(make("all is well", health={"status": (200,), "text": "well"}), image).error is None
    failed = go(make("sick", health={"text": "well", "timeout": 3}), image, "k2")
    assert 'answered 200 without the text "well": sick' in str(failed.error)


@pytest.fixture
def checked(docker_engine: Any, image: str) -> Any:
    """The server with a HEALTHCHECK of its own."""
    made = docker_engine.api.create_container(
        image, healthcheck={"test": ["CMD", "/server", "check"], "interval": 10**8}
    )
    tag = f"{image}-checked"
    docker_engine.api.commit(made["Id"], *tag.split(":"))
    docker_engine.api.remove_container(made["Id"])
    yield tag
    docker_engine.images.remove(tag, force=True)


def test_health_by_the_check_of_the_image(make: Make, image: str, checked: str) -> None:
    by_image: dict[str, Any] = {"path": None, "platform": True}
    assert go(make("1", health=by_image), checked).error is None
    failed = go(make("2", health={**by_image, "timeout": 2}, env={"SICK": "1"}), checked, "k2")
    assert "by its HEALTHCHECK" in str(failed.error)
    where = {"deploy.health.platform": "layerdoit.yaml:4"}
    lacking = go(make("3", health={**by_image, "timeout": 60}, where=where), image, "k3").error
    assert isinstance(lacking, ConfigError)
    assert (lacking.where, "no HEALTHCHECK" in lacking.what) == ("layerdoit.yaml:4", True)
    served = make("1", health=by_image).status()
    assert served.service is not None
    assert (served.health, ask(served.service.address)) == ("healthy", "1")


def test_a_command_in_the_container(make: Make, image: str) -> None:
    assert go(make("1"), image).error is None
    assert make("1").execute(["/server", "check"]) == 0
    assert make("1").execute(["/no/such"]) in (126, 127)
    until(lambda: list(make("1").logs(since=3600)) == ["starting 1", "listening"])
    until(lambda: list(make("1").logs(since=0.01)) == [])
