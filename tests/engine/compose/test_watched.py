"""A service of a compose file that a watch keeps: started under the supervisor, replaced like any other, put right."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.deploy.compose.compose_program import ComposeProgram
from layerdoit.deploy.live import CONTROL, PROGRAMS, SUPERVISOR, Live
from layerdoit.deploy.provider import KeepsLive, Release
from layerdoit.engine import live_volumes
from layerdoit.engine.live_volumes import File
from tests.engine.compose.composing import Project
from tests.engine.deploy.cycling import ask
from tests.engine.live_fixture import imported, opened, server_of, told, volumes
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
    stop_grace_period: 2s
  worker: {{build: .}}
"""
PROGRAM = f"{PROGRAMS}/server"


@pytest.fixture(scope="module")
def programs(docker_engine: Any, image: str) -> Iterator[tuple[str, str, bytes]]:
    """Two images; the server of the second one, which is the third, is a byte longer."""
    server = server_of(docker_engine, image)
    longer = server + b"\0"
    names = [imported(docker_engine, one, 'CMD ["of-image"]') for one in (server, longer)]
    yield names[0], names[1], longer
    for name in names:
        docker_engine.images.remove(name, force=True)


@pytest.fixture
def watched(composed: Project, programs: tuple[str, str, bytes], docker_engine: Any) -> Iterator[Project]:
    composed.image = programs[0]
    yield composed
    for container in composed.containers().values():
        container.remove(force=True, v=True)
    for name in volumes(docker_engine, composed.name):
        docker_engine.volumes.get(name).remove()


def size(container: Any) -> int:
    """Of the program as the container has it, in bytes."""
    return int(container.get_archive(PROGRAM)[1]["size"])


def started(container: Any) -> list[str]:
    return [container.attrs["Path"], *container.attrs["Args"]]


def web(project: Project) -> Any:
    (one,) = project.containers("web").values()
    return one


def test_a_watch_keeps_a_service(
    watched: Project, programs: tuple[str, str, bytes], supervisor: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, live = free_port(), Live(f"w{uuid.uuid4().hex[:6]}")
    watched.write(SERVICES.replace("FIXED", str(port)))
    service: dict[str, Any] = {"compose": {"service": "web"}}
    options = {**service, "live": live}
    opened(live, watched.make(**options).settings, watched.image, supervisor)
    assert watched.go("1", **options).error is None
    assert ask(f"127.0.0.1:{port}") == "1"
    assert volumes(watched.engine, watched.name) == {live.control, live.programs(watched.name)}
    old = web(watched)
    watch, _, token = old.labels["io.layerdoit.live"].partition("/")
    assert started(old) == [SUPERVISOR, f"{CONTROL}/{token}", "SIGINT", "--", PROGRAM, "serve", "$PRICE"]
    assert (old.attrs["HostConfig"]["Init"], old.attrs["HostConfig"]["ReadonlyRootfs"]) == (False, True)
    # Who runs the same image does so as ever.
    worker = watched.containers("worker").popitem()[1]
    assert (started(worker), worker.attrs["Mounts"]) == ([PROGRAM, "of-image"], [])
    assert watched.go("1", **options).phases == ()

    # An edit: docker compose, which takes half a second, is not asked.
    with monkeypatch.context() as patched:
        patched.setattr(ComposeProgram, "resolved", None)
        provider = watched.make("1", **options)
        assert isinstance(provider, KeepsLive)
        kept = provider.live()
        assert kept is not None
        assert kept[:7] == (old.id, old.name, token, watch, "k1", f"http://127.0.0.1:{port}", 2.0)
        live_volumes.fill(old.id, PROGRAMS, [File("server", programs[2], 0o755)])
        assert told(old, "restart 2").startswith("started ")
        provider.judge(kept, lambda: None)
        assert told(old, "keep") == "kept"
        assert ask(f"127.0.0.1:{port}") == "1"
        live_volumes.fill(old.id, CONTROL, [File(f"ahead/{watched.name}", b"k2\n")])
        assert (provider.status().health, provider.status().live) == ("healthy", "ahead of its image")
    with pytest.raises(DeployError, match="web-1 has read_only: true: changed assets") as caught:
        provider.place(kept, live_volumes.packed("/", [File("srv/page.html", b"page")]))
    assert caught.value.where == "compose.yaml:9"

    # With the programs of its own image, though the volume has others; where it fails, these come back.
    bad = watched.go("1", env={"EXIT": "3"}, **options)
    assert "ended with exit code 3" in str(bad.error)
    assert (web(watched).id, size(old)) == (old.id, len(programs[2]))
    # What is ahead of its image does not serve as the image.
    again = watched.go("1", **options)
    assert (again.error, again.replaced, size(web(watched))) == (None, True, len(programs[2]) - 1)
    assert (watched.make("1", **options).status().live, ask(f"127.0.0.1:{port}")) == ("its image", "1")
    assert web(watched).labels["io.layerdoit.live"] != old.labels["io.layerdoit.live"]

    # Whatever is ordinary takes its place, though nothing else differs, and leaves nothing of the watch.
    ordinary = watched.go("1", **service)
    assert (ordinary.error, ordinary.replaced, volumes(watched.engine, watched.name)) == (None, True, set())
    assert (started(web(watched)), web(watched).attrs["Mounts"]) == ([PROGRAM, "serve", "$PRICE"], [])
    plain = watched.make("1", **service)
    assert (web(watched).attrs["HostConfig"]["Init"], plain.live(), plain.status().live) == (True, None, "")
    opened(live, plain.settings, watched.image, supervisor)
    assert watched.go("1", **options).error is None
    plain.destroy()
    assert volumes(watched.engine, watched.name) == set()


def test_what_a_watch_cannot_keep(watched: Project) -> None:
    options: dict[str, Any] = {"compose": {"service": "web"}, "live": Live("never")}

    def refused() -> str:
        with pytest.raises(LayerdoitError) as caught:
            watched.make(**options).check(Release(watched.image, "k1"))
        return str(caught.value)

    start = "services:\n  web:\n    build: .\n"
    watched.write(f"{start}    volumes:\n    - ./bin:{PROGRAMS}/\n")
    said = refused()
    assert said.startswith(f"compose.yaml:5: web mounts something at {PROGRAMS}, where a watch puts the programs\n")
    watched.write(f"{start}    deploy: {{replicas: 2}}\n")
    assert refused().startswith("compose.yaml:5: web has 2 containers at once, and a watch keeps one\nnext: ")
    watched.write(f"{start}    volumes: ['./x:{PROGRAM}']\n")
    hidden = watched.go("1", **options)
    assert f"web mounts something at {PROGRAM}, over the program of the image" in str(hidden.error)
    assert (watched.containers(), volumes(watched.engine, watched.name)) == ({}, set())
