"""When a container may take over: probed at its own address where that can be reached, else at its published port."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from layerdoit.core.doing import Doing, tell
from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker import container_log, described, not_up, sockets
from layerdoit.deploy.docker.case import Case, Cause
from layerdoit.deploy.docker.checks import Checks
from layerdoit.deploy.docker.sockets import Elsewhere
from layerdoit.deploy.probes import GROWS_AFTER, PAUSE, PROBE_TIMEOUT, pauses
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container
from layerdoit.engine.containers import Containers

_SECTION: Final = re.compile(r"(?<!\{)\b(deploy: \{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})")
"""`deploy: {env: {A: …}}`, with as many braces as hints have."""
LOG_LINES: Final = 500
"""Lines of a log that are looked at; of these, a message shows few."""


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
        self.checks = Checks(settings, containers)

    @property
    def direct(self) -> bool:
        """Whether containers are reached at their own addresses."""
        return self.checks.direct

    @property
    def timeout(self) -> float:
        """Seconds until what is not healthy never is."""
        return self._config.health.timeout

    def problem(self, container: Container) -> str | None:
        """None when a container that serves is healthy, else why not."""
        return self.checks.problem(container)

    def wait(self, identity: str, *, published: bool = False) -> Container:
        """The container once it is healthy, with `published` also where users find it; Unhealthy when it never is."""
        started = time.monotonic()
        for pause in pauses():
            now = self._there(identity)
            if now.state in ("exited", "dead"):
                raise self._unhealthy(now, f"ended with exit code {now.exit_code} before it was healthy", ended=True)
            elapsed = time.monotonic() - started
            left = self._config.health.timeout - elapsed
            reason = self.checks.candidate_problem(now, max(left, PROBE_TIMEOUT), elapsed)
            if reason is None and published:
                reason = self.checks.published_problem(now)
            if reason is None:
                return now
            if left <= 0:
                waited = f"was not healthy within {self._config.health.timeout:g} s ({reason})"
                raise self._unhealthy(now, waited, ended=False, reason=reason)
            # Services open their port within a second or two, or tell by then that it is another one.
            elsewhere = self.elsewhere(now) if elapsed > GROWS_AFTER else None
            told = f"{reason}; {elsewhere.cause.what}" if elsewhere else reason
            tell(Doing(f"waiting until it is healthy: {told}"))
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

    def elsewhere(self, container: Container) -> Elsewhere | None:
        """Where the service listens instead of where it is asked for."""
        port = described.port_of(container, self._settings) if self.checks.asks_port(container) else 0
        return sockets.why_unreachable(self._containers.sockets(container), port) if port else None

    def _unhealthy(self, container: Container, what: str, *, ended: bool, reason: str = "") -> Unhealthy:
        lines = container_log.plain(self._containers.log_tail(container, LOG_LINES))
        hint = f"{container_log.remedy(lines)}, then run doit cycle_fast"
        if not ended:
            hint = "make the service answer, or set deploy.health (path, command, timeout)"
        what, code = f"the new container of {self._name} {what}", container.exit_code
        return self.unhealthy(container, what, lines, hint, ended=ended, exit_code=code, reason=reason)

    def unhealthy(
        self,
        container: Container,
        what: str,
        lines: Sequence[str],
        hint: str,
        *,
        ended: bool,
        exit_code: int,
        reason: str = "",
    ) -> Unhealthy:
        """What is wrong with a container, with the cause, if one is found, and the end of its log (`lines`).

        `hint`: the next step where no cause has another one; `ended`: its program, with that code.
        """
        case = Case(
            self._settings,
            lines,
            ended,
            exit_code,
            reason,
            container.out_of_memory,
            partial(self._containers.lacks, container),
            container.env,
            self._containers.publisher,
        )
        cause = not_up.found(case, partial(self.elsewhere, container)) or Cause("", hint, certain=False)
        what = f"{what}: {cause.what}" if cause.what else what
        message = f"{what}\n{container_log.quoted(lines)}"
        hint = _of_service(cause.hint, self._settings.service)
        error = Unhealthy(message, ended=ended, hint=hint, certain=cause.certain)
        return error.reworded(where=self._settings.where.get(cause.setting))


def _of_service(hint: str, service: str) -> str:
    """The lines for layerdoit.yaml that a hint gives, as they are for one service of several."""
    return _SECTION.sub(rf"services: {{{service}: {{\1}}}}", hint) if service else hint
