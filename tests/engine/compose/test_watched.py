"""A service of a compose file that a watch keeps: started under the supervisor, replaced like any other, put right."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from layerdoit.core.errors import LayerdoitError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.deploy.live import CONTROL, PROGRAMS, SUPERVISOR, Live
from layerdoit.deploy.provider import Release
from layerdoit.engine import live_volumes
from layerdoit.engine.live_volumes import File
from tests.engine.compose.composing import Project
from tests.engine.deploy.cycling import ask
from tests.support.ports import PORT, free_port

SERVICES = f"""
services:
  web:
    build: .
    ports: ["127.0.0.1:FIXED:{PORT}"]
    command: [serve, "$$PRICE"]
    init: true
    read_only: true
    user: "1000"
    stop_signal: SIGINT
  worker: {{build: .}}
"""


@pytest.fixture(scope="module")
def programs(docker_engine: Any, image: str) -> Iterator[list[str]]:
    """Two images with the server where images of ours have their programs; in the second one it is a byte longer."""
    source = docker_engine.containers.create(image)
    packed = io.BytesIO(b"".join(source.get_archive("/server")[0]))
    source.remove()
    with tarfile.open(fileobj=packed) as old:
        server = old.extractfile("server")
        assert server is not None
        content = server.read()
    names = [imported(docker_engine, content), imported(docker_engine, content + b"\0")]
    yield names
    for name in names:
        docker_engine.images.remove(name, force=True)


def imported(engine: Any, server: bytes) -> str:
    name = f"layerdoit-test-server:{uuid.uuid4().hex[:8]}"
    repository, tag = name.split(":")
    packed = live_volumes.packed(PROGRAMS, [File("server", server, 0o755)])
    changes = [f'ENTRYPOINT ["{PROGRAMS}/server"]', 'CMD ["of-image"]']
    engine.api.import_image_from_data(packed, repository=repository, tag=tag, changes=changes)
    return name


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("live") / "live"
    subprocess.run([compiler, "-O2", "-static", "-o", made, dockerfile_dir() / "live.c"], check=True)
    return made.read_bytes()


@pytest.fixture
def watched(composed: Project, programs: list[str], docker_engine: Any) -> Iterator[Project]:
    composed.image = programs[0]
    yield composed
    for container in composed.containers().values():
        container.remove(force=True, v=True)
    for volume in docker_engine.volumes.list(filters={"label": f"io.layerdoit.project={composed.name}"}):
        volume.remove()


def volumes(project: Project) -> set[str]:
    found = project.engine.volumes.list(filters={"label": f"io.layerdoit.project={project.name}"})
    return {one.name for one in found}


def fill(project: Project, live: Live, supervisor: bytes) -> None:
    """As a workshop does it, before there is a container."""
    live_volumes.ensure([live.control], project.name, project.make().settings.owner, live.watch)
    files = [File("", None, 0o1777), File("live", supervisor, 0o755)]
    live_volumes.fill_volume(live.control, project.image, CONTROL, files)


def size(container: Any) -> int:
    """Of the program as the container has it, in bytes."""
    return int(container.get_archive(f"{PROGRAMS}/server")[1]["size"])


def started(container: Any) -> list[str]:
    return [container.attrs["Path"], *container.attrs["Args"]]


def web(project: Project) -> Any:
    (one,) = project.containers("web").values()
    return one


def refusal(project: Project, live: Live, **changes: Any) -> str:
    with pytest.raises(LayerdoitError) as caught:
        project.make(live=live, compose={"service": "web"}, **changes).check(Release(project.image, "k1"))
    return str(caught.value)


def test_a_watch_keeps_a_service(watched: Project, programs: list[str], supervisor: bytes) -> None:
    port, live = free_port(), Live(f"w{uuid.uuid4().hex[:6]}")
    watched.write(SERVICES.replace("FIXED", str(port)))
    options: dict[str, Any] = {"compose": {"service": "web"}, "live": live}
    fill(watched, live, supervisor)
    first = watched.go("1", **options)
    assert first.error is None
    assert ask(f"127.0.0.1:{port}") == "1"
    assert volumes(watched) == {live.control, live.programs(watched.name)}
    old = web(watched)
    watch, _, token = old.labels["io.layerdoit.live"].partition("/")
    program = [f"{PROGRAMS}/server", "serve", "$PRICE"]
    assert started(old) == [SUPERVISOR, f"{CONTROL}/{token}", "SIGINT", "--", *program]
    assert (watch, old.attrs["HostConfig"]["Init"], old.attrs["HostConfig"]["ReadonlyRootfs"]) == (
        live.watch,
        False,
        True,
    )
    assert old.exec_run([SUPERVISOR, "ask", f"{CONTROL}/{token}", "state"]).output.startswith(b"running ")
    # Who runs the same image does so as ever.
    worker = watched.containers("worker").popitem()[1]
    assert (started(worker), worker.attrs["Mounts"]) == ([f"{PROGRAMS}/server", "of-image"], [])
    assert watched.go("1", **options).phases == ()
    # With the programs of its own image, though the volume has those of the old one, which come back where it fails.
    before, watched.image = size(old), programs[1]
    bad = watched.go("3", env={"EXIT": "3"}, **options)
    assert "ended with exit code 3" in str(bad.error)
    assert (web(watched).id, size(old)) == (old.id, before)
    second = watched.go("2", **options)
    assert (second.error, ask(f"127.0.0.1:{port}"), size(web(watched))) == (None, "2", before + 1)
    assert web(watched).labels["io.layerdoit.live"] != old.labels["io.layerdoit.live"]
    # Whatever is ordinary takes its place, though nothing else differs, and leaves nothing of the watch.
    ordinary = watched.go("2", compose={"service": "web"})
    assert (ordinary.error, ordinary.replaced, volumes(watched)) == (None, True, set())
    assert (started(web(watched)), web(watched).attrs["Mounts"]) == (program, [])
    assert web(watched).attrs["HostConfig"]["Init"] is True
    fill(watched, live, supervisor)
    assert watched.go("3", **options).error is None
    watched.make(compose={"service": "web"}).destroy()
    assert volumes(watched) == set()


def test_what_a_watch_cannot_keep(watched: Project) -> None:
    live = Live("never")
    watched.write("services:\n  web:\n    build: .\n    volumes:\n    - ./bin:/usr/local/bin/\n")
    said = refusal(watched, live)
    assert said.startswith(
        "compose.yaml:5: web mounts something at /usr/local/bin, where a watch puts the programs\nnext: "
    )
    watched.write("services:\n  web:\n    build: .\n    deploy: {replicas: 2}\n")
    said = refusal(watched, live)
    assert said.startswith("compose.yaml:5: web has 2 containers at once, and a watch keeps one\nnext: ")
    watched.write(f"services:\n  web: {{build: ., volumes: ['./x:{PROGRAMS}/server']}}\n")
    hidden = watched.go("1", compose={"service": "web"}, live=live)
    assert f"web mounts something at {PROGRAMS}/server, over the program of the image" in str(hidden.error)
    assert watched.containers() == {}
