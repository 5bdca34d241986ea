"""Deployments by compose that are killed or interrupted at each step: one release serves in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from typing import Any

import pytest

from tests.engine.compose.composing import Project
from tests.engine.compose.test_replacing import fixed
from tests.engine.deploy.cycling import ask
from tests.support.ports import PORT, free_port
from tests.support.waiting import until

DRIVER = """
import sys
from pathlib import Path
from layerdoit.config import Deploy, Health
from layerdoit.config.deploy_section import Compose
from layerdoit.deploy.compose.compose_program import ComposeProgram
from layerdoit.deploy.compose.service_deployment import ComposeProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.containers import Containers
from layerdoit.engine.created import Created
from tests.support.lethal import lethal
project, root, image, strategy, limit, signum = *sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])
changes = {ComposeProgram: ["up"], Created: ["copied", "start"], Containers: ["rename", "stop", "remove"]}
lethal(limit, signum, changes)
compose = Compose(strategy="recreate" if strategy == "recreate" else None)
config = Deploy(provider="compose", compose=compose, health=Health(timeout=8), env={"VERSION": "2"}, port=8080)
settings = DeploySettings(config, project, project, Path(root), source="layerdoit.yaml")
result = ComposeProvider(settings).deploy(Release(image, "k2"))
print(result.error, file=sys.stderr)
sys.exit(result.error.exit_code if result.error else 0)
""".replace("8080", str(PORT))


def drive(composed: Project, strategy: str, limit: int, signum: int) -> subprocess.CompletedProcess[str]:
    program = ["env", "--default-signal=INT", sys.executable, "-c", DRIVER]
    argv = [*program, composed.name, str(composed.root), composed.image]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [*argv, strategy, str(limit), str(int(signum))]
    return subprocess.run(words, env=path, capture_output=True, text=True, timeout=60, check=False)


KILL, STOP = signal.SIGKILL, signal.SIGINT


@pytest.mark.parametrize(
    ("strategy", "points"),
    [
        ("beside", [(1, KILL), (2, STOP), (3, KILL), (7, None)]),
        ("tried", [(2, KILL), (5, KILL), (6, KILL), (7, STOP), (8, KILL), (10, KILL), (12, None)]),
        ("recreate", [(3, KILL), (4, STOP), (9, None)]),
    ],
    ids=["beside", "tried", "recreate"],
)
def test_each_single_change_may_be_the_last(
    composed: Project, strategy: str, points: list[tuple[int, signal.Signals | None]]
) -> None:
    port = free_port()
    composed.write(
        f'services:\n  web: {{build: ., ports: ["{PORT}"]}}\n'
        if strategy == "beside"
        else fixed(port).replace("NAME", f"{composed.name}-mine")
    )
    options: dict[str, Any] = {"port": PORT, "compose": {"strategy": "recreate" if strategy == "recreate" else None}}
    seen = set()
    for point, signum in points:
        first = composed.go("1", **options)
        assert first.error is None, first.error
        child = drive(composed, strategy, point, signum or KILL)
        # What is beyond the last change is never reached: the number of changes is known.
        assert child.returncode == {KILL: -KILL, STOP: 128 + STOP, None: 0}[signum], (point, child.stderr)
        steps = composed.make("1", **options).replacement()
        with steps.lock():
            told = steps.recover()
        # An interrupt is put right by the call that it struck; a kill, where something was left, by the next one.
        assert not (told and signum == STOP)
        now = steps.current()
        assert now is not None
        name = f"{composed.name}-web-1" if strategy == "beside" else f"{composed.name}-mine"
        assert list(composed.containers()) == [name]
        # One that came back has only been started.
        body = until(partial(ask, now.address), what="an answer")
        assert body in ("1", "2")
        assert body == composed.version()
        seen.add(body)
        assert steps.recover() == (), "nothing is left to do"
    assert seen == {"1", "2"}
