"""A release becomes a revision: what stays the user's, what fails, and what is there afterwards.

A quick stand-in for az asks the server; `test_azure_walk.py` has the real one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from layerdoit.deploy.azure import az, not_healthy
from layerdoit.deploy.azure.app_state import MARK
from tests.engine.azure.conftest import Cloud, at


@pytest.fixture(autouse=True)
def quick(quick_az: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, quick_az)
    monkeypatch.setattr(az, "PAUSE", 0.05)


def test_the_same_release_again_changes_nothing_and_other_settings_make_a_revision(cloud: Cloud) -> None:
    first = cloud.provider(env={"COLOUR": "blue"}).deploy(cloud.releases["2"])
    assert (first.error, first.replaced) == (None, True)
    changed = len(cloud.arm.apps.operations)

    again = cloud.provider(env={"COLOUR": "blue"}).deploy(cloud.releases["2"])
    assert (again.error, again.phases) == (None, ())
    assert len(cloud.arm.apps.operations) == changed
    assert list(cloud.provider(env={"COLOUR": "blue"}).changes(cloud.releases["2"])) == [
        f"nothing: {cloud.active()[0]} serves this release already"
    ]

    other = cloud.provider(env={"COLOUR": "red"}).deploy(cloud.releases["2"])
    assert other.error is None
    assert cloud.active() == [f"{first.service.id}-2"] if first.service else []
    assert sum(cloud.traffic().values()) == 100

    back = cloud.provider(env={"COLOUR": "blue"}).deploy(cloud.releases["2"])
    assert back.error is None
    assert cloud.active() == [first.service.id if first.service else ""]


def test_a_sick_revision_gets_no_traffic_and_a_good_status_names_what_serves(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_healthy, "PROBE_TIMEOUT", 30.0)  # the last look has to end, on a busy machine too
    assert cloud.provider().deploy(cloud.releases["2"]).error is None
    done = cloud.provider(health={"timeout": 1}).deploy(cloud.releases["sick"])
    assert done.failed_in == "healthy"
    assert "GET / answered 503" in str(done.error)
    assert cloud.answers == (200, "2")
    assert len(cloud.active()) == 1
    status = cloud.provider().status()
    assert status.health == "healthy"
    assert status.service is not None
    assert (status.service.key, status.service.release) == (cloud.releases["2"].key, "2")
    assert [one.by for one in cloud.provider().holds()] == [
        f"container app web ({name})" for name in reversed(list(cloud.arm.apps.find("web").revisions)[1:])
    ]


def test_a_registry_that_refuses_and_a_quota_leave_what_served(cloud: Cloud) -> None:
    lost = replace(cloud.releases["2"], reference=cloud.releases["2"].reference[:-8] + "00000000")
    refused = cloud.provider().deploy(lost)
    assert refused.failed_in == "revision"
    assert "az containerapp" in str(refused.error)
    assert cloud.answers == (200, "1")
    cloud.arm.apps.quota = 1
    try:
        full = cloud.provider().deploy(cloud.releases["2"])
    finally:
        cloud.arm.apps.quota = 100
    assert "quota" in str(full.error)
    assert cloud.active() == ["web--first"]
    assert not cloud.arm.apps.find("web").body["tags"]


def test_a_label_of_the_user_stays_and_keeps_its_revision(cloud: Cloud) -> None:
    ingress = cloud.arm.apps.find("web").configuration["ingress"]
    ingress["traffic"] = [{"revisionName": "web--first", "weight": 100, "label": "stable"}]
    done = cloud.provider().deploy(cloud.releases["2"])
    assert done.error is None
    assert any("stable" in one for one in done.remarks)
    assert "web--first" in cloud.active()
    label = {"weight": 0, "revisionName": "web--first", "label": "stable"}
    assert label in cloud.arm.apps.find("web").traffic
    assert cloud.answers == (200, "2")


def test_a_new_value_of_a_secret_leaves_the_old_revision_its_own(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "first-value")
    first = cloud.provider(secrets={"TOKEN": None}).deploy(cloud.releases["2"])
    monkeypatch.setenv("TOKEN", "second-value")
    second = cloud.provider(secrets={"TOKEN": None}).deploy(cloud.releases["2"])
    assert first.error is None
    assert second.error is None
    app = cloud.arm.apps.find("web")
    assert sorted(one["value"] for one in app.configuration["secrets"]) == ["first-value", "second-value"]
    assert len(app.revisions) == 3
    assert not [one for one in app.revisions.values() if "-value" in str(one.template)]


def test_a_rollback_to_a_revision_that_azure_no_longer_has_makes_a_new_one(cloud: Cloud) -> None:
    assert cloud.provider().deploy(cloud.releases["2"]).error is None
    done = cloud.provider().roll_back(cloud.releases["3"])
    assert done.error is None
    assert any("no revision" in one for one in done.remarks)
    assert cloud.answers == (200, "3")
    env = cloud.arm.apps.find("web").revisions[cloud.active()[0]].template["containers"][0]["env"]
    assert [one["name"] for one in env] == [MARK]


def test_destroy_ends_what_is_ours_and_the_next_deployment_serves_again(cloud: Cloud) -> None:
    assert cloud.provider().destroy() is False
    assert cloud.active() == ["web--first"]
    assert cloud.provider().deploy(cloud.releases["2"]).error is None
    assert cloud.provider().destroy() is True
    assert cloud.active() == []
    assert "web" in cloud.arm.apps.apps
    assert cloud.provider().deploy(cloud.releases["2"]).error is None
    assert cloud.answers == (200, "2")
    assert len(cloud.active()) == 1
