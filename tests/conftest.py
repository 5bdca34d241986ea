"""The engine that tests need, the order of test files beside each other, and Ctrl-C, which ends them all."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from typing import Any, Final

import pytest

from layerdoit.core.errors import Interrupted
from tests.support import durations, required

# --- what must be there ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Any]:
    """The engine; what needs it is skipped where none answers, or where buildx is missing."""
    docker = pytest.importorskip("docker")
    if shutil.which("docker") is None:
        pytest.skip("no docker on this machine")
    try:
        engine = docker.from_env()
        engine.ping()
    except docker.errors.DockerException:
        pytest.skip("no Docker engine answers")
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no docker buildx")
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def mounts_left(docker_engine: Any) -> Iterator[list[str]]:
    """Projects of tests that are over; what was compiled for them goes all at once."""
    from tests.support.checkout import remove_mounts

    projects: list[str] = []
    yield projects
    remove_mounts(projects)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a test that was skipped because something is missing has failed."""
    return required.judged((yield), os.environ)


# --- order -----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """`./test --record` passes this on."""
    parser.addoption("--record", action="store_true", help=f"write how long files took to {durations.FILE.name}")


_SECONDS: Final = pytest.StashKey[dict[str, float]]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All workers must have one order, also where another run writes down its durations while they start."""
    node.workerinput["seconds"] = node.config.stash.setdefault(_SECONDS, durations.load(node.config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What lasts longest comes first, lest one worker be left alone; a single process begins with milliseconds."""
    if hasattr(config, "workerinput"):
        seconds = config.workerinput.get("seconds", {})
        items.sort(key=lambda item: -seconds.get(durations.file_of(item.nodeid), 0.0))


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Workers report to the process that started them; that one notes how long files took.

    The user's own log of releases stays as it is, and what the user's shell names is not meant for tests.
    """
    folder = tempfile.mkdtemp(prefix="layerdoit-tests-")
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ["XDG_STATE_HOME"] = folder
    for name in ("ENV", "LOCAL_ONLY"):
        os.environ.pop(name, None)
    # Tests start Python thousands of times: where it may write no bytecode beside sources, each would compile them all.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", "")
    os.environ.setdefault("PYTHONPYCACHEPREFIX", f"{folder}/bytecode")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(durations.Recorder(config), "layerdoit-durations")


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


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
