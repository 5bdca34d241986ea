"""The other services of the compose project: started where they are missing or changed, as docker compose decides."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Final

from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import DeployError
from layerdoit.core.files import machine_lock
from layerdoit.core.prose import listed
from layerdoit.deploy.compose import members
from layerdoit.deploy.compose.composition import Service
from layerdoit.deploy.compose.members import Member
from layerdoit.deploy.compose.our_service import OurService
from layerdoit.deploy.docker import container_log
from layerdoit.engine.containers import Containers
from layerdoit.engine.created import Created

_POLL: Final = 0.05
_LOG_LINES: Final = 100


class Neighbours:
    """`docker compose` is only called where it has something to do: a call takes half a second."""

    def __init__(self, ours: OurService, containers: Containers) -> None:
        self._ours = ours
        self._containers = containers
        self._created = Created()
        self._touched: list[str] = []

    def undo(self) -> None:
        """Have those that got our image run the image before again; our file says by now which one that is."""
        if self._touched:
            self._ours.up("-d", "--no-deps", *self._touched)

    def before(self) -> list[str]:
        """Start what our service needs; returns what was done, in words."""
        return self._start(self._ours.before, again=True)

    def after(self) -> list[str]:
        """Start everything else of the project; returns what was done, in words."""
        return self._start(self._ready(self._ours.after), again=False)

    def ensure(self) -> list[str]:
        """Both, where our service is what it should be."""
        return self._start((*self._ours.before, *self._ready(self._ours.after)), again=False)

    def _ready(self, services: Iterable[Service]) -> list[Service]:
        """Those that need nothing which another service of ours is yet to bring: that one starts them."""
        others = self._ours.others
        if not others:
            return list(services)
        running = {name for name, there in self._by_service().items() if any(one.running for one in there)}
        lacking = others.keys() - running
        needs = ((one, {below.name for below in self._ours.composition.before(one)}) for one in services)
        return [one for one, names in needs if not names & lacking]

    def outdated(self) -> list[tuple[Service, bool]]:
        """The services that docker compose would start, and whether they are there already."""
        found = self._by_service()
        return [
            (one, bool(found.get(one.name)))
            for one in self._ours.composition.services.values()
            if one.name not in {self._ours.service.name, *self._ours.others}
            and not self._settled(one, found.get(one.name, ()), again=False)
        ]

    def _start(self, services: Iterable[Service], *, again: bool) -> list[str]:
        """`again`: whether what does its work and ends does it once more, such as migrations for a new release."""
        # Another service of ours may start the same ones just now.
        with machine_lock(f"compose-{self._ours.composition.name}-needed"):
            found = self._by_service()
            wanted = [one for one in services if not self._settled(one, found.get(one.name, ()), again=again)]
            if self._ours.others:
                # One after the other, in their order: without their dependencies, docker compose waits for none.
                for name in self._in_order(wanted):
                    self._up([name])
            elif wanted:
                self._up([one.name for one in wanted])
        return [f"{one.name} was {'brought up to date' if found.get(one.name) else 'started'}" for one in wanted]

    def _in_order(self, services: Sequence[Service]) -> list[str]:
        names = {one.name for one in services}
        needs = {one.name: {below.name for below in self._ours.composition.before(one)} & names for one in services}
        return list(TopologicalSorter(needs).static_order())

    def _settled(self, service: Service, there: Sequence[Member], *, again: bool) -> bool:
        once = service.name in self._once
        if once and again:
            return False
        image = str(service.values.get("image") or f"{self._ours.composition.name}-{service.name}")
        if any(one.name == service.name for one in self._ours.siblings):
            image = self._ours.image
        wanted = self._ours.hashes.get(service.name, "")
        return members.up_to_date(there, wanted, image, service.replicas, once=once)

    def _up(self, names: Sequence[str]) -> None:
        self._touched += [one.name for one in self._ours.siblings if one.name in names]
        # Our service stays as it is where our file is the one that its container was made with.
        alone = [] if self._ours.written else ["--no-deps"]
        try:
            self._ours.up("-d", *alone, *names)
        except DeployError as error:
            raise self._failed() or error from error
        while waited_for := self._not_there(names):
            tell(Doing(f"waiting for {listed(waited_for)}"))
            if (failed := self._failed(*waited_for)) is not None:
                raise failed
            time.sleep(_POLL)

    def _not_there(self, names: Sequence[str]) -> list[str]:
        """Those that have not done their work yet, or are not healthy."""
        there = self._by_service()
        return [name for name in names if not all(self._done(name, one) for one in there.get(name, ()))]

    def _done(self, name: str, one: Member) -> bool:
        if name in self._once:
            return one.state == "exited" and one.status.startswith("Exited (0)")
        return one.running and "health: starting" not in one.status and "(unhealthy)" not in one.status

    def _failed(self, *names: str) -> DeployError | None:
        """Why one of them, or of all services, cannot become what is waited for; with the end of its log."""
        for name, there in self._by_service().items():
            for one in there:
                ended = one.state in ("exited", "dead", "restarting") and not one.status.startswith("Exited (0)")
                gone = one.state == "exited" and name not in self._once
                if (names and name not in names) or not (ended or (gone and names) or "(unhealthy)" in one.status):
                    continue
                container = self._containers.inspect(one.id)
                if container is None or name in {self._ours.service.name, *self._ours.others}:
                    continue
                lines = container_log.plain(self._containers.log_tail(container, _LOG_LINES))
                how = "is not healthy" if one.running else f"ended with exit code {container.exit_code}"
                return DeployError(
                    f"{name} {how}\n{container_log.quoted(lines)}",
                    where=self._ours.line_of(name),
                    hint=f"{container_log.remedy(lines)}, then deploy again",
                )
        return None

    def _by_service(self) -> dict[str, list[Member]]:
        found: dict[str, list[Member]] = {}
        for raw in self._created.listed(f"{members.PROJECT}={self._ours.composition.name}"):
            one = Member.of(raw)
            if one.labels.get(members.ONE_OFF) != "True":
                found.setdefault(one.labels.get(members.SERVICE, ""), []).append(one)
        return found

    @cached_property
    def _once(self) -> frozenset[str]:
        return self._ours.composition.once()
