"""Cycles that are interrupted while they clear: the new deployment serves, and the next run ends what was begun."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core import user_folder
from tests.engine.cycle_fixture import crate, edited, last, left_over, mount_ids, ok, served, serves
from tests.support.checkout import Checkout
from tests.support.scratch import docker

__all__ = ["served"]

# The process stops before, or after, a step of the clearing, the number of which stands in a file.
STOPPING = """\
import os, signal
from pathlib import Path
from docker.models.images import ImageCollection
from layerdoit import task_layerdoit
from layerdoit.core import process
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.engine import mounts

limit, known = Path(".layerdoit/stop-at"), None

def reached():
    global known
    if known is not None:
        known += 1
        if limit.exists() and known == int(limit.read_text()):
            limit.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)

def stopping(owner, name):
    real = getattr(owner, name)
    def wrapped(*args, **options):
        reached()
        result = real(*args, **options)
        reached()
        return result
    setattr(owner, name, wrapped)

stopping(ImageCollection, "remove")
stopping(mounts, "prune")
spawn = process.spawn
def spawned(argv, *args, **options):
    child = spawn(argv, *args, **options)
    if "prune" in argv:
        reached()
    return child
process.spawn = spawned
deploy = DockerProvider.deploy
def begun(*args, **options):
    global known
    result = deploy(*args, **options)
    known = 0
    return result
DockerProvider.deploy = begun
"""


def is_over_or_stopped(run: subprocess.Popen[str]) -> bool:
    return run.poll() is not None or Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def left(one: Checkout) -> dict[str, Any]:
    """What there is of the project."""
    kinds = sorted(tag.rpartition(":")[2].partition("-")[0] for tag in one.tags())
    return {"tags": kinds, "mounts": len(mount_ids(one)), "untagged": left_over(one)}


def forget_releases(one: Checkout) -> None:
    """Nobody wants to go back: what is left is what the clearing left."""
    shutil.rmtree(user_folder.state() / "releases" / one.name)
    for tag in crate(one).images(releases=True):
        if ":release-" in tag:
            docker("image", "rm", tag)


LEFT: dict[str, Any] = {"tags": ["app", "base", "deps", "latest", "runtime"], "mounts": 1, "untagged": []}


@pytest.mark.parametrize("words", [["cycle_clean"], ["cycle_nuclear", "--yes"]], ids=lambda words: words[0])
def test_ended_at_each_step_of_the_clearing(served: Callable[..., Checkout], parents: str, words: list[str]) -> None:
    one = served(parents)
    one.write({"dodo.py": STOPPING})
    ok(one.doit("cycle_fast"))
    level = {"cycle_clean": "medium", "cycle_nuclear": "nuke"}[words[0]]
    # Each step is clearing's own; a nuclear cycle has many that are alike.
    for step in range(1, 100, 1 if level == "medium" else 3):
        # An image that the cycle does not build again, and that it therefore only clears.
        edited(one, f"text {step:04} a")
        ok(one.doit("app"))
        text = f"text {step:04} b"
        edited(one, text)
        (one.root / ".layerdoit/stop-at").write_text(str(step))
        run = one.start(*words)
        # All layers may be built first.
        one.until(partial(is_over_or_stopped, run), 300, "the step, or the end")
        if run.poll() is not None:
            out, err = run.communicate()
            assert run.returncode == 0, err
            # What served until then stays once more.
            assert left(one) == {**LEFT, "tags": ["app", *LEFT["tags"]]}
            break
        signum = (signal.SIGINT, signal.SIGTERM)[step % 2]
        run.send_signal(signum)
        run.send_signal(signal.SIGCONT)
        out, err = run.communicate(timeout=60)
        where = f"step {step}: {out}{err}"
        assert run.returncode == 128 + signum, where
        assert "Traceback" not in out + err, where
        assert "replaced the old one" in out, where
        assert "\ncleared " not in out, "it is not done"
        assert err.splitlines()[-2:] == [
            f"layerdoit: interrupted by signal {signum} while clearing; the new container serves",
            f"next: doit cache_clear:{level} --keep-last 1 clears the rest",
        ], where
        assert (serves(one), list(crate(one).containers())) == (text, [one.name]), where
        running = docker("inspect", "--format", "{{.Image}}", one.name).strip()
        assert running == crate(one).images()[f"{one.name}:latest"], where
        for path in (one.root / ".layerdoit").glob("*.json"):
            json.loads(path.read_text())
        assert last(one)["outcome"] == "ok", "the deployment was"
        # The next run needs to build nothing, and takes away what was replaced.
        assert "build " not in ok(one.doit("cycle_fast")), where
        assert left_over(one) == [], where
        forget_releases(one)
        ok(one.doit(f"cache_clear:{level}", "--keep-last", "1", "YES=1"))
        assert left(one) == LEFT, where
    assert step > 4
