"""Runs that are interrupted or killed: what is tagged is what the sources say, and nothing is left over."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from tests.engine.together_fixture import (
    New,
    Run,
    builds,
    compiling,
    edit,
    finish,
    good,
    held,
    key_tag,
    new,
    right,
    said_live,
    slow,
    start,
)
from tests.support.checkout import Checkout
from tests.support.ports import PORT

__all__ = ["new"]


MOMENTS = int(os.environ.get("LAYERDOIT_KILL_RUNS", "4"))
SEED = int(os.environ.get("LAYERDOIT_KILL_SEED", str(random.SystemRandom().randrange(10**6))))


# --- ended -----------------------------------------------------------------------------------------------------------


def end(one: Checkout, run: Run, signum: int, *, group: bool) -> str:
    """Send a signal, as a terminal or as `kill` does, and see that all ends, long before the step would; the errors."""
    (os.killpg if group else os.kill)(run.pid, signum)
    code, out, err = finish(run)
    assert code == 128 + signum, out + err
    assert "Traceback" not in out + err
    assert one.until(lambda: not builds(one.root), what="the end of the build")
    return err


def interrupted(one: Checkout, value: str, signum: int, *, group: bool, words: tuple[str, ...] = ()) -> str:
    """Interrupt a compilation; nothing of it is tagged, and the next run is right and need not wait for the step."""
    edit(one, value)
    slow(one)
    tags, known = one.tags(), len(one.logs("app"))
    run = start(one, *words)
    compiling(one, known)
    assert builds(one.root)
    err = end(one, run, signum, group=group)
    assert one.tags() == tags, "half-made"
    slow(one, 0)
    # If the step went on, it would have the mount for itself, for longer than this waits.
    good(start(one))
    right(one)
    return err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_compilation(new: New, signum: int) -> None:
    one = new()
    one.build()
    for value, group in (("1111", True), ("2222", False)):
        err = interrupted(one, value, signum, group=group)
        lines = [line for line in err.splitlines() if not re.match(r"\d\d:\d\d:\d\d app: ", line)]
        assert lines == [f"layerdoit: interrupted by signal {signum}; no partial result was kept"]


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
    with held(one) as first:
        second = start(one)
        said_live(second, "waiting for another run in this checkout")
        second.send_signal(signal.SIGINT)
        code, out, err = finish(second)
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
        assert "waiting for another run" not in good(start(one))
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
""".replace("8080", str(PORT))
SERVING = {
    "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "app"\nversion = "0.1.0"\n',
    "src/main.rs": SERVER,
    "dodo.py": "from layerdoit import task_layerdoit\n",
}
DEPLOY = f"deploy: {{port: {PORT}, health: {{path: /, timeout: 60}}}}\n"


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
            deploying(one, run)
            assert f"{one.name} still serves at http://{address}" in end(one, run, signum, group=group)
            assert containers(one) == old
            assert answer(address) == "old"
    finally:
        assert one.doit("destroy").returncode == 0
    assert containers(one) == {}


def deploying(one: Checkout, run: Run) -> None:
    """Wait until the new container is there."""
    there = f"{one.name}-next"
    one.until(lambda: run.poll() is not None or there in containers(one), 300, "the new container")


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
