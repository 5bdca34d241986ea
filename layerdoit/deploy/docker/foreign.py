"""A container of an image that we do not build, such as a database: started, waited for, and left alone.

`have` never replaces one, whatever has changed; `replace` does, when it is asked for by name. Two never run at once:
they would have the same data. Volumes are never removed, and one without a name gets a name.

Names say how far it has come: `<name>-next` has not been healthy yet, `<name>-old` stopped for the one that comes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple, TypeVar

from layerdoit.config import Deploy, Health
from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import DeployError
from layerdoit.core.files import machine_lock
from layerdoit.core.prose import listed
from layerdoit.core.signals import ignored
from layerdoit.core.units import address_text
from layerdoit.deploy.docker import described, refusals
from layerdoit.deploy.docker.foreign_volumes import Volumes
from layerdoit.deploy.docker.health import Health as Judge
from layerdoit.deploy.docker.health import Unhealthy
from layerdoit.deploy.docker.ports import Ports
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container, PortTaken, Refused, Spec, health_test, name_taken, strays
from layerdoit.engine.containers import Containers
from layerdoit.engine.created import Created

GRACE: Final = 10.0
"""Seconds that it has to stop, unless the settings say otherwise: it may have much to write."""
T = TypeVar("T")


class Had(NamedTuple):
    """What a service needs is up. `networks`: where it is found; `remarks`: what was done, what to know."""

    networks: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Foreign:
    """The container of a service of the table whose image is not built here."""

    def __init__(self, settings: DeploySettings) -> None:
        self.settings = settings
        self.containers = Containers(settings.project, settings.name, settings.owner, settings.environment)
        self._name, self._next, self._old = (settings.name + part for part in ("", "-next", "-old"))
        self._volumes = Volumes(settings, self.containers)

    # --- what there is -----------------------------------------------------------------------------------------------

    def found(self) -> Container | None:
        """The container, running or not; one that was never healthy where there is no other."""
        return self.containers.inspect_mine(self._name) or self.containers.inspect_mine(self._next)

    def problem(self, container: Container) -> str | None:
        """None when it runs and is healthy, else why not."""
        if container.state == "paused":
            return f"paused: docker unpause {container.name} lets it go on"
        if not container.running:
            return f"{container.state}, exit code {container.exit_code}"
        return self._judge(container).problem(container)

    def outdated(self, container: Container) -> str:
        """Why another one would be started by now, in words; '' where none would."""
        if container.label("config") != self.settings.digest():
            was, now = json.loads(container.label("facts") or "{}"), self._facts()
            names = sorted(name for name in {**was, **now} if was.get(name) != now.get(name))
            return f"was started with other settings ({listed(names)})" if names else "was started otherwise"
        here = self.containers.digests(self.settings.foreign)
        if here and container.image not in here:
            return f"was started from another image than {self.settings.foreign} is by now"
        return ""

    def lacking(self) -> bool:
        """Whether it is not up and healthy at this moment, or an interruption has left something."""
        there = self.containers.mine()
        found = there.get(self._name)
        if found is None or len(there) > 1 or not (found.running and found.attached):
            return True
        return found.restart != (found.label("restart") or "no") or self.problem(found) is not None

    # --- changes -----------------------------------------------------------------------------------------------------

    def have(self) -> Had:
        """Have it up and healthy; one that is there stays the same. DeployError where it does not become healthy."""
        if self.lacking():
            with self._lock():
                had = self._up(self._recovered())
        else:
            had = Had()
        found = self.containers.inspect_mine(self._name)
        if found is None:
            raise DeployError(f"another process removed {self._name}", hint="run again")
        told = self.outdated(found)
        kept = [f"{self._name} {told}, and stays: doit deploy:{self.settings.service} replaces it"] if told else []
        return Had((found.label("network"),), (*had.remarks, *kept))

    def replace(self) -> Had:
        """As `have`; but one that was started otherwise gives way to a new one, and comes back where that fails."""
        with self._lock():
            done = self._recovered()
            old = self.containers.inspect_mine(self._name)
            if old is None or not self.outdated(old):
                return self._up(done)
            self._refuse_others(old)
            return self._instead_of(old, done)

    def remove(self) -> tuple[str, ...] | None:
        """Remove the container; its volumes, which stay. None where there was none. Raises for another project's."""
        there = self.containers.mine()
        if not there:
            self.containers.refuse_namesakes(self.settings.where.get("project"))
            return None
        kept: list[str] = []
        with self._lock():
            for one in there.values():
                kept += self._volumes.of(one).values()
                self._end(one)
            self.containers.remove_networks()
        return tuple(dict.fromkeys(kept))

    def _lock(self) -> AbstractContextManager[None]:
        return machine_lock(f"{self.settings.project}-{self._name}")

    def _up(self, done: list[str]) -> Had:
        found = self.containers.inspect_mine(self._name)
        if found is None:
            return self._first(done)
        if found.state == "paused":
            raise DeployError(f"{self._name} is paused", hint=f"docker unpause {self._name} lets it go on")
        if not found.running:
            Created().start(found.id)
            done.append(f"{self._name} was started again")
        elif not found.attached:
            self.containers.attach_again(found)
            done.append(f"connected {self._name} to its network again")
        self._healthy(found)
        return Had((found.label("network"),), tuple(done))

    def _first(self, done: list[str]) -> Had:
        coming = self.containers.inspect_mine(self._next)
        if coming is None or not coming.running or self.outdated(coming):
            self._refuse_others(coming)
            if coming is not None:
                self._end(coming)
            coming = self._started(*self._created(None))
        return self._serving(self._healthy(coming), "was started", done)

    def _instead_of(self, old: Container, done: list[str]) -> Had:
        created, spec = self._created(old)
        # From here on, and until the new one has its name, the old one comes back.
        self.containers.rename(old, self._old)
        try:
            self.containers.restart_as(old, "no")
            tell(Doing(f"stopping {self._name}"))
            self.containers.stop(old, self._grace)
            had = self._serving(self._healthy(self._started(created, spec)), "was replaced", done)
        except BaseException:
            with ignored():
                self._recovered()
            raise
        mounted = set(self._volumes.of(self.containers.inspect_mine(self._name) or created).values())
        left = [name for name in self._volumes.of(old).values() if name not in mounted]
        self.containers.remove(old, volumes=False)
        stays = [f"the volume {name}, which it had, stays" for name in left]
        return had._replace(remarks=(*had.remarks, *stays))

    def _recovered(self) -> list[str]:
        """Put right what an interruption left, and what somebody renamed; what was done, in words."""
        there = self.containers.mine()
        serving, coming, old = (there.get(name) for name in (self._name, self._next, self._old))
        done: list[str] = []
        renamed = strays(there.values(), self._name)
        if renamed and not (serving or old) and self.containers.inspect(self._name) is None:
            self.containers.rename(renamed[0], self._name)
            done.append(f"{renamed[0].name} is called {self._name} again")
        if old and not serving:
            if coming:
                self._end(coming)
                coming = None
            self.containers.rename(old, self._name)
            self.containers.restart_as(old, old.label("restart") or "no")
            Created().start(old.id)
            done.append(f"put {self._name} back, as it was")
        for left in filter(None, (old, coming) if serving else ()):
            self._end(left)
            done.append(f"removed {left.name}, left by an interrupted deployment; its volumes stay")
        if serving and serving.running and (wanted := serving.label("restart") or "no") != serving.restart:
            self.containers.restart_as(serving, wanted)
        return done

    # --- one start ---------------------------------------------------------------------------------------------------

    def _created(self, old: Container | None) -> tuple[Container, Spec]:
        settings, config = self.settings, self.settings.config
        ports = Ports(settings, self.containers)
        publish = ports.choose(old)
        labels = {
            # Its image may have been built upon one of ours, and has that one's labels.
            "key": "",
            "config": settings.digest(),
            "facts": json.dumps(self._facts()),
            "role": "serving",
            "layer": "foreign",
            "settings": settings.source,
            "network": settings.network,
            "port": str(config.port or ""),
            "publish": str(publish or ""),
            "bind": config.bind,
            "alias": settings.service,
            "restart": config.restart,
            "leased-from": ports.leased_from,
        }
        spec = Spec(
            name=self._next,
            image=settings.foreign,
            network=settings.network,
            labels=labels,
            aliases=settings.aliases,
            port=config.port,
            publish=publish,
            bind=config.bind,
            env={**settings.env, **settings.secrets},
            volumes=self._volumes.wanted(old),
            args=config.args,
            stop_grace=self._grace,
            memory=config.memory,
            cpus=config.cpus,
            # As its makers start it: some must be the first process themselves.
            init=False,
        )
        if config.network is None:
            self.containers.ensure_network(settings.network, internal=False)
        return self._explained(partial(self.containers.create, spec)), spec

    def _started(self, created: Container, spec: Spec) -> Container:
        ports = Ports(self.settings, self.containers)
        while True:
            try:
                return self._explained(partial(self.containers.start, created, spec))
            except PortTaken as error:
                self.containers.remove(created, volumes=False)
                if self.settings.config.publish or spec.publish is None:
                    raise ports.taken(spec.publish or 0) from error
                # Somebody was faster between the search and the start.
                publish = ports.free(spec.publish + 1)
                spec = replace(spec, publish=publish, labels={**spec.labels, "publish": str(publish)})
                created = self.containers.create(spec)
            except DeployError:
                self.containers.remove(created, volumes=False)
                raise

    def _explained(self, do: Callable[[], T]) -> T:
        try:
            return do()
        except Refused as error:
            raise refusals.explained(error, self.settings) from error

    def _healthy(self, container: Container) -> Container:
        tell(Doing(f"waiting until {self._name} is healthy"))
        try:
            return self._judge(container).wait(container.id)
        except Unhealthy as error:
            if error.ended and (now := self.containers.inspect_mine(self._next)) is not None:
                self.containers.remove(now, volumes=False)
            elif not error.ended and not error.certain:
                longer = f"services: {{{self.settings.service}: {{deploy: {{health: {{timeout: …}}}}}}}}"
                error.reworded(hint=f"it still runs, and the next call waits for it again; longer with {longer}")
            raise error.reworded(what=error.what.replace("the new container of ", "", 1)) from None

    def _serving(self, healthy: Container, how: str, done: list[str]) -> Had:
        self.containers.rename(healthy, self._name)
        self.containers.restart_as(healthy, self.settings.config.restart)
        bound = described.bound(healthy, self.settings, self.containers)
        at = f" at {address_text(*bound)}" if bound else ""
        told = f"{self._name} {how} ({self.settings.foreign}): healthy{at}"
        kept = [f"its {where} is in the volume {name}, which stays" for where, name in self._volumes.made.items()]
        return Had((self.settings.network,), (*done, told, *kept))

    def _end(self, container: Container) -> None:
        """Remove it, in a way that lets it write what it holds."""
        if container.running:
            self.containers.restart_as(container, "no")
            self.containers.stop(container, self._grace)
        self.containers.remove(container, volumes=False)

    # --- small things ------------------------------------------------------------------------------------------------

    def _refuse_others(self, own: Container | None) -> None:
        """Raise where the name or the data are somebody else's, and where there is no image."""
        self.containers.refuse_namesakes(self.settings.where.get("project"))
        if own is None or own.name == self._next:
            for name in (self._name, self._next):
                found = self.containers.inspect(name)
                if found is not None and not self.containers.is_mine(found):
                    raise name_taken(name)
        self._has_image()
        self._volumes.refuse_shared()

    def _has_image(self) -> None:
        reference = self.settings.foreign
        if self.containers.digests(reference):
            return
        from layerdoit.engine import registry

        tell(Doing(f"pulling {reference}"))
        if (refused := registry.pull_parent(reference, {})) is not None:
            raise DeployError(
                f"the engine does not have the image {reference}, and it cannot be pulled: {refused}",
                where=self.settings.where.get("image"),
                hint=f"{refused.advice(reference, 'pull')}; or bring the image to this engine: docker load, docker tag",
            )

    def _judge(self, container: Container) -> Judge:
        """By what the settings name; else by the HEALTHCHECK of the image, or its port."""
        health = self.settings.config.health
        if health == Health(timeout=health.timeout) and (test := health_test(container.check)) is not None:
            # Asked as often as we like, and not at the image's interval, which may be half a minute.
            health = replace(health, command=test)
        config = replace(self.settings.config, health=health)
        return Judge(replace(self.settings, config=config), self.containers)

    @property
    def _grace(self) -> float:
        given = self.settings.config.stop_grace
        return GRACE if given == Deploy().stop_grace else given

    def _facts(self) -> Mapping[str, str]:
        """What it is started with: enough to say later which of the settings have changed."""
        found = {name: json.dumps(value, sort_keys=True) for name, value in self.settings.facts().items()}
        return {name: hashlib.sha256(value.encode()).hexdigest()[:8] for name, value in found.items()}
