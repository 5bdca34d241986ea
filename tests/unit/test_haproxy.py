"""The front, without an engine: whether it fits, what it hears from haproxy, and when the old one is drained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from layerdoit.config import Deploy, Health
from layerdoit.core.errors import DeployError
from layerdoit.deploy.docker import haproxy, ways
from layerdoit.deploy.docker.haproxy import Front
from layerdoit.deploy.docker.sockets import connections
from layerdoit.deploy.settings import DeploySettings
from layerdoit.engine.container import Container, Spec

SETTINGS = DeploySettings(Deploy(port=8080, gap="none", health=Health(path="/")), "api", "shop", Path("/shop"))
LABELS = {"port": "8080", "bind": "127.0.0.1", "network": "n", "front": "http", "restart": "no", "leased-from": "8080"}
SERVICE = Spec(name="api-next", image="i", network="n", labels=LABELS)
TABLES = """\
  sl  local_address rem_address   st tx_queue
   0: 00000000:1F90 00000000:0000 0A 00000000
   1: 0300A8C0:1F90 0400A8C0:A001 01 00000000
   2: 0300A8C0:1F90 0400A8C0:A002 06 00000000
   3: 0300A8C0:A003 0500A8C0:1F90 01 00000000
"""


def container(name: str = "api", **labels: str) -> Container:
    written = {f"io.layerdoit.{label}": value for label, value in {**LABELS, **labels}.items()}
    return Container("c", name, written, "running", 0, {"n": "172.18.0.3"}, {})


def front(engine: Any, settings: DeploySettings = SETTINGS) -> Front:
    return Front(settings, engine)


def test_who_waits_for_an_answer_is_counted() -> None:
    """Not who listens, who has ended, or whom the service itself asks."""
    assert connections(TABLES, 8080) == 1
    assert connections("", 8080) == 0


def test_a_front_fits_as_long_as_what_users_see_is_the_same() -> None:
    made = front(Mock())
    spec = made.spec(SERVICE, 8081)
    there = container("api-front", config=spec.labels["config"])
    assert made.fits(there, spec)
    assert made.fits(there, made.spec_of(container(publish="8081"))), "as the labels of what serves say"
    assert not made.fits(there, made.spec(SERVICE, 8082))
    assert not made.fits(there, made.spec(replace(SERVICE, labels={**LABELS, "front": "tcp"}), 8081))
    assert not made.fits(replace(there, state="exited"), spec)
    assert not made.fits(replace(there, networks={}), spec)
    assert not made.fits(None, spec)


@pytest.mark.parametrize(("health", "mode"), [(Health(path="/"), "http"), (Health(), "tcp"), (Health(tcp=True), "tcp")])
def test_requests_are_told_apart_only_where_it_is_http(health: Health, mode: str) -> None:
    settings = replace(SETTINGS, config=Deploy(port=8080, gap="none", health=health))
    assert front(Mock(), settings).mode == mode


def states(now: str, coming: str) -> str:
    """What haproxy answers. `now`, `coming`: address, operational and administrative state of each server."""
    rest = "1 1 4 1 0 0 0 0 0 0 api 8080 - 0 0 - - 0"
    return f"1\n# be_id be_name srv_id srv_name\n3 service 1 now {now} {rest}\n3 service 2 next {coming} {rest}\n"


OLD, NEW = "172.18.0.2", "172.18.0.3"


def test_it_is_told_until_it_leads_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "_POLL", 0)
    said = [
        (1, "socat: No such file"),
        (0, states(f"{OLD} 2 0", f"{OLD} 2 0")),
        (0, states(f"{OLD} 2 0", f"{NEW} 2 0")),
        (0, states(f"{OLD} 0 1", f"{NEW} 2 0")),
    ]
    engine = Mock(**{"output_of.side_effect": said})
    front(engine).lead_to(container("api-front"), container())
    assert engine.output_of.call_count == 4, "not before the other server has no request"
    assert f"service/next addr {NEW} port 8080" in engine.output_of.call_args.args[1][-1]
    monkeypatch.setattr(haproxy, "_PATIENCE", 0)
    engine = Mock(**{"output_of.return_value": (0, "No such server.")})
    with pytest.raises(DeployError, match="does not lead to api: No such server"):
        front(engine).lead_to(container("api-front"), container())
    engine = Mock(**{"output_of.return_value": (0, states(f"{OLD} 2 0", f"{OLD} 0 1"))})
    with pytest.raises(DeployError, match=f"does not lead to api: it leads to {OLD}"):
        front(engine).lead_to(container("api-front"), container())


def test_it_follows_the_name_again_after_a_swap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "_PATIENCE", 0)
    answers = [states(f"{NEW} 2 0", f"{NEW} 0 1"), states(f"{NEW} 2 0", f"{NEW} 0 1").rpartition("3 service 2")[0]]
    for answer in answers:  # the second one is of a front that an earlier version started
        engine = Mock(**{"output_of.return_value": (0, answer)})
        front(engine).follow(container("api-front"), container())
        assert "set server service/next state maint" in engine.output_of.call_args.args[1][-1]


def test_the_old_one_is_drained_until_nobody_waits_or_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "_POLL", 0)
    engine = Mock(**{"sockets.side_effect": [TABLES, TABLES, "no connections"]})
    assert front(engine).drain(container(), 60) == 0
    assert front(Mock(**{"sockets.return_value": TABLES})).drain(container(), 0) == 1
    assert front(Mock(**{"sockets.return_value": ""})).drain(container(), 0) is None, "nobody can tell"


def test_who_has_the_port_decides_how_the_next_one_starts() -> None:
    old = container(way="plain")
    holder = replace(container("api-front"), ports={8080: ("127.0.0.1", 8081)})
    assert ways.choose(old, 8081, SETTINGS) == "plain"
    assert ways.choose(old, 8081, SETTINGS, holder) == "moved"
