"""Where buildx is found: as the docker client looks for it, and never past a `docker` that is somebody's script."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerdoit.engine import buildx_program

Put = Callable[[str, bytes], Path]
PROGRAM = b"\x7fELF\x02"
SCRIPT = b"#!/bin/sh\n"


@pytest.fixture(autouse=True)
def _unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(buildx_program, "_SYSTEM", (str(tmp_path / "system"),))
    buildx_program.buildx.cache_clear()
    yield
    buildx_program.buildx.cache_clear()


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def place(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
        return path

    return place


def test_the_plugin_that_docker_would_start(put: Put, tmp_path: Path) -> None:
    put("bin/docker", PROGRAM)
    system = put("system/docker-buildx", PROGRAM)
    assert buildx_program.buildx() == (str(system),)
    buildx_program.buildx.cache_clear()
    own = put("config/cli-plugins/docker-buildx", PROGRAM)
    assert buildx_program.buildx() == (str(own),)
    buildx_program.buildx.cache_clear()
    extra = put("extra/docker-buildx", PROGRAM)
    put("config/config.json", json.dumps({"cliPluginsExtraDirs": [str(tmp_path / "extra")]}).encode())
    assert buildx_program.buildx() == (str(extra),)


@pytest.mark.parametrize(
    "files",
    [
        {"bin/docker": SCRIPT, "system/docker-buildx": PROGRAM},
        {"bin/docker": PROGRAM, "system/docker-buildx": SCRIPT},
        {"bin/docker": PROGRAM},
        {"system/docker-buildx": PROGRAM},
        {"bin/docker": PROGRAM, "config/config.json": b"[]"},
    ],
)
def test_docker_is_asked_where_it_may_do_something_else(put: Put, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        put(name, content)
    assert buildx_program.buildx() == ("docker", "buildx")


def test_a_broken_configuration_is_dockers_to_complain_of(put: Put) -> None:
    put("bin/docker", PROGRAM)
    system = put("system/docker-buildx", PROGRAM)
    put("config/config.json", b"{")
    assert buildx_program.buildx() == (str(system),)
