"""The development cycle: build, start beside, wait until healthy, swap, remove the old one.

Pure sequence over `Deployment`: whatever fails, or whoever interrupts, the old service goes on serving.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from layerdoit.core.errors import LayerdoitError
from layerdoit.core.signals import as_errors, ignored
from layerdoit.deploy.provider import Deployment, Release, Service

PHASES = ("build", "start", "healthy", "swap", "remove old")


@dataclass(frozen=True)
class CycleResult:
    """How a cycle ended. `service`: what serves now; `phases`: (name, seconds) of those that were entered."""

    service: Service | None
    phases: tuple[tuple[str, float], ...]
    replaced: bool = False
    recovered: tuple[str, ...] = ()
    failed_in: str | None = None
    error: LayerdoitError | None = None

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0


class _Watch:
    def __init__(self, clock: Callable[[], float], on_phase: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_phase = on_phase
        self._open: tuple[str, float] | None = None
        self.done: list[tuple[str, float]] = []

    @property
    def now(self) -> str | None:
        return self._open[0] if self._open else None

    def enter(self, phase: str) -> None:
        self.leave()
        self._open = (phase, self._clock())
        self._on_phase(phase)

    def leave(self) -> None:
        if self._open:
            name, since = self._open
            self.done.append((name, self._clock() - since))
            self._open = None


def run(
    deployment: Deployment,
    build: Callable[[], Release],
    *,
    anew: bool = False,
    on_phase: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.perf_counter,
) -> CycleResult:
    """One cycle. Errors that a user can act on are in the result; any other error comes out, after the rollback.

    `anew`: replace also what serves the same release: its image was built again.
    """
    watch = _Watch(clock, on_phase)
    with as_errors():
        try:
            watch.enter("build")
            release = build()
            watch.leave()
            with deployment.lock():
                return _deploy(deployment, release, watch, anew)
        except LayerdoitError as error:
            return _failed(deployment, watch, error, ())


def _deploy(deployment: Deployment, release: Release, watch: _Watch, anew: bool) -> CycleResult:
    recovered = deployment.recover()
    old = deployment.current()
    if not anew and deployment.serves(release):
        return CycleResult(old, tuple(watch.done), recovered=recovered)
    try:
        watch.enter("start")
        candidate = deployment.start_beside(release)
        watch.enter("healthy")
        candidate = deployment.wait_healthy(candidate)
        watch.enter("swap")
        service = deployment.swap(candidate)
    except BaseException as error:
        with ignored():
            _roll_back(deployment, error)
            if isinstance(error, LayerdoitError):
                return _failed(deployment, watch, error, recovered)
        raise
    try:
        watch.enter("remove old")
        deployment.remove_old()
    except LayerdoitError as error:
        # The new one serves already; what is left of the old one goes at the next cycle.
        watch.leave()
        return CycleResult(service, tuple(watch.done), True, recovered, "remove old", error)
    watch.leave()
    return CycleResult(service, tuple(watch.done), old is not None, recovered)


def _roll_back(deployment: Deployment, cause: BaseException) -> None:
    try:
        deployment.rollback()
    except LayerdoitError as error:
        # The cause is what the user must see first.
        if isinstance(cause, LayerdoitError):
            cause.what += f"\nand the old container could not be put back: {error.what}"
            cause.hint = error.hint or cause.hint


def _failed(deployment: Deployment, watch: _Watch, error: LayerdoitError, recovered: tuple[str, ...]) -> CycleResult:
    phase = watch.now
    watch.leave()
    serving: Service | None = None
    # The first error is the one to show, also when the engine is gone altogether.
    with contextlib.suppress(LayerdoitError):
        serving = deployment.current()
    return CycleResult(serving, tuple(watch.done), False, recovered, phase, error)
