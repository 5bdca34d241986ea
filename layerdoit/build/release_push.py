"""Have a release in the registry, and name it by its digest there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.errors import ConfigError
from layerdoit.layers.key import tag

if TYPE_CHECKING:
    from layerdoit.layers.key import Spec
    from layerdoit.project.project import Project

_NOTE: Final = "in_registry.json"
_KEPT: Final = 40


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


def push(project: Project, spec: Spec, image: str, repository: str = "") -> Pushed:
    """Push an image by its key, unless the registry has it. `image`: its id on the engine: a key may be built anew."""
    from layerdoit.engine import registry

    repository = repository or repository_of(project)
    digest = known(project, repository, image)
    if digest and registry.has_digest(repository, digest):
        return Pushed(f"{repository}@{digest}", digest)
    begun = time.monotonic()
    sent = registry.push_release(spec.tag, tag(repository, spec.layer, spec.key))
    new = {f"{repository} {image}": sent.digest}
    project.state.change_note(_NOTE, lambda known: {**dict(list(known.items())[-_KEPT:]), **new})
    return Pushed(f"{repository}@{sent.digest}", sent.digest, sent.bytes, time.monotonic() - begun)


def known(project: Project, repository: str, image: str) -> str:
    """The digest that an image of this engine has in a repository; '' where it was not pushed from here."""
    return project.state.note(_NOTE).get(f"{repository} {image}", "")
