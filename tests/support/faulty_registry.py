"""A registry behind a server that hands requests on, and answers some of them itself: as one that fails would."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

_OF_THE_WAY: Final = ("connection", "transfer-encoding", "keep-alive", "content-length")
_PATIENCE: Final = 60


class Answer(NamedTuple):
    """What is answered instead of the registry. `challenge`: how one has to log in."""

    status: int
    code: str
    message: str = ""
    challenge: str = ""


SILENCE: Final = Answer(0, "")
"""Nothing is answered, until `Faulty.let_go`."""
Fault = Callable[[str, str, str], Answer | None]
"""Method, path, and what is shown of a login -> the answer; None for the registry's own."""


def never(*_: str) -> Answer | None:
    """No fault."""
    return None


class Faulty:
    """`address`: as it stands before an image's name. `fault` may be exchanged at any time. `asked`: each request."""

    def __init__(self, registry: str) -> None:
        self.fault: Fault = never
        self.tokens = 0
        self.asked: list[str] = []
        self.let_go = threading.Event()
        self._registry = registry
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                outer.handle(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - as the library says

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """One request: the token of a login, a fault, or what the registry says."""
        body = self._body(request)
        self.asked.append(f"{request.command} {request.path}")
        if request.path.startswith("/token"):
            self.tokens += 1
            self._send(request, 200, [("Content-Type", "application/json")], b'{"token": "t%d"}' % self.tokens)
            return
        answer = self.fault(request.command, request.path, request.headers.get("Authorization") or "")
        if answer is SILENCE:
            self.let_go.wait(_PATIENCE)
            request.close_connection = True
        elif answer is not None:
            told = json.dumps({"errors": [{"code": answer.code, "message": answer.message}]}).encode()
            login = [("WWW-Authenticate", answer.challenge)] if answer.challenge else []
            self._send(request, answer.status, [("Content-Type", "application/json"), *login], told)
        else:
            self._hand_on(request, body)

    def _hand_on(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        asked = http.client.HTTPConnection(self._registry, timeout=_PATIENCE)
        asked.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        # Some, as Accept, are there more than once.
        for name, value in request.headers.items():
            if name.lower() not in (*_OF_THE_WAY, "authorization"):
                asked.putheader(name, value)
        asked.putheader("Content-Length", str(len(body)))
        asked.endheaders(body)
        found = asked.getresponse()
        self._send(request, found.status, found.getheaders(), found.read(), found.getheader("Content-Length"))
        asked.close()

    def _body(self, request: BaseHTTPRequestHandler) -> bytes:
        if "chunked" not in (request.headers.get("Transfer-Encoding") or ""):
            return request.rfile.read(int(request.headers.get("Content-Length") or 0))
        parts = []
        while size := int(request.rfile.readline().split(b";")[0], 16):
            parts.append(request.rfile.read(size))
            request.rfile.readline()
        request.rfile.readline()
        return b"".join(parts)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        headers: list[tuple[str, str]],
        content: bytes,
        length: str | None = None,
    ) -> None:
        request.send_response(status)
        for name, value in headers:
            if name.lower() not in _OF_THE_WAY:
                request.send_header(name, value)
        # That of an answer to HEAD is of what it leaves out.
        request.send_header("Content-Length", length if length and not content else str(len(content)))
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(b"" if request.command == "HEAD" else content)


@contextlib.contextmanager
def before(registry: str) -> Iterator[Faulty]:
    """One before a registry, `host:port`."""
    found = Faulty(registry)
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.let_go.set()
        found.server.shutdown()
        found.server.server_close()
        thread.join()
