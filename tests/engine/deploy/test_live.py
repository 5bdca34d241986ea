"""A container that a watch keeps: another program in it, judged anew, and an ordinary container in its place."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.live import CONTROL, PROGRAMS, SUPERVISOR, Live
from layerdoit.deploy.provider import KeepsLive, Release
from layerdoit.engine import live_volumes
from layerdoit.engine.live_volumes import File
from tests.engine.deploy.cycling import Make, ask, go, names
from tests.engine.live_fixture import imported, opened, server_of, told, volumes

ENV = {"VERSION": "1", "VERSIOM": "2"}
ENDS = '#include <stdio.h>\nint main(void) { puts("starting badly"); fputs("no database\\n", stderr); return 7; }\n'


@pytest.fixture(scope="module")
def servers(docker_engine: Any, image: str) -> Iterator[tuple[str, str]]:
    """Two images whose servers answer 1 and 2."""
    server = server_of(docker_engine, image)
    made = (imported(docker_engine, server), imported(docker_engine, server.replace(b"VERSION", b"VERSIOM")))
    yield made
    for name in made:
        docker_engine.images.remove(name, force=True)


@pytest.fixture
def live(docker_engine: Any, project: str) -> Iterator[Live]:
    yield Live(f"w{uuid.uuid4().hex[:8]}")
    for one in docker_engine.containers.list(all=True, filters={"label": f"io.layerdoit.project={project}"}):
        one.remove(force=True)
    for name in volumes(docker_engine, project):
        docker_engine.volumes.get(name).remove()


def ending(folder: Path) -> bytes:
    compiler = shutil.which("cc")
    assert compiler
    (folder / "ends.c").write_text(ENDS)
    subprocess.run([compiler, "-static", "-o", folder / "ends", folder / "ends.c"], check=True)
    return (folder / "ends").read_bytes()


def program(container: Any) -> bytes:
    packed = io.BytesIO(b"".join(container.get_archive(f"{PROGRAMS}/server")[0]))
    with tarfile.open(fileobj=packed) as tar:
        found = tar.extractfile("server")
        assert found is not None
        return found.read()


def swap(container: Any, content: bytes) -> str:
    """What a workshop does after an edit."""
    live_volumes.fill(container.id, PROGRAMS, [File("server", content, 0o755)])
    return told(container, "restart 3")


def runs() -> str | None:
    return None


class Kept:
    """A live deployment that has been started."""

    def __init__(self, engine: Any, make: Make, live: Live, images: tuple[str, str], supervisor: bytes) -> None:
        self.engine, self.live = engine, live
        self.image, self.new = images[0], server_of_image(engine, images[1])
        self.provider = make(env=ENV, live=live)
        self.name = self.provider.settings.name
        opened(live, self.provider.settings, self.image, supervisor)
        started = go(self.provider, self.image)
        assert started.error is None
        assert started.service is not None
        self.address = started.service.address
        found = self.provider.live()
        assert found is not None
        self.service = found

    @property
    def container(self) -> Any:
        return self.engine.containers.get(self.name)

    @property
    def answer(self) -> str | None:
        return ask(self.address)

    def edit(self, key: str = "k2") -> None:
        """A turn of a watch that ends well."""
        assert swap(self.container, self.new).startswith("started ")
        self.provider.judge(self.service, runs)
        assert told(self.container, "keep") == "kept"
        live_volumes.fill(self.service.id, CONTROL, [File(f"ahead/{self.name}", f"{key}\n".encode())])


@pytest.fixture
def kept(docker_engine: Any, make: Make, live: Live, servers: tuple[str, str], supervisor: bytes) -> Kept:
    return Kept(docker_engine, make, live, servers, supervisor)


def test_another_program_in_the_same_container(kept: Kept, tmp_path: Path) -> None:
    container, provider, service = kept.container, kept.provider, kept.service
    assert isinstance(provider, KeepsLive)
    token = container.labels["io.layerdoit.live"].partition("/")[2]
    words = [SUPERVISOR, f"{CONTROL}/{token}", "--", f"{PROGRAMS}/server"]
    assert [container.attrs["Path"], *container.attrs["Args"]] == words
    assert (container.attrs["HostConfig"]["Init"], kept.answer) == (False, "1")
    assert (service.token, service.watch, service.key) == (token, kept.live.watch, "k1")
    assert provider.status().live == "its image"
    assert go(provider, kept.image).phases == ()

    kept.edit()
    assert kept.answer == "2"
    assert provider.status().live == "ahead of its image"
    assert f"{kept.name} is kept by a watch; live: ahead of its image" in [*provider.changes(Release(kept.image, "k1"))]

    # One that ends: it is told with its own lines, and the one before serves again.
    swap(container, ending(tmp_path))
    assert told(container, "wait") == "ended 7"
    with pytest.raises(DeployError) as caught:
        provider.judge(service, lambda: "ended with exit code 7")
    first, _, *lines = caught.value.what.splitlines()
    assert first == f"the new program of {kept.name} ended with exit code 7 before it was healthy"
    assert {line.strip() for line in lines} == {"starting badly", "no database"}
    assert kept.container.status == "running"
    kept.edit()
    assert kept.answer == "2"

    provider.place(service, live_volumes.packed("/", [File("srv/page.html", b"page")]))
    assert b"page" in b"".join(container.get_archive("/srv/page.html")[0])
    # The image has no `rm`.
    with pytest.raises(DeployError, match="files cannot be removed"):
        provider.gone(service, ["/srv/page.html"])


def test_what_is_ahead_of_its_image_is_replaced(kept: Kept, make: Make, docker_engine: Any, supervisor: bytes) -> None:
    """By what a watch keeps, too; where that fails, the programs are there again that were."""
    provider, first, old = kept.provider, kept.container, program(kept.container)
    both = {kept.live.control, kept.live.programs(kept.name)}
    assert volumes(docker_engine, kept.name) == both
    kept.edit()
    bad = go(make(env={**ENV, "EXIT": "3"}, live=kept.live), kept.image)
    assert "ended with exit code 3" in str(bad.error)
    assert (kept.container.id, program(first), kept.answer) == (first.id, kept.new, "2")
    again = go(provider, kept.image)
    assert (again.error, again.replaced, kept.answer) == (None, True, "1")
    assert (program(kept.container), provider.status().live) == (old, "its image")
    assert volumes(docker_engine, kept.name) == both

    # Whatever is ordinary takes its place, and leaves nothing of the watch.
    plain = make(env=ENV)
    done = go(plain, kept.image)
    assert (done.error, done.replaced, kept.answer) == (None, True, "1")
    assert (plain.live(), plain.status().live) == (None, "")
    assert (names(docker_engine, kept.name), volumes(docker_engine, kept.name)) == ([kept.name], set())
    opened(kept.live, provider.settings, kept.image, supervisor)
    assert go(provider, kept.image).error is None
    plain.destroy()
    assert volumes(docker_engine, kept.name) == set()


def server_of_image(docker_engine: Any, image: str) -> bytes:
    source = docker_engine.containers.create(image)
    try:
        return program(source)
    finally:
        source.remove()


def test_an_image_whose_program_a_watch_cannot_replace(make: Make, image: str, live: Live, docker_engine: Any) -> None:
    provider: DockerProvider = make(live=live)
    refused = go(provider, image)
    assert refused.error is not None
    assert refused.error.what.endswith(f"runs /server, which is not in {PROGRAMS}: a watch cannot replace it")
    assert "ENTRYPOINT" in str(refused.error)
    assert volumes(docker_engine, provider.settings.project) == set()
