"""Services of the project's compose file that a service of ours needs, though it is no service of that file itself.

They are started where they do not run, as `docker compose up --no-recreate` does it, and never recreated or removed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

from layerdoit.config import Deploy, Health
from layerdoit.core.console import say
from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.core.files import machine_lock
from layerdoit.core.prose import listed, suggestion
from layerdoit.deploy.compose import compose_files, members
from layerdoit.deploy.compose.compose_program import ComposeProgram
from layerdoit.deploy.compose.composition import Composition
from layerdoit.deploy.docker.checks import COMMAND_TIMEOUT
from layerdoit.deploy.docker.foreign import Had
from layerdoit.deploy.docker.health import Health as Judge
from layerdoit.deploy.docker.health import Unhealthy
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container, health_test
from layerdoit.engine.containers import Containers
from layerdoit.engine.created import Created

FILES: Final = "com.docker.compose.project.config_files"
_BUILT_IN: Final = ("bridge", "host", "none")


class NeededServices:
    """Some of the services of the compose file that the settings, or else docker compose itself, would find."""

    def __init__(self, settings: DeploySettings, names: Sequence[str]) -> None:
        self._settings = settings
        self._names = list(names)
        self._containers = Containers(settings.project, settings.name, settings.owner)
        self._created = Created()

    def check(self) -> None:
        """Raise where the file has no such service, or docker compose does not answer."""
        if not self._all_up():
            self._program.check_version()
            self._known()

    def lacking(self) -> list[str]:
        """Those that are not up and healthy at this moment."""
        return [] if self._all_up() else self._names

    def have(self) -> Had:
        """Have them up and healthy. DeployError where one does not become healthy, with the end of its log."""
        if (up := self._all_up()) is not None:
            return Had(tuple(filter(None, map(_network, up))))
        gone: list[str] = []
        self._known()
        with machine_lock(f"compose-{self._composition.name}-needed"):
            there = self._there(self._composition.name)
            gone = [name for name in self._names if not any(one.running for one in there.get(name, ()))]
            if gone:
                # It may have to build or to pull, and no row of a deployment is shown yet.
                say(f"starting {listed(gone)} of {self._program.shown}, which {self._settings.service} needs")
                self._program.up((), "-d", "--no-recreate", *gone)
                there = self._there(self._composition.name)
            for name in self._names:
                for one in there.get(name, ()):
                    self._healthy(name, one)
        networks = [self._composition.network(self._composition.services[name]) for name in self._names]
        told = [f"{name} was started, by {self._program.shown}" for name in gone]
        return Had(tuple(filter(None, networks)), tuple(told))

    def _healthy(self, name: str, found: Container) -> None:
        tell(Doing(f"waiting until {name} is healthy"))
        service = self._composition.services[name]
        command = health_test(found.check)
        health = Health(command=command, timeout=self._settings.config.health.timeout)
        config = Deploy(port=next(iter(service.ports), None), health=health)
        settings = replace(self._settings, config=config, name=name, files=tuple, where={})
        try:
            Judge(settings, self._containers).wait(found.id)
        except Unhealthy as error:
            what = error.what.replace(f"the new container of {name}", f"{found.name}, which is needed,", 1)
            hint = f"fix the problem that its log shows; {self._program.shown} says how it is started"
            raise DeployError(what, where=self._program.line(name), hint=hint) from None

    # --- what runs ---------------------------------------------------------------------------------------------------

    def _all_up(self) -> list[Container] | None:
        """One container of each, running and not unhealthy, without asking docker compose; None where it is not so."""
        settings = self._settings
        project = compose_files.project_name(self._program.files, settings.config.compose.project, os.environ)
        if project is None or settings.home != settings.root:
            return None
        there, found = self._there(project), list[Container]()
        for name in self._names:
            ours = [one for one in there.get(name, ()) if one.labels.get(FILES) == self._files]
            if len(ours) != 1 or not self._is_up(ours[0]):
                return None
            found += ours
        return found

    def _is_up(self, one: Container) -> bool:
        if not one.running or one.health in ("", "healthy"):
            return one.running
        # The engine asks at its own interval: it may not have asked yet.
        command = health_test(one.check)
        return command is not None and self._containers.exec_code(one, command, COMMAND_TIMEOUT) == 0

    def _there(self, project: str) -> Mapping[str, list[Container]]:
        """The containers of the services, in a compose project."""
        found: dict[str, list[Container]] = {}
        for raw in self._created.listed(f"{members.PROJECT}={project}"):
            labels = raw.get("Labels") or {}
            name = labels.get(members.SERVICE)
            if name not in self._names or labels.get(members.ONE_OFF) == "True":
                continue
            if (container := self._containers.inspect(raw["Id"])) is not None:
                found.setdefault(name, []).append(container)
        return found

    # --- what the files say ------------------------------------------------------------------------------------------

    @cached_property
    def _program(self) -> ComposeProgram:
        settings = self._settings
        try:
            found = compose_files.chosen(settings.root, settings.config.compose.file, os.environ, self._where)
        except DeployError as error:
            if settings.config.compose.file:
                raise
            what = f"there is no service {listed(self._names)}, which {settings.service} needs, and no compose file"
            hint = "describe it under services:, or in a compose.yaml"
            raise ConfigError(what, where=self._where, hint=hint) from error
        project = settings.config.compose.project
        return ComposeProgram(settings.root, found, project, {}, settings.home)

    @cached_property
    def _composition(self) -> Composition:
        return self._program.resolved()[0]

    def _known(self) -> None:
        services = self._composition.services
        for name in self._names:
            if name in services:
                continue
            if inactive := compose_files.profiles(self._program.files, name):
                hint = f"COMPOSE_PROFILES={inactive[0]}, in the environment or in .env, switches it on"
                what = f"{name}, which {self._settings.service} needs, is only in the profile {inactive[0]}"
                raise ConfigError(what, where=self._where, hint=hint)
            known = sorted({*services, *self._settings.table()} - {self._settings.service})
            what = f"{self._settings.service} needs {name}, which is no service here, nor in {self._program.shown}"
            raise ConfigError(what, where=self._where, hint=suggestion(name, known, "services"))

    @property
    def _where(self) -> str | None:
        return self._settings.where.get(f"services.{self._settings.service}.needs")

    @property
    def _files(self) -> str:
        return ",".join(map(str, self._program.files))


def _network(container: Container) -> str:
    """The first network of its own; '' where it has none."""
    return next((name for name in sorted(container.networks) if name not in _BUILT_IN), "")
