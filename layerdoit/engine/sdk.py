"""The Docker SDK: its clients, and its errors as ours. It takes 60-80 ms to import, so import it only if needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from layerdoit.core.errors import EngineError
from layerdoit.engine import api_version

if TYPE_CHECKING:
    import docker


def unasked(host: str, timeout: float) -> docker.APIClient:
    """A client that returns the engine's own answers, and has asked nothing yet."""
    import docker

    with asking(host):
        return docker.APIClient(**_options(host), version=api_version.spoken(host), timeout=int(timeout))


def low_level(host: str, timeout: float) -> docker.APIClient:
    """A client that returns the engine's own answers, in a version of the API that the engine has."""
    _agree(host, timeout)
    return unasked(host, timeout)


def _agree(host: str, timeout: float) -> None:
    """Ask an engine that was not asked anything yet whether it has the version of its API that we speak."""
    if api_version.known(host) is None:
        asked = unasked(host, timeout)
        with asking(host), contextlib.closing(asked):
            answer = asked.get(f"{asked.base_url}/v{api_version.spoken(host)}/_ping", timeout=int(timeout))
        api_version.agreed(host, answer.status_code, answer.content)


@contextlib.contextmanager
def client(host: str, timeout: float) -> Iterator[docker.DockerClient]:
    """A client with images and containers as objects; the engine must answer."""
    import docker

    _agree(host, timeout)
    with asking(host):
        found = docker.DockerClient(**_options(host), version=api_version.spoken(host), timeout=int(timeout))
        found.ping()
    with contextlib.closing(found):
        yield found


def _options(host: str) -> dict[str, Any]:
    """`host`: as `endpoint` gives it. TLS is configured by variables, beside DOCKER_HOST."""
    import docker.utils

    if host.startswith("tcp://") and os.environ.get("DOCKER_HOST"):
        return {**docker.utils.kwargs_from_env()}
    return {"base_url": host, "use_ssh_client": host.startswith("ssh://")}


@contextlib.contextmanager
def asking(host: str) -> Iterator[None]:
    """Raise the SDK's errors in a block as EngineError."""
    import requests
    from docker.errors import DockerException

    try:
        yield
    except (DockerException, requests.RequestException, PermissionError, FileNotFoundError) as error:
        raise _translated(host, error) from error


def _translated(host: str, error: Exception) -> EngineError:
    """Tell an engine that cannot be reached from one that refused or answered too late."""
    import requests
    from docker.errors import APIError

    late = isinstance(error, requests.RequestException) and not isinstance(error, requests.ConnectionError)
    if isinstance(error, APIError) or late:
        return EngineError(f"the engine did not answer the request: {getattr(error, 'explanation', None) or error}")
    # The SDK hands the reason on as a cause, or as text.
    denied = any(isinstance(cause, PermissionError) for cause in _causes(error)) or "Permission denied" in str(error)
    return unreachable(host, PermissionError() if denied else error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def unreachable(host: str, error: Exception) -> EngineError:
    """The error for an engine that cannot be used: why, and what to do."""
    if isinstance(error, PermissionError):
        return EngineError(
            f"no permission to use the Docker engine at {host}",
            hint="add your user to the group 'docker' (sudo usermod -aG docker $USER) and log in again",
        )
    hint = "start it (systemctl start docker, or Docker Desktop), or set DOCKER_HOST"
    if os.environ.get("DOCKER_HOST") == host:
        hint = "start it (systemctl start docker, or Docker Desktop), or correct or unset DOCKER_HOST, which names it"
    return EngineError(f"no Docker engine answers at {host}", hint=hint)
