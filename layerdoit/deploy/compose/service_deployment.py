"""A service of the user's own compose file that runs our image; everything else of the file stays the user's."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from layerdoit.core.background import Background
from layerdoit.core.console import say, warn
from layerdoit.core.errors import ConfigError, DeployError, LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.deploy import supervision
from layerdoit.deploy.compose import kept_service, members
from layerdoit.deploy.compose.neighbours_up import Neighbours
from layerdoit.deploy.compose.our_service import GRACE, SHARES, OurService
from layerdoit.deploy.compose.service_steps import ServiceReplacement
from layerdoit.deploy.docker import described, swap
from layerdoit.deploy.docker.health import Health
from layerdoit.deploy.docker.live_services import LiveServices
from layerdoit.deploy.provider import SHELL, Deployed, Held, LiveService, Release, Service, Status
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine import removal
from layerdoit.engine.container import Container
from layerdoit.engine.containers import Containers
from layerdoit.engine.created import Created
from layerdoit.engine.images import PREFIX, label

# What the compose file says itself.
_THEIRS = ("publish", "bind", "volumes", "network", "restart", "memory", "cpus", "gap", "drain", "stop_grace")

FRESH: Final = 3.0
"""Seconds for which the compose files count as they were read."""


class ComposeProvider:
    """`Provider` on the engine that `docker compose` itself would use."""

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self._containers = Containers(settings.project, settings.name, settings.owner)
        self._read: tuple[float, OurService] | None = None
        self._live: LiveServices | None = None

    @property
    def needs_registry(self) -> bool:
        """See `Provider`."""
        return False

    def check(self, _release: Release, /) -> None:
        """See `Provider`."""
        self._refuse_theirs()
        _ = self.settings.env, self.settings.secrets
        ours = OurService(self.settings)
        version = Background(ours.program.check_version)
        try:
            service = ours.service
        finally:
            version.result()
        ours.refuse_unknown_needs()
        if self.settings.live is not None:
            kept_service.refuse(ours)
        for warning in ours.warnings:
            warn(f"docker compose: {warning}")
        if (bound := ours.composition.sharing(service)) is not None:
            raise DeployError(
                f"{bound}: it would lose its network when the container of {service.name} is replaced",
                where=ours.line(),
                hint=f"turn it around ({service.name} joins that service), or join both to a network",
            )
        self._containers.refuse_namesakes(self.settings.where.get("project"))
        ours.refuse_others(list(ours.members(Created())))
        self._read = (time.monotonic(), ours)

    def _refuse_theirs(self) -> None:
        """Settings beside `provider: compose` that the compose file has; those of another file are for another way."""
        where = self.settings.where
        here = where.get("deploy.provider", "").rpartition(":")[0]
        names = [f"deploy.{name}" for name in _THEIRS]
        found = [name for name in names if here and where.get(name, "").rpartition(":")[0] == here]
        if found:
            what = f"{listed(found)} {'has' if len(found) == 1 else 'have'} no effect with provider: compose"
            hint = "write it into the service of the compose file, and remove it here"
            raise ConfigError(what, where=where[found[0]], hint=hint)

    def deploy(
        self, release: Release, *, anew: bool = False, on_phase: Callable[[str], None] = lambda _: None
    ) -> Deployed:
        """See `Provider`."""
        try:
            steps = self.replacement()
            done = swap.run(steps, release, anew=anew, on_phase=on_phase)
        except LayerdoitError as error:
            found = self._serving()
            return Deployed(self._described(found) if found else None, failed_in=swap.START, error=error)
        return replace(done, remarks=tuple(dict.fromkeys((*done.remarks, *steps.told))))

    def replacement(self) -> ServiceReplacement:
        """The steps that `deploy` takes, for one replacement."""
        ours = self._just_read() or OurService(self.settings)
        health = Health(ours.judged, self._containers)
        _ = ours.service  # Where it is not clear, nothing is locked, and nothing is begun.
        return ServiceReplacement(ours, self._containers, health, self._described)

    def _just_read(self) -> OurService | None:
        """What was read for `check`, if nothing was built since; only once, for it is about one deployment."""
        read, self._read = self._read, None
        return read[1] if read and time.monotonic() - read[0] < FRESH else None

    def roll_back(self, release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:
        """See `Provider`. The settings are those of then: the caller has made this provider from them."""
        return self.deploy(release, on_phase=on_phase)

    def changes(self, release: Release) -> Iterator[str]:
        """See `Provider`."""
        ours = OurService(self.settings)
        service = ours.service
        neighbours = Neighbours(ours, self._containers)
        siblings = {one.name for one in ours.siblings}
        for other, there in neighbours.outdated():
            if other.name in siblings:
                yield f"{other.name} would get the image {release.reference}, too"
            else:
                yield f"{other.name} would be {'brought up to date' if there else 'started'}, as docker compose decides"
        serving = members.settled(ours.members(Created())).serving
        if not serving:
            yield f"{service.name} would be started with {release.reference}"
            return
        now = serving[-1]
        if (found := self._serving()) is not None and (state := supervision.state(found, self._containers)):
            yield f"{found.name} is kept by a watch; live: {state}"
        key = label(now.labels, "key")
        if (key, label(now.labels, "config")) == (release.key, ours.digest) and now.running:
            yield f"{service.name} runs {release.reference} with these settings: it would stay"
            return
        image = f"{now.image_name} -> {release.reference}"
        what = "the image stays, the settings differ" if key == release.key else image
        how = {
            "beside": "started beside the old one, which is removed when it is healthy",
            "tried": "tried beside the old one without its port, then put in its place, with a gap",
            "recreate": "started when the old one has stopped, with a gap",
        }[ours.strategy]
        yield f"{service.name}: {what}; the new one is {how}"

    def status(self) -> Status:
        """See `Provider`."""
        found = self._serving()
        if found is None:
            return Status(None, "not deployed", self._other())
        service, now = self._described(found), supervision.state(found, self._containers)
        if not found.running:
            return Status(service, f"{found.state}, exit code {found.exit_code}", live=now)
        settings = kept_service.facts_of(self.settings, found.labels)[0] if now else OurService(self.settings).judged
        health = Health(settings, self._containers)
        return Status(service, health.problem(found) or "healthy", live=now)

    # --- for a watch -------------------------------------------------------------------------------------------------

    def live(self) -> LiveService | None:
        """See `KeepsLive`."""
        found = self._serving()
        if found is None:
            return None
        settings, grace = kept_service.facts_of(self.settings, found.labels)
        self._live = LiveServices(self._containers, Health(settings, self._containers))
        return self._live.of(found, self._described(found).url, grace)

    def judge(self, service: LiveService, ended: Callable[[], str | None]) -> None:
        """See `KeepsLive`."""
        self._of_watch().judge(service, ended)

    def place(self, service: LiveService, archive: bytes) -> None:
        """See `KeepsLive`."""
        with self._writing(service):
            self._of_watch().place(service, archive)

    def gone(self, service: LiveService, paths: Sequence[str]) -> None:
        """See `KeepsLive`."""
        with self._writing(service):
            self._of_watch().gone(service, paths)

    def _of_watch(self) -> LiveServices:
        if self._live is None:
            self.live()
        return self._live or LiveServices(self._containers, Health(self.settings, self._containers))

    @contextlib.contextmanager
    def _writing(self, service: LiveService) -> Iterator[None]:
        """Say where it comes from that nothing can be written to a container."""
        try:
            yield
        except LayerdoitError as error:
            if "read-only" not in error.what.lower():
                raise
            raise kept_service.unwritable(OurService(self.settings), service.name) from error

    # --- what serves -------------------------------------------------------------------------------------------------

    def _other(self) -> str:
        """What runs as the service, though not our image."""
        try:
            ours = OurService(self.settings)
            there = [one for one in ours.members(Created()) if one.running]
        except LayerdoitError:
            return ""
        return f"{there[-1].name} runs {there[-1].image_name}, which is not of layerdoit" if there else ""

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        """See `Provider`."""
        return self._containers.log_lines(self._deployed(), follow=follow, tail=tail, last=since)

    def execute(self, command: Sequence[str]) -> int:
        """See `Provider`."""
        found = self._deployed()
        if not found.running:
            raise DeployError(f"{found.name} is not running ({found.state})", hint="doit cycle_fast")
        return self._containers.interactive(found, command)

    def shell(self) -> int:
        """See `Provider`."""
        return self.execute(SHELL)

    def destroy(self) -> bool:
        """See `Provider`."""
        there = list(self._containers.mine().values())
        if not there:
            self._containers.refuse_namesakes(self.settings.where.get("project"))
            return False
        grace = GRACE
        with contextlib.suppress(LayerdoitError):
            grace = OurService(self.settings).grace
        for container in there:
            self._containers.stop(container, grace)
            self._containers.remove(container)
        supervision.sweep(replace(self.settings, live=None), (one.labels for one in there))
        say("other services of the compose file, volumes and networks stay: docker compose down removes them")
        return True

    def holds(self) -> tuple[Held, ...]:
        """See `Provider`."""
        settings = self.settings
        found = [Held(one.name, one.image, one.key) for one in removal.deployed(settings.project, settings.name)]
        shares = Created().listed(f"{PREFIX}{SHARES}={settings.project}/{settings.name}")
        others = map(members.Member.of, shares)
        return (*found, *(Held(one.name, one.image, label(one.labels, "key")) for one in others))

    def unlock(self) -> str:
        """See `Provider`."""
        return "the lock ends with the process that holds it: there is nothing to remove"

    # --- its container -----------------------------------------------------------------------------------------------

    def _serving(self) -> Container | None:
        there = [one for one in self._containers.mine().values() if one.label("role") == "serving"]
        running = [one for one in there if one.running] or there
        return max(running, key=lambda one: one.started_at, default=None)

    def _deployed(self) -> Container:
        found = self._serving()
        if found is None:
            self._containers.refuse_namesakes(self.settings.where.get("project"))
            raise DeployError(f"{self.settings.name} is not deployed", hint="doit cycle_fast")
        return found

    def _described(self, container: Container) -> Service:
        """A container that only tries whether it becomes healthy has no address."""
        ports = container.ports
        wanted = self.settings.config.port
        bound = ports.get(wanted) if wanted else next(iter(ports.values()), None)
        return described.at(container, (self._containers.published_host(bound[0]), bound[1]) if bound else None)
