"""Builders that are not the engine's own, for the tests of one worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import buildkitd
from tests.support.buildkitd import Daemon


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """A BuildKit on a unix socket, and no builders but those of the test."""
    with buildkitd.own_builders(), buildkitd.running() as found:
        yield found


@pytest.fixture(scope="module")
def farm(daemon: Daemon) -> str:
    """A builder on it: its name."""
    return daemon.builder("farm")
