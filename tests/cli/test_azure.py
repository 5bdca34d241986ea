"""A release in Azure, as a user types it: Resource Manager and the registry are on the loopback address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.engine.azure.conftest import Cloud, arm, at, cloud, quick_az, releases
from tests.engine.registry_fixture import Registry, registry
from tests.support.arm_server import GROUP, SUBSCRIPTION
from tests.support.ports import PORT
from tests.support.scratch import Crate, message

__all__ = ["arm", "cloud", "quick_az", "registry", "releases"]

PROD = f"""\
registry: {{repository: ADDRESS}}
deploy:
  provider: azure-container-apps
  azure: {{subscription: {SUBSCRIPTION}, resource_group: {GROUP}, app: web, deadline: 60}}
  port: {PORT}
  health: {{path: /}}
"""


def test_a_release_as_typed(
    crate: Crate,
    cloud: Cloud,
    registry: Registry,
    quick_az: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at(monkeypatch, quick_az)
    text = PROD.replace("ADDRESS", f"{registry.address}/{crate.name}")
    # The first release fails its check: what somebody else deployed serves again.
    crate.write("layerdoit.prod.yaml", f"{text}  verify: [test -z x]\n")
    failed = crate.doit("cycle_fast", "ENV=prod")
    assert failed.code == 1
    assert re.search(rf"^push    {registry.address}/{crate.name}@sha256:[0-9a-f]{{64}} ", failed.out, re.MULTILINE)
    assert "web--first serves again" in failed.err
    assert cloud.answers == (200, "1")
    assert cloud.active() == ["web--first"]
    crate.write("layerdoit.prod.yaml", text)
    deployed = crate.doit("cycle_fast", "ENV=prod").ok().out
    assert "deploy  web replaced the old one" in deployed
    assert cloud.answers == (200, "first text")
    assert len(cloud.active()) == 1

    assert "deploy  web already serves" in crate.doit("cycle_fast", "ENV=prod").ok().out
    shown = crate.doit("status", "ENV=prod").ok().out
    assert re.search(r"^web  healthy  https://localhost:\d+  since ", shown, re.MULTILINE)
    assert "runs the image of the current tree" in shown

    # An edit that no other test makes, for all have one project; and the way back.
    first = cloud.active()
    crate.edit("src/main.rs", "first text", "text in the cloud")
    crate.doit("app").ok()
    planned = crate.doit("deploy", "--dry-run", "ENV=prod").ok().out
    assert f"traffic: 100 % from {first[0]} to web--r" in planned
    assert cloud.active() == first
    crate.doit("cycle_fast", "ENV=prod").ok()
    assert cloud.answers == (200, "text in the cloud")
    # Another machine has no log of releases; the app knows what served.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    assert "healthy at https://localhost:" in crate.doit("rollback", "ENV=prod").ok().out
    assert cloud.answers == (200, "first text")
    assert cloud.active() == first

    cloud.arm.apps.find("web").configuration["activeRevisionsMode"] = "Single"
    refused = crate.doit("cycle_fast", "ENV=prod")
    assert refused.code == 1
    what, following = message(refused)
    assert what.startswith("layerdoit.prod.yaml:4: web is in single revision mode")
    assert "az containerapp revision set-mode" in following
    assert cloud.answers == (200, "first text")
