"""Builders that are not the engine's own, for the tests of one worker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from layerdoit.engine.broker import bootstrap_os
from tests.support import buildkitd
from tests.support.buildkitd import Daemon


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A BuildKit on a unix socket, and no builders but those of the test."""
    with buildkitd.own_builders(), buildkitd.running() as found:
        yield found


@pytest.fixture(scope="module")
def contained(farm: str, docker_engine: Any) -> Iterator[str]:
    """A builder in a container of the engine: its name."""
    assert farm
    with buildkitd.in_container(f"lt-{uuid.uuid4().hex[:8]}", bootstrap_os("trixie")) as found:
        yield found


@pytest.fixture(scope="module")
def farm(daemon: Daemon) -> str:
    """A builder on it: its name."""
    return daemon.builder("farm")
