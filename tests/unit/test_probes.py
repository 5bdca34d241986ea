"""Probes over HTTP and TCP: what counts as an answer, and in which words it does not."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from layerdoit.deploy import probes
from tests.support.ports import unheard

Answering = Callable[[bytes], int]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Starts a server that answers each connection with these bytes and hangs up; gives its port."""
    servers: list[socket.socket] = []

    def start(answer: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    if answer:
                        connection.recv(4096)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def http(status: int, body: str = "all is well") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("status", "statuses", "text", "reason"),
    [
        (200, (), None, None),
        (302, (), None, None),
        (404, (), None, "GET /up answered 404"),
        (204, (200,), None, "GET /up answered 204"),
        (401, (200, 401), None, None),
        (200, (), "well", None),
        (200, (), "ready", 'GET /up answered 200 without the text "ready": all is well'),
        (503, (), "well", "GET /up answered 503"),
    ],
)
def test_an_answer_over_http(
    answering: Answering, status: int, statuses: tuple[int, ...], text: str | None, reason: str | None
) -> None:
    port = answering(http(status))
    assert probes.probe_http("127.0.0.1", port, "/up", statuses=statuses, text=text) == reason


def test_a_body_that_never_ends_is_read_no_longer_than_the_probe_may_take() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                try:
                    while True:
                        connection.sendall(b".")
                        time.sleep(0.01)
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        begun = time.monotonic()
        reason = probes.probe_http("127.0.0.1", server.getsockname()[1], "/", 2.0, text="ready")
        assert "without the text" in (reason or "")
        assert time.monotonic() - begun < 20, "the whole of what is read at most would take hours"


def test_an_open_port(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as waiting:
        port = waiting.getsockname()[1]
        assert probes.probe_tcp("127.0.0.1", port) is None
        assert probes.probe_tcp("127.0.0.1", port, relayed=True) is None
    with unheard() as port:
        assert probes.probe_tcp("127.0.0.1", port) == f"port {port}: Connection refused"
    relay = answering(b"")
    # No longer than it takes that server, on this machine, to hang up.
    monkeypatch.setattr(probes, "RELAYED", 30.0)
    assert probes.probe_tcp("127.0.0.1", relay, relayed=True) == f"port {relay}: it hangs up at once"


def test_the_pauses_between_two_probes() -> None:
    pauses = list(itertools.islice(probes.pauses(), 60))
    assert pauses[:5] == [0.02, 0.04, 0.08, 0.1, 0.1]
    at_once = list(itertools.takewhile(lambda pause: pause <= probes.PAUSE, pauses))
    assert 18 <= len(at_once) <= 25, "ten times a second for two seconds"
    grown = pauses[len(at_once) :]
    assert [round(after / before, 3) for before, after in itertools.pairwise(grown[:8])] == [probes.GROWTH] * 7
    assert set(grown[20:]) == {probes.LONGEST_PAUSE}
