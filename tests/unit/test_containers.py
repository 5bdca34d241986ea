"""What becomes of an engine's refusal to start a container."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerdoit.engine.containers import Container, Containers, Spec
from layerdoit.errors import DeployError

RUNC = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
DIED = RUNC + "waiting for init preliminary setup: read init-p: connection reset by peer: unknown"
NO_PROGRAM = RUNC + "exec: no such file or directory: unknown"
DESCRIBED = {
    "Id": "c0",
    "Name": "/web",
    "Config": {"Labels": {}},
    "State": {"Status": "running", "ExitCode": 0},
    "NetworkSettings": {},
}


class _Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    refusals: list[str]
    starts = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Engine

    def do_POST(self) -> None:
        self.server.starts += 1
        if self.server.refusals:
            self._answer(500, {"message": self.server.refusals.pop(0)})
        else:
            self._answer(204, None)

    def do_GET(self) -> None:
        self._answer(200, DESCRIBED)

    def _answer(self, code: int, content: object) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class calls it
        pass


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Engine]:
    with _Engine(str(tmp_path / "sock"), _Handler) as running:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/sock")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _started() -> Container:
    asked = Container("c0", "web", {}, "created", 0, {}, {}, "")
    return Containers("p", "d").start(asked, Spec("web", "image", "net", {}))


def test_a_runc_that_died_is_asked_once_more(engine: _Engine) -> None:
    engine.refusals = [DIED]
    assert _started().state == "running"
    assert engine.starts == 2


@pytest.mark.parametrize(("refusals", "starts"), [([DIED, DIED], 2), ([NO_PROGRAM], 1)])
def test_what_does_not_start_is_an_error(engine: _Engine, refusals: list[str], starts: int) -> None:
    engine.refusals = list(refusals)
    with pytest.raises(DeployError, match="could not start the container: failed to create shim task"):
        _started()
    assert engine.starts == starts
