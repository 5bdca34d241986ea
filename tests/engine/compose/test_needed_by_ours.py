"""A service that is none of the compose file needs one of it: started, waited for, reached, and never touched again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from layerdoit.config import Deploy, Health
from layerdoit.config.deploy_section import Compose
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy import needs
from layerdoit.deploy.compose.compose_program import ComposeProgram
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.docker.foreign import Had
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from tests.engine.compose.composing import Project
from tests.engine.deploy.cycling import ask
from tests.support.ports import PORT

DATABASE = """
services:
  db:
    image: IMAGE
    healthcheck: {test: [CMD, /server, check], interval: 1h}
    depends_on: [disk]
    volumes: ["data:/data"]
  disk: {image: IMAGE}
  other: {image: IMAGE}
volumes: {data: {}}
"""


@pytest.fixture
def ours(composed: Project) -> Iterator[Project]:
    yield composed
    for container in composed.engine.containers.list(
        all=True, filters={"label": f"io.layerdoit.project={composed.name}"}
    ):
        container.remove(force=True)
    for network in composed.engine.networks.list(filters={"label": f"io.layerdoit.project={composed.name}"}):
        network.remove()


def needing(composed: Project, version: str = "1", *names: str, **changes: Any) -> DeploySettings:
    """The settings of a service that ends at its start where it does not reach the database."""
    wanted = names or ("db",)
    env = {"VERSION": version, "NEEDS": f"{wanted[0]}:{PORT}"}
    compose = Compose(**changes.pop("compose", {}))
    config = Deploy(port=PORT, env=env, health=Health(path="/", timeout=8), compose=compose, **changes)
    name = f"{composed.name}-api"
    settings = DeploySettings(config, name, composed.name, composed.root, source="layerdoit.yaml api", service="api")
    where = {"services.api.needs": "layerdoit.yaml:7"}
    return replace(settings, needs=wanted, where=where)


def deploy(composed: Project, version: str = "1", *names: str, **changes: Any) -> Any:
    return DockerProvider(needing(composed, version, *names, **changes)).deploy(Release(composed.image, f"k{version}"))


def test_started_waited_for_and_left_alone(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ours.write(DATABASE)
    assert needs.lacking(needing(ours)) == ("db",)
    first = deploy(ours)
    assert first.error is None, first.error
    assert first.remarks == ("db was started, by compose.yaml",)
    assert ours.running() == ["db", "disk"], "what is needed, and what that needs"
    assert needs.lacking(needing(ours)) == ()
    before = {name: one.attrs["State"]["StartedAt"] for name, one in ours.containers().items()}
    joined = ours.engine.containers.get(f"{ours.name}-api").attrs["NetworkSettings"]["Networks"]
    assert set(joined) == {f"layerdoit-{ours.name}", f"{ours.name}_default"}
    # Not even asked again.
    calls: list[object] = []
    monkeypatch.setattr(ComposeProgram, "resolved", calls.append)
    second = deploy(ours, "2")
    assert (second.error, second.remarks, calls) == (None, (), [])
    assert second.service is not None
    assert ask(second.service.address) == "2"
    assert deploy(ours, "2").phases == ()
    monkeypatch.undo()
    # The file has changed: whose it is brings it up to date.
    ours.write(DATABASE.replace("depends_on", 'environment: {VERSION: "new"}\n    depends_on'))
    assert deploy(ours, "3").error is None
    assert {name: one.attrs["State"]["StartedAt"] for name, one in ours.containers().items()} == before
    DockerProvider(needing(ours, "3")).destroy()
    assert ours.running() == ["db", "disk"]


def test_one_that_stopped_is_started_again(ours: Project) -> None:
    ours.write(DATABASE)
    assert deploy(ours).error is None
    first = ours.containers("db").popitem()[1]
    first.stop(timeout=0)
    again = deploy(ours)
    assert (again.error, again.phases, again.remarks) == (None, (), ("db was started, by compose.yaml",))
    assert ours.containers("db").popitem()[1].id == first.id


def test_another_name_of_the_project(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ours.write(DATABASE)
    ours.compose("up", "-d", "db")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", f"{ours.name}-more")
    try:
        found = needs.have(needing(ours))
        assert found.networks == (f"{ours.name}-more_default",)
        named = needs.have(needing(ours, compose={"project": ours.name}))
        assert (named.networks, named.remarks) == ((f"{ours.name}_default",), ())
    finally:
        subprocess.run(["docker", "compose", "down", "-v", "-t", "0"], cwd=ours.root, capture_output=True, check=True)


def test_one_that_never_becomes_healthy(ours: Project) -> None:
    ours.write(DATABASE)
    first = deploy(ours)
    ours.compose("down", "-t", "0")
    ours.write(DATABASE.replace("depends_on", 'environment: {EXIT: "3"}\n    depends_on'))
    failed = deploy(ours, "2")
    assert failed.error is not None
    assert f"{ours.name}-db-1, which is needed, ended with exit code 3" in failed.error.what
    assert "giving up" in failed.error.what
    assert failed.error.where == "compose.yaml:4"
    assert failed.service is not None
    assert first.service is not None
    assert failed.service.id == first.service.id
    assert ask(first.service.address) == "1", "what served serves on"


BAD = {
    "misspelt": (DATABASE, ("dbb",), ["layerdoit.yaml:7", "api needs dbb", 'did you mean "db"']),
    "no file": ("", ("db",), ["layerdoit.yaml:7", "no compose file", "services:"]),
    "profile": (DATABASE.replace("depends_on", "profiles: [all]\n    depends_on"), ("db",), ["COMPOSE_PROFILES=all"]),
    "broken": ("services:\n  db: a: b\n", ("db",), ["compose.yaml:3"]),
}


@pytest.mark.parametrize("case", list(BAD))
def test_one_message(ours: Project, case: str) -> None:
    text, names, says = BAD[case]
    if text:
        ours.write(text)
    with pytest.raises(LayerdoitError) as caught:
        DockerProvider(needing(ours, "1", *names)).check(Release(ours.image, "k1"))
    assert all(word in str(caught.value) for word in says), str(caught.value)
    assert "next: " in str(caught.value)
    assert ours.containers() == {}


def test_without_docker_compose(ours: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ours.write(DATABASE)
    program = ours.root / "bin" / "docker"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho \"docker: 'compose' is not a docker command.\" >&2; exit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    with pytest.raises(LayerdoitError, match="`docker compose` does not answer"):
        DockerProvider(needing(ours)).check(Release(ours.image, "k1"))


def test_a_service_of_the_file_itself(ours: Project) -> None:
    """With the provider compose, the file says the rest; what it does not say of the order, `needs` does."""
    ours.write(DATABASE.replace("1h", "1s").replace("volumes: {data", "  web: {build: .}\nvolumes: {data"))
    settings = replace(ours.make("1", port=PORT).settings, service="web", needs=("db",))
    provider = type(ours.make("1"))(settings)
    provider.check(Release(ours.image, "k1"))
    done = provider.deploy(Release(ours.image, "k1"))
    assert done.error is None, done.error
    assert set(done.remarks[:2]) == {"db was started", "disk was started"}, "before what nobody needs"
    assert needs.have(settings) == Had()
    foreign = replace(needing(ours), service="cache", foreign="valkey:8")
    for wanted, says in (("cache", "describe cache there"), ("dbb", "did you mean")):
        bad = type(provider)(replace(settings, needs=(wanted,), table=lambda: {"cache": foreign}))
        with pytest.raises(LayerdoitError, match=says):
            bad.check(Release(ours.image, "k1"))


DRIVER = """
import os, sys
from pathlib import Path
from layerdoit.config import Deploy, Health
from layerdoit.deploy import needs
from layerdoit.deploy.compose.compose_program import ComposeProgram
from layerdoit.deploy.compose.needed_services import NeededServices
from layerdoit.deploy.settings import DeploySettings
project, root, owner, name, signum = *sys.argv[1:5], int(sys.argv[5])
kind = {"ComposeProgram": ComposeProgram, "NeededServices": NeededServices}[owner]
original = getattr(kind, name)
def lethal(*args, **options):
    if name == "_healthy":
        os.kill(os.getpid(), signum)
    original(*args, **options)
    os.kill(os.getpid(), signum)
setattr(kind, name, lethal)
needs.have(DeploySettings(Deploy(), f"{project}-api", project, Path(root), service="api", needs=("db",)))
"""


@pytest.mark.parametrize("at", ["ComposeProgram.up", "NeededServices._healthy"])
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_cut_short_the_next_call_goes_on(ours: Project, at: str, signum: signal.Signals) -> None:
    ours.write(DATABASE)
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = ["env", "--default-signal=INT", sys.executable, "-c", DRIVER, ours.name, str(ours.root), *at.split(".")]
    child = subprocess.run([*program, str(int(signum))], env=path, capture_output=True, timeout=60, check=False)
    assert child.returncode != 0
    half = {one.id for one in ours.containers("db").values()}
    assert needs.have(needing(ours)).networks == (f"{ours.name}_default",)
    assert {one.id for one in ours.containers("db").values()} == half
