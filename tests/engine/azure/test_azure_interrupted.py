"""Whoever interrupts a deployment, and when: one release serves, and the next call says what it put right."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest

from layerdoit.deploy.azure import az
from tests.engine.azure.conftest import ROOT, Cloud, at
from tests.support.container_apps import Refused
from tests.support.waiting import until

STEPS = {
    "lock": ("PATCH .*/tags/default", 1),
    "revision": ("PATCH .*/containerApps/web", 1),
    "healthy": (r"GET .*/revisions/web--r\w+(-\d+)?", 1),
    "shift": ("PATCH .*/containerApps/web", 2),
    "deactivate": ("POST .*/deactivate", 1),
}


@pytest.fixture(autouse=True)
def quick(quick_az: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, quick_az)
    monkeypatch.setattr(az, "PAUSE", 0.05)


class Held:
    """The server holds a request: `reached` when it came; `go` lets it be answered, or lost."""

    def __init__(self, cloud: Cloud, step: str, *, lost: bool) -> None:
        pattern, number = STEPS[step]
        self.reached, self.go = threading.Event(), threading.Event()
        seen: list[str] = []

        def before(method: str, path: str) -> None:
            if not re.fullmatch(pattern, f"{method} {path}"):
                return
            seen.append(path)
            if len(seen) == number:
                self.reached.set()
                assert self.go.wait(400)
                if lost:
                    raise Refused(500, "InternalServerError", "lost")

        cloud.arm.before = before


def interrupted(cloud: Cloud, name: str, step: str, signum: int, *, lost: bool, env: dict[str, str]) -> int:
    """Deploy in a process of its own, which gets a signal while Azure answers that step; its exit code."""
    held = Held(cloud, step, lost=lost)
    asked = {"folder": str(cloud.folder), "release": asdict(cloud.releases[name]), "changes": {"env": env}}
    argv = ["env", "--default-signal=INT", sys.executable, "-m", "tests.support.azure_deploying", json.dumps(asked)]
    child = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with child:
        assert held.reached.wait(300)
        os.kill(child.pid, signum)
        child.communicate(timeout=60)
        # What az had asked for may be done all the same, and after all that the interrupted deployment did.
        held.go.set()
    until(lambda: cloud.arm.answering == 0)
    cloud.arm.before = lambda _method, _path: None
    return child.returncode


def settle(cloud: Cloud) -> None:
    until(lambda: all(one["status"] != "InProgress" for one in cloud.arm.apps.operations.values()))


WALK = [
    *((step, signal.SIGKILL, False) for step in ("lock", "revision", "healthy", "shift", "deactivate")),
    *((step, signal.SIGKILL, True) for step in ("revision", "shift")),
    *((step, signal.SIGINT, False) for step in ("revision", "shift")),
]


def test_one_release_serves_whenever_a_deployment_is_interrupted(cloud: Cloud) -> None:
    assert cloud.provider(env={"N": "0"}).deploy(cloud.releases["1"]).error is None
    now, then = "1", "2"
    for number, (step, signum, lost) in enumerate(WALK, 1):
        label = f"{step}, {signal.Signals(signum).name}{', lost' if lost else ''}"
        env = {"N": str(number)}
        before = cloud.traffic()
        code = interrupted(cloud, then, step, signum, lost=lost, env=env)
        assert code != 0, label
        settle(cloud)
        status, answer = cloud.answers
        assert status == 200, label
        assert answer in (now, then), label
        assert sum(cloud.traffic().values()) == 100, label
        assert len(cloud.traffic()) == 1, label
        if step in ("lock", "revision", "healthy"):
            assert cloud.traffic() == before, label
        done = cloud.provider(env=env).deploy(cloud.releases[then])
        assert done.error is None, (label, done.error)
        assert cloud.answers == (200, then), label
        assert len(cloud.active()) == 1, label
        assert not cloud.arm.apps.find("web").body["tags"], label
        if signum == signal.SIGKILL:
            assert any("lock" in one for one in done.recovered), (label, done.recovered)
        else:
            assert not any("lock" in one for one in done.recovered), (label, done.recovered)
        now, then = then, now
