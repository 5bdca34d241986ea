"""Which port of this machine a service gets: the one that is named, the one it had, or the first free one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker import port_holders
from layerdoit.engine.api import is_socket
from layerdoit.engine.ownership import FOLDER

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers

PORTS_TRIED: Final = 200


class Ports:
    """The host ports that one deployment may use."""

    def __init__(self, settings: DeploySettings, containers: Containers) -> None:
        self._config = settings.config
        self._where = settings.where
        self._service = settings.service
        self._containers = containers

    @property
    def leased_from(self) -> str:
        """Where the search for a port begins; "" where one is named."""
        return "" if self._config.publish else str(self._config.port or "")

    def choose(self, old: Container | None) -> int | None:
        """The port for what replaces `old`; None where the service listens on none. DeployError when it is taken."""
        if self._config.port is None:
            return None
        held = {port for _, port in old.ports.values()} if old else set()
        wanted = self._config.publish or self._lease(old)
        if wanted and (wanted in held or self._is_free(wanted, self._containers.published())):
            return wanted
        if self._config.publish:
            raise self.taken(wanted)
        return self.free(self._config.port, held)

    def free(self, first: int, held: Collection[int] = ()) -> int:
        """The first free port from `first` on; those in `held` are the deployment's own."""
        taken = self._containers.published()
        return first_free(first, lambda port: port in held or self._is_free(port, taken))

    def taken(self, port: int) -> DeployError:
        """The message for a port that somebody else has; it says who."""
        by, stop = self._holder(port)
        # A variable of the command line is of all services.
        setting = f"services.{self._service}.deploy.publish" if self._service else "deploy.publish (PUBLISH=...)"
        hint = f"set {setting} to another port (0: any free one), or {stop}"
        error = DeployError(f"port {port} is taken by {by}", hint=hint)
        return error.reworded(where=self._where.get("deploy.publish"))

    def lost(self, old: Container, now: int | None) -> str:
        """What to say where the port that was found for the old one has another holder meanwhile; '' where not."""
        was = self._lease(old)
        return f"port {was}, which it had, is taken by {self._holder(was)[0]} now" if was and now != was else ""

    def _holder(self, port: int) -> tuple[str, str]:
        """Who has a port, and what to do about it."""
        if holder := self._containers.published().get(port):
            return f"the container {holder}{self._whose(holder)}", f"stop it (docker stop {holder})"
        if seen := port_holders.process(port):
            return seen, "stop it"
        return "another process on this machine", f"find out which (sudo ss -ltnp 'sport = :{port}')"

    def _whose(self, name: str) -> str:
        """Which project a container is of, as far as its labels say."""
        found = self._containers.inspect(name)
        if found is None:
            return ""
        if project := found.label("project"):
            return f" of the project {project} ({found.label(FOLDER)})" if found.label(FOLDER) else f" of {project}"
        compose = found.labels.get("com.docker.compose.project")
        return f" of the compose project {compose}" if compose else ""

    def _lease(self, old: Container | None) -> int:
        """The port that was found for the old one; 0 where one was named then, or another is asked for now."""
        if old is None or old.label("leased-from") != self.leased_from:
            return 0
        return int(old.label("publish") or 0)

    def _is_free(self, port: int, taken: Mapping[int, str]) -> bool:
        local = is_socket(self._containers.host)
        return port not in taken and (not local or can_bind(self._config.bind, port))


def can_bind(address: str, port: int) -> bool:
    """Whether nobody on this machine holds the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the engine's proxy does: connections in TIME_WAIT do not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            return True  # Only the engine may bind a low port: let it try.
        except OSError:
            return False
    return True


def first_free(first: int, is_free: Callable[[int], bool]) -> int:
    """The first free port from `first` on."""
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        if is_free(port):
            return port
    raise DeployError(f"no port from {first} on is free", hint="set deploy.publish (PUBLISH=...) to a free port")
