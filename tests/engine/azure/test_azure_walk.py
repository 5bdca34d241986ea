"""With the real az against Resource Manager on the loopback address: a release, a broken one, and the way back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerdoit.deploy.azure.az_errors import AzError
from tests.engine.azure.conftest import PLACE, Cloud, at, az
from tests.engine.azure.test_azure_interrupted import interrupted, settle
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def real(real_az: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    at(monkeypatch, real_az)
    yield
    # It remembers for a minute that a login was refused.
    (Path(real_az["AZURE_CONFIG_DIR"]) / "msal_http_cache.bin").unlink(missing_ok=True)


def test_a_walk_with_the_real_az(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One app, for each call of az takes a second and more."""
    monkeypatch.setenv("TOKEN", "correct-horse")
    phases: list[str] = []

    done = cloud.provider(secrets={"TOKEN": None}, env={"COLOUR": "blue"}).deploy(
        cloud.releases["2"], on_phase=phases.append
    )
    assert done.error is None
    assert phases == ["revision", "healthy", "shift traffic", "deactivate old"]
    assert cloud.answers == (200, "2")
    first = cloud.active()
    assert len(first) == 1
    app = cloud.arm.apps.find("web")
    env = {one["name"]: one for one in app.revisions[first[0]].template["containers"][0]["env"]}
    assert env["COLOUR"]["value"] == "blue"
    named = {one["name"]: one["value"] for one in app.configuration["secrets"]}
    assert named[env["TOKEN"]["secretRef"]] == "correct-horse"

    done = cloud.provider().deploy(cloud.releases["broken"])
    assert done.failed_in == "healthy"
    assert "exit code '3'" in str(done.error)
    assert "giving up" in str(done.error)
    assert cloud.answers == (200, "2")
    assert cloud.active() == first

    asked = len(cloud.arm.asked)
    planned = list(cloud.provider().changes(cloud.releases["3"]))
    assert any("100 %" in line for line in planned)
    assert all(one.startswith("GET ") for one in cloud.arm.asked[asked:])
    assert cloud.traffic() == {first[0]: 100}

    assert interrupted(cloud, "3", "shift", signal.SIGKILL, lost=True, env={}) != 0
    settle(cloud)
    assert cloud.answers == (200, "2")
    done = cloud.provider().deploy(cloud.releases["3"])
    assert done.error is None
    assert len(done.recovered) == 2
    assert cloud.answers == (200, "3")
    assert len(cloud.active()) == 1

    done = cloud.provider().roll_back(cloud.releases["2"])
    assert done.error is None
    assert cloud.answers == (200, "2")
    assert cloud.active() == first
    assert any("listening" in line for line in cloud.provider().logs(tail=20))

    cloud.arm.signed_in = False
    failed = cloud.provider().deploy(cloud.releases["3"])
    assert "has expired" in str(failed.error)
    assert "az login" in str(failed.error)
    cloud.arm.signed_in = True
    assert cloud.answers == (200, "2")


def test_the_way_back_without_layerdoit(cloud: Cloud) -> None:
    """The commands that docs/azure.md names, typed by hand in an emergency."""
    template = {"containers": [{"name": "web", "image": cloud.releases["2"].reference}], "revisionSuffix": "second"}
    cloud.arm.apps.patch("web", {"properties": {"template": template}})
    settle(cloud)
    cloud.arm.apps.activate("web", "web--first", active=False)
    # It has only been started.
    until(lambda: cloud.answers == (200, "2"), what="an answer of the second revision")
    web = [*PLACE, "--name", "web"]
    listed = az("containerapp", "revision", "list", *web, "--all", "--query", "[].name", "--output", "tsv")
    assert "web--first" in listed.split()
    az("containerapp", "revision", "activate", *PLACE, "--revision", "web--first")
    az("containerapp", "ingress", "traffic", "set", *web, "--revision-weight", "web--first=100")
    until(lambda: cloud.answers == (200, "1"), what="an answer of the first revision")


def test_what_az_says_of_a_place_that_is_not_there(cloud: Cloud) -> None:
    for azure, words in {
        "subscription": "az account list",
        "resource_group": "az group list",
        "app": "az containerapp create",
    }.items():
        with pytest.raises(AzError) as caught:
            cloud.provider(azure={azure: "nowhere"}).check(cloud.releases["2"])
        assert words in str(caught.value)
        assert "nowhere" in str(caught.value)
