"""Replacing a container on a real engine: what serves, what is left, and how long nobody answers."""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import os
import shutil
import signal
import socket
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
from layerdoit.errors import ConfigError, DeployError, EngineError

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
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close");
        let _ = write!(stream, "{head}\r\n\r\n{body}");
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


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


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


def counted(function: Callable[..., Any], calls: list[object]) -> Callable[..., Any]:
    def wrapped(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return function(*args, **options)

    return wrapped


def test_a_service_that_needs_the_way_out_at_its_start(
    client: Any, make: Make, image: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the internal network it ends at once; the second way serves it, and is remembered."""
    go(make("1"), image)
    gateway = client.networks.get(f"layerdoit-{project}").attrs["IPAM"]["Config"][0]["Gateway"]
    with socket.create_server((gateway, 0)) as peer:
        env = {"NEEDS": f"{gateway}:{peer.getsockname()[1]}"}
        deployment = make("2", env=env)
        result = go(deployment, image, "k2")
        assert result.error is None, result.error
        assert deployment._way == "again"
        assert result.service is not None
        assert ask(result.service.address) == "2"
        straight = make("2", env=env)
        waits: list[object] = []
        monkeypatch.setattr(straight, "_await_healthy", counted(straight._await_healthy, waits))
        assert go(straight, image, "k3").error is None
        assert len(waits) == 2, "the throw-away container and the final one, no attempt on the internal network"
    assert names(client, project) == [project]


def test_a_moved_service_has_the_way_out_after_the_swap(client: Any, make: Make, image: str, project: str) -> None:
    """It started on an internal network; afterwards it must be as well connected as one that started normally."""
    go(make("1"), image)
    deployment = make("2")
    go(deployment, image, "k2")
    assert deployment._way == "moved"
    gateway = client.networks.get(f"layerdoit-{project}").attrs["IPAM"]["Config"][0]["Gateway"]
    pid = client.containers.get(project).attrs["State"]["Pid"]
    assert list(client.containers.get(project).attrs["NetworkSettings"]["Networks"]) == [f"layerdoit-{project}"]
    routes = Path(f"/proc/{pid}/net/route")
    if not os.access(routes, os.R_OK):
        pytest.skip("may not look into the container")
    default = [line.split() for line in routes.read_text().splitlines()[1:] if line.split()[1] == "00000000"]
    assert [socket.inet_ntoa(int(line[2], 16).to_bytes(4, "little")) for line in default] == [gateway]


# --- ports and names -------------------------------------------------------------------------------------------------


def test_the_first_free_port_is_leased_and_kept(make: Make, image: str) -> None:
    # Held now, so that the lease is another port than the first choice; free again for the second cycle.
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8080)))
        first = go(make("1"), image)
    assert first.service is not None
    assert int((first.service.address or "").rpartition(":")[2]) > 8080
    second = go(make("2"), image, "k2")
    assert second.service is not None
    assert second.service.address == first.service.address
    assert ask(second.service.address) == "2"


def test_two_deployments_lease_two_ports(make: Make, image: str, project: str) -> None:
    first = go(make("1"), image)
    other = go(make("2", name=f"{project}-other"), image)
    assert first.service is not None
    assert other.service is not None
    assert first.service.address != other.service.address
    assert (ask(first.service.address), ask(other.service.address)) == ("1", "2")


def test_port_taken_by_a_process_names_the_port_and_what_to_set(
    client: Any, make: Make, image: str, project: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as blocker:
        port = blocker.getsockname()[1]
        failed = go(make("1", publish=port), image)
    assert f"port {port} is taken by another process" in str(failed.error)
    assert "deploy.publish" in str(failed.error)
    assert names(client, project) == []


def test_port_taken_by_a_container_names_it(client: Any, make: Make, image: str, project: str) -> None:
    first = go(make("1"), image)
    assert first.service is not None
    port = int((first.service.address or "").rpartition(":")[2])
    failed = go(make("2", name=f"{project}-other", publish=port), image)
    assert f"port {port} is taken by the container {project}" in str(failed.error)
    assert names(client, project) == [project]


def test_a_port_lost_between_search_and_start_is_searched_again(
    make: Make, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go(make("1"), image)
    assert first.service is not None
    held = int((first.service.address or "").rpartition(":")[2])
    racing = make("2", name=f"{first.service.name}-other")
    monkeypatch.setattr(racing, "_choose_port", lambda _old: held)
    second = go(racing, image)
    assert second.error is None
    assert second.service is not None
    assert ask(second.service.address) == "2"
    assert second.service.address != first.service.address


def test_the_name_of_somebody_elses_container_is_respected(client: Any, make: Make, image: str, project: str) -> None:
    foreign = client.containers.create(image, name=project)
    try:
        failed = go(make("1"), image)
        assert "is taken by a container that is not of this deployment" in str(failed.error)
        assert "deploy.name" in str(failed.error)
        assert make("1").destroy() is False
        foreign.reload()
        assert names(client, project) == []
    finally:
        foreign.remove(force=True)


def test_the_host_network_is_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match="network: host"):
        make("1", network="host")


def test_a_missing_network_is_one_message(client: Any, make: Make, image: str, project: str) -> None:
    failed = go(make("1", network="layerdoit-test-none"), image)
    assert "layerdoit-test-none" in str(failed.error)
    assert names(client, project) == []


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

    def refuse(**_: object) -> None:
        # As the SDK reports it; the real thing would leave the SDK's socket to the garbage collector.
        raise NoConnection(f"('Connection aborted.', {reason!r})")

    deployment = make("1")
    monkeypatch.setattr(deployment._containers._api, "containers", refuse)
    failed = go(deployment, image)
    assert isinstance(failed.error, EngineError)
    assert says in str(failed.error)


def test_a_missing_image_is_one_message(make: Make) -> None:
    failed = go(make("1"), "layerdoit-test-none:none")
    assert isinstance(failed.error, DeployError)
    assert "layerdoit-test-none:none is not there" in str(failed.error)


# --- interrupted -----------------------------------------------------------------------------------------------------

DRIVER = """
import os, signal, sys
from layerdoit import cycle
from layerdoit.deploy.base import DeployConfig, Release
from layerdoit.deploy.docker import DockerDeployment
from layerdoit.engine.containers import Containers
project, image, way, limit, env = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]
changes = 0
def lethal(function):
    def wrapped(*args, **options):
        global changes
        result = function(*args, **options)
        changes += 1
        if changes == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped
for name in ("create", "start", "attach", "detach", "rename", "stop", "remove"):
    setattr(Containers, name, lethal(getattr(Containers, name)))
config = DeployConfig(project, 8080, health_path="/", env=dict(item.split("=") for item in env))
deployment = DockerDeployment(project, config)
if way == "again":
    deployment._choose_way = lambda *_: "again"
result = cycle.run(deployment, lambda: Release(image, "k2"), on_phase=lambda phase: print(phase, flush=True))
print(result.error, file=sys.stderr)
sys.exit(result.exit_code)
"""


def drive(project: str, image: str, way: str, limit: int, *env: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", DRIVER, project, image, way, str(limit), *env]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(argv, env=path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("way", "points"), [("moved", 9), ("again", 10)])
def test_kill_9_after_each_single_change_is_recovered(
    client: Any, make: Make, image: str, project: str, way: str, points: int
) -> None:
    seen = set()
    for point in range(1, points + 2):
        deployment = make("1")
        assert go(deployment, image, f"first {point}").error is None
        child = drive(project, image, way, point, "VERSION=2")
        child.communicate(timeout=60)
        assert child.returncode == (0 if point > points else -signal.SIGKILL), "the number of changes is known"
        next_run = make("1")
        with next_run.lock():
            next_run.recover()
        assert names(client, project) == [project]
        now = next_run.current()
        assert now is not None
        body = ask(now.address)
        assert body in ("1", "2")
        seen.add(body)
        assert next_run.recover() == (), "nothing is left to do"
    assert seen == {"1", "2"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_waiting_for_health(
    client: Any, make: Make, image: str, project: str, signum: signal.Signals
) -> None:
    first = go(make("1"), image)
    assert first.service is not None
    child = drive(project, image, "moved", 0, "VERSION=2", "SICK=1")
    assert child.stdout is not None
    assert [child.stdout.readline().strip() for _ in range(3)] == ["build", "start", "healthy"]
    child.send_signal(signum)
    _, said = child.communicate(timeout=30)
    assert child.returncode == 128 + signum
    assert "Traceback" not in said
    assert names(client, project) == [project]
    assert ask(first.service.address) == "1"


def test_two_cycles_at_once_take_turns(client: Any, image: str, project: str) -> None:
    children = [drive(project, image, "", 0, f"VERSION={number}") for number in range(3)]
    for child in children:
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0, said
    assert names(client, project) == [project]


# --- the user's side -------------------------------------------------------------------------------------------------


def test_status_logs_and_destroy(client: Any, make: Make, image: str, project: str) -> None:
    deployment = make("1")
    assert deployment.status().health == "not deployed"
    with pytest.raises(DeployError, match="is not deployed"):
        deployment.logs()
    assert go(deployment, image).error is None
    assert deployment.status().health == "healthy"
    assert list(deployment.logs()) == ["starting 1", "listening"]
    assert list(deployment.logs(tail=1)) == ["listening"]
    client.containers.get(project).kill()
    assert "exit code 137" in deployment.status().health
    assert deployment.destroy() is True
    assert names(client, project) == []
    assert client.networks.list(filters={"label": f"io.layerdoit.project={project}"}) == []
    assert deployment.destroy() is False


def test_a_stopped_service_is_replaced(client: Any, make: Make, image: str, project: str) -> None:
    first = go(make("1"), image)
    client.containers.get(project).kill()
    second = go(make("1"), image)
    assert first.service is not None
    assert second.service is not None
    assert second.service.id != first.service.id
    assert second.service.address == first.service.address
    assert ask(second.service.address) == "1"


def test_relative_volumes_are_the_projects(client: Any, image: str, project: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    config = DeployConfig(project, 8080, health_path="/", volumes=("./data:/data:ro",))
    assert go(DockerDeployment(project, config, root=tmp_path), image).error is None
    mounts = client.containers.get(project).attrs["Mounts"]
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
