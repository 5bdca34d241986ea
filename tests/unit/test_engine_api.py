"""The connection to the engine's socket: each thread and each process has its own, for answers must not cross."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import pytest
import requests
from docker.errors import APIError, DockerException

from layerdoit.core.errors import EngineError
from layerdoit.engine import api_version, sdk
from layerdoit.engine.api import SdkApi, SocketApi, chosen_builder, connect, endpoint
from layerdoit.engine.handle import Engine
from layerdoit.engine.images import Images
from tests.support.checkout import hang_up
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
    assert "DOCKER_HOST, which names it" in str(raised.value.hint)


# --- the version of the API ------------------------------------------------------------------------------------------


class _Choosy(_Handler):
    """As an engine whose lowest or highest version is another than ours; `asked` has the paths, in their order."""

    has = ""
    why = ""
    asked: ClassVar[list[str]] = []

    def get(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith(f"/v{self.has}/"):
            self.answer(200, b"OK" if self.path.endswith("/_ping") else b'"yes"')
        else:
            version = self.path.split("/")[1].removeprefix("v")
            said = f"client version {version} is {self.why} API version is {self.has}, please upgrade your client"
            self.answer(400, json.dumps({"message": said}).encode())


@pytest.fixture(params=[("1.44", "too old. Minimum supported"), ("1.40", "too new. Maximum supported")])
def choosy(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Choosy]]:
    handler: type[_Choosy] = type("_One", (_Choosy,), {"has": request.param[0], "why": request.param[1], "asked": []})
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/choosy")
    monkeypatch.setattr(api_version, "_agreed", {})
    with serving(tmp_path / "choosy", handler):
        yield handler


def test_an_engine_without_our_version_is_asked_again_in_one_that_it_has(choosy: type[_Choosy]) -> None:
    api = connect()
    assert (api.get("/a"), api.get("/b")) == ("yes", "yes")
    assert choosy.asked == ["/v1.41/a", f"/v{choosy.has}/a", f"/v{choosy.has}/b"], "once for all"
    hang_up(Images(api))


def test_the_sdk_speaks_the_version_that_the_engine_has(choosy: type[_Choosy]) -> None:
    client = sdk.low_level(endpoint(), 5)
    assert client.ping()
    with sdk.client(endpoint(), 5) as other:
        assert other.ping()
    assert choosy.asked == ["/v1.41/_ping", *[f"/v{choosy.has}/_ping"] * 3]
    client.close()


def test_an_engine_with_our_version_is_asked_for_nothing_else(
    server: UnixServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_version, "_agreed", {})
    assert _api(server).get("/1") == "/1"
    assert api_version.known(f"unix://{server.server_address}") == "1.41"


# --- the Docker SDK ---------------------------------------------------------------------------------------------------

HOST = "unix:///run/engine.sock"
NO_PERMISSION, NO_ENGINE = f"no permission to use the Docker engine at {HOST}", f"no Docker engine answers at {HOST}"


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.ConnectionError("('Connection aborted.', ConnectionRefusedError(111))"), NO_ENGINE),
        (requests.ConnectionError("('Connection aborted.', PermissionError(13, 'Permission denied'))"), NO_PERMISSION),
        (PermissionError(13, "Permission denied"), NO_PERMISSION),
        (FileNotFoundError(2, "No such file or directory"), NO_ENGINE),
        (DockerException("Error while fetching server API version"), NO_ENGINE),
        (_caused(DockerException("Error while fetching"), PermissionError()), NO_PERMISSION),
        (requests.ReadTimeout("Read timed out."), "the engine did not answer the request: Read timed out."),
        (
            APIError("500 Server Error", explanation="no room left"),
            "the engine did not answer the request: no room left",
        ),
        (APIError("500 Server Error"), "the engine did not answer the request: 500 Server Error"),
    ],
)
def test_each_failure_of_the_sdk_is_one_message(error: Exception, said: str) -> None:
    with pytest.raises(EngineError) as caught, sdk.asking(HOST):
        raise error
    assert caught.value.what == said


def test_what_is_no_failure_of_the_sdk_stays_what_it_is() -> None:
    with pytest.raises(KeyError), sdk.asking(HOST):
        raise KeyError("Id")


def test_both_clients_say_that_no_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    host = "tcp://127.0.0.1:1"
    with pytest.raises(EngineError, match="no Docker engine answers"), sdk.client(host, 5):
        pass
    with pytest.raises(EngineError, match="no Docker engine answers"):
        SdkApi(host).get("/version")


@pytest.mark.parametrize(
    ("variable", "current", "told"),
    [
        ("other", None, ("other", "BUILDX_BUILDER")),
        ("default", {"Key": "unix:///var/run/docker.sock", "Name": "x"}, None),
        ("", {"Key": "unix:///var/run/docker.sock", "Name": "x"}, ("x", "docker buildx use")),
        ("", {"Key": "unix:///elsewhere", "Name": "x"}, None),
        ("", {"Key": "unix:///elsewhere", "Name": "x", "Global": True}, ("x", "docker buildx use")),
        ("", {"Key": "unix:///var/run/docker.sock", "Name": ""}, None),
        ("", [], None),
        ("", None, None),
    ],
)
def test_the_builder_that_buildx_would_take_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, current: object, told: tuple[str, str] | None
) -> None:
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path))
    monkeypatch.setenv("BUILDX_BUILDER", variable)
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    if current is not None:
        (tmp_path / "current").write_text(json.dumps(current))
    assert chosen_builder() == told


def test_it_is_said_once_and_only_where_no_builder_is_configured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUILDX_BUILDER", "farm")
    assert (Engine("default").builder, Engine().builder) == ("default", "farm")
    Engine("default").tell_of_builder()
    assert capsys.readouterr().err == ""
    for _ in range(2):
        Engine().tell_of_builder()
    (line,) = capsys.readouterr().err.splitlines()
    assert "on the builder farm, as BUILDX_BUILDER says" in line
    assert "BUILDER=default" in line
