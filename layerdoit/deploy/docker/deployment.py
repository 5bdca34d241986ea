"""One container on a Docker engine, replaced only by a healthy one, at the same address.

Labels say that a container is ours; its name says how far it has come: `<name>` serves, `<name>-next` is to serve,
`<name>-old` has served, `<name>-try` only proves that a release becomes healthy. A rename is atomic, so that at any
moment, also after `kill -9`, the names tell what is to be done (`recover`).

A published port belongs to a container from its creation on, but the engine binds it only while the container is
attached to a network with a way out. So there are three ways to start beside:

plain  nothing holds the port: the new container starts as it will serve;
moved  it starts on an internal network, where no port is bound, and changes networks when it is healthy: one start;
again  a throw-away container without a published port proves that the release becomes healthy, then the real one
       starts: for services that need other containers, or the way out, while they start.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from layerdoit.core.console import warn
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.core.files import machine_lock
from layerdoit.deploy.docker.health import Health
from layerdoit.deploy.provider import (
    DeployConfig,
    Release,
    Service,
    Status,
    Unhealthy,
    absolute,
    can_bind,
    first_free,
    port_taken,
)
from layerdoit.engine.containers import Container, Containers, PortTaken, Spec, name_taken

Way = Literal["plain", "moved", "again"]


class DockerDeployment:
    """`Deployment` on the engine that `docker` itself would use."""

    def __init__(self, project: str, config: DeployConfig, *, root: Path | None = None) -> None:
        if config.network == "host":
            raise ConfigError(
                "deploy.network: host leaves no room to start a new container beside the old one",
                hint="leave deploy.network out and publish the port with deploy.port",
            )
        self._config = config
        self._project = project
        self._root = root or Path.cwd()
        self._containers = Containers(project, config.name)
        self._health = Health(config, self._containers)
        self._way: Way = "plain"
        self._old: Container | None = None
        self._spec = Spec(name="", image="", network="", labels={})

    # --- the cycle's side --------------------------------------------------------------------------------------------

    def lock(self) -> AbstractContextManager[None]:
        """See `Deployment`."""
        return machine_lock(f"{self._project}-{self._config.name}")

    def recover(self) -> tuple[str, ...]:
        """See `Deployment`."""
        done: list[str] = []
        there = self._containers.mine()
        serving, coming, old, tried = (there.get(self._name(part)) for part in ("", "-next", "-old", "-try"))
        if old and not serving:
            self._containers.rename(old, self._name())
            serving, old = old, None
            done.append(f"made {self._name()} serve again")
        for left in (tried, coming, old):
            if left:
                self._containers.remove(left)
                done.append(f"removed {left.name}, left by an interrupted cycle")
        if serving and not self._attached(serving):
            self._attach(serving)
            done.append(f"put {self._name()} back on its network")
        return tuple(done)

    def current(self) -> Service | None:
        """See `Deployment`."""
        container = self._containers.inspect_mine(self._name())
        return self._service(container) if container else None

    def serves(self, release: Release) -> bool:
        """See `Deployment`."""
        found = self._containers.inspect_mine(self._name())
        return (
            found is not None
            and found.running
            and self._attached(found)
            and (found.label("key"), found.label("config")) == (release.key, self._config.digest())
            and self._health.problem(found) is None
        )

    def start_beside(self, release: Release) -> Service:
        """See `Deployment`."""
        self._old = self._containers.inspect_mine(self._name())
        if self._old is None and self._containers.inspect(self._name()) is not None:
            raise name_taken(self._name())
        publish = self._choose_port(self._old)
        self._way = self._choose_way(self._old, publish)
        self._spec = self._make_spec(release, publish)
        if self._config.network is None:
            self._containers.ensure_network(self._network(), internal=False)
        return self._service(self._start_candidate())

    def wait_healthy(self, candidate: Service) -> Service:
        """See `Deployment`."""
        try:
            return self._service(self._health.wait(candidate.id))
        except Unhealthy as failure:
            # On an internal network, what a service needs at its start may be out of reach.
            proven = self._old is not None and self._old.label("way") == "moved"
            if self._way != "moved" or (proven and not failure.ended):
                raise
        warn(f"{self._name()} did not become healthy on a network without a way out: it is tried on its own network")
        self._remove_named("-next")
        self._way = "again"
        return self._service(self._health.wait(self._start_candidate().id))

    def swap(self, candidate: Service) -> Service:
        """See `Deployment`."""
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
        if self._old is not None:
            self._containers.rename(self._old, self._name("-old"))
        self._containers.rename(self._inspect(identity), self._name())
        return self._service(self._inspect(identity))

    def rollback(self) -> None:
        """See `Deployment`."""
        self.recover()

    def remove_old(self) -> None:
        """See `Deployment`."""
        self._remove_named("-try")
        self._remove_named("-old", grace=self._config.stop_grace)

    # --- the user's side ---------------------------------------------------------------------------------------------

    def destroy(self) -> bool:
        """See `Deployment`."""
        there = self._containers.mine()
        for container in there.values():
            self._containers.stop(container, self._config.stop_grace)
            self._containers.remove(container)
        self._containers.remove_networks()
        return bool(there)

    def status(self) -> Status:
        """See `Deployment`."""
        found = self._containers.inspect_mine(self._name())
        if found is None:
            return Status(None, "not deployed")
        if not found.running:
            return Status(self._service(found), f"{found.state}, exit code {found.exit_code}")
        return Status(self._service(found), self._health.problem(found) or "healthy")

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """See `Deployment`."""
        return self._containers.log_lines(self._deployed(), follow=follow, tail=tail)

    def connect(self) -> int:
        """See `Deployment`."""
        from layerdoit.core import process

        found = self._deployed()
        if not found.running:
            raise DeployError(f"{found.name} does not run ({found.state})", hint="doit cycle_fast")
        terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
        shell = "command -v bash >/dev/null && exec bash; exec sh"
        return process.interactive(["docker", "exec", *terminal, found.id, "sh", "-c", shell])

    # --- starting ----------------------------------------------------------------------------------------------------

    def _start_candidate(self) -> Container:
        if self._way == "moved":
            self._containers.ensure_network(self._check_network(), internal=True)
        spec = self._spec_for("try" if self._way == "again" else self._way)
        while True:
            container = self._containers.create(spec)
            try:
                return self._containers.start(container, spec)
            except PortTaken as error:
                self._containers.remove(container)
                if self._config.publish or spec.publish is None:
                    raise self._port_taken(spec.publish or 0) from error
                # Somebody was faster between the search and the start.
                publish = self._free_port(spec.publish + 1)
                labels = {**spec.labels, "publish": str(publish)}
                self._spec = replace(self._spec, publish=publish, labels=labels)
                spec = replace(spec, publish=publish, labels=labels)

    def _make_spec(self, release: Release, publish: int | None) -> Spec:
        config = self._config
        labels = {
            "key": release.key,
            "config": self._config.digest(),
            "role": "serving",
            "network": self._network(),
            "publish": str(publish or ""),
            "leased-from": self._leased_from(),
        }
        return Spec(
            name=self._name("-next"),
            image=release.image,
            network=self._network(),
            labels=labels,
            aliases=(config.name,),
            port=config.port,
            publish=publish,
            bind=config.bind,
            env=config.env,
            volumes=tuple(absolute(volume, self._root) for volume in config.volumes),
            args=config.args,
            stop_grace=config.stop_grace,
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

    def _choose_way(self, old: Container | None, publish: int | None) -> Way:
        if old is None or publish not in {port for _, port in old.ports.values()}:
            return "plain"
        needs_network = old.label("way") == "again" and old.label("config") == self._config.digest()
        connected = self._config.network is not None or not self._config.isolated_start
        if connected or needs_network or not self._health.direct:
            return "again"
        return "moved"

    def _choose_port(self, old: Container | None) -> int | None:
        if self._config.port is None:
            return None
        held = {port for _, port in old.ports.values()} if old else set()
        wanted = self._config.publish or self._lease(old)
        if wanted and (wanted in held or self._is_free(wanted, self._containers.published())):
            return wanted
        if self._config.publish:
            raise self._port_taken(wanted)
        return self._free_port(self._config.port, held)

    def _lease(self, old: Container | None) -> int:
        """The port that was found for the old one, 0 where one was named then, or another is asked for now."""
        if old is None or old.label("leased-from") != self._leased_from():
            return 0
        return int(old.label("publish") or 0)

    def _leased_from(self) -> str:
        """Where the search for a port begins; "" where one is named."""
        return "" if self._config.publish else str(self._config.port or "")

    def _free_port(self, first: int, held: Collection[int] = ()) -> int:
        taken = self._containers.published()
        return first_free(first, lambda port: port in held or self._is_free(port, taken))

    def _is_free(self, port: int, taken: Mapping[int, str]) -> bool:
        local = self._containers.host.startswith("unix://")
        return port not in taken and (not local or can_bind(self._config.bind, port))

    def _port_taken(self, port: int) -> DeployError:
        return port_taken(port, self._containers.published().get(port))

    # --- small things ------------------------------------------------------------------------------------------------

    def _name(self, part: str = "") -> str:
        return self._config.name + part

    def _network(self) -> str:
        return self._config.network or f"layerdoit-{self._project}"

    def _check_network(self) -> str:
        return f"layerdoit-{self._project}-check"

    def _attached(self, container: Container) -> bool:
        return container.label("network") in container.networks

    def _attach(self, container: Container) -> None:
        publish = int(container.label("publish") or 0) or None
        self._containers.attach(container, container.label("network"), (self._config.name,), publish)

    def _detach_old(self) -> None:
        if self._old is not None and self._attached(self._old):
            self._containers.detach(self._old, self._old.label("network"))

    def _remove_named(self, part: str, grace: float = 0) -> None:
        container = self._containers.inspect_mine(self._name(part))
        if container is not None:
            if grace and container.running:
                self._containers.stop(container, grace)
            self._containers.remove(container)

    def _inspect(self, identity: str) -> Container:
        container = self._containers.inspect(identity)
        if container is None:
            raise DeployError(f"the new container of {self._name()} was removed by somebody else")
        return container

    def _deployed(self) -> Container:
        found = self._containers.inspect_mine(self._name())
        if found is None:
            raise DeployError(f"{self._name()} is not deployed", hint="doit cycle_fast")
        return found

    def _service(self, container: Container) -> Service:
        bound = container.ports.get(self._config.port or 0)
        serving = bound and container.label("role") == "serving"
        address = f"{self._containers.published_host(self._config.bind)}:{bound[1]}" if bound and serving else None
        return Service(
            container.id, container.name, container.label("key"), container.running, address, container.started_at
        )
