"""The first process of a live container, with real programs; here, too, it adopts orphans, as process 1 does."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerdoit.core.resources import dockerfile_dir
from tests.support.waiting import until

SOON = 20.0
GENTLE = "echo ready $$; exec sleep 60"
STUBBORN = "trap '' TERM; echo ready $$; while :; do sleep 60; done"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    made = tmp_path_factory.mktemp("live") / "live"
    strict = ("-Wall", "-Wextra", "-Werror", "-pedantic")
    subprocess.run([compiler, "-O2", *strict, "-o", made, dockerfile_dir() / "live.c"], check=True)
    return made


class Supervised:
    """A supervisor with a program, which says that it is there."""

    def __init__(self, live: Path, folder: Path, script: str, *options: str) -> None:
        self.socket = folder / "socket"
        self.script = folder / "program"
        self.put(script)
        command = [str(live), str(self.socket), *options, "--", str(self.script)]
        # Whoever starts it may ignore signals; its program does not.
        self.process = subprocess.Popen(
            ["env", "--ignore-signal=HUP", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.read = b""

    def put(self, script: str) -> None:
        """As a workshop does: another file of the same name."""
        new = self.script.with_suffix(".new")
        new.write_text(f"#!/bin/sh\n{script}\n")
        new.chmod(0o755)
        new.replace(self.script)

    def said(self) -> str:
        """The next line of its output, without the mark of a restart."""
        assert self.process.stdout
        while b"\n" not in self.read:
            assert select.select([self.process.stdout], [], [], SOON)[0], f"it says nothing after {self.read!r}"
            part = os.read(self.process.stdout.fileno(), 1000)
            assert part, f"it ended after {self.read!r}"
            self.read += part
        line, _, self.read = self.read.partition(b"\n")
        return self.said() if line == b"layerdoit: started again" else line.decode()

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SOON)
        connection.connect(str(self.socket))
        return connection

    def tell(self, command: str) -> str:
        with self.connect() as connection:
            return exchange(connection, command)

    def ended(self) -> int:
        return self.process.wait(SOON)


Start = Callable[..., Supervised]


@pytest.fixture
def start(live: Path, tmp_path: Path) -> Iterator[Start]:
    made: list[Supervised] = []

    def begin(script: str, *options: str) -> Supervised:
        made.append(Supervised(live, tmp_path, script, *options))
        return made[-1]

    yield begin
    for one in made:
        if one.process.poll() is None:
            with_children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
            for pid in (*map(int, with_children), one.process.pid):
                # What still ends may have ended.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            one.process.wait()
        assert one.process.stdout
        one.process.stdout.close()


def exchange(connection: socket.socket, command: str) -> str:
    connection.sendall(f"{command}\n".encode())
    return heard(connection)


def heard(connection: socket.socket) -> str:
    found = b""
    while not found.endswith(b"\n"):
        part = connection.recv(100)
        assert part, f"it hung up after {found!r}"
        found += part
    return found.decode().strip()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(
    ("script", "code"),
    [("echo ready; exit 0", 0), ("echo ready; exit 101", 101), ("echo ready; kill -SEGV $$", 139)],
)
def test_the_end_of_the_program_is_that_of_the_supervisor(start: Start, script: str, code: int) -> None:
    assert start(script).ended() == code


def test_a_program_that_is_not_there_is_told(live: Path, tmp_path: Path) -> None:
    done = subprocess.run([live, tmp_path / "s", "--", "/nowhere"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, "layerdoit: /nowhere: No such file or directory\n")


def test_signals_reach_the_program_in_its_own_group_with_default_dispositions(start: Start) -> None:
    one = start("trap 'echo got' USR1; echo ready $$; while :; do sleep 60 & wait; done")
    pid = int(one.said().split()[1])
    assert os.getpgid(pid) == pid
    ignored = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn"))
    assert int(ignored.split()[1], 16) == 0, "env had it ignore SIGHUP"
    one.process.send_signal(signal.SIGUSR1)
    assert one.said() == "got"
    one.process.send_signal(signal.SIGTERM)
    assert one.ended() == 128 + signal.SIGTERM


def test_a_restart_swaps_the_program_and_keep_makes_its_end_that_of_the_container(start: Start) -> None:
    one = start(GENTLE)
    first = int(one.said().split()[1])
    assert stat.S_IMODE(one.socket.stat().st_mode) == 0o666
    assert one.tell("state") == f"running {first}"
    one.put("echo second $$; exec sleep 60")
    answer = one.tell("restart 10")
    second = int(one.said().split()[1])
    assert answer == f"started {second} 0"
    assert is_gone(first)
    assert one.tell("state") == f"trial {second}"
    with one.connect() as waiting:
        waiting.sendall(b"wait\n")
        # Answered after the other one was heard.
        assert exchange(waiting, "state").startswith("trial")
        assert one.tell("keep") == "kept"
        assert heard(waiting) == "kept"
    assert (one.tell("wait"), one.tell("keep")) == ("kept", "kept")
    os.kill(second, signal.SIGKILL)
    assert one.ended() == 128 + signal.SIGKILL


def test_the_end_of_a_program_in_trial_is_told_and_ends_nothing(start: Start) -> None:
    one = start(GENTLE)
    one.said()
    one.put("read line < /dev/null; exit 101")
    with one.connect() as connection:
        assert exchange(connection, "restart 10").startswith("started")
        assert exchange(connection, "wait") == "ended 101"
        assert exchange(connection, "state") == "ended 101"
        assert exchange(connection, "keep") == "ended 101"
    one.put("kill -ABRT $$")
    one.tell("restart 10")
    assert one.tell("wait") == "ended signal 6"
    one.script.unlink()
    assert one.tell("restart 10") == "failed No such file or directory"
    assert one.tell("wait") == "ended 127"
    one.put(GENTLE)
    assert one.tell("restart 10").startswith("started")
    assert one.said().startswith("ready")
    assert one.tell("keep") == "kept"
    assert one.process.poll() is None


def test_the_container_is_stopped_also_while_a_trial_goes_on(start: Start) -> None:
    one = start(GENTLE)
    one.said()
    one.tell("restart 10")
    one.said()
    one.process.send_signal(signal.SIGTERM)
    assert one.ended() == 128 + signal.SIGTERM


def test_a_program_that_has_ended_in_trial_does_not_keep_the_container_up(start: Start) -> None:
    one = start(GENTLE)
    one.said()
    one.put("exit 3")
    one.tell("restart 10")
    assert one.tell("wait") == "ended 3"
    one.process.send_signal(signal.SIGTERM)
    assert one.ended() == 3


def test_a_program_that_ignores_the_signal_is_killed_with_all_that_it_started(start: Start) -> None:
    """Also what has left its group, and what has lost its parent."""
    away = "setsid sh -c 'trap \"\" TERM; echo away $$; while :; do sleep 60; done'"
    one = start(f"({away} &)\n{STUBBORN}")
    pids = [int(one.said().split()[1]) for _ in range(2)]
    one.put(GENTLE)
    assert one.tell("restart 0.05").endswith(" killed")
    assert one.said().startswith("ready")
    assert all(is_gone(pid) for pid in pids)
    one.tell("keep")
    assert one.tell("restart 10").split()[2:] == ["0"], "this one ends by itself"


def test_what_a_program_left_behind_is_asked_to_end_too(start: Start) -> None:
    """It has the port of the new one; nobody waits for the grace."""
    one = start("(setsid sh -c 'echo away $$; exec sleep 60' &)\n" + GENTLE)
    pids = [int(one.said().split()[1]) for _ in range(2)]
    assert one.tell("restart 60").startswith("started")
    assert all(is_gone(pid) for pid in pids)


def test_a_program_that_goes_to_the_background_counts_as_ended(start: Start) -> None:
    one = start(GENTLE)
    one.said()
    one.put("(setsid sh -c 'echo away $$; exec sleep 60' &)")
    one.tell("restart 10")
    assert one.tell("wait") == "ended 0"
    away = int(one.said().split()[1])
    assert not is_gone(away)
    one.put(GENTLE)
    one.tell("restart 10")
    assert is_gone(away)


def test_orphans_are_reaped(start: Start) -> None:
    one = start("(sh -c 'echo orphan $$' &); " + GENTLE)
    pids = [int(one.said().split()[1]) for _ in range(2)]
    children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children")
    until(lambda: len(children.read_text().split()) == 1, SOON)
    assert sum(map(is_gone, pids)) == 1


def test_whoever_asks_may_go_away_in_the_middle(start: Start) -> None:
    one = start(STUBBORN)
    first = int(one.said().split()[1])
    with one.connect() as connection:
        assert exchange(connection, "wait") == "kept"
        # At once: it obeys both before it looks whether the time is over.
        assert exchange(connection, "restart 0.05\nstate").startswith("stopping")
    with one.connect() as connection:
        connection.sendall(b"rest")
    one.said()
    assert is_gone(first)
    assert one.tell("state").startswith("trial")


def test_a_newer_restart_takes_the_place_of_one_that_waits(start: Start) -> None:
    one = start(STUBBORN)
    one.said()
    with one.connect() as connection:
        connection.sendall(b"restart 600\n")
        assert exchange(connection, "state").startswith("stopping")
        assert one.tell("restart 0").startswith("started")
        assert heard(connection) == "failed another restart came"


@pytest.mark.parametrize("command", ["", "restart", "restart -1", "stop", "x" * 1000])
def test_what_is_no_command_changes_nothing(start: Start, command: str) -> None:
    one = start(GENTLE)
    one.said()
    with one.connect() as connection:
        connection.sendall(f"{command}\n".encode())
        try:
            answer = connection.recv(100)
        except ConnectionResetError:
            answer = b""
        assert answer in (b"failed no such command\n", b"")
    assert one.tell("state").startswith("running")


def test_the_signal_of_the_image_asks_the_program_to_end(start: Start) -> None:
    one = start("trap 'echo asked; exit 0' INT; echo ready; while :; do sleep 60 & wait; done", "SIGINT")
    one.said()
    one.put(GENTLE)
    assert one.tell("restart 60").startswith("started")
    assert one.said() == "asked"


def test_the_client_prints_the_answer_and_says_where_nobody_listens(live: Path, start: Start, tmp_path: Path) -> None:
    one = start(GENTLE)
    one.said()
    asked = [str(live), "ask", str(one.socket), "restart", "10"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "started")
    nobody = subprocess.run([live, "ask", tmp_path / "nobody", "state"], capture_output=True, text=True, check=False)
    assert (nobody.returncode, nobody.stdout) == (1, "")


def test_a_container_that_is_started_again_listens_again(start: Start) -> None:
    one = start(GENTLE)
    one.said()
    one.process.kill()
    one.process.wait()
    again = start(GENTLE)
    again.said()
    assert again.tell("state").startswith("running")
