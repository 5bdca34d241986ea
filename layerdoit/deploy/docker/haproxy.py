"""The front of a deployment with `deploy.gap: none`: haproxy in a container of its own, which keeps the published port.

It leads to the container that has the deployment's name, which it finds by the engine's name server. So whatever is
started again leads to the right one. Until the new one of a swap has that name, the name server would lead back to the
old one: meanwhile a second server of haproxy's, whose address is set over its socket, has the requests.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import TYPE_CHECKING, Final

from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import DeployError
from layerdoit.core.units import count_text
from layerdoit.deploy.docker import described, front_image, sockets
from layerdoit.engine.container import Container, Spec

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.containers import Containers

_POLL: Final = 0.1
_SOCKET: Final = "/tmp/front.sock"  # noqa: S108 - in its container
_SERVER: Final = re.compile(r"^\d+ service \d+ (?P<name>\S+) (?P<address>\S+) (?P<state>\d+) ", re.MULTILINE)
"""A line of `show servers state`: management guide of haproxy 3.0, 9.3."""
_RUNNING: Final = "2"
"""The srv_op_state of a server that can get requests."""
_PATIENCE: Final = 20.0
"""Seconds that haproxy has to answer on its socket after a start."""


class Front:
    """The front of one deployment."""

    def __init__(self, settings: DeploySettings, containers: Containers) -> None:
        self._settings = settings
        self._containers = containers
        self.name = settings.name + described.FRONT

    @property
    def wanted(self) -> bool:
        """Whether the settings ask for one."""
        return self._settings.config.gap == "none"

    @property
    def mode(self) -> str:
        """How it hands over: each request where we know that the service speaks HTTP, else each connection."""
        return "http" if self._settings.config.health.path is not None else "tcp"

    def before(self, container: Container | None) -> Container | None:
        """The front that stands before a container, running or not."""
        return described.front_of(container, self._containers) if container else None

    def usable(self, found: Container | None) -> bool:
        """Whether it does its work."""
        return found is not None and found.running and found.label("network") in found.networks

    def fits(self, found: Container | None, spec: Spec) -> bool:
        """Whether it does its work as it is asked for now."""
        return self.usable(found) and found is not None and found.label("config") == spec.labels["config"]

    def spec(self, service: Spec, publish: int) -> Spec:
        """The front of a container that is to be created."""
        names = ("port", "bind", "network", "front", "restart", "leased-from")
        labels = {name: service.labels[name] for name in names}
        return self._spec({**labels, "alias": service.labels.get("alias", ""), "publish": str(publish)})

    def spec_of(self, container: Container) -> Spec:
        """The front that a container had when it was started."""
        names = ("port", "bind", "network", "front", "restart", "alias", "leased-from", "publish")
        return self._spec({name: container.label(name) for name in names})

    def _spec(self, labels: dict[str, str]) -> Spec:
        if labels["alias"] == self._settings.name:
            # By that name it finds what it leads to.
            labels["alias"] = ""
        facts = {name: labels[name] for name in ("port", "bind", "network", "front", "publish")}
        facts |= {"image": front_image.reference(), "name": self._settings.name}
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
        return Spec(
            name=self.name,
            image=front_image.reference(),
            network=labels["network"],
            labels={**labels, "role": "front", "layer": "front", "config": digest},
            aliases=tuple(filter(None, [labels["alias"]])),
            port=int(labels["port"]),
            publish=int(labels["publish"]),
            bind=labels["bind"],
            env={"PORT": labels["port"], "MODE": labels["front"], "NAME": self._settings.name},
            restart=labels["restart"] or "no",
        )

    def start(self, spec: Spec) -> Container:
        """Create and start it; PortTaken where somebody else has its port."""
        front_image.ensure(self._settings)
        if (left := self._containers.inspect_mine(self.name)) is not None:
            self._containers.remove(left)
        created = self._containers.create(spec)
        try:
            return self._containers.start(created, spec)
        except DeployError:
            self._containers.remove(created)
            raise

    def lead_to(self, found: Container, coming: Container) -> None:
        """Every request goes to this container from here on, whatever the name server says.

        What is under way ends where it is.
        """
        self._switch(found, coming, use="next", rest="now")

    def follow(self, found: Container, named: Container) -> None:
        """Every request goes to this container, which has the name of the deployment, and later to what has it then."""
        self._switch(found, named, use="now", rest="next")

    def _switch(self, found: Container, container: Container, *, use: str, rest: str) -> None:
        address = next((address for address in container.networks.values() if address), "")
        told = (
            f"set server service/{use} addr {address} port {container.label('port')}; "
            f"set server service/{use} state ready; set server service/{rest} state maint"
        )
        until = time.monotonic() + _PATIENCE
        while True:
            said = self._say(found, told)
            states = {one["name"]: (one["address"], one["state"]) for one in _SERVER.finditer(said)}
            if states.get(use) == (address, _RUNNING) and states.get(rest, ("", ""))[1] != _RUNNING:
                return
            if time.monotonic() > until:
                known = f"it leads to {states[use][0]}" if use in states else " ".join(said.split())[:200]
                raise DeployError(
                    f"{found.name} does not lead to {container.name}: {known or 'haproxy in it does not answer'}",
                    hint=f"docker logs {found.name} may say why; deploy.gap: short does without it",
                )
            time.sleep(_POLL)

    def _say(self, found: Container, command: str) -> str:
        """Say something to haproxy; its answer, and how its servers are then."""
        words = f"{command}; show servers state service"
        _, said = self._containers.output_of(found, ["sh", "-c", f'echo "{words}" | socat -t 2 - {_SOCKET}'])
        return said

    def drain(self, old: Container, seconds: float) -> int | None:
        """Wait until nobody waits for an answer of the old one; how many still do then, None where nobody can tell."""
        until = time.monotonic() + seconds
        port = int(old.label("port") or 0)
        while True:
            tables = self._containers.sockets(old)
            count = sockets.connections(tables, port) if tables.strip() else None
            left = until - time.monotonic()
            if count == 0 or left <= 0:
                return count
            waits = count_text(count, "connection") if count is not None else "what is under way"
            tell(Doing(f"letting {waits} to the old one end"))
            time.sleep(min(left, _POLL))
