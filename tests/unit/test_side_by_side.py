"""Jobs in threads: turns, results and errors, and what a signal does to each; with real children."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.core import console, files, process, side_by_side, signals
from layerdoit.core.errors import BuildError, Interrupted
from tests.support.waiting import until


def test_each_job_has_a_result_or_an_error() -> None:
    def fails() -> str:
        raise BuildError("it did not build")

    found = side_by_side.all_of({"api": lambda: "built", "worker": fails})
    assert found["api"].result == "built"
    assert str(found["worker"].error) == "it did not build"
    alone = side_by_side.all_of({"worker": fails})
    assert isinstance(alone["worker"].error, BuildError)


def test_one_at_a_time_runs_until_it_waits_for_a_child() -> None:
    inside = 0

    def job() -> list[int]:
        nonlocal inside
        seen = []
        for _ in range(200):
            inside += 1
            seen.append(inside)
            inside -= 1
        return seen

    found = side_by_side.all_of({str(number): job for number in range(8)})
    assert {count for one in found.values() for count in one.result or ()} == {1}


def test_while_one_waits_for_its_child_another_has_its_turn(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def first() -> str:
        # Its child ends when the second job has written.
        return process.capture(["cat", str(gate)]).stdout

    def second() -> str:
        return process.capture(["sh", "-c", f"echo passed >{gate}"]).stdout

    assert side_by_side.all_of({"first": first, "second": second})["first"].result == "passed\n"


def test_jobs_without_turns_run_at_once() -> None:
    meeting = threading.Barrier(3, timeout=20)
    found = side_by_side.all_of({str(number): meeting.wait for number in range(3)}, in_turns=False)
    assert sorted(one.result or 0 for one in found.values()) == [0, 1, 2]


def test_a_job_speaks_for_whom_its_parent_speaks() -> None:
    console.speak_for("shop")
    try:
        found = side_by_side.all_of({"a": console.speaker, "b": console.speaker})
    finally:
        console.speak_for("")
    assert [one.result for one in found.values()] == [("shop", None), ("shop", None)]


# --- signals ----------------------------------------------------------------------------------------------------------


def in_a_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_a_thread_that_asked_for_errors_gets_one() -> None:
    ready, caught = threading.Event(), list[int]()

    def work() -> None:
        try:
            with signals.as_errors():
                ready.set()
                while True:
                    threading.Event().wait(0.01)
        except Interrupted as error:
            caught.append(error.signum)

    thread = in_a_thread(work)
    ready.wait(20)
    assert signals.pass_on(signal.SIGTERM, thread)
    thread.join(20)
    assert caught == [signal.SIGTERM]


def test_a_thread_that_ignores_signals_goes_on() -> None:
    ready, go, caught = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        with signals.as_errors(), signals.ignored():
            ready.set()
            go.wait(20)
            caught.append("went on")

    thread = in_a_thread(work)
    ready.wait(20)
    assert signals.pass_on(signal.SIGINT, thread)
    go.set()
    thread.join(20)
    assert caught == ["went on"]


def test_a_thread_that_asked_for_nothing_is_told_later() -> None:
    go = threading.Event()
    thread = in_a_thread(lambda: until(go.is_set))
    assert not signals.pass_on(signal.SIGINT, thread)
    go.set()
    thread.join(20)


def test_what_a_thread_waits_for_is_posted_to_it() -> None:
    events: signals.Events = queue.SimpleQueue()
    ready, go = threading.Event(), threading.Event()

    def work() -> None:
        with signals.posted_to(events):
            ready.set()
            go.wait(20)

    thread = in_a_thread(work)
    ready.wait(20)
    assert signals.pass_on(signal.SIGINT, thread)
    assert events.get(timeout=20) == ("signal", signal.SIGINT)
    go.set()
    thread.join(20)


PROGRAM = """
import sys, time
from layerdoit.core import process, side_by_side, signals
from layerdoit.core.errors import Interrupted
folder = sys.argv[1]

def ended(name, error):
    # One write: threads that tell at once do not come between each other's words.
    print(f"{name} {error.signum}\\n", end="", flush=True)

def child(name):
    def run():
        try:
            trap = f"trap 'echo ended >{folder}/{name}; exit 3' INT"
            tell = f"echo $$ >{folder}/part-{name}; mv {folder}/part-{name} {folder}/pid-{name}"
            process.capture(["sh", "-c", f"{trap}; {tell}; while :; do sleep 0.1; done"])
        except Interrupted as error:
            ended(name, error)
            raise
    return run

def service():
    try:
        with signals.as_errors():
            open(f"{folder}/pid-service", "w").close()
            while True:
                time.sleep(0.02)
    except Interrupted as error:
        ended("service", error)
        raise

try:
    side_by_side.all_of({"api": child("api"), "worker": child("worker"), "service": service}, in_turns=False)
except Interrupted as error:
    ended("all", error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_children_and_comes_out_once(number: signal.Signals, tmp_path: Path) -> None:
    main = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    until(lambda: all((tmp_path / f"pid-{name}").exists() for name in ("api", "worker", "service")))
    main.send_signal(number)
    said, _ = main.communicate(timeout=60)
    assert main.returncode == 128 + number
    told = dict(line.split() for line in said.splitlines())
    assert (told["all"], told["service"]) == (str(number.value), str(number.value))
    assert told.keys() == {"api", "worker", "service", "all"}
    assert (tmp_path / "api").read_text() == (tmp_path / "worker").read_text() == "ended\n"


def test_a_job_that_waits_for_a_lock_lets_the_one_that_holds_it_go_on(tmp_path: Path) -> None:
    lock, gate, inside = tmp_path / "lock", tmp_path / "gate", threading.Event()
    os.mkfifo(gate)

    def holds() -> str:
        with files.locked(lock):
            inside.set()
            # Its turn is another's while this child runs; it ends when the other one stands before the lock.
            process.capture(["cat", str(gate)])
        return "held"

    def opened() -> None:
        gate.write_text("x")

    def waits() -> str:
        with side_by_side.others_run():
            inside.wait()
        with files.locked(lock, opened):
            return "had it after"

    found: dict[str, side_by_side.Ended[str]] = {}
    jobs = {"holds": holds, "waits": waits}
    thread = threading.Thread(target=lambda: found.update(side_by_side.all_of(jobs)), daemon=True)
    thread.start()
    thread.join(20)
    assert {name: ended.result for name, ended in found.items()} == {"holds": "held", "waits": "had it after"}
