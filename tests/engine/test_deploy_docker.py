"""Replacing a container on a real engine: what serves, what is left, and how long nobody answers."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit import cycle
from layerdoit.deploy import docker as deploy_docker
from layerdoit.deploy.base import DeployConfig, Release
from layerdoit.deploy.docker import DockerDeployment
from layerdoit.errors import ConfigError, DeployError

pytestmark = pytest.mark.engine

SERVER = r"""
use std::{env, io::{Read, Write}, net::{TcpListener, TcpStream}, process::exit, thread, time::Duration};
fn arg(name: &str) -> Option<String> { env::var(name).ok() }
fn main() {
    println!("starting {}", arg("VERSION").unwrap_or_default());
    if let Some(peer) = arg("NEEDS") {
        // Something outside that must answer before this service can start.
        if TcpStream::connect_timeout(&peer.parse().unwrap(), Duration::from_secs(1)).is_err() {
            println!("cannot reach {peer}");
            exit(9);
        }
    }
    if let Some(code) = arg("EXIT") { println!("giving up"); exit(code.parse().unwrap()); }
    if let Some(ms) = arg("DELAY") { thread::sleep(Duration::from_millis(ms.parse().unwrap())); }
    if let Some("check") = env::args().nth(1).as_deref() { exit(if arg("SICK").is_some() { 1 } else { 0 }); }
    let sick = arg("SICK").is_some();
    let listener = TcpListener::bind("0.0.0.0:8080").unwrap();
    println!("listening");
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut buffer = [0u8; 2048];
        let _ = stream.read(&mut buffer);
        let body = arg("VERSION").unwrap_or_default();
        let status = if sick { "503 Sick" } else { "200 OK" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
}
"""


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    docker = pytest.importorskip("docker")
    try:
        made = docker.from_env()
        made.ping()
    except docker.errors.DockerException:
        pytest.skip("no Docker engine answers")
    yield made
    made.close()


@pytest.fixture(scope="session")
def image(client: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in an image of one file: no network, no registry."""
    rustc = shutil.which("rustc") or shutil.which("rustc", path=str(Path.home() / ".cargo/bin"))
    if rustc is None:
        pytest.skip("no rustc")
    folder = tmp_path_factory.mktemp("server")
    (folder / "server.rs").write_text(SERVER)
    command = [rustc, "--edition=2021", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "server.rs"]
    subprocess.run(command, cwd=folder, check=True)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder / "server", arcname="server")
    name = f"layerdoit-test-server:{uuid.uuid4().hex[:8]}"
    repository, tag = name.split(":")
    client.api.import_image_from_data(
        packed.getvalue(), repository=repository, tag=tag, changes=['ENTRYPOINT ["/server"]']
    )
    yield name
    client.images.remove(name, force=True)


@pytest.fixture
def project(client: Any) -> Iterator[str]:
    name = f"ldt-{uuid.uuid4().hex[:8]}"
    yield name
    filters = {"label": f"io.layerdoit.project={name}"}
    for container in client.containers.list(all=True, filters=filters):
        container.remove(force=True)
    for network in client.networks.list(filters=filters):
        network.remove()


Make = Callable[..., DockerDeployment]


@pytest.fixture
def make(project: str, image: str) -> Make:
    def build(version: str = "1", **changes: Any) -> DockerDeployment:
        env = {"VERSION": version, **changes.pop("env", {})}
        settings = {"name": project, "port": 8080, "health_path": "/", "health_timeout": 10, "env": env, **changes}
        return DockerDeployment(project, DeployConfig(**settings))

    return build


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


def names(client: Any, project: str) -> list[str]:
    found = client.containers.list(all=True, filters={"label": f"io.layerdoit.project={project}"})
    return sorted(container.name for container in found)


class Poller:
    """Asks all the time from a thread of its own; `gap` is the longest time without an answer."""

    def __init__(self, address: str) -> None:
        self.seen: list[tuple[float, str | None]] = []
        self._stop = threading.Event()
        self._address = address
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.seen.append((time.perf_counter(), ask(self._address, timeout=0.5)))

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
        return max(after - before for before, after in zip(answered, answered[1:], strict=False))


# --- the way it should go --------------------------------------------------------------------------------------------


def test_first_deployment_then_nothing_to_do_then_a_swap(client: Any, make: Make, image: str, project: str) -> None:
    first = go(make("1"), image)
    assert first.error is None
    assert first.service is not None
    assert ask(first.service.address) == "1"
    assert not first.replaced

    again = go(make("1"), image)
    assert again.service == first.service
    assert [name for name, _ in again.phases] == ["build"]

    second = go(make("2"), image, "k2")
    assert second.error is None
    assert second.replaced
    assert second.service is not None
    assert second.service.address == first.service.address
    assert second.service.id != first.service.id
    assert ask(second.service.address) == "2"
    assert names(client, project) == [project]
    labels = client.containers.get(project).labels
    assert {name: labels[f"io.layerdoit.{name}"] for name in ("project", "layer", "key", "deployment", "role")} == {
        "project": project,
        "layer": "app",
        "key": "k2",
        "deployment": project,
        "role": "serving",
    }


@pytest.mark.parametrize("way", ["moved", "again"])
def test_swaps_are_quick_and_the_old_one_answers_nearly_all_the_time(
    make: Make, image: str, monkeypatch: pytest.MonkeyPatch, way: str, record_property: Callable[[str, object], None]
) -> None:
    if way == "again":
        chosen = DockerDeployment._choose_way
        monkeypatch.setattr(
            DockerDeployment, "_choose_way", lambda *a: "again" if chosen(*a) == "moved" else chosen(*a)
        )
    first = go(make("0"), image, "k0")
    assert first.service is not None
    assert first.service.address is not None
    seconds, gaps = [], []
    for number in range(1, 6):
        deployment = make(str(number))
        with Poller(first.service.address) as poller:
            result = go(deployment, image, f"k{number}")
        assert result.error is None
        assert deployment._way == way
        bodies = [body for _, body in poller.seen if body is not None]
        assert bodies == sorted(bodies)
        assert {bodies[0], bodies[-1]} == {str(number - 1), str(number)}
        seconds.append(sum(spent for _, spent in result.phases))
        gaps.append(poller.gap)
        print(f"{way} {number}: " + ", ".join(f"{name} {spent * 1000:.0f} ms" for name, spent in result.phases))
    figures = f"{way}: cycle median {statistics.median(seconds):.3f} s, gap median {statistics.median(gaps):.3f} s"
    record_property("swap", figures)
    print(figures)
    assert statistics.median(gaps) < 1.5


def test_an_image_without_a_port_is_replaced_too(client: Any, make: Make, image: str, project: str) -> None:
    for number in ("1", "2"):
        result = go(make(number, port=None, health_path=None), image, number)
        assert result.error is None
    assert names(client, project) == [project]
    assert sum(spent for name, spent in result.phases if name == "healthy") >= deploy_docker.SETTLE


def test_health_by_command(make: Make, image: str) -> None:
    assert go(make("1", health_path=None, health_command=("/server", "check")), image).error is None
    failed = go(make("2", health_command=("/server", "check"), env={"SICK": "1"}, health_timeout=0.5), image, "k2")
    assert "/server check: exit code 1" in str(failed.error)


def test_health_by_open_port_waits_for_it(make: Make, image: str) -> None:
    result = go(make("1", health_path=None, env={"DELAY": "400"}), image)
    assert result.error is None
    assert dict(result.phases)["healthy"] >= 0.3
    assert result.service is not None
    assert ask(result.service.address) == "1"


# --- the way it should not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "says"),
    [({"EXIT": "3"}, ["exit code 3", "giving up"]), ({"SICK": "1"}, ["not healthy within 1 s", "503", "listening"])],
    ids=["ends early", "never healthy"],
)
def test_a_bad_release_leaves_the_old_one_serving(
    client: Any, make: Make, image: str, project: str, env: dict[str, str], says: list[str]
) -> None:
    first = go(make("1"), image)
    second = go(make("2"), image, "k2")
    assert first.service is not None
    assert second.service is not None
    with Poller(first.service.address or "") as poller:
        started = time.monotonic()
        failed = go(make("3", env=env, health_timeout=1 if "SICK" in env else 60), image, "k3")
        assert time.monotonic() - started < 15
    assert {body for _, body in poller.seen} == {"2"}
    assert failed.exit_code != 0
    assert failed.failed_in == "healthy"
    assert all(word in str(failed.error) for word in says)
    assert failed.service == second.service
    assert names(client, project) == [project]


def test_a_bad_first_release_leaves_nothing(client: Any, make: Make, image: str, project: str) -> None:
    failed = go(make("1", env={"EXIT": "4"}), image)
    assert "exit code 4" in str(failed.error)
    assert failed.service is None
    assert names(client, project) == []


def test_a_final_container_that_fails_puts_the_old_one_back(
    client: Any, make: Make, image: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go(make("1"), image)
    assert first.service is not None
    before = client.containers.get(project).attrs["State"]["StartedAt"]

    def sick(*_: object) -> str:
        return "it does not answer"

    for way in ("moved", "again"):
        deployment = make("2", health_timeout=0.3)
        monkeypatch.setattr(deployment, "_choose_way", lambda *_, way=way: way)
        monkeypatch.setattr(deployment, "_probe_published", sick)
        failed = go(deployment, image, "k2")
        assert failed.failed_in == "swap"
        assert "listening" in str(failed.error)
        assert ask(first.service.address) == "1"
        assert names(client, project) == [project]
        assert client.containers.get(project).attrs["State"]["StartedAt"] == before, "the old one was never stopped"


def test_a_service_that_needs_the_way_out_at_its_start(client: Any, make: Make, image: str, project: str) -> None:
    """On the internal network it ends at once; the second way serves it, and is remembered."""
    go(make("1"), image)
    gateway = client.networks.get(f"layerdoit-{project}").attrs["IPAM"]["Config"][0]["Gateway"]
    with contextlib.closing(http.server_socket()) as peer:
        env = {"NEEDS": f"{gateway}:{peer.getsockname()[1]}"}
        deployment = make("2", env=env)
        result = go(deployment, image, "k2")
        assert result.error is None, result.error
        assert deployment._way == "again"
        assert result.service is not None
        assert ask(result.service.address) == "2"
        straight = make("2", env=env)
        assert go(straight, image, "k3").error is None
        assert straight._choose_way(straight._old, 8080) == "again" or straight._way == "again"
    assert names(client, project) == [project]
