"""The containers of one replacement as a watch wants them, and its volume of programs, which the old one has, too."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from layerdoit.core.errors import DeployError
from layerdoit.deploy import supervision
from layerdoit.deploy.live import CONTROL, PROGRAMS
from layerdoit.engine.images import PREFIX
from layerdoit.engine.live_programs import Replaced, renewed

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container, Spec


def refuse(settings: DeploySettings) -> None:
    """Raise where no watch can keep a deployment. The image may still be unbuilt."""
    for volume in settings.volumes:
        source, _, rest = volume.partition(":")
        place = posixpath.normpath(rest.partition(":")[0] or source)
        for own, use in ((PROGRAMS, "a watch puts the programs"), (CONTROL, "a watch has its supervisor")):
            if f"{place}/".startswith(f"{own}/") or f"{own}/".startswith(f"{place}/"):
                raise DeployError(
                    f"{settings.name} mounts something at {place}, where {use}",
                    where=settings.where.get("deploy.volumes"),
                    hint="mount it elsewhere in the environment that you watch, or deploy each change with "
                    "doit cycle_fast",
                )


class KeptLive:
    """Of one replacement; without a watch, it changes nothing."""

    def __init__(self, settings: DeploySettings) -> None:
        self._settings = settings
        self._live = settings.live
        self._replaced: Replaced | None = None
        self._made: set[str] = set()

    def prepare(self, reference: str) -> None:
        """Have the programs of an image in the volume. DeployError, with nothing changed, where no watch can keep it.

        The container that serves goes on with the programs that run.
        """
        if self._live is not None:
            supervision.refuse(self._settings, reference)
            self._replaced = renewed(self._live.programs(self._settings.name), reference, PROGRAMS)

    def dressed(self, spec: Spec) -> Spec:
        """What to create: a new one each time, for each listens on a socket of its own."""
        if self._live is None:
            return spec
        found = supervision.supervised(self._settings, self._live, spec.image)
        labels = {**spec.labels, **{name.removeprefix(PREFIX): value for name, value in found.labels.items()}}
        volumes = (*spec.volumes, *found.volumes)
        return replace(spec, labels=labels, volumes=volumes, entrypoint=found.entrypoint, args=(), init=False)

    def made(self, container: Container) -> Container:
        """Remember that a container is one of this replacement."""
        self._made.add(container.id)
        return container

    def put_back(self, serving: Container | None) -> None:
        """After a failure: what serves, unless it is the new one, has the programs that it had."""
        if self._replaced is not None and (serving is None or serving.id not in self._made):
            self._replaced.put_back()
            self._replaced = None

    def serves(self, container: Container) -> None:
        """The new one serves."""
        if self._live is not None:
            supervision.at_its_image(container)

    def done(self) -> None:
        """Nothing is put back any more."""
        if self._replaced is not None:
            self._replaced.forget()
            self._replaced = None
