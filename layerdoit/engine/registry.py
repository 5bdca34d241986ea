"""Keyed layers in a registry: is it there, fetch it, share it. Asked only after the local engine."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from layerdoit.engine.api import endpoint, unreachable
from layerdoit.engine.images import PREFIX
from layerdoit.errors import EngineError
from layerdoit.layers.key import Spec, tag

if TYPE_CHECKING:
    import docker


def client() -> docker.DockerClient:
    """The Docker SDK's client for the engine that `docker` itself would use."""
    import docker
    from docker.errors import DockerException

    host = endpoint()
    try:
        found = docker.DockerClient(base_url=host, use_ssh_client=host.startswith("ssh"), timeout=600)
        found.ping()
    except DockerException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, PermissionError):
            cause = cause.__cause__ or cause.__context__
        raise unreachable(host, cause if isinstance(cause, PermissionError) else error) from error
    return found


def available(specs: Iterable[Spec], repository: str) -> frozenset[str]:
    """Local tags of those layers that the registry has under their key. A registry that does not answer has none, and says so."""
    from docker.errors import APIError, NotFound

    engine = client()
    found = set()
    for spec in specs:
        remote = tag(repository, spec.layer, spec.key)
        try:
            engine.images.get_registry_data(remote)
        except NotFound:
            continue
        except APIError as error:
            print(f"layerdoit: registry not used: {_reason(error)}", file=sys.stderr)
            break
        found.add(spec.tag)
    return frozenset(found)


def pull(spec: Spec, repository: str) -> None:
    """Fetch a layer by its key and give it its local tag. What arrives must carry the full key."""
    from docker.errors import APIError

    remote = tag(repository, spec.layer, spec.key)
    try:
        image = client().images.pull(remote)
    except APIError as error:
        raise EngineError(
            f"pull of {remote} was refused: {_reason(error)}",
            hint="docker login, or base.on_missing: [build] to build it here",
        ) from error
    if image.labels.get(PREFIX + "key") != spec.key:
        raise EngineError(f"{remote} is not the image that its tag promises", hint="remove it from the registry")
    image.tag(*spec.tag.rsplit(":", 1))


def push(spec: Spec, repository: str) -> None:
    """Share a layer under its key."""
    from docker.errors import APIError

    remote = tag(repository, spec.layer, spec.key)
    engine = client()
    try:
        engine.images.get(spec.tag).tag(*remote.rsplit(":", 1))
        for event in engine.images.push(remote, stream=True, decode=True):
            if isinstance(event, dict) and event.get("error"):
                raise EngineError(f"push of {remote} was refused: {event['error']}", hint=f"docker login {remote.split('/')[0]}")
    except APIError as error:
        raise EngineError(f"push of {remote} failed: {_reason(error)}") from error


def pull_parent(reference: str) -> str | None:
    """Have an image that builds start from: None when it is here now, else why it cannot be had."""
    from docker.errors import APIError, ImageNotFound

    engine = client()
    try:
        engine.images.get(reference)
    except ImageNotFound:
        try:
            engine.images.pull(reference)
        except APIError as error:
            return _reason(error)
    return None


def _reason(error: Any) -> str:
    text = str(getattr(error, "explanation", None) or error).strip().splitlines()[0]
    # Go wraps errors from the outside in: `Get "https://…": dial tcp: lookup …: no such host`.
    if "dial tcp" in text:
        return f"the registry cannot be reached ({text.rsplit(': ', 1)[-1]})"
    return text[:300]
