"""Cycles that fail, are interrupted or are killed: the old deployment serves, or the next run recovers by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.cycle_fixture import (
    DEPLOY,
    FILES,
    crate,
    edited,
    last,
    left_over,
    mount_ids,
    ok,
    served,
    serves,
)
from tests.support.checkout import Checkout
from tests.support.scratch import docker, remove_containers

__all__ = ["served"]


# --- the way it should not -------------------------------------------------------------------------------------------

# A build script that lasts until it is ended, as long as there is a file.
SLOW = """\
fn main() {
    if std::path::Path::new("lib/slow.txt").exists() {
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
}
"""


@pytest.fixture(scope="module")
def shared(docker_engine: Any, parents: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """One project for the tests that lose nothing: each finds it built."""
    one = Checkout(tmp_path_factory.mktemp("shared"), f"lt-shared-{uuid.uuid4().hex[:8]}", docker_engine)
    yield one
    one.end()
    remove_containers(crate(one))
    one.remove()


@pytest.fixture
def deployed(shared: Checkout, parents: str) -> Checkout:
    """The project as it was at first, and served."""
    shared.write({**FILES, "build.rs": SLOW})
    (shared.root / "lib/slow.txt").unlink(missing_ok=True)
    shared.configure(DEPLOY + parents)
    ok(shared.doit("cycle_fast"))
    assert serves(shared) == "first text"
    return shared


@pytest.mark.parametrize("words", [["cycle_clean"], ["cycle_nuclear", "--yes"]], ids=lambda words: words[0])
def test_a_failed_cycle_loses_nothing(deployed: Checkout, words: list[str]) -> None:
    one = deployed
    tags, containers, before = one.tags(), crate(one).containers(), mount_ids(one)
    one.replace("src/main.rs", "let listener", "let listener: u32")
    failed = one.doit(*words)
    assert failed.returncode == 1
    assert "mismatched types" in failed.stderr
    assert f"layerdoit: {one.name} still serves at http://127.0.0.1:" in failed.stderr
    assert (one.tags(), crate(one).containers(), serves(one)) == (tags, containers, "first text")
    assert set(before) <= set(mount_ids(one))
    assert left_over(one) == []
    if words[0] == "cycle_clean":
        assert mount_ids(one) == before, "what the attempt left is gone"

    # A container that does not become healthy.
    one.replace("src/main.rs", "let listener: u32", "let listener")
    one.replace("src/main.rs", "200 OK", "500 Sick")
    one.replace("layerdoit.yaml", "timeout: 20", "timeout: 1")
    failed = one.doit(*words)
    assert failed.returncode == 1
    assert "was not healthy within 1 s" in failed.stderr
    assert (crate(one).containers(), serves(one)) == (containers, "first text")
    assert tags <= one.tags()

    one.replace("src/main.rs", "500 Sick", "200 OK")
    assert "build " not in ok(one.doit("app")), "the image that serves is still there"


WHOLE = 300.0
"""Seconds that a run may need for all layers, from nothing, on a machine that is busy with other tests."""


def compiles(one: Checkout, known: Collection[Path]) -> bool:
    """Whether a log of the app that was not there says that the program compiles; the oldest logs go meanwhile."""
    return any("Compiling hello" in log.read_text() for log in one.logs("app") if log not in known)


@pytest.mark.parametrize("words", [["cycle_fast"], ["cycle_clean"], ["cycle_nuclear", "--yes"]], ids=lambda w: w[0])
def test_ctrl_c_in_a_build_leaves_the_old_one_serving(deployed: Checkout, words: list[str]) -> None:
    one = deployed
    tags, containers = one.tags(), crate(one).containers()
    one.write({"lib/slow.txt": "yes"})
    known = one.logs("app")
    run = one.start(*words)
    one.until(lambda: run.poll() is not None or compiles(one, known), WHOLE, "the compilation")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    assert (one.tags(), crate(one).containers(), serves(one)) == (tags, containers, "first text")
    assert (last(one)["outcome"], last(one)["failed_in"]) == ("interrupted", "app")
    (one.root / "lib/slow.txt").unlink()
    ok(one.doit("cycle_fast"))
    assert left_over(one) == []


@pytest.mark.parametrize("words", [["cycle_fast"], ["cycle_clean"], ["cycle_nuclear", "--yes"]], ids=lambda w: w[0])
def test_ctrl_c_while_a_container_starts_leaves_the_old_one_serving(deployed: Checkout, words: list[str]) -> None:
    one = deployed
    containers = crate(one).containers()
    one.replace("src/main.rs", "200 OK", "500 Sick")
    run = one.start(*words)
    one.until(lambda: f"{one.name}-next" in crate(one).containers() or run.poll() is not None, WHOLE, "the container")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert f"layerdoit: {one.name} still serves at http://127.0.0.1:" in err
    assert (crate(one).containers(), serves(one)) == (containers, "first text")
    assert last(one)["outcome"] == "interrupted"
    assert last(one)["failed_in"] in ("start", "healthy")


# --- killed ----------------------------------------------------------------------------------------------------------

DRIVER = """
import os, signal, sys
from pathlib import Path
from docker.models.images import ImageCollection
from layerdoit.core import files
from layerdoit.front import actions, deploy_actions
from layerdoit.engine import buildx, mounts, removal
from layerdoit.engine.containers import Containers
from layerdoit.engine.images import Images
from layerdoit.engine.progress import Reader
from layerdoit.history import store
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
task, limit, known = sys.argv[1], int(sys.argv[2]), 0

def reached(name):
    global known
    known += 1
    print("step", name, flush=True)
    if known == limit:
        os.kill(os.getpid(), signal.SIGKILL)

def lethal(owner, name):
    function = getattr(owner, name)
    def wrapped(*args, **options):
        result = function(*args, **options)
        reached(f"{name} {Path(args[0]).name}" if owner is files else name)
        return result
    setattr(owner, name, wrapped)

for name in ("create", "start", "attach", "detach", "rename", "stop", "remove"):
    lethal(Containers, name)
for owner, name in (
    (files, "write"), (buildx, "run"), (Images, "tag"), (ImageCollection, "remove"), (mounts, "prune"),
    (store, "_changed"),
):
    lethal(owner, name)
feed = Reader._vertex
def vertex(self, told):
    feed(self, told)
    if "] RUN " in told.get("name", "") and told.get("started") and not told.get("completed"):
        reached("in a RUN")
Reader._vertex = vertex

session = Session(Run(), Project.open(Path.cwd(), {}))
if task == "cycle_clean":
    deploy_actions.cycle_clean(session, dry_run=False)
elif task == "cycle_nuclear":
    deploy_actions.cycle_nuclear(session, yes=True, dry_run=False)
elif task == "cache_refresh":
    actions.cache_refresh(session, dry_run=False)
else:
    for layer in ("base", "deps", "app"):
        actions.ACTIONS[layer](session)
    deploy_actions.replace(session)
"""


def drive(one: Checkout, task: str, limit: int) -> tuple[int, list[str]]:
    """The exit code, and the steps that were done; killed after so many."""
    path = {**one.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, task, str(limit)],
        cwd=one.root,
        env=path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, [line[5:] for line in done.stdout.splitlines() if line.startswith("step ")]


# What comes after the build is the same in all three cycles, and how the app is built again in the last two.
@pytest.mark.parametrize(
    ("task", "until"),
    [("cycle_fast", "create"), ("cycle_clean", ""), ("cycle_nuclear", "write src.staged"), ("cache_refresh", "")],
    ids=lambda word: word.partition(" ")[0],
)
def test_killed_after_each_step_the_next_run_recovers(
    served: Callable[..., Checkout], parents: str, task: str, until: str
) -> None:
    one = served(parents)
    ok(one.doit("cycle_fast"))
    text = "first text"
    for limit in range(1, 200):
        before, text = text, text if task == "cache_refresh" else f"text {limit:04}"
        edited(one, text)
        code, steps = drive(one, task, limit)
        where = f"killed after step {limit}: {steps[-1:]}"
        assert serves(one) in (before, text, None), where
        for path in (one.root / ".layerdoit").glob("*.json"):
            json.loads(path.read_text())
        # The next run, whatever it is.
        ok(one.doit("cycle_fast"))
        assert serves(one) == text, where
        assert list(crate(one).containers()) == [one.name], where
        assert left_over(one) == [], where
        running = docker("inspect", "--format", "{{.Image}}", one.name).strip()
        assert running == crate(one).images()[f"{one.name}:latest"], where
        if code == 0 or until in steps:
            break
    assert limit >= 7
    assert len(mount_ids(one)) == len({name.partition("~")[0] for name in mount_ids(one)}), "one for each chain"
