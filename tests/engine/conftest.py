"""What the engine tests share: checkouts of a tiny workspace under names of their own, and their removal afterwards."""

from __future__ import annotations

import fcntl
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.engine import registry_lookup, registry_relatives
from layerdoit.flows.ensure import ensure
from tests.engine.cache_fixture import tool
from tests.engine.cycle_fixture import parents
from tests.engine.live_fixture import supervisor
from tests.engine.registry_fixture import official, registry
from tests.engine.second_engine_fixture import second_engine
from tests.engine.served_page_fixture import page_runtime, serve
from tests.support.checkout import Checkout
from tests.support.printing_workspace import TINY

# What takes long to make is made once, whichever files ask for it.
__all__ = ["official", "page_runtime", "parents", "registry", "second_engine", "serve", "supervisor", "tool"]


@pytest.fixture(scope="session", autouse=True)
def one_base_for_all(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Workers whose first builds begin at once would each bootstrap the system that all base images stand on."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    run = tmp_path_factory.getbasetemp().parent
    with open(run / "base.lock", "a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run / "base.there").exists():
            one = Checkout(tmp_path_factory.mktemp("base"), f"lt-base-{uuid.uuid4().hex[:8]}", docker_engine)
            one.write(TINY)
            one.configure()
            try:
                ensure(one.session(), "base")
            finally:
                one.remove()
            (run / "base.there").touch()


@pytest.fixture(autouse=True)
def registries_asked() -> None:
    """A registry that was too slow for one test is asked by the next one: a process remembers which it has given up."""
    registry_lookup._given_up.clear()
    registry_relatives._given_up.clear()


@pytest.fixture
def checkout(docker_engine: Any, mounts_left: list[str]) -> Iterator[Callable[..., Checkout]]:
    """`checkout(files)`: a checkout of the tiny workspace, or of other files; removed at the end with all it made."""
    made: list[Checkout] = []
    with tempfile.TemporaryDirectory(prefix="layerdoit-test-") as folder:

        def new(files: Mapping[str, str] | None = None, more: str = "") -> Checkout:
            name = f"lt-{uuid.uuid4().hex[:10]}"
            root = Path(folder).resolve() / name
            root.mkdir()
            one = Checkout(root, name, docker_engine)
            one.write(TINY if files is None else files)
            one.configure(more)
            made.append(one)
            return one

        try:
            yield new
        finally:
            for one in made:
                one.remove_images()
                mounts_left.append(one.name)
