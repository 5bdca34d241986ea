"""Projects to try doit in; nothing is left of them on the engine."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import remove_mounts
from tests.support.scratch import Crate, docker, make_crate, remove_containers, same_project


@contextmanager
def project(folder: Path, mounts_left: list[str]) -> Iterator[Crate]:
    """A project of its own on the engine; nothing is left of it but its mounts, which are noted."""
    crate = make_crate(folder, f"ldt-cli-{uuid.uuid4().hex[:8]}")
    try:
        yield crate
    finally:
        remove_containers(crate)
        mounts_left.append(crate.name)
        for image in set(docker("image", "ls", "--quiet", *crate.mine()).split()):
            docker("image", "rm", "--force", image)


@pytest.fixture(scope="session")
def built(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crate]:
    """One project for the whole session whose image is built: what copies of the tree need is there."""
    left: list[str] = []
    with project(tmp_path_factory.mktemp("built"), left) as crate:
        crate.doit().ok()
        yield crate
    remove_mounts(left)


@pytest.fixture
def crate(built: Crate, tmp_path: Path) -> Iterator[Crate]:
    """A fresh copy of the built project, in a folder of its own; its containers are removed at the end."""
    copy = make_crate(tmp_path / "hello", built.name)
    same_project(copy.folder, built.folder)
    yield copy
    remove_containers(built)


@pytest.fixture
def own(docker_engine: Any, tmp_path: Path, mounts_left: list[str]) -> Iterator[Crate]:
    """A project of which nothing is built yet, for tests that remove images."""
    with project(tmp_path / "own", mounts_left) as crate:
        yield crate


@pytest.fixture
def plain(tmp_path: Path) -> Crate:
    """A project for commands that need no engine."""
    return make_crate(tmp_path / "hello", "hello")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of this machine that another process has."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield int(holder.getsockname()[1])
