"""Two services of ours in one compose file, deployed side by side: neither starts, stops or changes the other."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from layerdoit.deploy.compose.service_deployment import ComposeProvider
from layerdoit.deploy.provider import Deployed, Release
from layerdoit.deploy.settings import DeploySettings
from tests.engine.compose.composing import CHECKED, Project

FILE = f"""
    services:
      api:
        build: {{context: ., target: api}}
        depends_on: {{db: {{condition: service_healthy}}}}
        {CHECKED.strip()}
      worker:
        build: {{context: ., target: worker}}
        depends_on: [db]
        {CHECKED.strip()}
      db:
        image: IMAGE
        {CHECKED.strip()}
      proxy:
        image: IMAGE
        depends_on: [api, worker]
        {CHECKED.strip()}
"""


def table(project: Project, version: str, **changes: Mapping[str, Any]) -> dict[str, ComposeProvider]:
    found: dict[str, DeploySettings] = {}
    for name in ("api", "worker"):
        settings = project.make(version, **changes.get(name, {})).settings
        title, source = f"{project.name}-{name}", f"layerdoit.yaml services.{name}"
        found[name] = replace(settings, name=title, service=name, part=name, source=source, table=lambda: found)
    return {name: ComposeProvider(one) for name, one in found.items()}


def deployed(project: Project, version: str) -> dict[str, Deployed]:
    """Both, at the same time."""
    with ThreadPoolExecutor() as side_by_side:
        begun = {
            name: side_by_side.submit(one.deploy, Release(project.image, f"k{version}-{name}"))
            for name, one in table(project, version).items()
        }
    return {name: one.result() for name, one in begun.items()}


def ids(project: Project) -> dict[str, str]:
    """The one container of each service."""
    found = {}
    for name in ("api", "worker", "db", "proxy"):
        ((_, one),) = project.containers(name).items()
        assert one.status == "running"
        found[name] = one.id
    return found


def test_side_by_side(composed: Project) -> None:
    composed.write(FILE)
    assert {name: one.error for name, one in deployed(composed, "1").items()} == {"api": None, "worker": None}
    first = ids(composed)
    assert {composed.version(name) for name in ("api", "worker")} == {"1"}

    again = deployed(composed, "1")
    assert {name: (one.error, one.phases) for name, one in again.items()} == {"api": (None, ()), "worker": (None, ())}
    assert ids(composed) == first

    assert {name: one.error for name, one in deployed(composed, "2").items()} == {"api": None, "worker": None}
    second = ids(composed)
    assert {composed.version(name) for name in ("api", "worker")} == {"2"}
    assert (second["db"], second["proxy"]) == (first["db"], first["proxy"])

    # One of them alone leaves the other as it runs.
    done = table(composed, "3")["api"].deploy(Release(composed.image, "k3-api"))
    assert done.error is None
    third = ids(composed)
    assert (composed.version("api"), composed.version("worker")) == ("3", "2")
    assert {name: third[name] for name in ("worker", "db", "proxy")} == {
        name: second[name] for name in ("worker", "db", "proxy")
    }
    assert table(composed, "3")["api"].destroy()
    assert not composed.containers("api")
    assert composed.version("worker") == "2"


def test_which_service_is_whose(composed: Project) -> None:
    renamed = FILE.replace("      worker:\n", "      jobs:\n").replace("[api, worker]", "[api, jobs]")
    composed.write(renamed)
    for name, provider in table(composed, "1").items():
        provider.check(Release(composed.image, "k1"))
        assert name in ("api", "worker"), "jobs is built with the target worker"
    composed.write(renamed.replace("target: worker", "target: jobs"))
    error = table(composed, "1")["worker"].deploy(Release(composed.image, "k1")).error
    assert "has no service worker, and none that is built with the target worker or runs its image" in str(error)
    assert "services: {worker: {deploy: {compose: {service: …}}}}" in str(error)
    same = table(composed, "1", worker={"compose": {"service": "api"}})["worker"]
    error = same.deploy(Release(composed.image, "k1")).error
    assert "api and worker would both be the service api" in str(error)
