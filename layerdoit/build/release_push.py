"""Have a release in the registry, and name it by its digest there."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.errors import ConfigError
from layerdoit.layers.key import tag

if TYPE_CHECKING:
    from layerdoit.layers.key import Spec
    from layerdoit.project.project import Project

_NOTE: Final = "pushed.json"
_KEPT: Final = 20
# Services are deployed side by side.
_noting: Final = threading.Lock()


class Pushed(NamedTuple):
    """A release in a registry. `bytes`: that were sent; 0 and no seconds where the registry had it already."""

    reference: str
    digest: str
    bytes: int = 0
    seconds: float = 0.0


def repository_of(project: Project) -> str:
    """Where releases are pushed. ConfigError where no registry is configured."""
    repository = project.config.registry.repository
    if repository is None:
        provider = project.config.deploy.provider
        what = f"provider: {provider} runs images of a registry, but registry.repository is not set"
        where = project.config.where.get("deploy.provider")
        raise ConfigError(what, where=where, hint="set registry.repository, or give REGISTRY=<repository>")
    return repository


def push(project: Project, spec: Spec, image: str) -> Pushed:
    """Push the app image, unless the registry has it. `image`: its id on the engine: the same key may be built anew."""
    from layerdoit.engine import registry

    repository = repository_of(project)
    name, state = f"{repository} {image}", project.state
    noted = state.note(_NOTE)
    if (digest := noted.get(name)) and registry.has_digest(repository, digest):
        return Pushed(f"{repository}@{digest}", digest)
    begun = time.monotonic()
    sent = registry.push_release(spec.tag, tag(repository, spec.layer, spec.key))
    with _noting:
        kept = {**dict(list(state.note(_NOTE).items())[-_KEPT:]), name: sent.digest}
        state.keep_note(_NOTE, kept)
    return Pushed(f"{repository}@{sent.digest}", sent.digest, sent.bytes, time.monotonic() - begun)
