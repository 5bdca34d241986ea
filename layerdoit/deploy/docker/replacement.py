"""One replacement of the container of a deployment, step by step; `swap` has the order of the steps.

Labels say that a container is ours; its name says how far it has come: `<name>` serves, `<name>-next` is to serve,
`<name>-old` has served, `<name>-try` only proves that a release becomes healthy. A rename is atomic, so that at any
moment, also after `kill -9`, the names tell what is to be done (`recover`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Literal

from layerdoit.core.console import warn
from layerdoit.core.errors import DeployError
from layerdoit.core.files import machine_lock
from layerdoit.deploy.docker import described, ways
from layerdoit.deploy.docker.health import Health, Unhealthy
from layerdoit.deploy.docker.ports import Ports
from layerdoit.deploy.docker.ways import Way
from layerdoit.deploy.provider import Release, Service
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container, NoNetwork, PortTaken, Spec, name_taken, strays
from layerdoit.engine.containers import Containers


class Replacement:
    """`Steps` on the containers of one deployment. It keeps what it has found and begun: make a new one each time."""

    def __init__(self, settings: DeploySettings, containers: Containers, health: Health) -> None:
        self._settings = settings
        self._config = settings.config
        self._containers = containers
        self._health = health
        self._ports = Ports(settings, containers)
        self._way: Way = "plain"
        self._old: Container | None = None
        self._former: list[Container] = []
        self._spec = Spec(name="", image="", network="", labels={})

    def lock(self) -> AbstractContextManager[None]:
        """See `Steps`."""
        return machine_lock(f"{self._settings.project}-{self._settings.name}")

    def recover(self) -> tuple[str, ...]:
        """See `Steps`."""
        done: list[str] = []
        there = self._containers.mine()
        serving, coming, old, tried = (there.get(self._name(part)) for part in ("", "-next", "-old", "-try"))
        done += self._named_again(serving or old, strays(there.values(), self._name()))
        if done and not (serving or old):
            serving = self._containers.inspect_mine(self._name())
        if old and not serving:
            self._containers.rename(old, self._name())
            serving, old = old, None
            done.append(f"put {self._name()} back into service")
        for left in (tried, coming, old):
            if left:
                self._containers.remove(left)
                done.append(f"removed {left.name}, left by an interrupted deployment")
        done += self._of_former_name(serving)
        if serving and not self._attached(serving):
            self._attach(serving)
            done.append(f"connected {self._name()} to its network again")
        if serving and (wanted := serving.label("restart") or "no") != serving.restart:
            self._containers.restart_as(serving, wanted)
            done.append(f"{self._name()} has its restart policy ({wanted}) again")
        return tuple(done)

    def _of_former_name(self, serving: Container | None) -> list[str]:
        """What was deployed under another name serves until it is replaced, and no longer."""
        done: list[str] = []
        for one in self._containers.former(self._settings.source):
            if serving:
                self._containers.remove(one)
                done.append(f"removed {one.name}, which {serving.name} has replaced")
            elif one.running and not self._attached(one):
                self._attach(one)
                done.append(f"connected {one.name} to its network again")
        return done

    def _named_again(self, serving: Container | None, renamed: list[Container]) -> list[str]:
        """What somebody renamed serves under its own name again; beside one that has it, it is only spoken of."""
        done: list[str] = []
        if renamed and serving is None and self._containers.inspect(self._name()) is None:
            first = renamed.pop(0)
            self._containers.rename(first, self._name())
            done.append(f"{first.name} is called {self._name()} again: it is the container of this deployment")
        for one in renamed:
            warn(f"{one.name} is of this deployment, too, and still runs; docker rm -f {one.name} removes it")
        return done

    def current(self) -> Service | None:
        """See `Steps`."""
        container = self._containers.serving(self._name(), self._settings.source)
        return self._service(container) if container else None

    def serves(self, release: Release) -> bool:
        """See `Steps`."""
        found = self._containers.inspect_mine(self._name())
        return (
            found is not None
            and found.running
            and self._attached(found)
            and (found.label("key"), found.label("config")) == (release.key, self._settings.digest())
            and self._health.problem(found) is None
        )

    def start_beside(self, release: Release) -> Service:
        """See `Steps`."""
        self._containers.refuse_namesakes(self._settings.where.get("project"))
        self._old = self._containers.inspect_mine(self._name())
        if self._old is None and self._containers.inspect(self._name()) is not None:
            raise name_taken(self._name())
        self._former = self._containers.former(self._settings.source)
        if self._old is None and self._former:
            self._old = self._former[0]
        publish = self._ports.choose(self._old)
        self._way = self._choose_way(publish)
        self._spec = self._make_spec(release, publish)
        if self._config.network is None:
            self._containers.ensure_network(self._network(), internal=False)
        return self._service(self._start_candidate())

    def wait_healthy(self, candidate: Service) -> Service:
        """See `Steps`."""
        try:
            return self._service(self._health.wait(candidate.id))
        except Unhealthy as failure:
            # On an internal network, what a service needs at its start may be out of reach.
            proven = self._old is not None and self._old.label("way") == "moved"
            if self._way != "moved" or failure.certain or (proven and not failure.ended):
                raise
        warn(f"{self._name()} did not become healthy on an isolated network; trying again on its own network")
        self._remove_named("-next")
        self._way = "again"
        return self._service(self._health.wait(self._start_candidate().id))

    def swap(self, candidate: Service) -> Service:
        """See `Steps`."""
        identity = candidate.id
        if self._way == "again":
            created = self._containers.create(self._spec_for("again"))
            self._detach_old()
            identity = self._containers.start(created, self._spec).id
        elif self._way == "moved":
            self._detach_old()
            coming = self._inspect(identity)
            self._attach(coming)
            self._containers.detach(coming, self._check_network())
        if self._way != "plain":
            self._health.wait(identity, published=True)
        if self._old is not None and self._old not in self._former:
            self._containers.rename(self._old, self._name("-old"))
        self._containers.rename(self._inspect(identity), self._name())
        self._containers.restart_as(self._inspect(identity), self._config.restart)
        return self._service(self._inspect(identity))

    def rollback(self) -> None:
        """See `Steps`."""
        self.recover()

    def remarks(self) -> tuple[str, ...]:
        """See `Steps`."""
        if self._old is None:
            return ()
        told = [self._ports.lost(self._old, self._spec.publish)]
        if self._old in self._former:
            told.append(f"{self._old.name}, of an earlier deploy.name, was replaced by {self._name()}")
        elif other := described.other_folder(self._old, self._settings.owner):
            apart = f'"deploy: {{name: {self._name()}-2}}" in layerdoit.yaml of one of the two keeps both'
            told.append(f"{other}, and is replaced; {apart}")
        return tuple(filter(None, told))

    def remove_old(self) -> None:
        """See `Steps`."""
        self._remove_named("-try")
        self._remove_named("-old", grace=self._config.stop_grace)
        for one in self._former:
            self._end(one, self._config.stop_grace)

    # --- starting ----------------------------------------------------------------------------------------------------

    def _start_candidate(self) -> Container:
        spec = self._spec_for("try" if self._way == "again" else self._way)
        while True:
            container = self._containers.create(spec)
            try:
                return self._containers.start(container, spec)
            except PortTaken as error:
                self._containers.remove(container)
                if self._config.publish or spec.publish is None:
                    raise self._ports.taken(spec.publish or 0) from error
                # Somebody was faster between the search and the start.
                publish = self._ports.free(spec.publish + 1)
                labels = {**spec.labels, "publish": str(publish)}
                self._spec = replace(self._spec, publish=publish, labels=labels)
                spec = replace(spec, publish=publish, labels=labels)

    def _make_spec(self, release: Release, publish: int | None) -> Spec:
        config = self._config
        labels = {
            "key": release.key,
            "config": self._settings.digest(),
            "role": "serving",
            "settings": self._settings.source,
            "network": self._network(),
            "port": str(config.port or ""),
            "publish": str(publish or ""),
            "restart": config.restart,
            "leased-from": self._ports.leased_from,
        }
        return Spec(
            name=self._name("-next"),
            image=release.reference,
            network=self._network(),
            labels=labels,
            aliases=(self._settings.name,),
            port=config.port,
            publish=publish,
            bind=config.bind,
            # The engine has no other place for secrets; who may ask it for them may do anything.
            env={**self._settings.env, **self._settings.secrets},
            volumes=self._settings.volumes,
            args=config.args,
            stop_grace=config.stop_grace,
            memory=config.memory,
            cpus=config.cpus,
        )

    def _spec_for(self, way: Literal["plain", "moved", "again", "try"]) -> Spec:
        spec = replace(self._spec, labels={**self._spec.labels, "way": way})
        if way == "moved":
            return replace(spec, network=self._check_network(), aliases=())
        if way == "try":
            labels = {**spec.labels, "role": "candidate"}
            publish = None if self._health.direct else 0
            return replace(spec, name=self._name("-try"), labels=labels, aliases=(), publish=publish)
        return spec

    def _choose_way(self, publish: int | None) -> Way:
        chosen = ways.choose(self._old, publish, self._settings)
        return "again" if chosen == "moved" and not self._can_isolate() else chosen

    def _can_isolate(self) -> bool:
        """Whether containers are reached on the isolated network, and it is there."""
        if not self._health.direct:
            return False
        try:
            self._containers.ensure_network(self._check_network(), internal=True)
        except NoNetwork:
            return False
        return True

    # --- small things ------------------------------------------------------------------------------------------------

    def _name(self, part: str = "") -> str:
        return self._settings.name + part

    def _network(self) -> str:
        return self._config.network or f"layerdoit-{self._settings.project}"

    def _check_network(self) -> str:
        return f"layerdoit-{self._settings.project}-check"

    def _attached(self, container: Container) -> bool:
        return container.label("network") in container.networks

    def _attach(self, container: Container) -> None:
        publish = int(container.label("publish") or 0) or None
        alias = container.label("deployment") or self._settings.name
        self._containers.attach(container, container.label("network"), (alias,), publish)

    def _detach_old(self) -> None:
        if self._old is not None and self._attached(self._old):
            self._containers.detach(self._old, self._old.label("network"))

    def _remove_named(self, part: str, grace: float = 0) -> None:
        container = self._containers.inspect_mine(self._name(part))
        if container is not None:
            self._end(container, grace)

    def _end(self, container: Container, grace: float) -> None:
        """For good: if this is interrupted, the engine does not start it again when it starts itself."""
        if grace and container.running:
            if container.restart != "no":
                self._containers.restart_as(container, "no")
            self._containers.stop(container, grace)
        self._containers.remove(container)

    def _inspect(self, identity: str) -> Container:
        container = self._containers.inspect(identity)
        if container is None:
            raise DeployError(f"another process removed the new container of {self._name()}")
        return container

    def _service(self, container: Container) -> Service:
        return described.service(container, self._settings, self._containers)
