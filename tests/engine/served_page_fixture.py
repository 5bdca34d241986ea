"""A page in an image, as a test asks for it: files, settings, a container, and what a browser would get of it."""

from __future__ import annotations

import http.client
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from layerdoit.components import static_page
from layerdoit.config import Image
from layerdoit.config.served_settings import PORT, packages
from layerdoit.config.services_section import Static
from layerdoit.core.resources import dockerfile_dir
from layerdoit.dockerfile import nginx_conf
from layerdoit.engine import broker, buildx

SUITE = "trixie"


class Answer(NamedTuple):
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Served(NamedTuple):
    """A container of a page. `address`: where it is reached from here."""

    container: Any
    address: str

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """One request; of a header's name, `_` is `-`."""
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): one for name, one in headers.items()})
            found = connection.getresponse()
            return Answer(found.status, {name.lower(): one for name, one in found.getheaders()}, found.read())
        finally:
            connection.close()


def built(build: buildx.Build, text: str, folder: Path) -> str:
    """Build it; the tag."""
    build.dockerfile.write_text(text, encoding="utf-8")
    with open(folder / "log", "a", encoding="utf-8") as log:
        buildx.run(build, log)
    return build.tags[0]


def runtime_image(engine: Any, folder: Path) -> Iterator[str]:
    """A runtime image with what a page needs."""
    tag = f"lt-page-runtime:{uuid.uuid4().hex[:8]}"
    context = folder / "context"
    context.mkdir()
    bundle = os.environ.get("SSL_CERT_FILE", "")
    build = buildx.Build(
        "runtime",
        context / "Dockerfile",
        context,
        [tag],
        {},
        {
            "OS_IMAGE": broker.bootstrap_os(SUITE),
            "RUNTIME_PACKAGES": " ".join(packages(SUITE)),
            "APP_USER": "app",
        },
        target="runtime",
        secrets={"ca": Path(bundle)} if bundle and Path(bundle).is_file() else {},
    )
    built(build, (dockerfile_dir() / "Dockerfile.base").read_text(), folder)
    yield tag
    engine.images.remove(tag, force=True)


Serve = Callable[..., Served]


def server(engine: Any, runtime: str, folder: Path) -> Iterator[Serve]:
    """`serve(files, settings)`: a container of a page, and its image; both are gone afterwards."""
    made: list[Any] = []
    tags: list[str] = []

    def serve(files: Mapping[str, bytes], settings: Static | None = None, **run: Any) -> Served:
        tag = page_image(files, runtime, folder / uuid.uuid4().hex[:6], settings)
        tags.append(tag)
        container = engine.containers.run(tag, detach=True, **{"init": True, **run})
        made.append(container)
        return Served(container, f"{address_of(container)}:{PORT}")

    try:
        yield serve
    finally:
        for one in made:
            one.remove(force=True)
        for tag in tags:
            engine.images.remove(tag, force=True)


def page_image(
    files: Mapping[str, bytes], runtime: str, folder: Path, settings: Static | None = None, port: int = PORT
) -> str:
    """The image of a page with these files; its tag."""
    settings = settings or Static()
    output = folder / "output"
    for path, content in files.items():
        (output / path).parent.mkdir(parents=True, exist_ok=True)
        (output / path).write_bytes(content)
    page = static_page.Page(static_page.files_of(output), nginx_conf.conf(settings, port), Image(), settings.compress)
    tag = f"lt-page:{uuid.uuid4().hex[:8]}"
    return built(*static_page.build(page, folder / "context", runtime, tag, {}), folder)


def address_of(container: Any) -> str:
    """The address of a container in its network, once it answers there."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        container.reload()
        if container.status == "exited":
            raise AssertionError(container.logs().decode())
        found = next((one["IPAddress"] for one in container.attrs["NetworkSettings"]["Networks"].values()), "")
        if found and _answers(found):
            return str(found)
        time.sleep(0.02)
    raise AssertionError("it does not answer")


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, PORT, timeout=1)
    try:
        connection.request("HEAD", "/")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True


@pytest.fixture(scope="session")
def page_runtime(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from runtime_image(docker_engine, tmp_path_factory.mktemp("page-runtime"))


@pytest.fixture
def serve(docker_engine: Any, page_runtime: str, tmp_path: Path) -> Iterator[Serve]:
    yield from server(docker_engine, page_runtime, tmp_path)
