"""A registry that fails in ways that a real one does not on request: it stands before a real one."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.support.ports import free_port

Fault = Literal["", "silent", "read-only", "full", "login", "expired"]
_WRITES: Final = ("POST", "PUT", "PATCH")


@dataclass
class Faulty:
    """Its address, and what is wrong with it now. `asked`: what it was asked, in order."""

    address: str
    fault: Fault = ""
    asked: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: Faulty, real: str) -> None:
        super().__init__(("127.0.0.1", int(state.address.rpartition(":")[2])), _Handler)
        self.state = state
        self.real = real


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __getattr__(self, name: str) -> Any:
        """Every method is answered alike."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        body, state = self._body(), self.server.state
        state.asked.append(f"{self.command} {self.path}")
        if state.fault == "silent":
            state.let_go.wait(60)
            self.close_connection = True
        elif (refusal := _refused(state, self.command, self.path)) is not None:
            self._refuse(*refusal)
        else:
            self._pass(body)

    def _pass(self, body: bytes) -> None:
        connection = http.client.HTTPConnection(self.server.real, timeout=30)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        # Some stand there more than once.
        for name, value in self.headers.items():
            if name not in ("Transfer-Encoding", "Content-Length"):
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "date", "connection"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _refuse(self, status: int, code: str, message: str) -> None:
        content = f'{{"errors":[{{"code":"{code}","message":"{message}"}}]}}'.encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def before(real: str) -> Iterator[Faulty]:
    """One that passes on to a real registry what it lets through."""
    state = Faulty(f"127.0.0.1:{free_port()}")
    with _Server(state, real) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.let_go.set()
            server.shutdown()
            thread.join()


def _refused(state: Faulty, method: str, path: str) -> tuple[int, str, str] | None:
    """Status, code and message of what it refuses."""
    # What is not refused in these words, the engine tries again for a minute.
    writes = method in _WRITES
    if state.fault == "login":
        return 401, "UNAUTHORIZED", "authentication required"
    if state.fault == "expired" and method == "PUT" and "/manifests/" in path:
        # All of the image is there, but for its name.
        return 401, "UNAUTHORIZED", "authentication required"
    if state.fault == "read-only" and writes:
        return 403, "DENIED", "this registry takes no pushes"
    if state.fault == "full" and writes and "/uploads/" in path and method != "POST":
        return 403, "DENIED", "the project is over its quota of 10 GiB"
    return None
