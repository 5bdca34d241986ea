"""When a container may take over: probed at its own address where that can be reached, else at its published port."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Final

from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker import container_log, not_up, sockets
from layerdoit.deploy.docker.case import Case, Cause
from layerdoit.deploy.docker.sockets import Elsewhere
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container
from layerdoit.engine.containers import Containers

PROBE_TIMEOUT: Final = 2.0
"""Seconds one probe may take."""
FIRST_PAUSE: Final = 0.02
"""Seconds between the first two probes; then twice as many each time, up to:"""
PAUSE: Final = 0.1
GROWS_AFTER: Final = 2.0
"""Seconds after which the pauses grow, up to:"""
LONGEST_PAUSE: Final = 2.0
GROWTH: Final = 1.3
SETTLE: Final = 1.0
"""Seconds that a container without any known probe must run to count as healthy."""
LOG_LINES: Final = 500
"""Lines of a log that are looked at; of these, a message shows few."""
COMMAND_TIMEOUT: Final = 5.0  # seconds a health command may take when somebody asks for the status


class Unhealthy(DeployError):
    """A candidate that did not become healthy. `ended`: it stopped by itself; `certain`: no network would help."""

    def __init__(self, what: str, *, ended: bool, hint: str | None = None, certain: bool = False) -> None:
        super().__init__(what, hint=hint)
        self.ended = ended
        self.certain = certain


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
        for pause in pauses():
            now = self._there(identity)
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
                raise self._unhealthy(now, waited, ended=False, reason=reason)
            tell(Doing(f"waiting until it is healthy: {reason}"))
            self._pause(identity, min(pause, left))
        raise AssertionError("unreachable")

    def _there(self, identity: str) -> Container:
        now = self._containers.inspect(identity)
        if now is None:
            raise Unhealthy(f"another process removed the new container of {self._name} while it started", ended=True)
        return now

    def _pause(self, identity: str, seconds: float) -> None:
        """Wait, but no longer than the container lives."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, PAUSE))
            if seconds > PAUSE and not self._there(identity).running:
                return

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

    def elsewhere(self, container: Container) -> Elsewhere | None:
        """Where the service listens instead of where it is asked for."""
        port = self._config.port if self._config.health.command is None else None
        return sockets.why_unreachable(self._containers.sockets(container), port) if port else None

    def _unhealthy(self, container: Container, what: str, *, ended: bool, reason: str = "") -> Unhealthy:
        lines = container_log.plain(self._containers.log_tail(container, LOG_LINES))
        case = Case(
            self._settings,
            lines,
            ended,
            container.exit_code,
            reason,
            container.out_of_memory,
            partial(self._containers.lacks, container),
            container.env,
            self._containers.publisher,
        )
        hint = "fix the problem that its log shows, then run doit cycle_fast"
        if not ended:
            hint = "make the service answer, or set deploy.health (path, command, timeout)"
        cause = not_up.found(case, partial(self.elsewhere, container)) or Cause("", hint, certain=False)
        what = f"{what}: {cause.what}" if cause.what else what
        message = f"the new container of {self._name} {what}\n{container_log.quoted(lines)}"
        error = Unhealthy(message, ended=ended, hint=cause.hint, certain=cause.certain)
        return error.reworded(where=self._settings.where.get(cause.setting))


def pauses() -> Iterator[float]:
    """Seconds between one probe and the next: few at first, for most services are up at once."""
    spent, pause = 0.0, FIRST_PAUSE
    while True:
        yield pause
        spent += pause
        pause = min(2 * pause, PAUSE) if spent < GROWS_AFTER else min(pause * GROWTH, LONGEST_PAUSE)


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
