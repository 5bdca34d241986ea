"""Keyed layers in a registry: look up, pull, push. Asked only after the local engine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.core.doing import Doing, tell, transferred
from layerdoit.core.errors import EngineError
from layerdoit.core.platform import alike, described_platform
from layerdoit.engine.api import client
from layerdoit.engine.images import PREFIX
from layerdoit.engine.ownership import ANYONE, LABEL, Owner
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_answers import Refusal, host_of, lacking_platform, refusal
from layerdoit.layers.key import Spec, tag

if TYPE_CHECKING:
    import docker


def pull(spec: Spec, repository: str, platform: str, project: str, owner: Owner = ANYONE) -> None:
    """Pull a layer by its key and give it its local tag. Its label must have the full key. `platform`: what it is for.

    An image that another project shared is labelled as this project's, so that neither clears the other's.
    """
    remote = tag(repository, spec.layer, spec.key)
    with client() as engine:
        refused = _pulled(engine, remote, platform)
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


def pull_donor(reference: str, labels: Mapping[str, str], platform: str) -> None:
    """Pull an image of another project, which keeps its labels and this name: it is that project's here, too.

    `labels`: those that it was chosen by, without our prefix.
    """
    with client() as engine:
        refused = _pulled(engine, reference, platform)
        if refused is not None:
            raise EngineError(f"pulling {reference} failed: {refused}", hint=refused.advice(reference, "pull"))
        found = engine.images.get(reference).labels
        if any(found.get(PREFIX + name) != text for name, text in labels.items()):
            _untagged(engine, reference, "")
            raise EngineError(
                f"{reference} is not the image that it was a moment ago", hint="find out who pushed another one"
            )


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


def pull_parent(reference: str, silent: dict[str, Refusal], platform: str = "") -> Refusal | None:
    """Pull an image that builds start from, if needed. Returns None, or why it is not available.

    `platform`: that builds are for. Where the image is here for another one, a build takes the right one itself: an
    engine keeps a tag for one platform only, and a pull would take it from the other.
    """
    with client() as engine:
        here, host = _here(engine, reference), host_of(reference)
        if here is not None and alike(here, platform):
            return None
        if host in silent:
            refused: Refusal | None = silent[host]
        elif here is None:
            refused = _pulled(engine, reference, platform, f"pulling {reference}")
        else:
            refused = _offered_for(engine, reference, platform)
    if refused is not None and refused.unreachable:
        silent[host] = refused
    return _besides(refused, here)


def offered(reference: str, platform: str) -> Refusal | None:
    """Whether an image is here or in its registry for a platform: None, or why not. Pulls nothing: a build does."""
    with client() as engine:
        here = _here(engine, reference)
        if here is not None and alike(here, platform):
            return None
        return _besides(_offered_for(engine, reference, platform), here)


def lacks(remote: str, platform: str) -> Refusal | None:
    """None where the registry has an image for a platform; else what it said instead."""
    with client() as engine:
        return _offered_for(engine, remote, platform)


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


def _here(engine: docker.DockerClient, reference: str) -> str | None:
    """The platform of an image of this engine, '' where that is not known; None where there is none."""
    from docker.errors import APIError

    with contextlib.suppress(APIError):
        return described_platform(engine.images.get(reference).attrs)
    return None


def _besides(refused: Refusal | None, here: str | None) -> Refusal | None:
    """Why an image is not available, where it is here for another platform."""
    return refused if refused is None or here is None else Refusal("platform", f"it is here for {here}, and {refused}")


def _offered_for(engine: docker.DockerClient, reference: str, platform: str) -> Refusal | None:
    try:
        with _refusals():
            return lacking_platform(engine.images.get_registry_data(reference).attrs, platform)
    except _Refused as error:
        return error.refusal


def _pulled(engine: docker.DockerClient, reference: str, platform: str, words: str = "pulling") -> Refusal | None:
    """Pull an image for a platform. Of one that is no list the engine takes what there is: another's does not stay."""
    from docker.utils import parse_repository_tag

    repository, name = parse_repository_tag(reference)
    refused = None
    try:
        with _refusals():
            asked = engine.api.pull(repository, name or "latest", stream=True, decode=True, platform=platform or None)
            _followed(asked, words)
            engine.images.get(reference)
    except _Refused as error:
        refused = error.refusal
    if refused is None or refused.kind == "platform":
        found = _here(engine, reference)
        if found is not None and not alike(found, platform):
            _untagged(engine, reference, "")
            return Refusal("platform", f"it is there only for {found}, not for {platform}")
    return refused


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
