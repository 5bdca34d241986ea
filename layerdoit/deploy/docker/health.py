"""When a container may take over: probed at its own address where that can be reached, else at its published port."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker import denied, listening
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.containers import Container, Containers

PROBE_TIMEOUT: Final = 2.0
"""Seconds one probe may take."""
POLL: Final = 0.05  # seconds between two probes
SETTLE: Final = 1.0
"""Seconds that a container without any known probe must run to count as healthy."""
LOG_LINES: Final = 20
WRONG_USAGE: Final = 2
"""The exit code by which programs say that they were called with wrong arguments, or without any."""
COMMAND_TIMEOUT: Final = 5.0  # seconds a health command may take when somebody asks for the status


class Unhealthy(DeployError):
    """A candidate that did not become healthy. `ended`: it stopped by itself."""

    def __init__(self, what: str, *, ended: bool, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.ended = ended


class Health:
    """Judges the containers of one deployment as its settings say."""

    def __init__(self, settings: DeploySettings, containers: Containers) -> None:
        self._settings = settings
        self._name = settings.name
        self._config = settings.config
        self._containers = containers

    @cached_property
    def direct(self) -> bool:
        """Whether containers are reached at their own addresses, so that they need no published port to be probed."""
        return self._containers.reachable_directly()

    def wait(self, identity: str, *, published: bool = False) -> Container:
        """The container once it is healthy, with `published` also where users find it; Unhealthy when it never is."""
        started = time.monotonic()
        while True:
            now = self._containers.inspect(identity)
            if now is None:
                raise Unhealthy(
                    f"another process removed the new container of {self._name} while it started", ended=True
                )
            if now.state in ("exited", "dead"):
                raise self._unhealthy(now, f"ended with exit code {now.exit_code} before it was healthy", ended=True)
            elapsed = time.monotonic() - started
            left = self._config.health.timeout - elapsed
            reason = self.problem(now, max(left, PROBE_TIMEOUT), elapsed)
            if reason is None and published:
                reason = self._published(now)
            if reason is None:
                return now
            if left <= 0:
                waited = f"was not healthy within {self._config.health.timeout:g} s ({reason})"
                raise self._unhealthy(now, waited, ended=False)
            time.sleep(POLL)

    def problem(
        self, container: Container, command_timeout: float = COMMAND_TIMEOUT, running_for: float = SETTLE
    ) -> str | None:
        """None when healthy, else why not. A command beats a path beats a port beats patience."""
        config = self._config
        if config.health.command is not None:
            code = self._containers.exec_code(container, config.health.command, command_timeout)
            outcome = "did not end in time" if code is None else f"exit code {code}"
            return None if code == 0 else f"{' '.join(config.health.command)}: {outcome}"
        if config.port is None:
            return None if running_for >= SETTLE else "it has only just started"
        host, port = self._target(container)
        if not host:
            return "it has no network address"
        if config.health.path is not None:
            return probe_http(host, port, config.health.path)
        return probe_tcp(host, port)

    def _published(self, container: Container) -> str | None:
        bound = container.ports.get(self._config.port or 0)
        if bound is None or self._config.health.command is not None:
            return None
        host = self._containers.published_host(self._config.bind)
        if self._config.health.path is not None:
            return probe_http(host, bound[1], self._config.health.path)
        return probe_tcp(host, bound[1])

    def _target(self, container: Container) -> tuple[str, int]:
        port = self._config.port or 0
        if self.direct:
            return next((address for address in container.networks.values() if address), ""), port
        bound = container.ports.get(port)
        return (self._containers.published_host(self._config.bind), bound[1]) if bound else ("", port)

    def _unhealthy(self, container: Container, what: str, *, ended: bool) -> Unhealthy:
        lines = self._containers.log_tail(container, LOG_LINES)
        hint = "fix the problem that its log shows, then run doit cycle_fast"
        where = None
        if ended and container.exit_code == WRONG_USAGE:
            hint += "; its arguments are deploy.args, or else image.cmd"
        if not ended:
            hint = "make the service answer, or set deploy.health (path, command, timeout)"
            port = self._config.port if self._config.health.command is None else None
            found = listening.why_unreachable(self._containers.sockets(container), port) if port else None
            if found:
                what, hint, where = f"{what}: {found[0]}", found[1], self._settings.where.get("deploy.port")
        if told := denied.advice(lines, self._settings):
            hint, where = told, self._settings.where.get("image.user")
        error = Unhealthy(f"the new container of {self._name} {what}\n{_quoted(lines)}", ended=ended, hint=hint)
        return error.reworded(where=where)


def probe_http(host: str, port: int, path: str, timeout: float = PROBE_TIMEOUT) -> str | None:
    """None when GET answers 2xx or 3xx, else why not."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path}: {_why(error)}"
    finally:
        connection.close()
    return None if 200 <= status < 400 else f"GET {path} answered {status}"


def probe_tcp(host: str, port: int, timeout: float = PROBE_TIMEOUT) -> str | None:
    """None when something accepts connections, else why not."""
    try:
        socket.create_connection((host, port), timeout=timeout).close()
    except OSError as error:
        return f"port {port}: {_why(error)}"
    return None


def _why(error: Exception) -> str:
    """Without the number that Python puts before the system's words."""
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error) or type(error).__name__


def _quoted(lines: Sequence[str]) -> str:
    """The last log lines below a message."""
    if not lines:
        return "it logged nothing"
    count = "line" if len(lines) == 1 else f"{len(lines)} lines"
    return "\n".join([f"the last {count} of its log:", *(f"  {line}" for line in lines)])
