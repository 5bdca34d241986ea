"""Cycles that are killed or interrupted, or that begin at once: one container serves in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.engine.deploy.cycling import Make, ask, go, names
from tests.engine.together_fixture import finish
from tests.support.ports import PORT

DRIVER = """
import signal, sys
from pathlib import Path
from layerdoit.config import Deploy, Health
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.docker.haproxy import Front
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.containers import Containers
from tests.support.lethal import lethal
project, image, way, limit, env = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]
changes = ("create", "start", "attach", "detach", "rename", "restart_as", "stop", "remove")
lethal(limit, signal.SIGKILL, {Containers: changes, Front: ["lead_to"]})
config = Deploy(
    port=8080, health=Health(path="/"), env=dict(item.split("=") for item in env), isolated_start=way != "again",
    gap="none" if way == "front" else "short",
)
provider = DockerProvider(DeploySettings(config, project, project, Path.cwd()))
result = provider.deploy(Release(image, "k2"), on_phase=lambda phase: print(phase, flush=True))
print(result.error, file=sys.stderr)
sys.exit(result.error.exit_code if result.error else 0)
""".replace("8080", str(PORT))


def drive(project: str, image: str, way: str, limit: int, *env: str) -> subprocess.Popen[str]:
    # What is started in the background ignores Ctrl-C, and so would all that it starts.
    argv = ["env", "--default-signal=INT", sys.executable, "-c", DRIVER, project, image, way, str(limit), *env]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(argv, env=path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0)


@pytest.mark.parametrize(("way", "points"), [("moved", 11), ("again", 12)])
def test_kill_9_after_each_single_change_is_recovered(
    docker_engine: Any, make: Make, image: str, project: str, way: str, points: int
) -> None:
    seen = set()
    for point in range(1, points + 2):
        deployment = make("1")
        assert go(deployment, image, "first").error is None
        child = drive(project, image, way, point, "VERSION=2")
        finish(child)
        assert child.returncode == (0 if point > points else -signal.SIGKILL), "the number of changes is known"
        next_run = make("1").replacement()
        with next_run.lock():
            next_run.recover()
        assert names(docker_engine, project) == [project]
        now = next_run.current()
        assert now is not None
        body = ask(now.address)
        assert body in ("1", "2")
        seen.add(body)
        assert next_run.recover() == (), "nothing is left to do"
    assert seen == {"1", "2"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_waiting_for_health(
    docker_engine: Any, make: Make, image: str, project: str, signum: signal.Signals
) -> None:
    first = go(make("1"), image)
    assert first.service is not None
    child = drive(project, image, "moved", 0, "VERSION=2", "SICK=1")
    assert child.stdout is not None
    assert [child.stdout.readline().strip() for _ in range(2)] == ["start", "healthy"]
    child.send_signal(signum)
    _, _, said = finish(child)
    assert child.returncode == 128 + signum
    assert "Traceback" not in said
    assert names(docker_engine, project) == [project]
    assert ask(first.service.address) == "1"


def test_two_cycles_at_once_take_turns(docker_engine: Any, image: str, project: str) -> None:
    children = [drive(project, image, "", 0, f"VERSION={number}") for number in range(3)]
    for child in children:
        _, _, said = finish(child)
        assert child.returncode == 0, said
    assert names(docker_engine, project) == [project]
