"""Runs beside each other, and runs that are ended: what is tagged is what the sources say, and nothing is left over."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.engine.conftest import Checkout

New = Callable[..., "Checkout"]
Run = subprocess.Popen[str]

MAIN_FILE = "app/src/main.rs"
TEXT_FILE = "app/data/text.txt"
# A step that is still under way when it is interrupted, and that would show if it went on: it has the mount for itself.
LONG = 45
SOON = 15.0
SLEEP = "    std::thread::sleep(std::time::Duration::from_secs({}));\n}}\n"
MOMENTS = int(os.environ.get("LAYERDOIT_KILL_RUNS", "4"))
SEED = int(os.environ.get("LAYERDOIT_KILL_SEED", str(random.SystemRandom().randrange(10**6))))


# --- helpers ---------------------------------------------------------------------------------------------------------


def start(one: Checkout, *words: str, root: Path | None = None) -> Run:
    """`doit …` as the leader of a process group, as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "doit", *words],
        cwd=root or one.root,
        env=one.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )


def finish(run: Run, timeout: float = 120) -> tuple[int, str, str]:
    """Exit code, output, errors. One that hangs is killed, so that no other test suffers from it."""
    try:
        out, err = run.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        raise
    return run.returncode, out, err


def good(run: Run) -> str:
    """What a run that succeeds says."""
    code, out, err = finish(run)
    assert code == 0, out + err
    return out + err


def slow(one: Checkout, seconds: int = LONG) -> None:
    """Have the next compilation take its time; 0 undoes it."""
    one.write({"lib/build.rs": one.lib_build.replace("}\n", SLEEP.format(seconds))})


@pytest.fixture
def new(checkout: New) -> New:
    """`new()`: a checkout whose compilation can be made slow without another deps layer."""

    def made() -> Checkout:
        one = checkout()
        slow(one, 0)
        return one

    return made


def edit(one: Checkout, value: str) -> None:
    """New values where the compiler and where only the linker's input sees them."""
    text = one.read(MAIN_FILE)
    old = text.split('MAIN: &str = "', 1)[1][:4]
    one.write({MAIN_FILE: text.replace(f'MAIN: &str = "{old}"', f'MAIN: &str = "{value}"'), TEXT_FILE: value})


def compiling(one: Checkout, known: int, root: Path | None = None) -> None:
    """Wait until a new log of an app build says that the slow package compiles."""
    logs = (root or one.root) / ".layerdoit/logs"

    def seen() -> bool:
        found = sorted(logs.glob("*-app.log"), key=lambda path: path.stat().st_mtime_ns)
        return len(found) > known and "Compiling lib" in found[-1].read_text()

    one.until(seen, 60, "the compilation")


def builds(root: Path) -> list[str]:
    """Command lines of the `docker buildx` processes that work for a checkout."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if "buildx" in line and str(root) in line:
                    found.append(line)
    return found


def said_live(run: Run, words: str) -> list[str]:
    """The lines on standard error up to the one that holds the words."""
    assert run.stderr is not None
    lines: list[str] = []
    watchdog = threading.Timer(60, run.kill)
    watchdog.start()
    try:
        for line in run.stderr:
            lines.append(line)
            if words in line:
                return lines
    finally:
        watchdog.cancel()
    pytest.fail(f"{words!r} was not said: {''.join(lines)}")


def key_tag(one: Checkout) -> str:
    """The tag that the tree as it stands would have."""
    return next(spec.tag for spec in one.project().specs if spec.layer == "app")


def right(one: Checkout, tag: str = "latest") -> None:
    """The friendly tag and the keyed one hold what the sources say."""
    promised = one.promised()
    assert one.said(f"{one.name}:{tag}") == promised
    assert one.said(key_tag(one)) == promised


@contextlib.contextmanager
def stopped(run: Run) -> Iterator[None]:
    """While the body runs, the process stands still; what it waits for goes on."""
    run.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        run.send_signal(signal.SIGCONT)


# --- side by side ----------------------------------------------------------------------------------------------------


def test_two_runs_in_one_checkout(new: New) -> None:
    """The second one waits and then builds the newest tree, other dependencies and all."""
    one = new()
    good(start(one))  # so that doit itself knows base and deps, and the second run waits with its app
    edit(one, "1111")
    slow(one, 1)
    before, earlier = one.promised(), key_tag(one)
    known = len(one.logs("app"))
    first = start(one)
    compiling(one, known)
    with stopped(first):
        edit(one, "2222")
        second = start(one)
        waits = said_live(second, "waiting for another run in this checkout")
        # What a switch of branches does: other manifests, for which the second run has no deps layer.
        one.replace("Cargo.toml", "debug = 0", "debug = 0\nopt-level = 1")
        edit(one, "3333")
    assert f"(process {first.pid})" in waits[-1]
    good(first)
    said = good(second)
    assert "-- deps" in said
    assert "deps    build" in said, "with the app, after the wait"
    assert one.said(earlier) == before
    right(one)


def test_latest_is_not_moved_back_by_the_slower_run(new: New) -> None:
    """The second run finds its image there already; the first one is not done yet with what comes after its build."""
    one = new()
    one.build()
    newest = one.promised()
    original = {path: one.read(path) for path in (MAIN_FILE, TEXT_FILE)}
    edit(one, "1111")
    hold = one.root / ".layerdoit/hold"
    # The user's own reporter of tasks, so to speak: the first run stands between `app` and `image`.
    one.write({"dodo.py": HOLDING.format(hold=str(hold))})
    os.mkfifo(hold)
    first = start(one)
    with open(hold, "w", encoding="utf-8") as gate:
        one.write({"dodo.py": one.tiny["dodo.py"], **original})
        done = one.doit()
        assert done.returncode == 0, done.stderr
        assert one.said(f"{one.name}:latest") == newest
        gate.write("go on")
    good(first)
    assert one.said(f"{one.name}:latest") == newest
    right(one)


HOLDING = """\
from layerdoit import actions, task_layerdoit
real = actions.app
def app(project):
    real(project)
    open({hold!r}).read()
actions.ACTIONS = dict(actions.ACTIONS, app=app)
"""


def test_worktrees_of_one_repository(new: New) -> None:
    """Each has its own tag and would have its own container; what is equal, they share."""
    one = new()
    one.git("init", "-q", "-b", "first")
    one.git("add", "-A")
    one.git("commit", "-q", "-m", "x")
    other = type(one)(one.root.parent / f"{one.name}-feature", one.name, one._engine)
    one.git("worktree", "add", "-q", "-b", "feature", str(other.root))
    one.build()
    edit(one, "1111")
    edit(other, "2222")
    slow(one, 1)
    slow(other, 1)
    runs = [start(one), start(other)]
    compiling(one, 1)
    compiling(other, 0)
    for run in runs:
        assert "deps    build" not in good(run), "what is equal is shared"
    assert one.project().worktree is None
    assert other.project().tags == (f"{one.name}-feature",)
    right(one)
    right(other, other.project().tags[0])
    assert one.promised() != other.promised()
    assert container(one) == one.name
    assert container(other) == f"{one.name}-{one.name}-feature"


def container(one: Checkout) -> str:
    """The name of the container that a deployment of this checkout would have."""
    from layerdoit import actions

    return actions.deployment(one.project())._config.name


def test_two_projects(new: New) -> None:
    first, second = new(), new()
    edit(first, "1111")
    edit(second, "2222")
    for run in [start(first), start(second)]:
        good(run)
    right(first)
    right(second)
    assert {tag.split(":")[0] for tag in first.tags()} == {first.name}


@pytest.mark.parametrize("words", [("-n", "2"), ("-n", "2", "-P", "thread")], ids=["processes", "threads"])
def test_parallel_doit(new: New, words: tuple[str, ...]) -> None:
    one = new()
    good(start(one, *words))
    right(one)
    edit(one, "1111")
    assert "app     build" in good(start(one, *words))
    right(one)
    assert "  build" not in good(start(one, *words)), "nothing to do"


def test_clearing_waits_for_the_build(new: New) -> None:
    one = new()
    one.build()
    old = key_tag(one)
    edit(one, "1111")
    slow(one, 1)
    run = start(one)
    compiling(one, 1)
    with stopped(run):
        clearing = start(one, "cache_clear:medium")
        said_live(clearing, "waiting for another run in this checkout")
    good(run)
    good(clearing)
    right(one)
    assert old not in one.tags()
    edit(one, "2222")
    good(start(one))
    right(one)


# --- ended -----------------------------------------------------------------------------------------------------------


def end(one: Checkout, run: Run, signum: int, *, group: bool) -> str:
    """Send a signal, as a terminal or as `kill` does, and see that all ends soon; the errors."""
    began = time.monotonic()
    (os.killpg if group else os.kill)(run.pid, signum)
    code, out, err = finish(run, LONG)
    assert time.monotonic() - began < SOON
    assert code == 128 + signum, out + err
    assert "Traceback" not in out + err
    assert one.until(lambda: not builds(one.root), SOON, "the end of the build")
    return err


def interrupted(one: Checkout, value: str, signum: int, *, group: bool, words: tuple[str, ...] = ()) -> str:
    """Interrupt a compilation; nothing of it is tagged, and the next run is right and need not wait."""
    edit(one, value)
    slow(one)
    tags, known = one.tags(), len(one.logs("app"))
    run = start(one, *words)
    compiling(one, known)
    assert builds(one.root)
    err = end(one, run, signum, group=group)
    assert one.tags() == tags, "half-made"
    began = time.monotonic()
    slow(one, 0)
    good(start(one))
    assert time.monotonic() - began < LONG / 2, "the step went on, and had the mount for itself"
    right(one)
    return err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_compilation(new: New, signum: int) -> None:
    one = new()
    one.build()
    for value, group in (("1111", True), ("2222", False)):
        err = interrupted(one, value, signum, group=group)
        lines = [line for line in err.splitlines() if not line.startswith("app: ")]
        assert lines == [f"layerdoit: interrupted by signal {signum}; nothing half-made was kept"]


@pytest.mark.parametrize("words", [("-n", "2"), ("-n", "2", "-P", "thread")], ids=["processes", "threads"])
def test_an_interrupted_parallel_doit(new: New, words: tuple[str, ...]) -> None:
    """Workers and threads end too: a terminal signals the whole group, `kill` only the process it is told."""
    one = new()
    one.build()
    for value, signum, group in (("1111", signal.SIGINT, True), ("2222", signal.SIGTERM, False)):
        err = interrupted(one, value, signum, group=group, words=words)
        assert "layerdoit: interrupted by signal " in err


def test_an_interrupted_wait(new: New) -> None:
    """Who waits for another run can be ended too, and the other one does not mind."""
    one = new()
    one.build()
    edit(one, "1111")
    slow(one, 1)
    first = start(one)
    compiling(one, 1)
    with stopped(first):
        second = start(one)
        said_live(second, "waiting for another run in this checkout")
        second.send_signal(signal.SIGINT)
        code, out, err = finish(second, SOON)
        assert code == 128 + signal.SIGINT
        assert "Traceback" not in out + err
    good(first)
    right(one)


def test_killed_at_any_moment(new: New) -> None:
    """`kill -9`: no lock sticks, and the next run, of the same tree or of another one, is right."""
    print(f"LAYERDOIT_KILL_SEED={SEED}")
    chance = random.Random(SEED)  # noqa: S311
    one = new()
    slow(one, 1)
    moments: list[Callable[[Run], object]] = [
        lambda run: logged(one, run, "base"),
        lambda run: logged(one, run, "deps"),
        lambda run: logged(one, run, "app"),
        lambda run: one.until(lambda: run.poll() is not None or key_tag(one) in one.tags(), 60, "the tag"),
        *[lambda run: wait(run, chance.uniform(0.2, 2.5))] * MOMENTS,
    ]
    for number, moment in enumerate(moments):
        edit(one, str(1000 + number))
        run = start(one)
        moment(run)
        run.kill()
        finish(run)
        if chance.random() < 0.5:
            edit(one, str(5000 + number))
        assert "waiting for" not in good(start(one))
        right(one)


def logged(one: Checkout, run: Run, layer: str) -> None:
    """Wait until a run logs what it does for a layer."""
    logs = one.root / ".layerdoit/logs"
    one.until(lambda: run.poll() is not None or list(logs.glob(f"*-{run.pid}-{layer}.log")), 60, f"the log of {layer}")


def wait(run: Run, seconds: float) -> None:
    """Let a run go on for a while."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(seconds)


# --- the deployment --------------------------------------------------------------------------------------------------

SERVER = """\
use std::{io::{Read, Write}, net::TcpListener};
const STATUS: &str = "200 OK";
fn main() {
    for stream in TcpListener::bind("0.0.0.0:8080").unwrap().incoming() {
        let Ok(mut stream) = stream else { continue };
        let _ = stream.read(&mut [0u8; 2048]);
        let _ = write!(stream, "HTTP/1.1 {STATUS}\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nold");
    }
}
"""
SERVING = {
    "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "app"\nversion = "0.1.0"\n',
    "src/main.rs": SERVER,
    "dodo.py": "from layerdoit import task_layerdoit\n",
}
DEPLOY = "deploy: {port: 8080, health: {path: /, timeout: 60}}\n"


def test_an_interrupted_deployment_leaves_the_old_one_serving(checkout: New) -> None:
    one = checkout(SERVING, DEPLOY)
    try:
        started = good(start(one, "cycle_fast"))
        address = started.rsplit("healthy at http://", 1)[1].split()[0]
        old = containers(one)
        assert list(old) == [one.name]
        for signum, group in ((signal.SIGINT, True), (signal.SIGTERM, False)):
            one.write({"src/main.rs": SERVER.replace("200 OK", f"500 {signum}").replace("nold", "nnew")})
            run = start(one, "cycle_fast")
            one.until(lambda: f"{one.name}-next" in containers(one), 60, "the new container")
            assert f"{one.name} still serves at http://{address}" in end(one, run, signum, group=group)
            assert containers(one) == old
            assert answer(address) == "old"
    finally:
        assert one.doit("destroy").returncode == 0
    assert containers(one) == {}


def containers(one: Checkout) -> dict[str, str]:
    """Name -> id of the containers of this project."""
    words = ["docker", "ps", "--all", "--format", "json", "--filter", f"label=io.layerdoit.project={one.name}"]
    listing = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return {found["Names"]: found["ID"] for line in listing.splitlines() if (found := json.loads(line))}


def answer(address: str) -> str:
    """What a user gets."""
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
