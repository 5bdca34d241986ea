"""The engine's API over its socket, with the standard library only, because a no-op uses it.

Anything else than a local socket (another host, a context) goes through the Docker SDK: 60-80 ms to import.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

from layerdoit.core.errors import EngineError
from layerdoit.engine import api_version

if TYPE_CHECKING:
    import docker

_NONE: Mapping[str, str] = {}
TIMEOUT = 30.0
# Seconds: a push of a large layer says nothing for long.
TRANSFER_TIMEOUT = 600


class Api(Protocol):
    """The engine's API. `get`: the decoded answer, or None for "not found"; `post`: a call that returns nothing."""

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any: ...

    def post(self, path: str, query: dict[str, Any]) -> None: ...


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)

    def __del__(self) -> None:
        self.close()


def config_folder() -> Path:
    """The docker client's configuration folder."""
    return Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))


def _context() -> str:
    """The docker client's current context."""
    context = os.environ.get("DOCKER_CONTEXT")
    if context is None:
        try:
            context = json.loads((config_folder() / "config.json").read_text()).get("currentContext")
        except (OSError, ValueError):
            context = None
    return context or "default"


def endpoint() -> str:
    """The engine's address: DOCKER_HOST, else the current context's, else the local socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    context = _context()
    if context == "default":
        return "unix:///var/run/docker.sock"
    for meta in (config_folder() / "contexts" / "meta").glob("*/meta.json"):
        described = json.loads(meta.read_text())
        if described.get("Name") == context:
            return str(described["Endpoints"]["docker"]["Host"])
    raise EngineError(f"docker context '{context}' does not exist", hint="`docker context ls` lists the contexts")


def _buildx_folder() -> Path:
    return Path(os.environ.get("BUILDX_CONFIG") or config_folder() / "buildx")


def described_builder(name: str) -> str:
    """What the client has written down of a builder; '' for one that it does not know."""
    try:
        return (_buildx_folder() / "instances" / name).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def builder_name() -> str:
    """The name of the engine's own buildx builder, which is that of its context."""
    return "default" if os.environ.get("DOCKER_HOST") else _context()


def chosen_builder() -> tuple[str, str] | None:
    """The builder that `docker buildx build` takes, and what chose it; None where it is the engine's own."""
    name, chosen_by = os.environ.get("BUILDX_BUILDER", ""), "BUILDX_BUILDER"
    if not name:
        try:
            current = json.loads((_buildx_folder() / "current").read_text(encoding="utf-8"))
            here = current.get("Global") or current.get("Key") in (endpoint(), _context())
            name, chosen_by = str(current.get("Name") or "") if here else "", "docker buildx use"
        except (OSError, ValueError, AttributeError):
            return None
    return (name, chosen_by) if name not in ("", builder_name()) else None


def is_socket(host: str) -> bool:
    """Whether an engine's address is a socket, so that the engine is taken to be on this machine."""
    return host.startswith("unix://")


class SocketApi(threading.local):
    """The engine behind a local socket. Each thread and process keeps its own connection (`doit -n`)."""

    _connection: _UnixConnection | None = None
    _process = 0

    def __init__(self, path: str) -> None:
        self._path = path
        self._host = f"unix://{path}"

    def __reduce__(self) -> tuple[type[SocketApi], tuple[str]]:
        return SocketApi, (self._path,)

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """See `Api.get`."""
        return _answer(path, *self._request("GET", path + _encoded(query)))

    def post(self, path: str, query: dict[str, Any]) -> None:
        """See `Api.post`."""
        _answer(path, *self._request("POST", path + _encoded(query)))

    def asked(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the body of an answer, as they are."""
        return self._request("GET", path, headers)

    def _request(self, method: str, url: str, headers: Mapping[str, str] = _NONE) -> tuple[int, bytes]:
        answer = self._asked(method, url, headers)
        return answer if api_version.agreed(self._host, *answer) else self._asked(method, url, headers)

    def _asked(self, method: str, url: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self._process != os.getpid():
            self._process, self._connection = os.getpid(), None
        for attempt in (1, 2):
            connection = self._connection or _UnixConnection(self._path)
            try:
                connection.request(method, f"/v{api_version.spoken(self._host)}{url}", headers=dict(headers))
                response = connection.getresponse()
                body = response.read()
            except (http.client.HTTPException, ConnectionResetError, BrokenPipeError) as error:
                self._connection = None
                connection.close()
                if attempt == 2:
                    raise EngineError(f"the connection to the engine broke: {error}", hint="docker info") from error
                continue
            except OSError as error:
                from layerdoit.engine import sdk

                raise sdk.unreachable(self._host, error) from error
            self._connection = connection
            return response.status, body
        raise AssertionError("unreachable")


class SdkApi:
    """The engine through the Docker SDK: contexts, TCP, TLS, ssh."""

    def __init__(self, host: str) -> None:
        self._host = host
        from layerdoit.engine import sdk

        self._client = sdk.unasked(host, TIMEOUT)

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """See `Api.get`."""
        return _answer(path, *self._request("GET", path + _encoded(query)))

    def post(self, path: str, query: dict[str, Any]) -> None:
        """See `Api.post`."""
        _answer(path, *self._request("POST", path + _encoded(query)))

    def _request(self, method: str, url: str) -> tuple[int, bytes]:
        answer = self._asked(method, url)
        return answer if api_version.agreed(self._host, *answer) else self._asked(method, url)

    def _asked(self, method: str, url: str) -> tuple[int, bytes]:
        from layerdoit.engine import sdk

        address = f"{self._client.base_url}/v{api_version.spoken(self._host)}{url}"
        with sdk.asking(self._host):
            response = self._client.request(method, address, timeout=TIMEOUT)
        return response.status_code, response.content


def connect() -> Api:
    """The API of the engine that the `docker` command uses."""
    host = endpoint()
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return SocketApi(parts.path)
    return SdkApi(host)


@contextlib.contextmanager
def client() -> Iterator[docker.DockerClient]:
    """The Docker SDK's client for the engine that the `docker` command uses."""
    from layerdoit.engine import sdk

    with sdk.client(endpoint(), TRANSFER_TIMEOUT) as found:
        yield found


def _answer(path: str, status: int, body: bytes) -> Any:
    if status == 404:
        return None
    if status >= 400:
        raise EngineError(f"the engine answered {status} to {path}: {_message(body)}")
    return json.loads(body) if body.strip() else None


def _encoded(query: dict[str, Any] | None) -> str:
    if not query:
        return ""
    return "?" + "&".join(
        f"{name}={quote(value if isinstance(value, str) else json.dumps(value))}" for name, value in query.items()
    )


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]
