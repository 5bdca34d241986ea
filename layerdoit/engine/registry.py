"""Keyed layers in a registry: look up, pull, push. Asked only after the local engine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from layerdoit.core.console import warn
from layerdoit.core.errors import EngineError
from layerdoit.core.process import redact
from layerdoit.engine.api import client
from layerdoit.engine.images import PREFIX
from layerdoit.engine.ownership import ANYONE, LABEL, Owner
from layerdoit.layers.key import Spec, tag

if TYPE_CHECKING:
    import docker


def available(specs: Iterable[Spec], repository: str) -> frozenset[str]:
    """Local tags of the layers that the registry has under their key; none, with a warning, if it does not answer."""
    found = set()
    with client() as engine:
        for spec in specs:
            remote = tag(repository, spec.layer, spec.key)
            try:
                with _refusals() as refusal:
                    engine.images.get_registry_data(remote)
            except _Refused:
                if means_absent(refusal[0]):
                    continue
                warn(f"the registry is not used: {refusal[0]}")
                break
            found.add(spec.tag)
    return frozenset(found)


def pull(spec: Spec, repository: str, project: str, owner: Owner = ANYONE) -> None:
    """Pull a layer by its key and give it its local tag. Its label must have the full key.

    An image that another project shared is labelled as this project's, so that neither clears the other's.
    """
    remote = tag(repository, spec.layer, spec.key)
    with client() as engine:
        refusal = _pulled(engine, remote)
        if refusal is not None:
            raise EngineError(
                f"pulling {remote} was refused: {refusal}",
                hint="run docker login, or build it here (base: ON_MISSING=build; others: no registry.repository)",
            )
        image = engine.images.get(remote)
        if (image.labels.get(PREFIX + "key"), image.labels.get(PREFIX + "layer")) != (spec.key, spec.layer):
            engine.images.remove(remote)
            raise EngineError(
                f"{remote} is not the image that its tag says: its label has another key",
                hint="find out who pushed it, and remove it from the registry",
            )
        if image.labels.get(PREFIX + "project") == project and owner.owns(image.labels):
            image.tag(*spec.tag.rsplit(":", 1))
        else:
            labels = {PREFIX + "project": project, PREFIX + LABEL: owner.text}
            _labelled(engine, image, spec.tag, labels)
        _untagged(engine, remote, spec.tag)


def push(spec: Spec, repository: str) -> None:
    """Push a layer under its key."""
    remote = tag(repository, spec.layer, spec.key)
    hint = f"run docker login {host_of(remote)}, or remove the layer from registry.push"
    with client() as engine:
        try:
            with _refusals() as refusal:
                engine.images.get(spec.tag).tag(*remote.rsplit(":", 1))
                _followed(engine.images.push(remote, stream=True, decode=True))
        except _Refused as error:
            raise EngineError(f"pushing {remote} was refused: {refusal[0]}", hint=hint) from error
        finally:
            _untagged(engine, remote, spec.tag)


def pull_parent(reference: str, silent: dict[str, str]) -> str | None:
    """Pull an image that builds start from, if needed. Returns None, or why it is not available."""
    from docker.errors import APIError

    with client() as engine:
        with contextlib.suppress(APIError):
            engine.images.get(reference)
            return None
        host = host_of(reference)
        if host in silent:
            return silent[host]
        warn(f"pulling {reference}")
        refusal = _pulled(engine, reference)
    if refusal is not None and refusal.startswith("the registry cannot be reached"):
        silent[host] = refusal
    return refusal


# --- inside ----------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    """The engine or the registry refused."""


@contextlib.contextmanager
def _refusals() -> Iterator[list[str]]:
    """Raise the SDK's errors in a block as `_Refused`; the list then holds the reason."""
    import requests
    from docker.errors import APIError

    said: list[str] = []
    try:
        yield said
    except _Refused as error:
        said.append(_reason(error))
        raise
    except (APIError, requests.RequestException) as error:
        said.append(_reason(error))
        raise _Refused(said[0]) from error


def _followed(events: Iterable[Any]) -> None:
    """Read a transfer's progress to its end, because that is where a failure is reported."""
    failures = [str(event["error"]) for event in events if isinstance(event, dict) and event.get("error")]
    if failures:
        raise _Refused(failures[0])


def _pulled(engine: docker.DockerClient, reference: str) -> str | None:
    from docker.utils import parse_repository_tag

    repository, name = parse_repository_tag(reference)
    try:
        with _refusals() as refusal:
            _followed(engine.api.pull(repository, tag=name or "latest", stream=True, decode=True))
            engine.images.get(reference)
    except _Refused:
        return refusal[0]
    return None


def _labelled(engine: docker.DockerClient, image: Any, name: str, labels: Mapping[str, str]) -> None:
    """Tag a copy of an image with another project's labels; it shares all layers."""
    with _refusals():
        container = engine.api.create_container(image.id, command=["none"])["Id"]
        try:
            # A container needs a command to be made of; the image keeps its own.
            command = json.dumps((image.attrs.get("Config") or {}).get("Cmd") or [])
            changes = "".join(f"LABEL {key}={json.dumps(value)}\n" for key, value in labels.items()) + f"CMD {command}"
            repository, label = name.rsplit(":", 1)
            engine.api.commit(container, repository=repository, tag=label, changes=changes)
        finally:
            engine.api.remove_container(container)


def _untagged(engine: docker.DockerClient, remote: str, local: str) -> None:
    """Keep only the local tag of an image, so that removing that tag removes the image."""
    from docker.errors import APIError

    if remote != local:
        with contextlib.suppress(APIError):
            engine.images.remove(remote, noprune=True)


def host_of(reference: str) -> str:
    """The registry of an image name, as docker reads it: the first part, if it cannot be a plain name."""
    first, slash, _ = reference.partition("/")
    found = first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
    return "docker.io" if found == "index.docker.io" else found


def means_absent(reason: str) -> bool:
    """Whether a registry's answer means absent: "not found", or "denied" for a repository without pushes."""
    return any(words in reason for words in ("not found", "manifest unknown", "name unknown", "No such image"))


def _reason(error: Any) -> str:
    text = str(getattr(error, "explanation", None) or error).strip()
    text = redact(text.splitlines()[0] if text else type(error).__name__)
    # Go wraps errors from the outside in: `Get "https://…": dial tcp: lookup …: no such host`.
    if any(words in text for words in ("dial tcp", "Client.Timeout", "TLS handshake timeout", "deadline exceeded")):
        return f"the registry cannot be reached ({text.rsplit(': ', 1)[-1]})"
    return text[:300]
