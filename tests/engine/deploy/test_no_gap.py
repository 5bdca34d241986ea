"""`deploy.gap: none`: a front keeps the port, no request is lost, and whatever fails or ends, one release serves."""

from __future__ import annotations

import http.client
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from layerdoit.deploy.provider import Deployed
from tests.engine.deploy.cycling import Make, ask, go, names, owner
from tests.engine.deploy.test_ended import drive
from tests.engine.together_fixture import finish
from tests.support.load import Load
from tests.support.ports import free_port
from tests.support.waiting import until

NONE: dict[str, Any] = {"gap": "none"}


def test_no_request_is_lost_in_a_swap(
    docker_engine: Any, make: Make, image: str, project: str, record_property: Callable[[str, object], None]
) -> None:
    first = go(make("0", **NONE), image, "k0")
    assert first.error is None
    assert first.service is not None
    assert names(docker_engine, project) == [project, f"{project}-front"]
    assert first.service.address is not None
    with Load(first.service.address) as load:
        for number in range(1, 4):
            done = go(make(str(number), **NONE), image, f"k{number}")
            assert done.error is None
            assert (done.remarks, done.recovered) == ((), ())
            assert [name for name, _ in done.phases] == ["start", "healthy", "swap", "drain", "remove old"]
            assert done.service is not None
            assert done.service.address == first.service.address
        load.wait(1000)
    record_property("no gap", f"{sum(load.ended.values())} requests, {load.ended}, longest pause {load.gap:.3f} s")
    assert set(load.ended) == {"200"}
    assert load.backwards == [], "never an older release after a newer one"
    assert (load.bodies[0], load.bodies[-1]) == ("0", "3")
    assert set(load.bodies) == {"0", "1", "2", "3"}
    assert go(make("3", **NONE), image, "k3").phases == ()
    assert names(docker_engine, project) == [project, f"{project}-front"]
    assert make("3", **NONE).destroy()
    assert names(docker_engine, project) == []


@pytest.mark.parametrize("health", [{}, {"path": None}], ids=["http", "tcp"])
def test_what_is_under_way_ends(
    docker_engine: Any, make: Make, image: str, project: str, health: dict[str, Any]
) -> None:
    def deployed(version: str, slow: str, **changes: Any) -> Deployed:
        return go(make(version, env={"SLOW": slow}, health=health, **NONE, **changes), image, f"k{version}")

    first = deployed("1", "4000")
    assert first.service is not None
    address = first.service.address or ""
    answers: list[str] = []

    def ask_slowly() -> None:
        connection = http.client.HTTPConnection(address, timeout=30)
        try:
            connection.request("GET", "/slow")
            answers.append(connection.getresponse().read().decode())
        except (OSError, http.client.HTTPException) as error:
            answers.append(type(error).__name__)
        finally:
            connection.close()

    def replaced(version: str, slow: str, **changes: Any) -> Deployed:
        asking = threading.Thread(target=ask_slowly)
        asking.start()
        until(lambda: b"thinking" in docker_engine.containers.get(project).logs())
        done = deployed(version, slow, **changes)
        asking.join()
        return done

    assert replaced("2", "60000").error is None
    assert answers == ["1"], "it was answered by the one that it was asked of"
    cut = replaced("3", "0", drain=0.1)
    assert cut.error is None
    assert cut.remarks == ("1 connection to the old one did not end in 0.1 s (deploy.drain), and was cut off",)
    assert answers[1] != "2"
    assert ask(address) == "3"


def test_a_release_that_fails_does_not_touch_what_serves(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    first = go(make("1", **NONE), image)
    assert first.service is not None
    with Load(first.service.address or "") as load:
        # It is healthy at its own address, but not where users find it. The front has just asked the name server for
        # the first time, whose answer must not lead back to the healthy one.
        sick = go(make("3", health={"timeout": 4}, env={"SICK_AT": "127.0.0.1"}, **NONE), image, "k3")
        assert (sick.failed_in, "503" in str(sick.error)) == ("swap", True)
        ended = go(make("2", env={"EXIT": "3"}, **NONE), image, "k2")
        assert "exit code 3" in str(ended.error)
    assert set(load.bodies) == {"1"}
    assert names(docker_engine, project) == [project, f"{project}-front"]
    failed = go(make("1", name=f"{project}-first", env={"EXIT": "3"}, **NONE), image)
    assert failed.error is not None
    assert names(docker_engine, project) == [project, f"{project}-front"], "a first one leaves nothing"


def test_it_can_be_asked_for_and_given_up(docker_engine: Any, make: Make, image: str, project: str) -> None:
    first = go(make("1"), image)
    assert first.service is not None
    there = go(make("1", **NONE), image)
    assert there.error is None
    assert any("has the port from now on" in remark for remark in there.remarks), "the gap is stated"
    assert names(docker_engine, project) == [project, f"{project}-front"]
    gone = go(make("2"), image, "k2")
    assert gone.error is None
    assert names(docker_engine, project) == [project]
    assert {there.service and there.service.address, gone.service and gone.service.address} == {first.service.address}
    assert ask(first.service.address) == "2"


def test_a_front_that_is_gone_or_asked_for_otherwise_is_put_up_again(
    docker_engine: Any, make: Make, image: str, project: str
) -> None:
    here = {"owner": owner("/shop", "folder:1", "path:1"), **NONE}
    first = go(make("1", **here), image)
    assert first.service is not None
    for harm in ("remove", "kill"):
        front = docker_engine.containers.get(f"{project}-front")
        front.remove(force=True) if harm == "remove" else front.kill()
        assert "nobody reaches it" in make("1", **here).status().health
        again = go(make("1", **here), image)
        assert (again.error, again.phases) == (None, ())
        assert any(f"put up {project}-front again" in told for told in again.recovered)
        assert ask(first.service.address) == "1"
    port = free_port()
    moved = go(make("2", publish=port, **here), image, "k2")
    assert moved.error is None
    assert any("has the port from now on" in remark for remark in moved.remarks)
    assert moved.service is not None
    assert moved.service.address == f"127.0.0.1:{port}"
    assert ask(moved.service.address) == "2"
    named = go(make("3", name=f"{project}-new", publish=port, **here), image, "k3")
    assert named.error is None
    assert names(docker_engine, project) == [f"{project}-new", f"{project}-new-front"]
    assert ask(f"127.0.0.1:{port}") == "3"


def test_what_is_started_again_leads_to_the_right_one(docker_engine: Any, make: Make, image: str, project: str) -> None:
    first = go(make("1", **NONE), image)
    assert first.service is not None
    for name in (f"{project}-front", project):
        docker_engine.containers.get(name).restart(timeout=0)
        until(lambda: ask(first.service.address if first.service else None) == "1")
    assert make("1", **NONE).status().health == "healthy"


@pytest.mark.parametrize(
    ("before", "after", "point"), [("none", "none", 1), ("short", "none", 4), ("none", "short", 4)]
)
def test_kill_9_after_each_single_change(
    docker_engine: Any, make: Make, image: str, project: str, before: str, after: str, point: int
) -> None:
    """With a front before and after, somebody serves at every moment; else from the next call on."""
    code, seen = -signal.SIGKILL, set()
    while code == -signal.SIGKILL:
        first = go(make("1", gap=before), image, "first")
        assert first.error is None
        child = drive(project, image, "front" if after == "none" else "moved", point, "VERSION=2")
        finish(child)
        code = child.returncode
        if before == after:
            assert ask(first.service.address if first.service else None) in ("1", "2")
        next_run = make("1", gap=before).replacement()
        with next_run.lock():
            next_run.recover()
        now = next_run.current()
        assert now is not None
        seen.add(body := ask(now.address))
        gap = before if body == "1" else after
        assert names(docker_engine, project) == [project, f"{project}-front"][: 2 if gap == "none" else 1]
        assert next_run.recover() == (), "nothing is left to do"
        # Every second one where most are steps of a swap that is walked through elsewhere.
        point += 1 if before == after else 2
    assert code == 0
    assert seen == {"1", "2"}
