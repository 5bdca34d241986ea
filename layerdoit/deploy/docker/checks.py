"""What is asked of a container before it counts as healthy: all that deploy.health names, or else what is known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import ConfigError
from layerdoit.deploy.docker import described
from layerdoit.deploy.docker.log_line import LogLine
from layerdoit.deploy.probes import probe_http, probe_tcp
from layerdoit.engine.container import health_test

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers

SETTLE: Final = 1.0
"""Seconds that a container about which nothing else is known must run to count as healthy."""
COMMAND_TIMEOUT: Final = 5.0  # seconds a health command may take when somebody asks for the status
_SAID: Final = 200


class Checks:
    """Asks one container after the other; what they have logged is read once."""

    def __init__(self, settings: DeploySettings, containers: Containers, *, again: bool = False) -> None:
        """`again`: of a program that was started again in its container, which the engine knows nothing of."""
        self._settings = settings
        self._again = again
        self._health = settings.config.health
        self._containers = containers
        log = self._health.log
        self._log = LogLine(log, containers, again=again) if log is not None else None

    def again(self) -> Checks:
        """The same for a program that has just been started again in its container."""
        found = Checks(self._settings, self._containers, again=True)
        # Asked once: the engine takes a while to answer.
        found.direct = self.direct
        return found

    @cached_property
    def direct(self) -> bool:
        """Whether containers are reached at their own addresses, so that they need no published port to be probed."""
        return self._containers.reachable_directly()

    def problem(self, container: Container) -> str | None:
        """None when a container that serves is healthy, else why not."""
        # It has taken over by its log; only a start after that one has still to be seen in it.
        log = container.restarts > 0
        return self._first(container, COMMAND_TIMEOUT, SETTLE, log=log)

    def candidate_problem(self, container: Container, command_timeout: float, running_for: float) -> str | None:
        """None when a container may take over, else why not."""
        return self._first(container, command_timeout, running_for, log=True)

    def published_problem(self, container: Container) -> str | None:
        """Why users do not find it at its published port; None where they do, or none of the checks is about a port."""
        address = described.bound(container, self._settings, self._containers)
        if address is None or not self.asks_port(container):
            return None
        if self._health.path is not None:
            return self._http(*address)
        return probe_tcp(*address, relayed=True)

    def unknown(self, container: Container) -> bool:
        """Whether all that can be said of a container is that it runs."""
        return not self._named and not described.port_of(container, self._settings) and not container.health

    def asks_port(self, container: Container) -> bool:
        """Whether one of the checks is about the port of a container."""
        return self._health.path is not None or self._connects(container)

    @property
    def _named(self) -> bool:
        health = self._health
        return (
            health.path is not None
            or health.tcp
            or health.command is not None
            or health.log is not None
            or health.platform
        )

    def _first(self, container: Container, command_timeout: float, running_for: float, *, log: bool) -> str | None:
        checks = self._checks(container, command_timeout, running_for, log=log)
        return next((reason for check in checks if (reason := check()) is not None), None)

    def _checks(
        self, container: Container, command_timeout: float, running_for: float, *, log: bool
    ) -> Iterator[Callable[[], str | None]]:
        """The quick ones first."""
        if self.unknown(container):
            yield lambda: None if running_for >= SETTLE else "it has only just started"
        if self._health.platform or (not self._named and not described.port_of(container, self._settings)):
            yield partial(self._platform, container, command_timeout)
        if self.asks_port(container):
            yield partial(self._port, container)
        if self._log is not None and log:
            yield partial(self._log.problem, container)
        if self._health.command is not None:
            yield partial(self._command, container, command_timeout)

    def _connects(self, container: Container) -> bool:
        """Whether an open port is enough: by its name, or because nothing else is named and the port is known."""
        return self._health.tcp or (not self._named and described.port_of(container, self._settings) > 0)

    def _port(self, container: Container) -> str | None:
        port = described.port_of(container, self._settings)
        if not port:
            return "it was started without a port (deploy.port)"
        host = next((address for address in container.networks.values() if address), "") if self.direct else ""
        if not self.direct and (bound := container.ports.get(port)):
            host, port = self._containers.published_host(bound[0]), bound[1]
        if not host:
            return "it has no network address"
        if self._health.path is not None and (reason := self._http(host, port)) is not None:
            return reason
        return probe_tcp(host, port, relayed=not self.direct) if self._connects(container) else None

    def _http(self, host: str, port: int) -> str | None:
        health = self._health
        return probe_http(host, port, health.path or "/", statuses=health.status, text=health.text)

    def _platform(self, container: Container, timeout: float) -> str | None:
        if not container.health:
            if not self._health.platform:
                return None
            raise ConfigError(
                "deploy.health.platform: the image has no HEALTHCHECK, by which the engine could tell",
                where=self._settings.where.get("deploy.health.platform"),
                hint="write one into your own Dockerfile.app (dockerfiles.app), or name deploy.health.path or command",
            )
        if self._again and (command := health_test(container.check)) is not None:
            # The engine asks every half minute, and what it says is still about the program before.
            return self._run(container, command, timeout)
        if container.health == "healthy":
            return None
        said = f": {container.health_said[-_SAID:]}" if container.health_said else ""
        return f"the engine calls it {container.health} by its HEALTHCHECK{said}"

    def _command(self, container: Container, timeout: float) -> str | None:
        return self._run(container, self._health.command or (), timeout)

    def _run(self, container: Container, command: Sequence[str], timeout: float) -> str | None:
        code = self._containers.exec_code(container, command, timeout)
        outcome = "did not end in time" if code is None else f"exit code {code}"
        return None if code == 0 else f"{' '.join(command)}: {outcome}"
