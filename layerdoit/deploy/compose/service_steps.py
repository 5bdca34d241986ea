"""One replacement of the containers of our service, step by step; `docker/swap` has the order of the steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from layerdoit.core.background import Background
from layerdoit.core.console import say
from layerdoit.core.errors import DeployError
from layerdoit.core.files import machine_lock
from layerdoit.deploy import supervision
from layerdoit.deploy.compose import kept_service, leftover_calls, members
from layerdoit.deploy.compose.members import BACK, OLD, TRY, Member, Settled
from layerdoit.deploy.compose.neighbours_up import Neighbours
from layerdoit.deploy.compose.our_service import OurService
from layerdoit.deploy.docker.bridge import Bridge
from layerdoit.deploy.docker.health import Health
from layerdoit.deploy.docker.kept_live import KeptLive
from layerdoit.deploy.provider import Release, Service
from layerdoit.deploy.supervision import Supervised
from layerdoit.engine.container import Container, PortTaken
from layerdoit.engine.containers import Containers
from layerdoit.engine.created import Created
from layerdoit.engine.images import PREFIX, label


class ServiceReplacement:
    """`Steps` on the containers of our service. It keeps what it has found and begun: make a new one each time."""

    def __init__(
        self, ours: OurService, containers: Containers, health: Health, describe: Callable[[Container], Service]
    ) -> None:
        self._ours = ours
        self._settings = ours.settings
        self._containers = containers
        self._health = health
        self._describe = describe
        self._created = Created()
        self._neighbours = Neighbours(ours, containers)
        self._old: tuple[Member, ...] = ()
        self._fresh: tuple[Member, ...] = ()
        self._tried: Background[None] | None = None
        self._supervised: Supervised | None = None
        self._kept = KeptLive(self._settings)
        self.told: list[str] = []

    def lock(self) -> AbstractContextManager[None]:
        """See `Steps`."""
        return machine_lock(f"compose-{self._ours.composition.name}-{self._ours.service.name}")

    def recover(self) -> tuple[str, ...]:
        """See `Steps`."""
        done = [*leftover_calls.end(self._ours.overlay)]
        found = self._settled()
        for one in found.gone:
            # The engine may have gone on removing it, for a thread of ours or for somebody who is gone.
            if (container := self._containers.inspect(one.id)) is not None:
                self._containers.remove(container)
                done.append(f"removed {one.name}, left by an interrupted deployment")
        for one in found.back:
            done += self._put_back(one)
        # What serves from another compose project, or as another service, stays as it is until it is replaced.
        for one in filter(self._ours.counts, found.serving):
            self._named(one)
            done += self._restarted(one, self._ours.service.restart) if one.attempt else ()
        self._ours.settle(found.serving[-1].attempt if found.serving else "")
        supervision.sweep(self._settings, (one.labels for one in found.gone))
        return tuple(done)

    def _put_back(self, one: Member) -> list[str]:
        container = self._inspected(one)
        # The engine may still be about to stop it, for somebody who is gone.
        self._containers.stop(container, self._grace)
        self._created.start(container.id)
        self._containers.rename(container, one.plain_name)
        return [f"put {one.plain_name} back into service"]

    def current(self) -> Service | None:
        """See `Steps`."""
        serving = self._settled().serving
        running = [one for one in serving if one.running] or list(serving)
        return self._described(running[-1]) if running else None

    def serves(self, release: Release) -> bool:
        """See `Steps`."""
        serving = self._settled().serving
        wanted = (release.key, self._ours.digest)
        if len(serving) != self._ours.service.replicas:
            return False
        for one in serving:
            if (label(one.labels, "key"), label(one.labels, "config")) != wanted or not one.running:
                return False
            container = self._inspected(one)
            if self._health.problem(container) is not None:
                return False
            if self._settings.live and supervision.ahead(container, self._containers):
                return False
        self.told += self._neighbours.ensure()
        return True

    def start_beside(self, release: Release) -> Service:
        """See `Steps`."""
        ours = self._ours
        self._old = self._settled().serving
        ours.refuse_others(self._old)
        attempt = f"{time.time_ns():x}"
        volumes = self._created.volumes(self._old[-1].id) if self._old else ()
        if (watch := self._settings.live) is not None:
            # Refused, before anything is changed.
            kept_service.refuse_for(ours, release.reference)
            self._kept.prepare(release.reference)
            self._supervised = kept_service.started(ours, watch, release.reference)
        ours.write(release, attempt, volumes, self._supervised)
        self.told += self._neighbours.before()
        there = sum(map(ours.counts, self._members()))
        scale = f"{ours.service.name}={there + ours.service.replicas}"
        ours.up("--no-start", "--no-recreate", "--scale", scale, ours.service.name)
        self._fresh = tuple(one for one in self._members() if one.attempt == attempt)
        if not self._fresh:
            raise DeployError(f"docker compose made no container of {ours.service.name}")
        for one in self._fresh:
            self._kept.made(self._inspected(one))
            self._created.filled(one.id, ours.injected)
            self._bridge(one)
            # One that ends at its start shall not be started again and again.
            self._restarted(one, self._ours.service.restart and "no")
        return self._first_start()

    def _bridge(self, one: Member) -> None:
        bridge = Bridge(self._settings, self._containers)
        bridge.lay(self._containers.inspect(self._old[-1].id) if self._old else None, self._inspected(one))
        self.told += [text for text in bridge.told if text not in self.told]

    def _first_start(self) -> Service:
        """What can run beside the old one, started; the candidate."""
        strategy = self._strategy
        if strategy == "beside":
            self._start(self._fresh)
            return self._described(self._fresh[-1])
        say(self._gap())
        if strategy == "recreate":
            return self._described(self._fresh[-1])
        first = self._fresh[0]
        labels = {
            **members.ours(self._settings.project, self._settings.name),
            PREFIX + "role": "candidate",
            PREFIX + "key": label(first.labels, "key"),
            members.PROJECT: self._ours.composition.name,
            members.SERVICE: self._ours.service.name,
            members.ONE_OFF: "True",
        }
        entrypoint = kept_service.of_trial(self._supervised) if self._supervised is not None else ()
        made = self._created.copied(first.id, f"{self._ours.name}{TRY}", labels, entrypoint)
        self._created.filled(made, self._ours.injected)
        self._created.start(made)
        return self._describe(self._container(made))

    def wait_healthy(self, candidate: Service) -> Service:
        """See `Steps`."""
        if self._strategy == "recreate":
            return candidate
        if self._strategy == "tried":
            self._health.wait(candidate.id)
            # It takes a while, and so does stopping the old one.
            self._tried = Background(lambda: self._ours.remove(candidate.id))
            return self._described(self._fresh[-1])
        return self._all_healthy()

    def swap(self, candidate: Service) -> Service:
        """See `Steps`."""
        if self._strategy != "beside":
            for one in self._old:
                self._containers.rename(self._inspected(one), one.plain_name + BACK)
            for one in self._old:
                self._containers.stop(self._inspected(one), self._grace)
            if self._tried is not None:
                self._tried.result()
            self._start(self._fresh)
            candidate = self._all_healthy()
        # From the first rename on the new one serves, whatever happens.
        for one in self._old:
            self._containers.rename(self._inspected(one), one.plain_name + OLD)
        for one in self._fresh:
            self._restarted(one, self._ours.service.restart)
            self._named(one)
        self._ours.settle(self._fresh[-1].attempt)
        self._kept.serves(self._container(candidate.id))
        return self._describe(self._container(candidate.id))

    def rollback(self) -> None:
        """See `Steps`."""
        try:
            serving = self._settled().serving
            # Before the old one is started again.
            self._kept.put_back(self._inspected(serving[-1]) if serving else None)
        finally:
            self.recover()
        if self._ours.written:
            self._neighbours.undo()

    def remarks(self) -> tuple[str, ...]:
        """See `Steps`."""
        return tuple(self.told)

    def remove_old(self) -> None:
        """See `Steps`."""
        for one in self._old:
            container = self._containers.inspect(one.id)
            if container is not None:
                self._containers.stop(container, self._grace)
                self._containers.remove(container)
        self._kept.done()
        supervision.sweep(self._settings, (one.labels for one in self._old))
        self.told += self._neighbours.after()

    # --- small things ------------------------------------------------------------------------------------------------

    @property
    def _strategy(self) -> str:
        """Where nothing runs yet, nothing is in the way."""
        return self._ours.strategy if any(one.running for one in self._old) else "beside"

    @property
    def _grace(self) -> float:
        return self._ours.grace

    def _gap(self) -> str:
        service = self._ours.service
        if self._ours.strategy == "tried":
            ports = " and ".join(service.fixed_ports)
            return (
                f"only one container can have port {ports}: the new {service.name} is tried without it, then takes the "
                "place of the old one; while that one stops and the new one starts, nobody answers"
            )
        why = service.alone or "deploy.compose.strategy: recreate"
        return f"{service.name} is stopped before the new one starts ({why}): until it is healthy, nobody answers"

    def _start(self, fresh: Sequence[Member]) -> None:
        for one in fresh:
            try:
                self._created.start(one.id)
            except PortTaken as error:
                raise error.reworded(where=self._ours.line("ports")) from error

    def _all_healthy(self) -> Service:
        found = [self._health.wait(one.id) for one in self._fresh]
        return self._describe(found[-1])

    def _named(self, one: Member) -> None:
        """Under the name that docker compose would give it, if nothing else has it."""
        wanted = self._ours.names
        name = self._inspected(one).name
        if name in wanted or name.endswith((BACK, OLD)):
            return
        for free in wanted:
            if self._containers.inspect(free) is None:
                self._containers.rename(self._inspected(one), free)
                return

    def _restarted(self, one: Member, policy: str) -> list[str]:
        container = self._inspected(one)
        if policy in ("", container.restart):
            return []
        self._containers.restart_as(container, policy)
        return [f"{container.name} has its restart policy ({policy}) again"]

    def _members(self) -> tuple[Member, ...]:
        return self._ours.members(self._created)

    def _settled(self) -> Settled:
        return members.settled(self._members())

    def _described(self, one: Member) -> Service:
        return self._describe(self._inspected(one))

    def _inspected(self, one: Member) -> Container:
        return self._container(one.id)

    def _container(self, identity: str) -> Container:
        found = self._containers.inspect(identity)
        if found is None:
            raise DeployError(f"another process removed a container of {self._ours.service.name}")
        return found
