"""A new program that starts while the old one still ends, with real programs."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.waiting import until
from tests.unit.test_supervisor import GENTLE, SOON, Start, Supervised, heard, is_gone, live, start

__all__ = ["live", "start"]

# Told to end, it closes its socket, and ends once there is a file.
SERVER = r"""
import os, signal, socket, sys, time
kind, address, ends = sys.argv[1:]
if kind == "unix":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
elif kind == "udp":
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", int(address)))
elif kind == "tcp6":
    listener = socket.create_server(("::1", int(address)), family=socket.AF_INET6)
else:
    listener = socket.create_server(("127.0.0.1", int(address)))
def end(*_):
    listener.close()
    os.write(1, b"deaf\n")
    while not os.path.exists(ends):
        time.sleep(0.005)
    sys.exit()
signal.signal(signal.SIGTERM, end)
if kind == "forked" and os.fork():
    listener.close()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
os.write(1, f"ready {os.getpid()}\n".encode())
while True:
    signal.pause()
"""


@pytest.fixture
def ends(tmp_path: Path) -> Path:
    """The file that has the server end."""
    return tmp_path / "ends"


@pytest.fixture
def server(tmp_path: Path, ends: Path) -> str:
    """The script of a server on a port of this machine."""
    return script(tmp_path, "tcp", free_port(), ends)


def script(folder: Path, kind: str, address: object, ends: Path) -> str:
    (folder / "server.py").write_text(SERVER)
    return f"exec {sys.executable} {folder}/server.py {kind} {address} {ends}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def ready(one: Supervised) -> int:
    """Its process number, from the line that says so; what others say before is passed over."""
    while True:
        word, *rest = one.said().split()
        if word == "ready":
            return int(rest[0])


@pytest.mark.parametrize("kind", ["tcp", "tcp6", "udp"])
def test_the_new_program_starts_when_the_old_one_listens_no_longer(
    start: Start, tmp_path: Path, ends: Path, kind: str
) -> None:
    if kind == "tcp6" and not Path("/proc/net/tcp6").exists():
        pytest.skip("this machine has no IPv6")
    one = start(script(tmp_path, kind, free_port(), ends))
    first = ready(one)
    answer = one.tell("overlap 60")
    second = ready(one)
    assert answer == f"started {second} 0"
    assert not is_gone(first)
    assert one.tell("state") == f"trial {second}"
    assert one.tell("keep") == "kept"
    ends.touch()
    until(lambda: is_gone(first), SOON)
    assert one.tell("state") == f"running {second}"
    os.kill(second, signal.SIGKILL)
    assert one.ended() == 128 + signal.SIGKILL


def test_otherwise_the_old_program_ends_first_and_how_long_that_took_is_told(
    start: Start, server: str, ends: Path
) -> None:
    one = start(server)
    first = ready(one)
    with one.connect() as connection:
        connection.sendall(b"restart 60\n")
        assert one.said() == "deaf"
        # Looks at the sockets every 5 ms.
        os.kill(one.process.pid, signal.SIGCHLD)
        assert one.tell("state") == f"stopping {first}"
        assert one.tell("state") == f"stopping {first}"
        ends.touch()
        _, second, lingered, *killed = heard(connection).split()
    assert (is_gone(first), int(second), killed) == (True, ready(one), [])
    assert 0 < int(lingered) < SOON * 1000


def test_what_listens_nowhere_is_waited_for(start: Start) -> None:
    one = start(GENTLE)
    first = int(one.said().split()[1])
    assert one.tell("overlap 60").endswith(" 0")
    assert is_gone(first)


def test_what_listens_on_a_socket_in_the_file_system_is_waited_for(start: Start, tmp_path: Path, ends: Path) -> None:
    """It may remove that when it ends, and the new one has it by then."""
    one = start(script(tmp_path, "unix", tmp_path / "its.socket", ends))
    first = ready(one)
    one.put(GENTLE)
    with one.connect() as connection:
        connection.sendall(b"overlap 60\n")
        assert one.said() == "deaf"
        assert one.tell("state") == f"stopping {first}"
        ends.touch()
        assert heard(connection).startswith("started")
    assert is_gone(first)


def test_a_child_that_has_the_port_counts(start: Start, tmp_path: Path, ends: Path) -> None:
    """The program itself ends at once; its child still listens, until it is told to end."""
    one = start(script(tmp_path, "forked", free_port(), ends))
    pids = [ready(one), ready(one)]
    one.put(GENTLE)
    assert one.tell("overlap 60").startswith("started")
    ready(one)
    until(lambda: sum(map(is_gone, pids)) == 1, SOON)
    ends.touch()
    until(lambda: all(map(is_gone, pids)), SOON)


def test_the_old_program_is_killed_when_its_grace_is_over(start: Start, server: str) -> None:
    one = start(f"(sh -c 'trap \"\" TERM; echo child $$; while :; do sleep 60; done' &)\n{server}")
    lines = [one.said().split() for _ in range(2)]
    pids = [int(number) for _, number in lines]
    one.put(GENTLE)
    assert one.tell("overlap 0.2").startswith("started")
    second = ready(one)
    until(lambda: all(map(is_gone, pids)), SOON)
    assert one.tell("keep") == "kept"
    assert not is_gone(second)


def test_what_fails_beside_the_old_program_is_started_again_after_it(start: Start, server: str, ends: Path) -> None:
    """A lock that the old one still has, or a number of connections that its database allows."""
    one = start(server)
    first = ready(one)
    one.put(f"echo tried; [ ! -d /proc/{first} ] || exit 3; {GENTLE}")
    with one.connect() as waiting:
        one.tell("overlap 60")
        while one.said() != "tried":
            pass
        waiting.sendall(b"wait\n")
        until(lambda: one.tell("state") == "ended 3", SOON)
        ends.touch()
        second = ready(one)
        assert is_gone(first)
        assert one.tell("state") == f"trial {second}"
        assert one.tell("keep") == "kept"
        assert heard(waiting) == "kept"


def test_what_fails_twice_has_failed(start: Start, server: str, ends: Path) -> None:
    one = start(server)
    ready(one)
    one.put("echo tried; exit 3")
    one.tell("overlap 60")
    with one.connect() as waiting:
        waiting.sendall(b"wait\n")
        until(lambda: one.tell("state") == "ended 3", SOON)
        ends.touch()
        assert heard(waiting) == "ended 3"
    assert one.tell("state") == "ended 3"
    one.put(GENTLE)
    assert one.tell("restart 10").startswith("started")
    assert one.tell("keep") == "kept"


def test_a_next_restart_waits_for_all_that_still_ends(start: Start, server: str, ends: Path) -> None:
    one = start(server)
    first = ready(one)
    one.tell("overlap 60")
    second = ready(one)
    one.put(GENTLE)
    with one.connect() as connection:
        connection.sendall(b"restart 60\n")
        assert one.tell("state") == f"stopping {second}"
        ends.touch()
        assert heard(connection).startswith("started")
    assert is_gone(first)
    assert is_gone(second)


def test_the_container_ends_also_while_two_programs_run(start: Start, server: str) -> None:
    one = start(server)
    first = ready(one)
    one.put(GENTLE)
    one.tell("overlap 60")
    ready(one)
    one.process.send_signal(signal.SIGTERM)
    assert one.ended() == 128 + signal.SIGTERM
    until(lambda: is_gone(first), SOON)
