"""Keyed layers in a registry: look up, pull, push. Asked only after the local engine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.core.doing import Doing, tell, transferred
from layerdoit.core.errors import EngineError
from layerdoit.engine.api import client
from layerdoit.engine.images import PREFIX
from layerdoit.engine.ownership import ANYONE, LABEL, Owner
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_answers import Refusal, host_of, refusal
from layerdoit.layers.key import Spec, tag

if TYPE_CHECKING:
    import docker


def pull(spec: Spec, repository: str, project: str, owner: Owner = ANYONE) -> None:
    """Pull a layer by its key and give it its local tag. Its label must have the full key.

    An image that another project shared is labelled as this project's, so that neither clears the other's.
    """
    remote = tag(repository, spec.layer, spec.key)
    with client() as engine:
        refused = _pulled(engine, remote)
        if refused is not None:
            without = "or build it here (base: ON_MISSING=build; others: no registry.repository)"
            raise EngineError(
                f"pulling {remote} failed: {refused}", hint=f"{refused.advice(remote, 'pull')}; {without}"
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


def push(spec: Spec, repository: str) -> Transfer:
    """Push a layer under its key. RegistryError where the registry does not take it."""
    remote = tag(repository, spec.layer, spec.key)
    with client() as engine:
        try:
            with _refusals():
                engine.images.get(spec.tag).tag(*remote.rsplit(":", 1))
                return _followed(engine.images.push(remote, stream=True, decode=True), "pushing")
        except _Refused as error:
            advice = error.refusal.advice(remote, "push")
            raise RegistryError(f"pushing {remote} failed: {error.refusal}", error.refusal, advice) from error
        finally:
            _untagged(engine, remote, spec.tag)


class Transfer(NamedTuple):
    """What was sent. `digest`: of the manifest, `sha256:…`; `layers`: bytes of those that the registry had not."""

    digest: str
    layers: Mapping[str, int]

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return sum(self.layers.values())


def push_release(source: str, remote: str) -> Transfer:
    """Push an image of this engine as `remote`, and see that the registry has that digest."""
    with client() as engine:
        try:
            with _refusals():
                engine.images.get(source).tag(*remote.rsplit(":", 1))
                sent = _followed(engine.images.push(remote, stream=True, decode=True), "pushing the release")
                has = engine.images.get_registry_data(f"{remote.rsplit(':', 1)[0]}@{sent.digest}").id
        except _Refused as error:
            hint = f"{error.refusal.advice(remote, 'push')}; then run again: the image is built, and is only pushed"
            raise EngineError(f"pushing {remote} failed: {error.refusal}", hint=hint) from error
        finally:
            _untagged(engine, remote, source)
    if has != sent.digest:
        what = f"the registry has another image than was pushed: {has} instead of {sent.digest}"
        raise EngineError(what, hint="find out what stands between this machine and the registry")
    return sent


def digest(reference: str) -> str | None:
    """The digest of what a registry has under a tag; None where it has nothing, or does not answer."""
    with client() as engine, contextlib.suppress(_Refused), _refusals():
        return str(engine.images.get_registry_data(reference).id)
    return None


def has_digest(repository: str, digest: str) -> bool:
    """Whether a registry has a manifest. EngineError where it does not answer."""
    reference = f"{repository}@{digest}"
    with client() as engine:
        try:
            with _refusals():
                return bool(engine.images.get_registry_data(reference).id == digest)
        except _Refused as error:
            if error.refusal.kind == "absent":
                return False
            hint = error.refusal.advice(reference, "pull")
            raise EngineError(f"the registry does not tell about {reference}: {error.refusal}", hint=hint) from error


def pull_parent(reference: str, silent: dict[str, Refusal]) -> Refusal | None:
    """Pull an image that builds start from, if needed. Returns None, or why it is not available."""
    from docker.errors import APIError

    with client() as engine:
        with contextlib.suppress(APIError):
            engine.images.get(reference)
            return None
        host = host_of(reference)
        if host in silent:
            return silent[host]
        refused = _pulled(engine, reference, f"pulling {reference}")
    if refused is not None and refused.unreachable:
        silent[host] = refused
    return refused


def offered(reference: str) -> Refusal | None:
    """Whether an image is here or in its registry: None, or why it is not available. Pulls nothing."""
    from docker.errors import APIError

    with client() as engine:
        with contextlib.suppress(APIError):
            engine.images.get(reference)
            return None
        try:
            with _refusals():
                engine.images.get_registry_data(reference)
        except _Refused as error:
            return error.refusal
    return None


def offered_for(reference: str, platform: str) -> Refusal | None:
    """Whether an image is here or in its registry for a platform: None, or why not. Pulls nothing: a build does.

    An engine keeps a tag for one platform only, and a pull would take it from the other.
    """
    from docker.errors import APIError

    with client() as engine:
        with contextlib.suppress(APIError):
            found = engine.images.get(reference).attrs
            if f"{found.get('Os')}/{found.get('Architecture')}" == "/".join(platform.split("/")[:2]):
                return None
        try:
            with _refusals():
                data = engine.images.get_registry_data(reference)
        except _Refused as error:
            return error.refusal
        if data.has_platform(platform):  # type: ignore[no-untyped-call]
            return None
        has = ", ".join(f"{one['os']}/{one['architecture']}" for one in data.attrs["Platforms"] if one["architecture"])
        return Refusal("absent", f"it is there only for {has or 'other platforms'}")


def lacks(remote: str) -> Refusal | None:
    """None where the registry has an image; else what it said instead."""
    with client() as engine:
        try:
            with _refusals():
                engine.images.get_registry_data(remote)
        except _Refused as error:
            return error.refusal
    return None


# --- inside ----------------------------------------------------------------------------------------------------------


class _Refused(Exception):
    """The engine or the registry refused."""

    def __init__(self, answer: Refusal) -> None:
        super().__init__(answer.said)
        self.refusal = answer


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Raise the SDK's errors in a block as `_Refused`."""
    import requests
    from docker.errors import APIError

    try:
        yield
    except (APIError, requests.RequestException) as error:
        raise _Refused(refusal(error)) from error


def _followed(events: Iterable[Any], words: str) -> Transfer:
    """Read a transfer's progress to its end, because that is where a failure is reported."""
    failures, layers, digest = [], dict[str, tuple[int, int]](), ""
    tell(Doing(words))
    for event in events:
        if not isinstance(event, dict):
            continue
        if event.get("error"):
            failures.append(str(event["error"]))
        digest = (event.get("aux") or {}).get("Digest") or digest
        if str(event.get("status")).startswith("Retrying"):
            # The engine does so for a minute, and says why in the end.
            tell(Doing(f"{words}: the registry refused, trying again"))
        size = (event.get("progressDetail") or {}).get("total")
        if size and event.get("status") in ("Downloading", "Pushing"):
            layers[event["id"]] = (int(event["progressDetail"].get("current") or 0), int(size))
        elif event.get("id") in layers:
            # It is there; what comes next, such as unpacking, counts from 0 again.
            layers[event["id"]] = (layers[event["id"]][1],) * 2
        else:
            continue
        tell(transferred(words, layers.values()))
    if failures:
        raise _Refused(refusal(failures[0]))
    return Transfer(digest, {name: size for name, (_, size) in layers.items()})


def _pulled(engine: docker.DockerClient, reference: str, words: str = "pulling") -> Refusal | None:
    from docker.utils import parse_repository_tag

    repository, name = parse_repository_tag(reference)
    try:
        with _refusals():
            _followed(engine.api.pull(repository, tag=name or "latest", stream=True, decode=True), words)
            engine.images.get(reference)
    except _Refused as error:
        return error.refusal
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
