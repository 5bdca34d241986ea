"""A program that was started again in its container is judged by what it does now, not by what the one before did."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from layerdoit.config import Deploy, Health
from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker import health as judging
from layerdoit.deploy.docker import restarted
from layerdoit.deploy.docker.container_log import AGAIN
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container
from layerdoit.engine.inside import Inside
from tests.support.ports import unheard


def container(port: int = 0, **changes: Any) -> Container:
    labels = {"io.layerdoit.port": str(port or ""), "io.layerdoit.deployment": "api", "io.layerdoit.live": "w/t0"}
    return Container("c", "api", labels, "running", 0, {"n": "127.0.0.1"}, {}, **changes)


class Engine:
    """Answers in place of the engine. `log`: since the restart."""

    def __init__(self, now: Container, log: list[str] | None = None, code: int | None = 0) -> None:
        self.containers = Mock()
        self.containers.inspect.return_value = now
        self.containers.reachable_directly.return_value = True
        self.containers.log_after.return_value = log or []
        self.containers.exec_code.return_value = code
        self.containers.output_of.return_value = (0, "ended 101\n")
        self.containers.publisher.return_value = None
        self.containers.sockets.return_value = ""

    def wait(self, health: Health, ended: Callable[[], str | None] = lambda: None) -> None:
        settings = DeploySettings(Deploy(health=health), "api", "shop", Path("/shop"))
        restarted.wait(judging.Health(settings, self.containers), self.containers, "c", ended)


def test_an_open_port_is_enough_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Engine(container(server.getsockname()[1])).wait(Health())


def test_the_end_of_the_program_is_told_with_its_last_lines_and_their_cause() -> None:
    with unheard() as closed:
        engine = Engine(container(closed), ["thread 'main' panicked at src/main.rs:3:5:", "no table"])
        ends = iter([None, "ended with exit code 101"])
        with pytest.raises(DeployError) as caught:
            engine.wait(Health(timeout=60), lambda: next(ends, "ended with exit code 101"))
    assert caught.value.what.startswith("the new program of api ended with exit code 101 before it was healthy")
    assert "no table" in caught.value.what
    assert engine.containers.log_after.call_args.args[1] == AGAIN


def test_what_is_never_healthy_is_told_with_the_reason() -> None:
    with unheard() as closed, pytest.raises(DeployError, match=rf"not healthy within 0 s \(port {closed}: "):
        Engine(container(closed)).wait(Health(timeout=0))


@pytest.mark.parametrize(("state", "said"), [("", "was removed"), ("paused", "is paused")])
def test_a_container_that_somebody_stops_or_removes(state: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarted, "_LOOK", 0.0)
    with unheard() as closed:
        engine = Engine(container(closed))
        later = Container("c", "api", {}, state, 0, {}, {}) if state else None
        engine.containers.inspect.side_effect = [container(closed), later]
        with pytest.raises(DeployError, match=said):
            engine.wait(Health(timeout=60))


def test_the_log_counts_since_the_restart_only() -> None:
    with pytest.raises(DeployError, match='no line of its log matches "ready"'):
        Engine(container(), ["starting"]).wait(Health(log="ready", timeout=0))
    Engine(container(), ["starting", "ready"]).wait(Health(log="ready", timeout=0))


def test_the_check_of_the_image_is_asked_here_and_not_of_the_engine() -> None:
    """What the engine says is still about the program before."""
    sick = container(health="healthy", check=("CMD", "/app", "check"))
    with pytest.raises(DeployError, match="/app check: exit code 1"):
        Engine(sick, code=1).wait(Health(timeout=0))
    Engine(sick, code=0).wait(Health(timeout=0))


def test_lines_of_both_streams_are_taken_since_the_mark_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine copies the two side by side: what one says may be noted before what the other said earlier."""
    said = {
        "stdout": f"1 old\n3 {AGAIN}\n4 starting\n9 ready\n",
        "stderr": f"2 {AGAIN}\n2 older\n5 {AGAIN}\n6 warning: disk\n",
    }
    api = Mock()
    api.logs.side_effect = lambda _, **asked: said["stdout" if asked["stdout"] else "stderr"].encode()
    monkeypatch.setattr(Inside, "_api", api)
    found = Inside("unix:///nobody").log_after(container(), AGAIN, 500)
    assert found == ["starting", "warning: disk", "ready"]
