"""A swap over steps written by hand: every step fails once, in every way, and the old one goes on serving."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from layerdoit.core.errors import DeployError, Interrupted
from layerdoit.deploy.docker import swap
from layerdoit.deploy.docker.ports import can_bind, first_free
from layerdoit.deploy.provider import Release, Service

OLD = Service("old", "api", "k0", running=True, address="127.0.0.1:8080")
NEW = Release("api:new", "k1")


class Fake:
    """Keeps what serves and what is there; `fails` says what a step does instead of its work."""

    def __init__(self, serving: Service | None = OLD, fails: dict[str, Callable[[], None]] | None = None) -> None:
        self.serving = serving
        self.there = [serving] if serving else []
        self.fails = fails or {}
        self.steps: list[str] = []
        self.locked = False
        self.left_over: tuple[str, ...] = ()
        self.old: Service | None = None

    def _step(self, name: str) -> None:
        assert self.locked
        self.steps.append(name)
        if name in self.fails:
            self.fails[name]()

    @contextmanager
    def lock(self) -> Iterator[None]:
        self.locked = True
        try:
            yield
        finally:
            self.locked = False

    def recover(self) -> tuple[str, ...]:
        self._step("recover")
        return self.left_over

    def current(self) -> Service | None:
        return self.serving

    def serves(self, release: Release) -> bool:
        return self.serving is not None and self.serving.key == release.key

    def start_beside(self, release: Release) -> Service:
        candidate = Service("new", "api-next", release.key, running=True)
        self.there.append(candidate)
        self._step("start")
        return candidate

    def wait_healthy(self, candidate: Service) -> Service:
        self._step("healthy")
        return candidate

    def swap(self, candidate: Service) -> Service:
        self.old, self.serving = self.serving, None
        self._step("swap")
        self.serving = replace(candidate, name="api", address="127.0.0.1:8080")
        self.there = [*([self.old] if self.old else []), self.serving]
        return self.serving

    drains = True

    def drain(self) -> None:
        self._step("drain")

    def rollback(self) -> None:
        self._step("rollback")
        self.serving = self.old or self.serving
        self.there = [self.serving] if self.serving else []

    def remarks(self) -> tuple[str, ...]:
        return ("mind the gap",) if self.old else ()

    def remove_old(self) -> None:
        self._step("remove old")
        self.there = [service for service in self.there if service != self.old]


def fail(error: BaseException) -> Callable[[], None]:
    def now() -> None:
        raise error

    return now


def ticking() -> Callable[[], float]:
    ticks = iter(range(1000))
    return lambda: float(next(ticks))


def test_the_fake_has_the_steps() -> None:
    steps: swap.Steps = Fake()
    assert steps.current() == OLD


def test_all_goes_well() -> None:
    fake = Fake()
    said: list[str] = []
    result = swap.run(fake, NEW, draining=fake, on_phase=said.append, clock=ticking())
    assert fake.steps == ["recover", "start", "healthy", "swap", "drain", "remove old"]
    assert said == list(swap.PHASES)
    assert result.phases == tuple((name, 1.0) for name in swap.PHASES)
    assert result.service == fake.serving
    assert [service.key for service in fake.there] == ["k1"]
    assert (result.replaced, result.error, result.failed_in) == (True, None, None)


def test_the_first_deployment_replaces_nothing() -> None:
    result = swap.run(Fake(serving=None), NEW)
    assert result.service is not None
    assert not result.replaced


def test_the_same_release_is_left_alone() -> None:
    fake = Fake(serving=replace(OLD, key="k1"))
    result = swap.run(fake, NEW)
    assert fake.steps == ["recover"]
    assert result.phases == ()
    assert (result.service, result.replaced, result.error) == (fake.serving, False, None)


def test_the_same_release_built_anew_replaces_what_serves_it() -> None:
    fake = Fake(serving=replace(OLD, key="k1"))
    result = swap.run(fake, NEW, anew=True)
    assert fake.steps == ["recover", "start", "healthy", "swap", "remove old"]
    assert result.replaced


def test_what_was_recovered_is_told() -> None:
    fake = Fake()
    fake.left_over = ("removed api-next",)
    assert swap.run(fake, NEW).recovered == ("removed api-next",)


@pytest.mark.parametrize("serving", [OLD, None], ids=["old one there", "first"])
@pytest.mark.parametrize("step", ["start", "healthy", "swap"])
@pytest.mark.parametrize(
    "error", [DeployError("no"), Interrupted(signal.SIGINT), Interrupted(signal.SIGTERM)], ids=repr
)
def test_any_failure_leaves_the_old_one_serving(
    step: str, error: DeployError | Interrupted, serving: Service | None
) -> None:
    fake = Fake(serving, {step: fail(error)})
    result = swap.run(fake, NEW)
    assert fake.steps[-2:] == [step, "rollback"]
    assert fake.serving == serving
    assert fake.there == ([serving] if serving else [])
    assert (result.error, result.failed_in) == (error, step)
    assert (result.service, result.replaced) == (serving, False)
    assert [name for name, _ in result.phases][-1] == step
    assert not fake.locked


@pytest.mark.parametrize("step", ["start", "healthy", "swap"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), ZeroDivisionError()], ids=repr)
def test_a_defect_comes_out_after_the_rollback(step: str, error: BaseException) -> None:
    fake = Fake(fails={step: fail(error)})
    with pytest.raises(type(error)):
        swap.run(fake, NEW)
    assert fake.steps[-1] == "rollback"
    assert fake.serving == OLD
    assert not fake.locked


def test_a_failed_recovery_starts_nothing() -> None:
    fake = Fake(fails={"recover": fail(DeployError("engine gone"))})
    result = swap.run(fake, NEW)
    assert fake.steps == ["recover"]
    assert str(result.error) == "engine gone"


def test_an_old_one_that_cannot_be_removed_is_no_reason_to_go_back() -> None:
    fake = Fake(fails={"remove old": fail(DeployError("busy"))})
    result = swap.run(fake, NEW)
    assert "rollback" not in fake.steps
    assert result.service == fake.serving
    assert fake.serving is not None
    assert fake.serving.key == "k1"
    assert (result.failed_in, result.replaced, str(result.error)) == ("remove old", True, "busy")


def test_a_failed_rollback_shows_the_cause_first() -> None:
    fake = Fake(fails={"healthy": fail(DeployError("sick")), "rollback": fail(DeployError("gone", hint="docker ps"))})
    result = swap.run(fake, NEW)
    assert str(result.error).splitlines() == [
        "sick",
        "and the old container could not be restored: gone",
        "next: docker ps",
    ]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["start", "healthy", "swap"])
def test_real_signals_roll_back_and_handlers_are_restored(signum: int, step: str) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def hit() -> None:
        os.kill(os.getpid(), signum)

    # A second signal while the rollback runs must not cut it in two.
    fake = Fake(fails={step: hit, "rollback": hit})
    result = swap.run(fake, NEW)
    assert result.error is not None
    assert result.error.exit_code == 128 + signum
    assert fake.serving == OLD
    assert fake.there == [OLD]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- ports ----------------------------------------------------------------------------------------------------------


def test_first_free_port() -> None:
    assert first_free(8080, lambda port: port >= 8083) == 8083
    with pytest.raises(DeployError, match="no port from 65530 on is free"):
        first_free(65530, lambda _: False)


def test_a_port_that_listens_cannot_be_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not can_bind("127.0.0.1", port)
    assert can_bind("127.0.0.1", port)
