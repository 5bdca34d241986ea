"""The service of a compose project that runs our image, as it is to be started, and its containers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from layerdoit.config import Health, repository_name
from layerdoit.core import files
from layerdoit.core.errors import DeployError
from layerdoit.core.files import machine_lock
from layerdoit.core.prose import suggestion
from layerdoit.core.state import State
from layerdoit.deploy.compose import compose_files, members, override_file
from layerdoit.deploy.compose.compose_program import ComposeProgram
from layerdoit.deploy.compose.composition import Composition, Service, Strategy
from layerdoit.deploy.compose.members import Member
from layerdoit.deploy.compose.override_file import Carried, Wanted
from layerdoit.deploy.live import Supervised
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.containers import Containers
from layerdoit.engine.created import Created
from layerdoit.engine.images import PREFIX, label
from layerdoit.engine.ownership import FOLDER, LABEL

GRACE: Final = 10.0
"""Seconds that docker compose gives a container to stop, unless the service says otherwise."""
SHARES: Final = "shares"
"""The label of another service's container that runs our image, too: of which deployment."""


class OurService:
    """One reading of the compose files. Asks docker compose when it is first needed."""

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self.written = False

    # --- what the files say ------------------------------------------------------------------------------------------

    @cached_property
    def program(self) -> ComposeProgram:
        """`docker compose` with the user's files."""
        settings = self.settings
        where = settings.where.get("deploy.compose.file") or settings.where.get("deploy.provider")
        found = compose_files.chosen(settings.root, settings.config.compose.file, os.environ, where)
        project = settings.config.compose.project
        return ComposeProgram(settings.root, found, project, settings.secrets, settings.home)

    @cached_property
    def _resolved(self) -> tuple[Composition, Mapping[str, str], tuple[str, ...]]:
        return self.program.resolved()

    @property
    def composition(self) -> Composition:
        """The compose project."""
        return self._resolved[0]

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """What docker compose calls the settings of each service; of those with our image, as our file has them."""
        if not self.written or not self.siblings:
            return self._resolved[1]
        return self.program.hashes((self.overlay,))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What docker compose warns of, such as a variable that is not set."""
        return self._resolved[2]

    @cached_property
    def service(self) -> Service:
        """The one that runs our image; DeployError, with file and line, where that is not clear."""
        settings = self.settings
        wanted, where = settings.config.compose.service, settings.where.get("deploy.compose.service")
        try:
            found = self._chosen(settings)
        except DeployError as error:
            if wanted and (inactive := compose_files.profiles(self.program.files, wanted)):
                error.reworded(
                    what=f'the service "{wanted}" is only in {"the profile" if len(inactive) == 1 else "profiles"} '
                    f"{', '.join(inactive)}, which docker compose does not use now",
                    hint=f"COMPOSE_PROFILES={inactive[0]}, in the environment or in .env, switches it on",
                )
            raise error.reworded(where=where or self._first_line()) from None
        if found.name in self.others:
            what = f"{self.others[found.name]} and {settings.service} would both be the service {found.name}"
            hint = f"name another one: services: {{{settings.service}: {{deploy: {{compose: {{service: …}}}}}}}}"
            raise DeployError(what, where=where or self.line_of(found.name), hint=hint)
        return found

    def _chosen(self, settings: DeploySettings) -> Service:
        names = [settings.project, settings.root.name]
        if settings.part:
            names = [f"{settings.project}-{settings.part}"]
        images = {repository_name(name).rpartition("/")[2] for name in names}
        if settings.image.repository:
            images.add(settings.image.repository.rpartition("/")[2])
        wanted, called = settings.config.compose.service, settings.service
        return self.composition.chosen(wanted, settings.root, images, self.program.shown, called)

    @cached_property
    def others(self) -> Mapping[str, str]:
        """The services of the file that run images of other services of ours, and what we call those: each is deployed
        by itself, at the same time as this one."""
        here, found = self.settings.config.compose, dict[str, str]()
        for name, one in self.settings.table().items():
            there = one.config.compose
            same = (there.file, there.project) == (here.file, here.project)
            if name != self.settings.service and one.config.provider == "compose" and same and not one.foreign:
                with contextlib.suppress(DeployError):
                    found[self._chosen(one).name] = name
        return found

    def _first_line(self) -> str | None:
        named = (self.line_of(name) for name in self.composition.services)
        return next(filter(None, named), None)

    @property
    def before(self) -> tuple[Service, ...]:
        """The services that it needs, by the file or by `needs`."""
        return self._of_the_user(self.composition.before(self.service, self.settings.needs))

    @property
    def after(self) -> tuple[Service, ...]:
        """The services that it does not need."""
        return self._of_the_user(self.composition.after(self.service, self.settings.needs))

    def _of_the_user(self, found: Iterable[Service]) -> tuple[Service, ...]:
        return tuple(one for one in found if one.name not in self.others)

    def refuse_unknown_needs(self) -> None:
        """Raise where it needs something that is neither in the file nor a service that we build."""
        table = self.settings.table()
        for name in self.settings.needs:
            if name in self.composition.services or (name in table and not table[name].foreign):
                continue
            where = self.settings.where.get(f"services.{self.settings.service}.needs")
            if name in table:
                what = f"{self.settings.service} is a service of {self.program.shown}, and needs {name}, which is not"
                raise DeployError(what, where=where, hint=f"describe {name} there: it has to be in the same network")
            what = f"{self.settings.service} needs {name}, which is no service here, nor in {self.program.shown}"
            known = sorted({*self.composition.services, *table} - {self.settings.service})
            raise DeployError(what, where=where, hint=suggestion(name, known, "services"))

    @cached_property
    def siblings(self) -> tuple[Service, ...]:
        """Services that are built in the same way, and get our image, too."""
        alike = self.composition.siblings(self.service)
        ours = [self.others[one.name] for one in alike if one.name in self.others]
        table = list(self.settings.table())
        if any(table.index(name) < table.index(self.settings.service) for name in ours):
            # They get the image of the first one that is built so.
            return ()
        return self._of_the_user(alike)

    @property
    def image(self) -> str:
        """The image that our file names."""
        return override_file.image_of(self.overlay.read_text(encoding="utf-8")) if self.written else ""

    def line(self, *keys: str) -> str | None:
        """`file:line` of our service, or of a key of it."""
        return self.program.line(self.service.name, *keys)

    def line_of(self, service: str) -> str | None:
        """`file:line` of a service."""
        return self.program.line(service)

    # --- how it is started -------------------------------------------------------------------------------------------

    @property
    def strategy(self) -> Strategy:
        """How it is replaced."""
        return self.service.strategy(self.settings.config.compose.strategy)

    @property
    def grace(self) -> float:
        """Seconds that an old container has to stop."""
        given = self.service.values.get("stop_grace_period")
        return _seconds(str(given)) if given else GRACE

    @property
    def name(self) -> str:
        """What docker compose calls its containers, before the number."""
        return f"{self.composition.name}-{self.service.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its containers."""
        own = self.service.values.get("container_name")
        if own:
            return (str(own),)
        return tuple(f"{self.name}-{number}" for number in range(1, self.service.replicas + 1))

    @cached_property
    def judged(self) -> DeploySettings:
        """The settings with what the service says of its health and its ports, where they say nothing themselves."""
        return judged(self.settings, next(iter(self.service.ports), None), self.service.check)

    @cached_property
    def digest(self) -> str:
        """Names what it is started with, besides the image."""
        facts = f"{self.composition.digest(self.service)} {self.settings.digest()}"
        return hashlib.sha256(facts.encode()).hexdigest()[:16]

    @property
    def overlay(self) -> Path:
        """Our file, which is laid over the user's."""
        return self.settings.root / ".layerdoit" / f"compose-{self.settings.name}.yaml"

    def write(
        self,
        release: Release,
        attempt: str,
        volumes: Sequence[tuple[str, str]] = (),
        supervised: Supervised | None = None,
    ) -> None:
        """Write it, for a release; `supervised`: for a watch."""
        State.open(self.settings.root)
        if self.overlay.exists():
            os.replace(self.overlay, self._before)
        named = {str(one.get("target")) for one in self.service.values.get("volumes") or () if one.get("source")}
        carried = [Carried(volume, target) for volume, target in volumes if target not in named]
        settings = self.settings
        wanted = Wanted(
            release.reference,
            self._labels(release, attempt),
            settings.env,
            tuple(settings.secrets),
            settings.config.args,
            self.siblings,
            self._sibling_labels(release),
            carried,
            supervised,
        )
        files.write(self.overlay, override_file.text(self.service, wanted))
        self.written = True

    def settle(self, attempt: str) -> None:
        """Keep the one that the container which serves was made with; an interrupted deployment has left another."""
        if not self._of(self.overlay, attempt) and self._of(self._before, attempt):
            os.replace(self._before, self.overlay)
        self._before.unlink(missing_ok=True)
        self.written = self._of(self.overlay, attempt)
        self.__dict__.pop("hashes", None)

    def _of(self, path: Path, attempt: str) -> bool:
        try:
            return bool(attempt) and f'"{attempt}"' in path.read_text(encoding="utf-8")
        except OSError:
            return False

    @property
    def _before(self) -> Path:
        return self.overlay.with_name(f"{self.overlay.name}.before")

    def _labels(self, release: Release, attempt: str) -> dict[str, str]:
        settings = self.settings
        labels = {
            "project": settings.project,
            "deployment": settings.name,
            "layer": "app",
            LABEL: settings.owner.text,
            FOLDER: settings.owner.folder,
            "key": release.key,
            "config": self.digest,
            "role": "serving",
            "settings": settings.source,
            members.ATTEMPT: attempt,
            # For the provider docker, should it go on from here.
            "network": self.composition.network(self.service),
            "restart": self.service.restart,
        }
        return {PREFIX + name: value for name, value in labels.items()}

    def _sibling_labels(self, release: Release) -> dict[str, str]:
        shares = f"{self.settings.project}/{self.settings.name}"
        return {PREFIX + SHARES: shares, PREFIX + "key": release.key}

    def up(self, *words: str) -> None:
        """`docker compose up` with our file laid over the user's."""
        # What else is ours has a file of its own, and is replaced by itself.
        alone = ["--no-deps"] if self.others and "--no-deps" not in words else []
        with machine_lock(f"compose-{self.composition.name}-up"):
            self.program.up((self.overlay,), *alone, *words)

    @cached_property
    def injected(self) -> tuple[tuple[str, bytes, int], ...]:
        """Files that docker compose puts into a container when it starts one: path, content, mode."""
        return tuple(_injected(self.service, self.composition, self.settings.secrets))

    # --- its containers ----------------------------------------------------------------------------------------------

    def members(self, created: Created) -> tuple[Member, ...]:
        """Those of the service, whoever started them, and those of this deployment that were started otherwise."""
        by_service = (f"{members.PROJECT}={self.composition.name}", f"{members.SERVICE}={self.service.name}")
        mine = (f"{name}={value}" for name, value in members.ours(self.settings.project, self.settings.name).items())
        found = {one["Id"]: Member.of(one) for one in (*created.listed(*by_service), *created.listed(*mine))}
        return tuple(one for one in found.values() if not _foreign(one) and self.settings.owner.owns(one.labels))

    def counts(self, one: Member) -> bool:
        """Whether docker compose counts it among the containers of the service, as the files are now."""
        labels = one.labels
        here = (labels.get(members.PROJECT), labels.get(members.SERVICE)) == (self.composition.name, self.service.name)
        return here and labels.get(members.ONE_OFF) != "True"

    def remove(self, identity: str) -> None:
        """Remove a container, on a connection of its own: in another thread."""
        containers = Containers(self.settings.project, self.settings.name, self.settings.owner)
        if (found := containers.inspect(identity)) is not None:
            containers.remove(found)

    def refuse_others(self, old: Iterable[Member]) -> None:
        """Raise where another deployment, such as that of another environment, has the service."""
        for one in old:
            theirs = label(one.labels, "deployment")
            if theirs and (label(one.labels, "project"), theirs) != (self.settings.project, self.settings.name):
                raise DeployError(
                    f"the service {self.service.name} of the compose project {self.composition.name} is the deployment "
                    f"{theirs}, not {self.settings.name}",
                    where=self.settings.where.get("deploy.provider"),
                    hint="give this one a compose project of its own: deploy: {compose: {project: "
                    f"{self.composition.name}-{self.settings.environment}}}}}",
                )


def judged(settings: DeploySettings, port: int | None, check: Sequence[str] | None) -> DeploySettings:
    """The settings with the port and the health check that a service has, where they say nothing themselves."""
    config, health = settings.config, settings.config.health
    silent = health == Health(timeout=health.timeout)
    if (silent or health.platform) and check:
        health = Health(command=tuple(check), timeout=health.timeout)
    return replace(settings, config=replace(config, port=config.port or port, health=health))


def _foreign(one: Member) -> bool:
    """Whether it is of a `docker compose run` of the user's."""
    return one.labels.get(members.ONE_OFF) == "True" and label(one.labels, "role") != "candidate"


def _seconds(text: str) -> float:
    """`1m30s`, `500ms`."""
    import re

    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(h|ms|m|s)", text)) or GRACE


def _injected(service: Service, whole: Composition, secrets: Mapping[str, str]) -> Iterable[tuple[str, bytes, int]]:
    for kind, folder in (("secrets", "/run/secrets/"), ("configs", "/")):
        for one in service.values.get(kind) or ():
            source: Mapping[str, Any] = (whole.raw.get(kind) or {}).get(one["source"]) or {}
            content = source.get("content")
            if content is None and (variable := source.get("environment")):
                content = {**os.environ, **secrets}.get(variable)
            if content is None:
                continue
            target = str(one.get("target") or one["source"])
            path = target if target.startswith("/") else posixpath.join(folder, target)
            yield path, str(content).encode(), int(str(one.get("mode") or "0444"), 8)
