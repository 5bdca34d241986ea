"""A builder's garbage collection, as `docker buildx inspect` of several versions tells it."""

from __future__ import annotations

import json
import tomllib

import pytest

from layerdoit.engine import builders
from layerdoit.engine.builders import Builder, Rule

HEAD = """\
Name:          {name}
Driver:        {driver}

Nodes:
Name:             {name}
Endpoint:         default
Status:           {status}
BuildKit version: v0.16.0
Platforms:        linux/amd64
"""
OLD = """\
GC Policy rule#0:
 All:           false
 Filters:       type==source.local,type==exec.cachemount,type==source.git.checkout
 Keep Duration: 48h0m0s
 Keep Bytes:    488.3MiB
GC Policy rule#1:
 All:           false
 Keep Duration: 1440h0m0s
 Keep Bytes:    5.588GiB
GC Policy rule#2:
 All:        false
 Keep Bytes: 5.588GiB
GC Policy rule#3:
 All:        true
 Keep Bytes: 5.588GiB
"""
NEW = """\
GC Policy rule#0:
 All:            false
 Filters:        type==source.local,type==exec.cachemount,type==source.git.checkout
 Keep Duration:  48h0m0s
 Max Used Space: 488.3MiB
GC Policy rule#1:
 All:            true
 Reserved Space: 9.313GiB
 Max Used Space: 93.13GiB
 Min Free Space: 43.77GiB
"""
LASTING = """\
GC Policy rule#0:
 All:           false
 Keep Duration: 1440h0m0s
 Keep Bytes:    20GiB
GC Policy rule#1:
 All:        true
 Keep Bytes: 20GiB
"""


def parsed(rules: str, driver: str = "docker-container", status: str = "running") -> Builder:
    return builders.parse("farm", HEAD.format(name="farm", driver=driver, status=status) + rules)


@pytest.mark.parametrize("rules", [OLD, NEW], ids=["0.13", "0.18"])
def test_the_default_takes_mounts_after_two_days(rules: str) -> None:
    found = parsed(rules)
    assert found.mount_rule == Rule(
        ("type==source.local", "type==exec.cachemount", "type==source.git.checkout"), 172_800, 512_019_661
    )
    assert found.threatens
    words = "builder farm (docker-container) removes cache mounts not used for 2 d, once the cache is larger"
    assert found.words.startswith(words)
    assert "512 MB" in found.words


def test_a_running_builder_without_rules_collects_nothing() -> None:
    found = parsed("", "docker")
    assert found.rules == ()
    assert not found.threatens
    assert found.words == "builder farm (docker) does not garbage-collect cache mounts"


def test_a_stopped_builder_does_not_say() -> None:
    found = parsed("", status="inactive")
    assert found.rules is None
    assert not found.threatens
    assert "rules are unknown" in found.words


def test_rules_that_leave_mounts_alone_are_no_threat() -> None:
    only_git = "GC Policy rule#0:\n All: false\n Filters: type==source.git.checkout\n Keep Duration: 48h0m0s\n"
    assert not parsed(only_git).threatens
    assert not parsed(LASTING).threatens
    assert "once the cache is larger than 21.5 GB" in parsed(LASTING).words


def test_little_room_is_a_threat() -> None:
    assert parsed("GC Policy rule#0:\n All: true\n Keep Bytes: 2GiB\n").threatens
    assert parsed("GC Policy rule#0:\n All: true\n").threatens


def test_what_to_configure_is_valid_and_ends_the_threat() -> None:
    engine, container = parsed(OLD, "docker"), parsed(OLD)
    given = json.loads("{" + builders.remedy(engine, 30_000_000_000) + "}")
    assert given["builder"]["gc"]["enabled"] is True
    assert given["builder"]["gc"]["policy"][0] == {"keepStorage": "60GB", "filter": ["unused-for=1440h"]}
    assert "daemon.json" in builders.where(engine)
    stanza = tomllib.loads(builders.remedy(container, 0))
    first, last = stanza["worker"]["oci"]["gcpolicy"]
    assert (first["keepDuration"], first["keepBytes"], last["all"]) == (5_184_000, 20_000_000_000, True)
    assert "buildkitd.toml" in builders.where(container)
    assert not Builder("x", "docker", (Rule((), 5_184_000, 20_000_000_000), Rule((), None, 20_000_000_000))).threatens


def test_durations_as_go_writes_them() -> None:
    assert builders._span("48h0m0s") == 172_800
    assert builders._span("172.8µs") == pytest.approx(172.8e-6)
    assert builders._span("1h30m") == 5400
    assert builders._span("") is None
