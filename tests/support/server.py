"""HTTP servers in a thread of the test: on a Unix socket, where an engine would be, or on an address."""

from __future__ import annotations

import contextlib
import http.server
import socketserver
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar


class Handler(http.server.BaseHTTPRequestHandler):
    """Its subclasses answer in `get` and `post`."""

    def get(self) -> None:
        self.answer(405)

    def post(self) -> None:
        self.answer(405)

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def answer(self, code: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer; JSON where no header says otherwise."""
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Counts its connections."""

    daemon_threads = True
    connections = 0

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]


class TcpServer(http.server.ThreadingHTTPServer):
    """Serves on an address of this machine."""

    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that was interrupted has gone."""


Some = TypeVar("Some", bound=socketserver.BaseServer)


@contextlib.contextmanager
def running(server: Some) -> Iterator[Some]:
    """Let a server answer, and close it at the end."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serving(socket: Path, handler: type[Handler]) -> Iterator[UnixServer]:
    """Serve on a Unix socket."""
    with running(UnixServer(str(socket), handler)) as server:
        yield server


def gateway(docker_engine: Any) -> str:
    """Return the address by which containers reach this machine."""
    network = docker_engine.networks.get("bridge").attrs
    return str(network["IPAM"]["Config"][0].get("Gateway") or "172.17.0.1")
