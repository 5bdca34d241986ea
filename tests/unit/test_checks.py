"""What is asked of a container: all that is named, and never patience where more is known."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from layerdoit.config import Deploy, Health
from layerdoit.core.errors import ConfigError
from layerdoit.deploy.docker.checks import SETTLE, Checks
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container
from tests.support.ports import unheard

START = "2026-01-02T03:04:05.5Z"


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def container(port: int | None = None, **changes: Any) -> Container:
    labels = {"io.layerdoit.port": str(port or "")}
    made = Container("c", "api", labels, "running", 0, {"n": "127.0.0.1"}, {}, started_at=START)
    return replace(made, **changes)


def reason(
    health: Health,
    now: Container,
    *,
    log: tuple[str, ...] = (),
    code: int | None = 0,
    ran: float = 60,
    port: int | None = None,
) -> str | None:
    stamped = [f"2026-01-02T03:04:06.{number}Z {line}" for number, line in enumerate(log)]
    engine = Mock(**{"reachable_directly.return_value": True, "exec_code.return_value": code})
    engine.log_lines.return_value = stamped
    settings = DeploySettings(
        Deploy(port=port, health=health), "api", "shop", Path("/shop"), where={"deploy.health.platform": "l.yaml:3"}
    )
    return Checks(settings, engine).candidate_problem(now, 1, ran)


def test_patience_counts_only_where_nothing_is_known(port: int) -> None:
    assert reason(Health(), container(), ran=SETTLE) is None
    assert reason(Health(), container(), ran=SETTLE / 2) == "it has only just started"
    assert reason(Health(), container(port), ran=0) is None, "the open port is enough"
    assert reason(Health(log="ready"), container(), ran=3600) == 'no line of its log matches "ready"'
    assert reason(Health(command=("true",)), container(), code=1, ran=3600) == "true: exit code 1"
    assert reason(Health(command=("true",)), container(), code=None, ran=3600) == "true: did not end in time"


def test_the_open_port_is_asked_beside_others_only_by_name(port: int) -> None:
    with unheard() as closed:
        assert "refused" in str(reason(Health(), container(closed), port=closed))
        assert reason(Health(command=("true",)), container(closed), port=closed) is None
        assert "refused" in str(reason(Health(command=("true",), tcp=True), container(closed), port=closed))
    assert reason(Health(command=("true",), tcp=True), container(port), port=port) is None


def test_all_that_is_named_must_hold(port: int) -> None:
    health = Health(tcp=True, command=("check",), log=r"listening on \d+", platform=True)
    good = container(port, health="healthy")
    log = ("starting", "\x1b[32mlistening on 80\x1b[0m")
    assert reason(health, good, log=log) is None
    assert "exit code 7" in str(reason(health, good, log=log, code=7))
    assert re.search("no line of its log", str(reason(health, good, log=("starting",))))
    sick = replace(good, health="starting", health_said="curl: (7)")
    assert reason(health, sick, log=log) == "the engine calls it starting by its HEALTHCHECK: curl: (7)"


def test_the_images_own_check_is_asked_where_nothing_else_is_known() -> None:
    assert "unhealthy" in str(reason(Health(), container(health="unhealthy"), ran=3600))
    assert reason(Health(), container(health="healthy"), ran=0) is None


def test_an_image_without_a_check_of_its_own_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match="has no HEALTHCHECK") as caught:
        reason(Health(platform=True), container(), ran=0)
    assert caught.value.where == "l.yaml:3"


def test_a_log_is_read_from_this_start_on_and_only_once() -> None:
    engine = Mock()
    engine.log_lines.side_effect = [["2026-01-02T03:04:06.25Z starting"], ["2026-01-02T03:04:07Z ready"], []]
    checks = Checks(DeploySettings(Deploy(health=Health(log="^ready")), "api", "shop", Path("/shop")), engine)
    now = container()
    assert checks.candidate_problem(now, 1, 0) is not None
    assert checks.candidate_problem(now, 1, 0) is None
    assert checks.candidate_problem(now, 1, 0) is None, "found once, found for this start"
    since = [call.kwargs["since"] for call in engine.log_lines.call_args_list]
    assert [since[0], since[1] % 60, len(since)] == [None, 6.25, 2], "it may log before the engine notes its start"
    again = replace(now, started_at="2026-01-02T04:00:00Z", ended_at="2026-01-02T03:59:58.5Z", restarts=1)
    engine.log_lines.side_effect = [[]]
    assert checks.candidate_problem(again, 1, 0) is not None, "the line of an earlier start says nothing of this one"
    assert engine.log_lines.call_args.kwargs["since"] % 60 == 58.5
    assert checks.problem(replace(now, started_at="2026-01-02T05:00:00Z")) is None, "it took over by it"
