"""What the tests of deployments share: a server in an image, and a project of which nothing is left."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from layerdoit.config import Config, Deploy, Health, Image
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.ownership import ANYONE
from tests.engine.deploy.cycling import Make
from tests.engine.static_program import program
from tests.support.ports import PORT

SERVER = r"""
use std::{env, io::{Read, Write}, net::{TcpListener, TcpStream, ToSocketAddrs}, process::exit, thread, time::Duration};
fn arg(name: &str) -> Option<String> { env::var(name).ok() }
fn main() {
    println!("starting {}", arg("VERSION").unwrap_or_default());
    if let Some(peer) = arg("NEEDS") {
        // Something outside that must answer before this service can start.
        let found = peer.to_socket_addrs().ok().and_then(|mut all| all.next());
        if found.is_none_or(|at| TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_err()) {
            println!("cannot reach {peer}");
            exit(9);
        }
    }
    if let Some(code) = arg("EXIT") { println!("giving up"); exit(code.parse().unwrap()); }
    if let Some(path) = arg("READS") {
        if let Err(error) = std::fs::read(&path) { println!("cannot read {path}: {error}"); exit(1); }
    }
    if let Some(name) = arg("ASKS") { arg(&name).unwrap_or_else(|| panic!("{name} must be set")); }
    // Until somebody puts the file there.
    if let Some(path) = arg("WAITS") {
        while !std::path::Path::new(&path).exists() { thread::sleep(Duration::from_millis(10)); }
    }
    if let Some(ms) = arg("DELAY") { thread::sleep(Duration::from_millis(ms.parse().unwrap())); }
    if let Some("check") = env::args().nth(1).as_deref() { exit(if arg("SICK").is_some() { 1 } else { 0 }); }
    let sick = arg("SICK").is_some();
    let only = arg("ONLY").map(|path| format!("GET {path} "));
    // Sick only for those who ask under this name.
    let sick_at = arg("SICK_AT").map(|host| format!("host: {host}:"));
    let listener = TcpListener::bind(arg("LISTEN").unwrap_or("0.0.0.0:8080".into())).unwrap();
    println!("listening");
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let mut buffer = [0u8; 2048];
        let read = stream.read(&mut buffer).unwrap_or(0);
        let asked = String::from_utf8_lossy(&buffer[..read]);
        let sick = sick || sick_at.as_ref().is_some_and(|host| asked.to_lowercase().contains(host));
        let body = arg("VERSION").unwrap_or_default();
        let lost = only.as_ref().is_some_and(|path| !asked.starts_with(path));
        if asked.starts_with("GET /slow ") {
            thread::spawn(move || {
                println!("thinking");
                thread::sleep(Duration::from_millis(arg("SLOW").unwrap().parse().unwrap()));
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            });
            continue;
        }
        if arg("LOGS").is_some() { println!("{} answered", asked.lines().next().unwrap_or_default()); }
        let status = if sick { "503 Sick" } else if lost { "404 Lost" } else { "200 OK" };
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close");
        let _ = write!(stream, "{head}\r\n\r\n{body}");
    }
}
""".replace("8080", str(PORT))


@pytest.fixture(scope="session")
def image(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in an image of one file: no network, no registry."""
    with server_image(docker_engine, tmp_path_factory.mktemp("server")) as name:
        yield name


@contextmanager
def server_image(engine: Any, folder: Path) -> Iterator[str]:
    """The image of the server, for as long as it is used."""
    server = program(SERVER, folder / "server")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(server, arcname="server")
    name = f"layerdoit-test-server:{uuid.uuid4().hex[:8]}"
    repository, tag = name.split(":")
    engine.api.import_image_from_data(
        packed.getvalue(), repository=repository, tag=tag, changes=['ENTRYPOINT ["/server"]']
    )
    yield name
    engine.images.remove(name, force=True)


@pytest.fixture
def project(docker_engine: Any) -> Iterator[str]:
    name = f"ldt-{uuid.uuid4().hex[:8]}"
    yield name
    filters = {"label": f"io.layerdoit.project={name}"}
    for container in docker_engine.containers.list(all=True, filters=filters):
        container.remove(force=True)
    for network in docker_engine.networks.list(filters=filters):
        network.remove()


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def make(project: str, image: str) -> Make:
    def build(version: str = "1", **changes: Any) -> DockerProvider:
        env = {"VERSION": version, **changes.pop("env", {})}
        health = Health(**{"path": "/", "timeout": 10, **changes.pop("health", {})})
        name, root = changes.pop("name", project), changes.pop("root", Path.cwd())
        owner, where = changes.pop("owner", ANYONE), changes.pop("where", {})
        source = changes.pop("source", "layerdoit.yaml")
        whole, files = changes.pop("whole", Config(image=Image(user="root", workdir="/"))), changes.pop("files", tuple)
        others = {name: changes.pop(name) for name in ("environment", "live", "pages") if name in changes}
        config = Deploy(**{"port": PORT, "health": health, "env": env, **changes})
        return DockerProvider(
            DeploySettings(config, name, project, root, owner, where, source, whole=whole, files=files, **others)
        )

    return build
