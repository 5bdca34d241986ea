"""When a program serves that was started again in its container: a watch waits for each millisecond of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker import container_log
from layerdoit.deploy.live import CONTROL, SUPERVISOR
from layerdoit.deploy.probes import PROBE_TIMEOUT, pauses
from layerdoit.deploy.supervision import token_of

if TYPE_CHECKING:
    from layerdoit.deploy.docker.health import Health
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers

_OFTEN: Final = ((0.1, 0.002), (1.0, 0.005))
"""Until so many seconds after the start, a question each so many: most programs take a few milliseconds to listen."""
_LOOK: Final = 0.5
"""Seconds between two looks whether the container is still there."""
_ENDED: Final = re.compile(r"ended (?:(?P<code>\d+)|signal (?P<signal>\d+))")
_QUIET: Final = 0.03
_READS: Final = 10
_ANSWER: Final = "make the service answer, or set deploy.health (path, command, timeout)"


def wait(
    health: Health,
    containers: Containers,
    identity: str,
    ended: Callable[[], str | None],
    seen: Container | None = None,
) -> None:
    """Return once it is healthy; Unhealthy when it never is, with its last lines since its start.

    `ended`: how the program has ended, in words after its name; None as long as it runs. `seen`: the container, as it
    was a while ago.
    """
    now = seen or _there(containers, identity)
    checks, timeout = health.checks.again(), health.timeout
    started = looked = time.monotonic()
    for pause in _pauses():
        if (how := ended()) is not None:
            raise _unhealthy(health, containers, now, f"{how} before it was healthy", ended=True)
        elapsed = time.monotonic() - started
        left = timeout - elapsed
        reason = checks.candidate_problem(now, max(left, PROBE_TIMEOUT), elapsed)
        if reason is None:
            return
        if left <= 0:
            waited = f"was not healthy within {timeout:g} s ({reason})"
            raise _unhealthy(health, containers, now, waited, ended=False, reason=reason)
        if time.monotonic() - looked > _LOOK:
            now, looked = _there(containers, identity), time.monotonic()
        until = time.monotonic() + min(pause, left)
        while (rest := until - time.monotonic()) > 0 and ended() is None:
            time.sleep(min(rest, _LOOK / 10))


def _pauses() -> Iterator[float]:
    began = time.monotonic()
    for until, pause in _OFTEN:
        while time.monotonic() - began < until:
            yield pause
    yield from pauses()


def _there(containers: Containers, identity: str) -> Container:
    found = containers.inspect(identity)
    if found is None or not found.running:
        state = "was removed" if found is None else f"is {found.state}"
        raise DeployError(f"the container of the watch {state}, by another process", hint="doit cycle_fast")
    return found


def _unhealthy(
    health: Health, containers: Containers, now: Container, what: str, *, ended: bool, reason: str = ""
) -> DeployError:
    lines = _lines(containers, now)
    hint = f"{container_log.remedy(lines)}, and save" if ended else _ANSWER
    # Of what is not known, no cause is found.
    code = _code(containers, now) if ended else None
    return health.unhealthy(
        now,
        f"the new program of {now.label('deployment')} {what}",
        lines,
        hint,
        ended=ended,
        exit_code=-1 if code is None else code,
        reason=reason,
    )


def _code(containers: Containers, now: Container) -> int | None:
    asked = [SUPERVISOR, "ask", f"{CONTROL}/{token_of(now.labels)}", "state"]
    found = _ENDED.match(containers.output_of(now, asked)[1])
    if found is None:
        return None
    return int(found["code"]) if found["code"] else 128 + int(found["signal"])


def _lines(containers: Containers, now: Container) -> list[str]:
    """The log since its start. The engine copies what a program writes; its last words may be on their way."""
    from layerdoit.deploy.docker.health import LOG_LINES

    before: list[str] | None = None
    for _ in range(_READS):
        found = containers.log_after(now, container_log.AGAIN, LOG_LINES)
        if found == before:
            break
        before = found
        time.sleep(_QUIET)
    return container_log.plain(found)
