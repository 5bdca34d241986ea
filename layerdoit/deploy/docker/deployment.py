"""One container on the Docker engine, replaced only by a healthy one, at the same address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from layerdoit.core.errors import ConfigError, DeployError, LayerdoitError
from layerdoit.core.signals import as_errors
from layerdoit.deploy import needs, supervision
from layerdoit.deploy.docker import described, kept_live, refusals, sockets, swap
from layerdoit.deploy.docker.health import Health
from layerdoit.deploy.docker.live_services import LiveServices
from layerdoit.deploy.docker.replacement import Replacement
from layerdoit.deploy.provider import SHELL, Deployed, Held, LiveService, Release, Status
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine import removal
from layerdoit.engine.container import Container, Refused
from layerdoit.engine.containers import Containers, environment_of
from layerdoit.engine.ownership import words_of


class DockerProvider:
    """`Provider` on the engine that `docker` itself would use."""

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self._containers = Containers(settings.project, settings.name, settings.owner, settings.environment)
        self._health = Health(settings, self._containers)
        self._live = LiveServices(self._containers, self._health)

    @property
    def needs_registry(self) -> bool:
        """See `Provider`."""
        return False

    def check(self, _release: Release, /) -> None:
        """See `Provider`."""
        if self.settings.config.network == "host":
            raise ConfigError(
                "with deploy.network: host, no new container can start beside the old one",
                hint="remove deploy.network and publish the port with deploy.port",
            )

        if self.settings.live is not None:
            kept_live.refuse(self.settings)
        _ = self.settings.env, self.settings.secrets  # What cannot be read is told before anything is built.
        self._containers.refuse_namesakes(self.settings.where.get("project"))
        needs.check(self.settings)

    def deploy(
        self, release: Release, *, anew: bool = False, on_phase: Callable[[str], None] = lambda _: None
    ) -> Deployed:
        """See `Provider`. What it needs is had first; where that fails, nothing is replaced."""
        try:
            with as_errors():
                ready = needs.have(self.settings)
        except LayerdoitError as error:
            found = self._containers.serving(self.settings.name, self.settings.source)
            serving = described.service(found, self.settings, self._containers) if found else None
            return Deployed(serving, failed_in=swap.START, error=error)
        steps = self.replacement(ready.networks)
        done = swap.run(steps, release, anew=anew, draining=steps, on_phase=on_phase)
        if isinstance(done.error, Refused):
            refusals.explained(done.error, self.settings)
        remarks = [*ready.remarks, *done.remarks]
        if done.service is not None and done.error is None and done.phases and self.settings.config.port is None:
            remarks += self._unpublished(done.service.id)
        return replace(done, remarks=tuple(remarks))

    def roll_back(self, release: Release, *, on_phase: Callable[[str], None] = lambda _: None) -> Deployed:
        """See `Provider`. The settings are those of then: the caller has made this provider from them."""
        if release.digest and release.digest not in self._containers.digests(release.reference):
            # The tag is on another image by now; what was good is known by its digest.
            release = replace(release, reference=release.digest)
        return self.deploy(release, on_phase=on_phase)

    def changes(self, release: Release) -> Iterator[str]:
        """See `Provider`."""
        found = self._containers.serving(self.settings.name, self.settings.source)
        if found is None:
            yield f"{self.settings.name} would be started with {release.reference}"
            return
        if now := supervision.state(found, self._containers):
            yield f"{found.name} is kept by a watch; live: {now}"
        same = found.label("key") == release.key
        if same and found.running and found.label("config") == self.settings.digest():
            yield f"{found.name} runs {release.reference} with these settings: nothing would change"
            return
        yield f"{found.name}: {_what_differs(found, release, same=same)}"
        if found.running and found.label("port"):
            front = described.front_of(found, self._containers)
            if self.settings.config.gap == "none" and front is not None:
                yield f"{front.name} keeps the port: no request is lost, unless port or address change"
            elif self.settings.config.gap == "none":
                yield f"{self.settings.name}{described.FRONT} would take over the port: for a moment nobody has it"
            else:
                yield "for about 0.3 s nobody has the port (deploy.gap: none)"

    # --- for a watch -------------------------------------------------------------------------------------------------

    def live(self) -> LiveService | None:
        """See `KeepsLive`."""
        found = self._containers.inspect_mine(self.settings.name)
        url = described.service(found, self.settings, self._containers).url if found else None
        return self._live.of(found, url, self.settings.config.stop_grace)

    def judge(self, service: LiveService, ended: Callable[[], str | None]) -> None:
        """See `KeepsLive`."""
        self._live.judge(service, ended)

    def place(self, service: LiveService, archive: bytes) -> None:
        """See `KeepsLive`."""
        self._live.place(service, archive)

    def gone(self, service: LiveService, paths: Sequence[str]) -> None:
        """See `KeepsLive`."""
        self._live.gone(service, paths)

    def unlock(self) -> str:
        """See `Provider`."""
        return "the engine's lock ends with the process that holds it: there is nothing to remove"

    def _unpublished(self, identity: str) -> Iterator[str]:
        """What to write where no port is published, and what was not checked because of that."""
        found = self._containers.inspect(identity)
        if found is None:
            return
        unknown = self._health.checks.unknown(found)
        if unknown:
            yield "nobody asked whether it is healthy, only that it runs: deploy.health says how to ask (log, command)"
        listens = {one.port for one in sockets.sockets(self._containers.sockets(found)) if not one.loopback}
        if listens:
            numbers = " and ".join(map(str, sorted(listens)))
            yield f"it listens on port {numbers}, which is not published: add deploy: {{port: {min(listens)}}}"
        elif unknown:
            yield "no port is published; if the service listens on one, set deploy.port in layerdoit.yaml"

    def replacement(self, joined: Sequence[str] = ()) -> Replacement:
        """The steps that `deploy` takes, for one replacement. `joined`: networks of what it needs."""
        return Replacement(self.settings, self._containers, self._health, joined)

    def status(self) -> Status:
        """See `Provider`."""
        found = self._containers.serving(self.settings.name, self.settings.source)
        if found is None:
            return Status(None, "not deployed", next(self._others(), ""))
        service = described.service(found, self.settings, self._containers)
        remark, now = self._remark(found), supervision.state(found, self._containers)
        if not found.running:
            return Status(service, _stopped(found), remark, now)
        problem = self._front_problem(found) or self._health.problem(found)
        elsewhere = self._health.elsewhere(found) if problem else None
        health = f"{problem}: {elsewhere.cause.what}" if elsewhere else problem or "healthy"
        return Status(service, health, remark, now)

    def _front_problem(self, found: Container) -> str | None:
        front = described.front_of(found, self._containers)
        if not found.label("front") or (front is not None and front.running and front.attached):
            return None
        state = f"is {front.state}" if front else "is gone"
        return f"{found.name}{described.FRONT}, which has its port, {state}: nobody reaches it until doit deploy"

    def _others(self) -> Iterator[str]:
        """What has the name of this deployment, and is none of it."""
        for one in self._containers.namesakes():
            yield f"{one.name} is of another project: {words_of(one.labels)}"
        for one in self._containers.of_other_environments():
            yield f"{one.name} is of the environment {environment_of(one.labels)}"

    def _remark(self, found: Container) -> str:
        if found.label("deployment") != self.settings.name:
            return f"{found.name} is of an earlier deploy.name: doit cycle_fast replaces it by {self.settings.name}"
        return described.other_folder(found, self.settings.owner)

    def logs(self, *, follow: bool = False, tail: int | None = None, since: float | None = None) -> Iterator[str]:
        """See `Provider`."""
        return self._containers.log_lines(self._deployed(), follow=follow, tail=tail, last=since)

    def execute(self, command: Sequence[str]) -> int:
        """See `Provider`."""
        found = self._deployed()
        if not found.running:
            hint = f"docker unpause {found.name}" if found.state == "paused" else "doit cycle_fast"
            raise DeployError(f"{found.name} is not running ({found.state})", hint=hint)
        return self._containers.interactive(found, command)

    def shell(self) -> int:
        """See `Provider`."""
        return self.execute(SHELL)

    def destroy(self) -> bool:
        """See `Provider`."""
        former = self._containers.former(self.settings.source)
        fronts = (described.front_of(one, self._containers) for one in former)
        there = [*self._containers.mine().values(), *former, *filter(None, fronts)]
        if not there:
            self._containers.refuse_namesakes(self.settings.where.get("project"))
        for container in there:
            self._containers.stop(container, self.settings.config.stop_grace)
            self._containers.remove(container)
        self._containers.remove_networks()
        supervision.sweep(replace(self.settings, live=None), (container.labels for container in there))
        return bool(there)

    def holds(self) -> tuple[Held, ...]:
        """See `Provider`."""
        found = removal.deployed(self.settings.project, self.settings.name)
        return tuple(Held(one.name, one.image, one.key) for one in found)

    def _deployed(self) -> Container:
        found = self._containers.serving(self.settings.name, self.settings.source)
        if found is None:
            self._containers.refuse_namesakes(self.settings.where.get("project"))
            raise DeployError(f"{self.settings.name} is not deployed", hint="doit cycle_fast")
        return found


def _what_differs(found: Container, release: Release, *, same: bool) -> str:
    if not same:
        return f"the image of {found.label('key')[:12]} would be replaced by {release.reference}"
    if not found.running:
        return f"it is {found.state}, and would be started anew"
    return "the image stays, the settings differ: it would be replaced"


def _stopped(found: Container) -> str:
    if found.state == "paused":
        return f"paused: docker unpause {found.name} lets it go on"
    if found.state == "restarting":
        return f"it ends again and again (exit code {found.exit_code}, started {found.restarts + 1} times)"
    return f"{found.state}, exit code {found.exit_code}"
