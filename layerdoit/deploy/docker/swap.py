"""Docker's way to replace a release: start beside, wait until healthy, swap, drain and remove the old one.

Pure sequence over `Steps`: whatever fails, or whoever interrupts, the old service goes on serving.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from layerdoit.core.errors import LayerdoitError
from layerdoit.core.signals import as_errors, ignored
from layerdoit.deploy.phase_watch import Watch
from layerdoit.deploy.provider import Deployed, Release, Service

PHASES: Final = ("start", "healthy", "swap", "drain", "remove old")
START, HEALTHY, SWAP, DRAIN, REMOVE_OLD = PHASES
ALWAYS: Final = (START, HEALTHY, SWAP, REMOVE_OLD)


class Steps(Protocol):
    """The steps of one replacement, in the order in which `run` takes them."""

    def lock(self) -> AbstractContextManager[None]:
        """Keep other replacements in the same deployment out; let go when the process ends, however it ends."""
        ...

    def recover(self) -> tuple[str, ...]:
        """Put right what an interrupted replacement left, so that one service is there, or none; say what was done."""
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
        """Return the candidate once it is healthy; raise DeployError when it ends or never becomes so."""
        ...

    def swap(self, candidate: Service) -> Service:
        """Let the healthy candidate serve in place of the old one, at the same address."""
        ...

    def rollback(self) -> None:
        """After a failure of any of the three above: let the old one serve, leave nothing of the candidate."""
        ...

    def remarks(self) -> tuple[str, ...]:
        """What the user should know of what served before the swap."""
        ...

    def remove_old(self) -> None:
        """Remove what served before the swap."""
        ...


class Draining(Protocol):
    """What lets requests to the old one end, where it is still reached although it is replaced."""

    @property
    def drains(self) -> bool:
        """Whether there may be such requests."""
        ...

    def drain(self) -> None:
        """Let them end, as long as the settings say."""
        ...


def run(
    steps: Steps,
    release: Release,
    *,
    anew: bool = False,
    draining: Draining | None = None,
    on_phase: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = time.perf_counter,
    names: Sequence[str] = ALWAYS,
) -> Deployed:
    """Replace what serves, as `Provider.deploy` promises. `names`: what a provider calls the four phases.

    Errors that a user can act on are in the result; any other error comes out, after the rollback.
    """
    watch = Watch(on_phase, dict(zip(ALWAYS, names, strict=True)), clock)
    with as_errors():
        try:
            with steps.lock():
                return _deploy(steps, release, watch, anew, draining)
        except LayerdoitError as error:
            return _failed(steps, watch, error, ())


def _deploy(steps: Steps, release: Release, watch: Watch, anew: bool, draining: Draining | None) -> Deployed:
    recovered = steps.recover()
    old = steps.current()
    if not anew and steps.serves(release):
        return Deployed(old, recovered=recovered)
    try:
        watch.enter(START)
        candidate = steps.start_beside(release)
        watch.enter(HEALTHY)
        candidate = steps.wait_healthy(candidate)
        watch.enter(SWAP)
        service = steps.swap(candidate)
    except BaseException as error:
        with ignored():
            _roll_back(steps, error)
            if isinstance(error, LayerdoitError):
                return _failed(steps, watch, error, recovered)
        raise
    try:
        if draining is not None and draining.drains:
            watch.enter(DRAIN)
            draining.drain()
        watch.enter(REMOVE_OLD)
        steps.remove_old()
    except LayerdoitError as error:
        # The new one serves already; the next replacement removes what is left of the old one.
        phase = watch.now
        watch.leave()
        return Deployed(service, tuple(watch.done), True, recovered, failed_in=phase, error=error)
    watch.leave()
    return Deployed(service, tuple(watch.done), old is not None, recovered, steps.remarks())


def _roll_back(steps: Steps, cause: BaseException) -> None:
    try:
        steps.rollback()
    except LayerdoitError as error:
        # The cause is what the user must see first.
        if isinstance(cause, LayerdoitError):
            what = f"{cause.what}\nand the old container could not be restored: {error.what}"
            cause.reworded(what=what, hint=error.hint)


def _failed(steps: Steps, watch: Watch, error: LayerdoitError, recovered: tuple[str, ...]) -> Deployed:
    phase = watch.now
    watch.leave()
    serving: Service | None = None
    # The first error is the one to show, also when the engine is gone altogether.
    with contextlib.suppress(LayerdoitError):
        serving = steps.current()
    return Deployed(serving, tuple(watch.done), False, recovered, failed_in=phase, error=error)
