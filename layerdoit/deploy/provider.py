"""What the cycle asks of a deployment, the settings of one, and how a port of this machine is found for it."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Protocol

from layerdoit.core.errors import DeployError

PORTS_TRIED: Final = 200


@dataclass(frozen=True)
class DeployConfig:
    """How a release runs. `publish`: host port; None or 0: the first free one from `port` on, kept."""

    name: str
    port: int | None = None
    publish: int | None = None
    bind: str = "127.0.0.1"
    health_path: str | None = None
    health_command: tuple[str, ...] | None = None
    health_timeout: float = 30
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    network: str | None = None
    isolated_start: bool = True
    stop_grace: float = 3

    def digest(self) -> str:
        """Names what a service is started with; how its health is judged does not matter."""
        facts = {name: value for name, value in asdict(self).items() if not name.startswith("health_")}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Release:
    """A built app image and the key that names its inputs."""

    image: str
    key: str


@dataclass(frozen=True)
class Service:
    """A release that runs, or ran. `address`: where users find it, None when no port is published."""

    id: str
    name: str
    key: str
    running: bool
    address: str | None = None
    since: str = ""

    @property
    def url(self) -> str:
        """Where a user finds it. What publishes a port is, as far as we know, an HTTP service."""
        return f"http://{self.address}"


@dataclass(frozen=True)
class Status:
    """`health` in words: "healthy", or why it is not."""

    service: Service | None
    health: str


class Unhealthy(DeployError):
    """A candidate that did not become healthy. `ended`: it stopped by itself."""

    def __init__(self, what: str, *, ended: bool, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.ended = ended


class Deployment(Protocol):
    """One place where one release at a time serves. The cycle calls the first group in this order."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep other cycles of the same deployment out; let go when the process ends, however it ends."""
        ...

    def recover(self) -> tuple[str, ...]:
        """Put right what an interrupted cycle left, so that one service is there, or none; say what was done."""
        ...

    def current(self) -> Service | None:
        """What serves, or did until it stopped."""
        ...

    def serves(self, release: Release) -> bool:
        """Whether exactly this release with exactly these settings serves already."""
        ...

    def start_beside(self, release: Release) -> Service:
        """Start the release without touching the one that serves."""
        ...

    def wait_healthy(self, candidate: Service) -> Service:
        """Return the candidate once it is healthy; DeployError when it ends or never becomes so."""
        ...

    def swap(self, candidate: Service) -> Service:
        """Let the healthy candidate serve in place of the old one, at the same address."""
        ...

    def rollback(self) -> None:
        """After a failure of any of the three above: the old one serves, nothing of the candidate is left."""
        ...

    def remove_old(self) -> None:
        """Remove what served before the swap."""
        ...

    def destroy(self) -> bool:
        """Remove everything of this deployment; False when there was nothing."""
        ...

    def status(self) -> Status: ...

    def logs(self, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        """The lines that the service wrote."""
        ...

    def connect(self) -> int:
        """A shell inside the service, on the user's terminal; its exit code."""
        ...


def can_bind(address: str, port: int) -> bool:
    """Whether nobody on this machine holds the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the engine's proxy does: connections in TIME_WAIT do not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            return True  # A low port: not ours to try, but the engine's to give.
        except OSError:
            return False
    return True


def first_free(first: int, is_free: Callable[[int], bool]) -> int:
    """The first free port from `first` on."""
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        if is_free(port):
            return port
    raise DeployError(f"no free port was found from {first} on", hint="set deploy.publish (PUBLISH=...) to a free port")


def port_taken(port: int, holder: str | None) -> DeployError:
    """The message for a port that somebody else has. `holder`: the container, if it is one."""
    by = f"the container {holder}" if holder else "another process on this machine"
    stop = f"stop it (docker stop {holder})" if holder else f"find it (ss -ltnp 'sport = :{port}')"
    hint = f"set deploy.publish (PUBLISH=...) to another port, or {stop}"
    return DeployError(f"port {port} is taken by {by}", hint=hint)


def absolute(volume: str, root: Path) -> str:
    """A volume whose source is relative to the project, as the engine wants it."""
    source, colon, rest = volume.partition(":")
    return f"{(root / source).resolve()}{colon}{rest}" if source.startswith(".") else volume
