"""Cycles on a real engine: what each builds, replaces and clears, and that nothing is lost whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import pytest

from layerdoit import build
from layerdoit.engine import mounts
from layerdoit.history.export import as_json
from tests.cli.scratch import LOCK, MAIN, MANIFEST, Crate, docker, remove_containers

if TYPE_CHECKING:
    from tests.engine.conftest import Checkout

FILES = {
    "Cargo.toml": MANIFEST + '\n[dependencies]\nlib = { path = "lib" }\n\n[profile.dev]\ndebug = 0\n',
    "Cargo.lock": LOCK + 'dependencies = [\n "lib",\n]\n\n[[package]]\nname = "lib"\nversion = "0.1.0"\n',
    "lib/Cargo.toml": MANIFEST.replace("hello", "lib"),
    "lib/src/lib.rs": "pub fn nothing() {}\n",
    "src/main.rs": MAIN,
    "dodo.py": "from layerdoit import task_layerdoit\n",
    ".gitignore": "/target\n.doit.db*\n__pycache__/\n",
}
DEPLOY = "deploy:\n  port: 8080\n  health:\n    path: /\n    timeout: 20\n  stop_grace: 0\n"


@pytest.fixture
def served(checkout: Callable[..., Checkout]) -> Iterator[Callable[..., Checkout]]:
    """`served()`: a checkout of a server; its containers are removed in the end."""
    made: list[Checkout] = []

    def new(more: str = "") -> Checkout:
        made.append(checkout(FILES, DEPLOY + more))
        return made[-1]

    yield new
    for one in made:
        remove_containers(crate(one))


@pytest.fixture(scope="module")
def parents(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Configuration with parents that have everything: a base on them is built from nothing in a second."""
    from tests.engine.conftest import Checkout

    one = Checkout(tmp_path_factory.mktemp("parents"), f"lt-parents-{os.getpid()}", docker_engine)
    one.write(FILES)
    one.configure()
    found = {done.step.spec.layer: done.step.spec.tag for done in build.ensure(one.project(), "base")}
    for layer, tag in found.items():
        docker_engine.images.get(tag).tag(f"{one.name}-{layer}", "1")
    one._forget_projects()
    yield f"base:\n  image: {one.name}-base:1\n  runtime_image: {one.name}-runtime:1\n"
    for layer in found:
        docker_engine.images.remove(f"{one.name}-{layer}:1")
    one.remove()


def crate(one: Checkout) -> Crate:
    return Crate(one.root, one.name)


def edited(one: Checkout, text: str) -> None:
    old = one.read("src/main.rs").split('TEXT: &str = "')[1].split('"')[0]
    one.replace("src/main.rs", old, text)


def serves(one: Checkout) -> str | None:
    """What a user gets; None where nobody answers."""
    try:
        return crate(one).serves()
    except (OSError, HTTPException, subprocess.CalledProcessError, IndexError):
        return None


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def left_over(one: Checkout) -> list[str]:
    """Images of the project without any tag."""
    return docker("image", "ls", "--quiet", "--filter", "dangling=true", *crate(one).mine()).split()


def mount_ids(one: Checkout) -> list[str]:
    return sorted(mount.id.partition("@")[0].rpartition("/")[2] for mount in mounts.of_project(one.name))


def last(one: Checkout) -> dict[str, Any]:
    """The last run in the history."""
    return as_json(one.root / ".layerdoit", last=1)[0]


@contextmanager
def same(*facts: Callable[[], object]) -> Iterator[None]:
    """Nothing of this changes."""
    before = [fact() for fact in facts]
    yield
    assert [fact() for fact in facts] == before


# --- the way it should go --------------------------------------------------------------------------------------------


def test_a_clean_cycle_builds_the_app_from_nothing_and_clears_afterwards(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cycle_fast"))
    edited(one, "second text")
    ok(one.doit("cycle_fast"))
    before, images, tags = mount_ids(one), crate(one).images(), one.tags()

    with same(lambda: crate(one).images(), lambda: mount_ids(one), lambda: crate(one).containers()):
        shown = ok(one.doit("cycle_clean", "--dry-run"))
    assert "cycle_clean builds app from nothing (expected: " in shown
    assert ", n=1), then replaces the container, then clears" in shown

    done = ok(one.doit("cycle_clean"))
    assert "2 crates compiled — cycle_clean builds it from nothing" in done
    assert "replaced the old one" in done
    assert len(done.partition("\ncycle ")[2].splitlines()) <= 7
    assert serves(one) == "second text"
    changed = {tag for tag, image in crate(one).images().items() if images.get(tag) != image}
    current = next(tag for tag in tags if images[tag] == images[f"{one.name}:latest"] and "app-" in tag)
    assert changed == {current, f"{one.name}:latest"}, "the app image, and nothing below it"
    assert len(tags - one.tags()) == 1, "the app image that is not deployed is gone"
    assert mount_ids(one) == [f"{before[0]}~1"], "the old target folder is gone, the new one there"
    assert left_over(one) == []
    assert [name.split()[0] for name in json.loads(one.read(".layerdoit/renewal.json"))] == ["use"], (
        "nothing is left over"
    )

    # The new target folder is the one in use.
    edited(one, "third text")
    again = ok(one.doit("cycle_fast"))
    assert ", 1 crate compiled" in again
    assert serves(one) == "third text"
    assert mount_ids(one) == [f"{before[0]}~1"]


def test_a_nuclear_cycle_builds_everything_from_nothing(served: Callable[..., Checkout], parents: str) -> None:
    one, other = served(parents), served(parents)
    ok(other.doit("cycle_fast"))
    ok(one.doit("cycle_fast"))
    images = crate(one).images()
    with same(lambda: crate(one).images(), lambda: mount_ids(one), lambda: crate(one).containers()):
        refused = one.doit("cycle_nuclear")
        assert refused.returncode == 1
        assert "there is no terminal to ask on" in refused.stderr
        assert "next: doit cycle_nuclear --yes" in refused.stderr
        assert "builds base, deps and app from nothing" in ok(one.doit("cycle_nuclear", "--dry-run", "--yes"))
    with same(lambda: crate(other).images(), lambda: mount_ids(other), lambda: crate(other).containers()):
        done = ok(one.doit("cycle_nuclear", "YES=1"))
    assert done.count("cycle_nuclear builds it from nothing") == 4
    after = crate(one).images()
    assert after.keys() == images.keys()
    assert not set(after.values()) & set(images.values())
    assert serves(one) == "first text"
    assert left_over(one) == []
    assert len(mount_ids(one)) == 1
    assert "build " not in ok(one.doit())
    assert "build " not in ok(other.doit()), "the next build of another project is still fully cached"
    assert [layer["cold"] for layer in last(one)["layers"].values()] == [True] * 4


def test_a_base_that_may_not_be_built_stays(served: Callable[..., Checkout], parents: str) -> None:
    one = served(parents)
    ok(one.doit("cycle_fast"))
    one.write({"layerdoit.yaml": one.read("layerdoit.yaml") + "  on_missing: fail\n"})
    images = crate(one).images()
    ok(one.doit("cycle_nuclear", "--yes"))
    assert crate(one).images().keys() == images.keys()
    changed = {tag.split(":")[1].split("-")[0] for tag, image in crate(one).images().items() if images[tag] != image}
    assert changed == {"deps", "app", "latest"}


def test_refreshed_deps_are_the_first_of_a_chain(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cycle_fast"))
    images, before = crate(one).images(), mount_ids(one)
    with same(lambda: crate(one).images()):
        assert "the old one" in ok(one.doit("cache_refresh", "--dry-run"))
    with same(lambda: crate(one).containers()):
        done = ok(one.doit("cache_refresh"))
    assert "cache_refresh builds it from nothing" in done
    changed = {tag.split(":")[1].split("-")[0] for tag, image in crate(one).images().items() if images[tag] != image}
    assert changed == {"deps"}
    assert left_over(one) == []
    assert serves(one) == "first text"
    assert mount_ids(one) == [], "no image is left that the old target folder fits"
    assert "build " not in ok(one.doit()), "the app is what it was"
    edited(one, "second text")
    ok(one.doit("cycle_fast"))
    assert serves(one) == "second text"
    assert not set(mount_ids(one)) & set(before), "against the new dependencies"


def test_warm_has_everything_but_the_app(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cache_warm", "--profiles", "dev,release"))
    kinds = sorted(tag.split(":")[1].split("-")[0] for tag in one.tags())
    assert kinds == ["base", "deps", "deps", "runtime"]
    for profile in ("dev", "release"):
        assert "deps    build" not in ok(one.doit("app", f"PROFILE={profile}"))
    refused = one.doit("cache_warm", "--profiles", "relase")
    assert refused.returncode != 0
    assert 'did you mean "release"?' in refused.stderr


# --- the history -----------------------------------------------------------------------------------------------------


def test_what_is_recorded(served: Callable[..., Checkout]) -> None:
    one = served()
    one.git("init", "-q")
    one.git("add", ".")
    one.git("commit", "-qm", "first")
    commit = one.git("rev-parse", "HEAD").strip()
    ok(one.doit("cycle_fast"))
    run = last(one)
    assert (run["task"], run["variant"], run["outcome"]) == ("cycle_fast", "dev/host", "ok")
    assert (run["git_commit"], run["dirty"], run["host"]) == (commit, False, os.uname().nodename)
    app = run["layers"]["app"]
    assert (app["action"], app["compiled"], app["fresh"], app["external"]) == ("build", 2, 0, 0)
    assert app["reasons"] == ["not built before"]
    assert app["cold"] is True
    assert app["size"] > 1_000_000
    assert app["sent"] > 1_000
    assert 0 < app["export"] < app["seconds"] < run["seconds"]
    assert set(run["phases"]) == {"plan", "start", "healthy", "swap", "remove old"}

    edited(one, "second text")
    ok(one.doit("cycle_fast"))
    run = last(one)
    assert run["dirty"] is True
    assert {name: layer["action"] for name, layer in run["layers"].items()} == {
        **dict.fromkeys(("base", "runtime", "deps"), "reuse"),
        "app": "build",
    }
    assert (run["layers"]["app"]["compiled"], run["layers"]["app"]["fresh"]) == (1, 1)
    assert run["layers"]["app"]["reasons"] == ["1 file changed: src/main.rs"]

    # Nothing to do: nothing is written.
    database = one.root / ".layerdoit/history.db"
    before = database.read_bytes(), sorted(path.name for path in database.parent.glob("history*"))
    ok(one.doit("cycle_fast"))
    ok(one.doit())
    assert (database.read_bytes(), sorted(path.name for path in database.parent.glob("history*"))) == before

    # All was there, but another container is needed.
    edited(one, "first text")
    ok(one.doit("cycle_fast"))
    run = last(one)
    assert {layer["action"] for layer in run["layers"].values()} == {"reuse"}
    assert len(run["layers"]) == 4
    assert "swap" in run["phases"]


def test_failures_are_recorded_too(served: Callable[..., Checkout]) -> None:
    one = served()
    ok(one.doit("cycle_fast"))
    one.replace("src/main.rs", "let listener", "let listener: u32")
    assert one.doit("cycle_fast").returncode == 1
    run = last(one)
    assert (run["outcome"], run["failed_in"], run["layers"]["app"]["outcome"]) == ("failed", "app", "failed")
    assert "did not build" in run["error"]
    one.replace("src/main.rs", "let listener: u32", "let listener")
    one.replace("src/main.rs", "200 OK", "500 Sick")
    one.replace("layerdoit.yaml", "timeout: 20", "timeout: 1")
    assert one.doit("cycle_fast").returncode == 1
    run = last(one)
    assert (run["outcome"], run["failed_in"], run["layers"]["app"]["outcome"]) == ("failed", "healthy", "ok")
    assert serves(one) == "first text"


# --- the way it should not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["cycle_clean"], ["cycle_nuclear", "--yes"]], ids=lambda words: words[0])
def test_a_failed_cycle_loses_nothing(served: Callable[..., Checkout], parents: str, words: list[str]) -> None:
    one = served(parents)
    ok(one.doit("cycle_fast"))
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


# A build script that lasts until it is ended, as long as there is a file.
SLOW = """\
fn main() {
    if std::path::Path::new("lib/slow.txt").exists() {
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
}
"""


@pytest.mark.parametrize("words", [["cycle_fast"], ["cycle_clean"], ["cycle_nuclear", "--yes"]], ids=lambda w: w[0])
def test_ctrl_c_in_a_build_leaves_the_old_one_serving(
    served: Callable[..., Checkout], parents: str, words: list[str]
) -> None:
    one = served(parents)
    one.write({"build.rs": SLOW})
    ok(one.doit("cycle_fast"))
    tags, containers = one.tags(), crate(one).containers()
    one.write({"lib/slow.txt": "yes"})
    known = len(one.logs("app"))
    run = one.start(*words)
    one.until(lambda: len(one.logs("app")) > known and "Compiling hello" in one.logs("app")[-1].read_text())
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
def test_ctrl_c_while_a_container_starts_leaves_the_old_one_serving(
    served: Callable[..., Checkout], parents: str, words: list[str]
) -> None:
    one = served(parents)
    ok(one.doit("cycle_fast"))
    containers = crate(one).containers()
    one.replace("src/main.rs", "200 OK", "500 Sick")
    run = one.start(*words)
    one.until(lambda: f"{one.name}-next" in crate(one).containers() or run.poll() is not None)
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
from layerdoit import actions, state
from layerdoit.engine import buildx, mounts, removal
from layerdoit.engine.containers import Containers
from layerdoit.engine.images import Images
from layerdoit.engine.progress import Reader
from layerdoit.history import store
from layerdoit.project import Project
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
        reached(name)
        return result
    setattr(owner, name, wrapped)

for name in ("create", "start", "attach", "detach", "rename", "stop", "remove"):
    lethal(Containers, name)
for owner, name in (
    (state, "write"), (buildx, "run"), (Images, "tag"), (ImageCollection, "remove"), (mounts, "prune"),
    (store, "_changed"),
):
    lethal(owner, name)
feed = Reader._vertex
def vertex(self, told):
    feed(self, told)
    if "] RUN " in told.get("name", "") and told.get("started") and not told.get("completed"):
        reached("in a RUN")
Reader._vertex = vertex

project = Project(Path.cwd(), {})
if task == "cycle_clean":
    actions.cycle_clean(project, dry_run=False)
elif task == "cycle_nuclear":
    actions.cycle_nuclear(project, yes=True, dry_run=False)
elif task == "cache_refresh":
    actions.cache_refresh(project, dry_run=False)
else:
    for layer in ("base", "deps", "app"):
        actions.ACTIONS[layer](project)
    actions.replace(project)
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


# What comes after the build is the same in all three cycles.
@pytest.mark.parametrize(
    ("task", "until"),
    [("cycle_fast", "create"), ("cycle_clean", ""), ("cycle_nuclear", "create"), ("cache_refresh", "")],
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
