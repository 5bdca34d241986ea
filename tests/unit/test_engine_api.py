"""The connection to the engine's socket: each thread and each process has its own, for answers must not cross."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from layerdoit.core.errors import EngineError
from layerdoit.engine.api import SocketApi, connect
from tests.support.server import Handler, UnixServer, serving


class _Handler(Handler):
    """Answers with the path that was asked for."""

    protocol_version = "HTTP/1.1"

    def get(self) -> None:
        code = 404 if self.path.endswith("/gone") else 409 if self.path.endswith("/refused") else 200
        self.answer(code, f'"{self.path.removeprefix("/v1.41")}"'.encode())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[UnixServer]:
    with serving(tmp_path / "sock", _Handler) as running:
        yield running


def _api(server: UnixServer) -> SocketApi:
    return SocketApi(str(server.server_address))


def test_one_connection_is_kept(server: UnixServer) -> None:
    api = _api(server)
    assert [api.get(f"/{number}") for number in range(5)] == [f"/{number}" for number in range(5)]
    assert server.connections == 1
    assert api.get("/gone") is None
    with pytest.raises(EngineError, match="answered 409 to /refused"):
        api.get("/refused")


def test_threads_do_not_share_it(server: UnixServer) -> None:
    api = _api(server)
    assert api.get("/main") == "/main"
    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(api.get, ["/1", "/2"])) == ["/1", "/2"]
    assert api.get("/main") == "/main"
    assert server.connections == 2


def test_processes_do_not_share_it(server: UnixServer) -> None:
    api = _api(server)
    assert api.get("/parent") == "/parent"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(api.get("/child")).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reading, 100) == b"/child"
    os.close(reading)
    os.close(writing)
    assert api.get("/parent") == "/parent"
    assert server.connections == 2


def test_it_is_made_anew_where_it_is_sent_to(server: UnixServer) -> None:
    api = _api(server)
    api.get("/here")
    assert pickle.loads(pickle.dumps(api)).get("/there") == "/there"
    assert server.connections == 2


def test_no_engine_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    with pytest.raises(EngineError, match="no Docker engine answers at") as raised:
        connect().get("/version")
    assert "systemctl start docker" in str(raised.value.hint)
