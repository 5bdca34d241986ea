"""The data of a container whose image is not built here: in volumes that have a name, and that nobody else uses."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from layerdoit.core.errors import DeployError
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine import sdk
from layerdoit.engine.container import Container
from layerdoit.engine.containers import Containers
from layerdoit.engine.images import PREFIX, label
from layerdoit.engine.ownership import FOLDER, LABEL, refused

_TIMEOUT: Final = 60


class Volumes:
    """`made`: where in the container a volume is that has got its name from us, and the name; filled by `wanted`."""

    def __init__(self, settings: DeploySettings, containers: Containers) -> None:
        self._settings = settings
        self._containers = containers
        self.made: dict[str, str] = {}

    def wanted(self, old: Container | None) -> tuple[str, ...]:
        """The volumes of the settings, and one for each folder that the image itself keeps in a volume.

        `old`: the container before, whose volumes those are, where it has them.
        """
        given = self._settings.volumes
        there = {_target(volume) for volume in given}
        has = self.of(old) if old is not None else {}
        for path in self._declared():
            if path not in there:
                self.made[path] = has.get(path) or self._named(path)
        return (*given, *(f"{name}:{path}" for path, name in self.made.items()))

    def of(self, container: Container) -> Mapping[str, str]:
        """The volumes of a container, by their places in it."""
        return {str(one["Destination"]): str(one["Name"]) for one in self._mounts(container.id) if one.get("Name")}

    def refuse_shared(self) -> None:
        """Raise where another container, made to be the same, has the data open: two would ruin it."""
        wanted = {volume.partition(":")[0] for volume in self._settings.volumes} | set(
            map(self._name, self._declared())
        )
        image = self._containers.digests(self._settings.foreign)
        for one in self._running():
            labels = one.get("Labels") or {}
            mine = (label(labels, "project"), label(labels, "deployment"))
            if mine == (self._settings.project, self._settings.name) or not (
                label(labels, "layer") == "foreign" or one.get("ImageID") in image
            ):
                continue
            open_there = {str(found.get("Name") or found.get("Source")) for found in one.get("Mounts") or ()}
            if shared := wanted & open_there:
                name, other = min(shared), str(one["Names"][0]).lstrip("/")
                raise DeployError(
                    f"{other} runs with the volume {name}, too: two at once would ruin its content",
                    where=self._settings.where.get("deploy.volumes"),
                    hint=f"give {self._settings.service or self._settings.name} a volume of its own (deploy: "
                    "{volumes: […]}; without, what its image keeps is apart in each environment and worktree), or stop "
                    f"that one (docker stop {other})",
                )

    def _declared(self) -> Iterator[str]:
        """The folders that the image says are to be in a volume."""
        with sdk.asking(self._containers.host):
            found = self._api.inspect_image(self._settings.foreign)
        yield from sorted((found.get("Config") or {}).get("Volumes") or ())

    def _name(self, path: str) -> str:
        return f"{self._settings.name}{path.rstrip('/').replace('/', '-')}"

    def _named(self, path: str) -> str:
        """A volume that says whose it is; DeployError where its name is another project's."""
        from docker.errors import NotFound

        owner, name = self._settings.owner, self._name(path)
        with sdk.asking(self._containers.host):
            try:
                labels = self._api.inspect_volume(name).get("Labels") or {}
            except NotFound:
                ours = {"project": self._settings.project, LABEL: owner.text, FOLDER: owner.folder}
                self._api.create_volume(name, labels={PREFIX + key: value for key, value in ours.items()})
                return name
        if not owner.owns(labels):
            where = self._settings.where.get("project")
            raise refused(self._settings.project, f"the volume {name}", owner, labels, where)
        return name

    def _mounts(self, identity: str) -> list[Mapping[str, Any]]:
        from docker.errors import NotFound

        with sdk.asking(self._containers.host):
            try:
                return list(self._api.inspect_container(identity).get("Mounts") or ())
            except NotFound:
                return []

    def _running(self) -> list[Mapping[str, Any]]:
        with sdk.asking(self._containers.host):
            return list(self._api.containers())

    @cached_property
    def _api(self) -> Any:
        return sdk.low_level(self._containers.host, _TIMEOUT)


def _target(volume: str) -> str:
    parts = volume.split(":")
    return posixpath.normpath(parts[1] if len(parts) > 1 else parts[0])
