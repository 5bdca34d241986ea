"""Replacing a container on a real engine: what serves, and how long nobody answers."""

from __future__ import annotations

import itertools
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerdoit.deploy.docker import health
from layerdoit.deploy.docker.checks import SETTLE
from layerdoit.engine.container import Container, NoNetwork, Spec
from layerdoit.engine.containers import Containers
from tests.engine.deploy.cycling import Make, ask, go, looks, names, way
from tests.support.ports import PORT


class Poller:
    """Asks all the time from a thread of its own; `gap` is the longest time without an answer.

    `timeout`: seconds that an answer may take.
    """

    def __init__(self, address: str, timeout: float = 0.5) -> None:
        self.seen: list[tuple[float, str | None]] = []
        self._stop = threading.Event()
        self._address = address
        self._timeout = timeout
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.seen.append((time.perf_counter(), ask(self._address, self._timeout)))
            self._stop.wait(0.005)

    def __enter__(self) -> Poller:
        self._thread.start()
        while len(self.seen) < 3:
            time.sleep(0.001)
        return self

    def __exit__(self, *_: object) -> None:
        last = len(self.seen)
        while len(self.seen) < last + 3:
            time.sleep(0.001)
        self._stop.set()
        self._thread.join()

    @property
    def gap(self) -> float:
        answered = [when for when, body in self.seen if body is not None]
        return max(after - before for before, after in itertools.pairwise(answered))


def test_first_deployment_then_nothing_to_do_then_a_swap(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    first = go(make("1"), image)
    assert first.error is None
    assert first.service is not None
    assert ask(first.service.address) == "1"
    assert not first.replaced
    assert first.remarks == ()

    again = go(make("1"), image)
    assert again.service == first.service
    assert again.phases == ()

    second = go(make("2"), image, "k2")
    assert second.error is None
    assert second.replaced
    assert second.service is not None
    assert second.service.address == first.service.address
    assert second.service.id != first.service.id
    assert ask(second.service.address) == "2"
    assert names(docker_engine, project) == [project]
    labels = docker_engine.containers.get(project).labels
    assert {name: labels[f"io.layerdoit.{name}"] for name in ("project", "layer", "key", "deployment", "role")} == {
        "project": project,
        "layer": "app",
        "key": "k2",
        "deployment": project,
        "role": "serving",
    }


WAYS = pytest.mark.parametrize(("isolated", "expected"), [(True, "moved"), (False, "again")], ids=["moved", "again"])


@WAYS
def test_the_old_one_answers_until_the_new_one_does(
    docker_engine: Any,
    make: Make,
    image: str,
    project: str,
    isolated: bool,
    expected: str,
    record_property: Callable[[str, object], None],
) -> None:
    first = go(make("0", isolated_start=isolated), image, "k0")
    assert first.service is not None
    assert first.service.address is not None
    seconds, gaps = [], []
    for number in range(1, 6):
        deployment = make(str(number), isolated_start=isolated)
        with Poller(first.service.address) as poller:
            result = go(deployment, image, f"k{number}")
        assert result.error is None
        assert way(docker_engine, project) == expected
        bodies = [body for _, body in poller.seen if body is not None]
        assert bodies == sorted(bodies)
        assert {bodies[0], bodies[-1]} == {str(number - 1), str(number)}
        seconds.append(sum(spent for _, spent in result.phases))
        gaps.append(poller.gap)
        print(f"{expected} {number}: " + ", ".join(f"{name} {spent * 1000:.0f} ms" for name, spent in result.phases))
    figures = f"{expected}: cycle median {statistics.median(seconds):.3f} s, gap median {statistics.median(gaps):.3f} s"
    record_property("swap", figures)
    print(figures)


def test_an_image_without_a_port_is_replaced_too(docker_engine: Any, make: Make, image: str, project: str) -> None:
    for number in ("1", "2"):
        result = go(make(number, port=None, health={"path": None}), image, number)
        assert result.error is None
        unknown, remark = result.remarks
        assert unknown.startswith("nobody asked whether it is healthy")
        assert remark == f"it listens on port {PORT}, which is not published: add deploy: {{port: {PORT}}}"
    assert go(make(number, port=None, health={"path": None}), image, number).remarks == (), "nothing was done"
    assert names(docker_engine, project) == [project]
    assert sum(spent for name, spent in result.phases if name == "healthy") >= SETTLE


def test_health_by_command(make: Make, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_TIMEOUT", 30.0)  # the last look has to end, on a busy machine too
    assert go(make("1", health={"path": None, "command": ("/server", "check")}), image).error is None
    failed = go(
        make("2", health={"path": None, "command": ("/server", "check"), "timeout": 0.5}, env={"SICK": "1"}),
        image,
        "k2",
    )
    assert "/server check: exit code 1" in str(failed.error)


def test_health_by_open_port_waits_for_it(
    make: Make, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = looks(monkeypatch, tmp_path / "go")
    env, volumes = {"WAITS": "/data/go"}, (f"{tmp_path}:/data",)
    result = go(make("1", health={"path": None}, env=env, volumes=volumes), image)
    assert result.error is None
    assert found[0] is not None
    assert found[-1] is None
    assert result.service is not None
    assert ask(result.service.address) == "1"


@pytest.mark.parametrize(
    ("env", "says"),
    [({"EXIT": "3"}, ["exit code 3", "giving up"]), ({"SICK": "1"}, ["not healthy within 3 s", "503", "listening"])],
    ids=["ends early", "never healthy"],
)
def test_a_bad_release_leaves_the_old_one_serving(
    docker_engine: Any, make: Make, image: str, project: str, env: dict[str, str], says: list[str]
) -> None:
    first = go(make("1"), image)
    second = go(make("2"), image, "k2")
    assert first.service is not None
    assert second.service is not None
    # A late answer is an answer.
    with Poller(first.service.address or "", timeout=30) as poller:
        failed = go(make("3", env=env, health={"timeout": 3 if "SICK" in env else 60}), image, "k3")
    assert {body for _, body in poller.seen} == {"2"}
    assert failed.failed_in == "healthy"
    assert all(word in str(failed.error) for word in says)
    assert failed.service == second.service
    assert names(docker_engine, project) == [project]


def test_a_bad_first_release_leaves_nothing(docker_engine: Any, make: Make, image: str, project: str) -> None:
    failed = go(make("1", env={"EXIT": "4"}), image)
    assert "exit code 4" in str(failed.error)
    assert failed.service is None
    assert names(docker_engine, project) == []
    assert docker_engine.networks.list(filters={"label": f"io.layerdoit.project={project}"}) == []


@WAYS
def test_a_final_container_that_fails_puts_the_old_one_back(
    docker_engine: Any, make: Make, image: str, project: str, isolated: bool, expected: str
) -> None:
    """It is healthy at its own address, but not where users find it."""
    first = go(make("1"), image)
    assert first.service is not None
    before = docker_engine.containers.get(project).attrs["State"]["StartedAt"]
    env = {"SICK_AT": "127.0.0.1"}
    # Before, it has as long to become healthy.
    failed = go(make("2", health={"timeout": 4}, env=env, isolated_start=isolated), image, "k2")
    assert failed.failed_in == "swap"
    assert "503" in str(failed.error)
    assert "listening" in str(failed.error)
    assert ask(first.service.address) == "1"
    assert names(docker_engine, project) == [project]
    assert docker_engine.containers.get(project).attrs["State"]["StartedAt"] == before, "the old one was never stopped"


def test_a_service_that_needs_the_way_out_at_its_start(
    docker_engine: Any, make: Make, image: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the internal network it ends at once; the second way serves it, and is remembered."""
    go(make("1"), image)
    gateway = docker_engine.networks.get(f"layerdoit-{project}").attrs["IPAM"]["Config"][0]["Gateway"]
    with socket.create_server((gateway, 0)) as peer:
        env = {"NEEDS": f"{gateway}:{peer.getsockname()[1]}"}
        result = go(make("2", env=env), image, "k2")
        assert result.error is None, result.error
        assert way(docker_engine, project) == "again"
        assert result.service is not None
        assert ask(result.service.address) == "2"
        created: list[str] = []
        create = Containers.create

        def noted(containers: Containers, spec: Spec) -> Container:
            created.append(spec.name)
            return create(containers, spec)

        monkeypatch.setattr(Containers, "create", noted)
        assert go(make("2", env=env), image, "k3").error is None
        assert created == [f"{project}-try", f"{project}-next"], "no attempt on the internal network"
    assert names(docker_engine, project) == [project]


def test_an_engine_without_addresses_for_the_isolated_network(
    docker_engine: Any, make: Make, image: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go(make("1"), image)
    ensure = Containers.ensure_network

    def refuse(containers: Containers, name: str, *, internal: bool) -> None:
        if internal:
            raise NoNetwork("no addresses are left")
        ensure(containers, name, internal=internal)

    monkeypatch.setattr(Containers, "ensure_network", refuse)
    second = go(make("2"), image, "k2")
    assert second.error is None
    assert (way(docker_engine, project), names(docker_engine, project)) == ("again", [project])
    assert first.service is not None
    assert second.service is not None
    assert (second.service.address, ask(second.service.address)) == (first.service.address, "2")


def test_a_moved_service_has_the_way_out_after_the_swap(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    """It started on an internal network; afterwards it must be as well connected as one that started normally."""
    go(make("1"), image)
    go(make("2"), image, "k2")
    assert way(docker_engine, project) == "moved"
    gateway = docker_engine.networks.get(f"layerdoit-{project}").attrs["IPAM"]["Config"][0]["Gateway"]
    pid = docker_engine.containers.get(project).attrs["State"]["Pid"]
    assert list(docker_engine.containers.get(project).attrs["NetworkSettings"]["Networks"]) == [f"layerdoit-{project}"]
    routes = Path(f"/proc/{pid}/net/route")
    if not os.access(routes, os.R_OK):
        pytest.skip("may not look into the container")
    default = [line.split() for line in routes.read_text().splitlines()[1:] if line.split()[1] == "00000000"]
    assert [socket.inet_ntoa(int(line[2], 16).to_bytes(4, "little")) for line in default] == [gateway]
