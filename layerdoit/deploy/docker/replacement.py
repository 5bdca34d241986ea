"""One replacement of the container of a deployment, step by step; `swap` has the order of the steps.

Labels say that a container is ours; its name says how far it has come: `<name>` serves, `<name>-next` is to serve,
`<name>-old` has served, `<name>-try` only proves that a release becomes healthy. A rename is atomic, so that at any
moment, also after `kill -9`, the names tell what is to be done (`recover`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Literal

from layerdoit.core.console import warn
from layerdoit.core.errors import DeployError
from layerdoit.core.files import machine_lock
from layerdoit.core.units import count_text
from layerdoit.deploy import supervision
from layerdoit.deploy.docker import described, front_image, ways
from layerdoit.deploy.docker.bridge import Bridge
from layerdoit.deploy.docker.haproxy import Front
from layerdoit.deploy.docker.health import Health, Unhealthy
from layerdoit.deploy.docker.kept_live import KeptLive
from layerdoit.deploy.docker.ports import Ports
from layerdoit.deploy.docker.recovery import Recovery
from layerdoit.deploy.docker.ways import Way
from layerdoit.deploy.provider import Release, Service
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container, NoNetwork, PortTaken, Spec, name_taken
from layerdoit.engine.containers import Containers


class Replacement:
    """`Steps` on the containers of one deployment. It keeps what it has found and begun: make a new one each time."""

    def __init__(
        self, settings: DeploySettings, containers: Containers, health: Health, joined: Sequence[str] = ()
    ) -> None:
        """`joined`: networks of what the service needs."""
        self._settings = settings
        self._joined = tuple(network for network in joined if network != settings.network)
        self._config = settings.config
        self._containers = containers
        self._health = health
        self._front = Front(settings, containers)
        self._ports = Ports(settings, containers)
        self._bridge = Bridge(settings, containers)
        self._kept = KeptLive(settings)
        self._removed: list[Container] = []
        self._way: Way = "plain"
        self._old: Container | None = None
        # Who has the port: the front before the old one, or itself.
        self._holder: Container | None = None
        self._publish: int | None = None
        self._handed_over = False
        self._cut = 0
        self._former: list[Container] = []
        self._spec = Spec(name="", image="", network="", labels={})

    def lock(self) -> AbstractContextManager[None]:
        """See `Steps`."""
        return machine_lock(f"{self._settings.project}-{self._settings.name}")

    def recover(self) -> tuple[str, ...]:
        """See `Steps`."""
        return Recovery(self._settings, self._containers, self._front).run()

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
            and found.attached
            and (not self._front.wanted or self._front.usable(self._front.before(found)))
            and (found.label("key"), found.label("config")) == (release.key, self._settings.digest())
            and release.digest in ("", found.label("digest"), found.image)
            and self._health.problem(found) is None
            and not (self._settings.live and supervision.ahead(found, self._containers))
        )

    def start_beside(self, release: Release) -> Service:
        """See `Steps`."""
        self._containers.refuse_namesakes(self._settings.where.get("project"))
        self._refuse_another_image(release)
        self._kept.prepare(release.reference)
        self._old = self._containers.inspect_mine(self._name())
        if self._old is None and self._containers.inspect(self._name()) is not None:
            raise name_taken(self._name())
        self._former = self._containers.former(self._settings.source)
        if self._old is None and self._former:
            self._old = self._former[0]
        self._holder = self._front.before(self._old) or self._old
        self._publish = self._ports.choose(self._holder)
        self._way = "plain" if self._front.wanted else self._choose_way(self._publish)
        self._spec = self._make_spec(release)
        if self._config.network is None:
            self._containers.ensure_network(self._network(), internal=False)
        if self._front.wanted:
            self._prepare_front()
        return self._service(self._start_candidate())

    def _refuse_another_image(self, release: Release) -> None:
        """What was built and checked is what is deployed."""
        found = self._containers.digests(release.reference)
        if not found:
            hint = "doit image builds the image of this tree; doit from_source that of a commit"
            raise DeployError(f"the image {release.reference} does not exist", hint=hint)
        if release.digest and release.digest not in found:
            what = f"{release.reference} is another image by now than the one to be deployed ({release.digest[:19]})"
            raise DeployError(what, hint="doit cycle_fast builds and deploys it again")

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
        if self._front.wanted:
            self._lead_to(self._inspect(identity))
        elif self._way == "again":
            created = self._create(self._spec_for("again"))
            self._bridge.lay(self._old, created)
            self._free_port()
            identity = self._started(created, self._spec).id
        elif self._way == "moved":
            self._free_port()
            coming = self._inspect(identity)
            self._containers.attach_again(coming)
            self._containers.detach(coming, self._check_network())
        if self._way != "plain" or self._front.wanted:
            self._health.wait(identity, published=True)
        if self._old is not None and self._old not in self._former:
            self._containers.rename(self._old, self._name("-old"))
        self._containers.rename(self._inspect(identity), self._name())
        self._containers.restart_as(self._inspect(identity), self._config.restart)
        self._kept.serves(self._inspect(identity))
        return self._service(self._inspect(identity))

    @property
    def drains(self) -> bool:
        """See `Draining`."""
        return self._front.wanted and self._old is not None and self._old.running and not self._handed_over

    def drain(self) -> None:
        """See `Draining`."""
        self._follow()
        if self._old and (old := self._containers.inspect(self._old.id)):
            self._cut = self._front.drain(old, self._config.drain) or 0

    def _follow(self) -> None:
        front, new = self._containers.inspect_mine(self._front.name), self._containers.inspect_mine(self._name())
        if front and new:
            self._front.follow(front, new)

    def rollback(self) -> None:
        """See `Steps`."""
        try:
            self._kept.put_back(self._containers.inspect_mine(self._name()))
        finally:
            self.recover()
        if self._old is None:
            # Nothing is left of a first one that failed; networks that somebody uses stay.
            self._containers.remove_networks()

    def remarks(self) -> tuple[str, ...]:
        """See `Steps`."""
        if self._old is None:
            return ()
        told = [self._ports.lost(self._old, self._publish), *self._bridge.told]
        if self._handed_over:
            told.append(f"{self._front.name} has the port from now on; while it took it over, nobody had it")
        if self._cut:
            cut = count_text(self._cut, "connection")
            told.append(f"{cut} to the old one did not end in {self._config.drain:g} s (deploy.drain), and was cut off")
        if self._old in self._former:
            told.append(f"{self._old.name}, of an earlier deploy.name, was replaced by {self._name()}")
        elif other := described.other_folder(self._old, self._settings.owner):
            apart = f'"deploy: {{name: {self._name()}-2}}" in layerdoit.yaml of one of the two keeps both'
            told.append(f"{other}, and is replaced; {apart}")
        return tuple(filter(None, told))

    def remove_old(self) -> None:
        """See `Steps`."""
        if self._front.wanted and not self.drains:
            self._follow()
        self._remove_named("-try")
        self._remove_named("-old", grace=self._config.stop_grace)
        for one in self._former:
            if (front := self._front.before(one)) is not None:
                self._containers.remove(front)
            self._end(one, self._config.stop_grace)
        if not self._front.wanted:
            self._remove_named(described.FRONT)
        self._kept.done()
        supervision.sweep(self._settings, (one.labels for one in self._removed))

    # --- starting ----------------------------------------------------------------------------------------------------

    def _start_candidate(self) -> Container:
        spec = self._spec_for("try" if self._way == "again" else self._way)
        while True:
            container = self._create(spec)
            try:
                if self._way != "again":
                    self._bridge.lay(self._old, container)
                return self._started(container, spec)
            except PortTaken as error:
                self._containers.remove(container)
                if self._config.publish or spec.publish is None:
                    raise self._ports.taken(spec.publish or 0) from error
                # Somebody was faster between the search and the start.
                publish = self._ports.free(spec.publish + 1)
                labels = {**spec.labels, "publish": str(publish)}
                self._publish = publish
                self._spec = replace(self._spec, publish=publish, labels=labels)
                spec = replace(spec, publish=publish, labels=labels)

    def _create(self, spec: Spec) -> Container:
        return self._kept.made(self._containers.create(self._kept.dressed(spec)))

    def _started(self, created: Container, spec: Spec) -> Container:
        started = self._containers.start(created, spec)
        if started.id != created.id and created.name != self._name("-try"):
            # The engine lacks docker-init: it is another one.
            self._bridge.lay(self._old, started)
        return started

    def _make_spec(self, release: Release) -> Spec:
        config, publish = self._config, self._publish
        behind = self._front.wanted
        labels = {
            "key": release.key,
            "release": release.id,
            "digest": release.digest,
            "commit": release.commit,
            "config": self._settings.digest(),
            "role": "serving",
            "settings": self._settings.source,
            "network": self._network(),
            "port": str(config.port or ""),
            "publish": str(publish or ""),
            "bind": config.bind,
            "front": self._front.mode if behind else "",
            "restart": config.restart,
            "alias": self._settings.service,
            "joined": ",".join(self._joined),
            "leased-from": self._ports.leased_from,
        }
        return Spec(
            name=self._name("-next"),
            image=release.reference,
            network=self._network(),
            labels=labels,
            # The front finds it by its own name, which it has only when it serves.
            aliases=() if behind else self._settings.aliases,
            port=config.port,
            publish=publish if not behind else None if self._health.direct else 0,
            bind=config.bind,
            # The engine has no other place for secrets; who may ask it for them may do anything.
            env={**self._settings.env, **self._settings.secrets},
            volumes=self._settings.volumes,
            args=config.args,
            stop_grace=config.stop_grace,
            memory=config.memory,
            cpus=config.cpus,
            joined=self._joined,
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

    # --- the front ---------------------------------------------------------------------------------------------------

    def _prepare_front(self) -> None:
        """Have its image, and where nobody of ours has the port yet, let it take that: it may be gone later."""
        front_image.ensure(self._settings)
        held = {port for _, port in self._holder.ports.values()} if self._holder else set()
        while self._publish not in held and not self._front.usable(self._containers.inspect_mine(self._front.name)):
            try:
                self._front.start(self._front.spec(self._spec, self._publish or 0))
            except PortTaken as error:
                if self._config.publish:
                    raise self._ports.taken(self._config.publish) from error
                self._publish = self._ports.free((self._publish or 0) + 1)
                self._spec = replace(self._spec, labels={**self._spec.labels, "publish": str(self._publish)})

    def _lead_to(self, candidate: Container) -> None:
        spec = self._front.spec(self._spec, self._publish or 0)
        front = self._containers.inspect_mine(self._front.name)
        if front is None or not self._front.fits(front, spec):
            self._handed_over = True
            self._free_port()
            front = self._front.start(spec)
        self._front.lead_to(front, candidate)

    def _choose_way(self, publish: int | None) -> Way:
        chosen = ways.choose(self._old, publish, self._settings, self._holder)
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
        return self._settings.network

    def _check_network(self) -> str:
        return f"layerdoit-{self._settings.project}-check"

    def _free_port(self) -> None:
        if self._holder is not None:
            self._containers.unplug(self._holder)

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
        self._removed.append(container)

    def _inspect(self, identity: str) -> Container:
        container = self._containers.inspect(identity)
        if container is None:
            raise DeployError(f"another process removed the new container of {self._name()}")
        return container

    def _service(self, container: Container) -> Service:
        return described.service(container, self._settings, self._containers)
