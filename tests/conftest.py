"""Test files beside each other: what lasts longest comes first, lest one worker be left alone; Ctrl-C ends them all."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from layerdoit.core.errors import Interrupted

SECONDS: Final[Mapping[str, int]] = {
    "engine/test_cycles_ended.py": 220,
    "engine/test_stale.py": 200,
    "engine/test_broker.py": 100,
    "engine/test_deps.py": 95,
    "engine/test_secrets.py": 90,
    "engine/test_ended.py": 80,
    "engine/test_cycles.py": 75,
    "cli/test_errors.py": 70,
    "cli/test_tasks.py": 70,
    "engine/test_cycles_clearing.py": 60,
    "engine/test_bench.py": 60,
    "engine/test_secrets_git.py": 45,
    "engine/test_interrupt.py": 60,
    "engine/test_cooked.py": 60,
    "engine/test_explain.py": 60,
    "engine/test_cache_rebuild.py": 50,
    "engine/test_scripts.py": 50,
    "engine/test_check.py": 45,
    "engine/test_image.py": 45,
    "cli/test_layers.py": 45,
    "cli/test_cycle.py": 40,
    "cli/test_explain.py": 40,
    "engine/test_cache_policy.py": 35,
    "engine/test_cycles_foreign.py": 30,
    "engine/test_cache.py": 30,
    "engine/test_cache_left.py": 30,
    "engine/test_together.py": 30,
    "cli/test_cache.py": 30,
    "cli/test_doctor.py": 20,
    "engine/test_doctor.py": 20,
    "engine/deploy/test_swap.py": 20,
    "engine/deploy/test_ended.py": 25,
}
"""About how long files take, in seconds, one after the other on two cores. One that is not here comes at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only for workers: alone, it is good to know early what takes milliseconds."""
    if hasattr(config, "workerinput"):
        root = Path(__file__).parent
        items.sort(key=lambda item: -SECONDS.get(item.path.relative_to(root).as_posix(), 0))


@contextlib.contextmanager
def whole_run_ends() -> Iterator[None]:
    """Ctrl-C during a build in this process ends the test run, not only the test."""
    try:
        yield
    except Interrupted as error:
        if error.signum == signal.SIGINT:
            raise KeyboardInterrupt from error
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """As `whole_run_ends` says, in fixtures."""
    with whole_run_ends():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """As `whole_run_ends` says, in tests."""
    with whole_run_ends():
        return (yield)


PATIENCE: Final = 60.0
"""Seconds that interrupted workers have to take away what their tests made; pytest-xdist itself gives them five."""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After Ctrl-C, which they have received too, let workers clean up in peace; the next Ctrl-C ends them at once."""
    distributed = session.config.pluginmanager.get_plugin("dsession")
    if distributed is None or exitstatus != pytest.ExitCode.INTERRUPTED:
        return
    deadline = time.monotonic() + PATIENCE
    for worker in list(distributed._active_nodes):
        with contextlib.suppress(worker.channel.TimeoutError, worker.channel.RemoteError):
            worker.channel.waitclose(max(deadline - time.monotonic(), 0.0))
