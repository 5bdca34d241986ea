"""What the tests of live containers share: the supervisor, images of programs, and what a workshop would do."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import uuid
from typing import Any

import pytest

from layerdoit.core.resources import dockerfile_dir
from layerdoit.deploy.live import CONTROL, PROGRAMS, SUPERVISOR, Live
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine import live_volumes, sdk
from layerdoit.engine.api import endpoint
from layerdoit.engine.live_volumes import File


@pytest.fixture(scope="session")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("live") / "live"
    subprocess.run([compiler, "-O2", "-static", "-o", made, dockerfile_dir() / "live.c"], check=True)
    return made.read_bytes()


def server_of(engine: Any, image: str) -> bytes:
    """The program of the image of one file."""
    source = engine.containers.create(image)
    packed = io.BytesIO(b"".join(source.get_archive("/server")[0]))
    source.remove()
    with tarfile.open(fileobj=packed) as old:
        server = old.extractfile("server")
        assert server is not None
        return server.read()


def imported(engine: Any, server: bytes, *changes: str) -> str:
    """An image with a server where images of ours have their programs."""
    name = f"layerdoit-test-server:{uuid.uuid4().hex[:8]}"
    repository, tag = name.split(":")
    packed = live_volumes.packed(PROGRAMS, [File("server", server, 0o755)])
    whole = [f'ENTRYPOINT ["{PROGRAMS}/server"]', *changes]
    engine.api.import_image_from_data(packed, repository=repository, tag=tag, changes=whole)
    return name


def opened(live: Live, settings: DeploySettings, image: str, supervisor: bytes) -> None:
    """As a workshop does it, before there is a container."""
    live_volumes.ensure([live.control], settings.project, settings.owner, live.watch)
    files = [File("", None, 0o1777), File("live", supervisor, 0o755), File("ahead", None, 0o1777)]
    api = sdk.low_level(endpoint(), 60)
    made = api.create_container(image, ["-"], host_config=api.create_host_config(binds=[f"{live.control}:{CONTROL}"]))
    live_volumes.fill(made["Id"], CONTROL, files)
    api.remove_container(made["Id"])


def told(container: Any, command: str) -> str:
    """What the supervisor of a live container answers."""
    token = container.labels["io.layerdoit.live"].partition("/")[2]
    words = [SUPERVISOR, "ask", f"{CONTROL}/{token}", *command.split()]
    return str(container.exec_run(words, user="12345").output.decode().strip())


def volumes(engine: Any, project: str) -> set[str]:
    found = engine.volumes.list(filters={"label": f"io.layerdoit.project={project}"})
    return {one.name for one in found}
