"""The jobs of generated workflows, run in order as a CI service runs them: each on a fresh clone, and those that build
on an engine that has nothing but what the registry gives it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.engine.registry_fixture import ROOT, docker, served
from tests.support import ci_runner
from tests.support.ci_runner import Runner
from tests.support.git import git
from tests.support.scratch import DODO, Crate
from tests.support.second_engine import SecondEngine

USER, PASSWORD = "builder", "hunter2word"
HASHED = "$2b$05$pTG21NJkHWJwEoSfF0dKNuFEfvX1qHgszb1p1BKojkLrKt/auhsMG"
GUARDED = "auth: {{htpasswd: {{realm: test, path: {file}}}}}\n"
MAIN = """\
fn main() {
    println!("hello {}", env!("CARGO_PKG_VERSION"));
}
#[test]
fn holds() {
    println!("tested here");
}
"""
MANIFEST = '[package]\nname = "hello"\nversion = "1.2.0"\nedition = "2021"\n'
LOCK = 'version = 3\n\n[[package]]\nname = "hello"\nversion = "1.2.0"\n'
CONFIG = """\
project: {name}
registry:
  repository: '{address}/team/{name}'
  push: [base, deps, app]
  retention: {{app: {{keep_last: 1}}}}
"""


class Team(NamedTuple):
    """A project in a repository, a registry that wants a login, and machines that CI jobs run on."""

    crate: Crate
    origin: Path
    address: str
    machine: Runner
    other: Runner

    def tags(self) -> set[str]:
        """The kinds of tags in the registry: of a keyed tag, what comes before the key."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        address = f"http://{self.address}/v2/team/{self.crate.name}/tags/list"
        asked = urllib.request.Request(address, headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - ours
            return {re.sub(r"-[0-9a-f]{12}$", "", tag) for tag in json.load(answer)["tags"]}


@pytest.fixture(scope="module")
def guarded(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that wants a login."""
    found = subprocess.run([ROOT / "scripts/ensure-registry"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip() or "no image registry to test with")
    file = tmp_path_factory.mktemp("guarded") / "htpasswd"
    file.write_text(f"{USER}:{HASHED}\n")
    with served(found.stdout.strip(), GUARDED.format(file=file)) as address:
        yield address


@pytest.fixture(scope="module")
def team(guarded: str, second_engine: SecondEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    second_engine.reach(guarded)
    name = f"lt-ci-{uuid.uuid4().hex[:8]}"
    crate = Crate(folder / "work", name)
    config = CONFIG.format(name=name, address=guarded)
    files = {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK, "src/main.rs": MAIN, "layerdoit.yaml": config, "dodo.py": DODO}
    for path, text in {**files, ".gitignore": ".layerdoit/\n.doit.db*\n__pycache__/\ntarget/\n"}.items():
        crate.write(path, text)
    git(crate.folder, "init", "--quiet", "--initial-branch=main")
    for system in ("github", "gitlab"):
        crate.doit("layers", "ci", system).ok()
    origin = folder / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(origin)], check=True)
    git(crate.folder, "add", "--all")
    git(crate.folder, "commit", "--quiet", "--message", "first")
    git(crate.folder, "remote", "add", "origin", f"file://{origin}")
    git(crate.folder, "tag", "v1.2.0")
    git(crate.folder, "push", "--quiet", "origin", "main", "v1.2.0")

    shared = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(ci_runner.wheels(folder))}
    contexts = {"secrets.REGISTRY_USER": USER, "secrets.REGISTRY_TOKEN": PASSWORD}

    def machine(name: str, **engine: str) -> Runner:
        own = folder / name
        own.mkdir()
        plain = {key: value for key, value in os.environ.items() if not key.startswith(("LAYERDOIT", "PYTHON"))}
        return Runner(origin, own, {**plain, **shared, **engine, "DOCKER_CONFIG": str(own / "docker")}, contexts)

    yield Team(crate, origin, guarded, machine("machine"), machine("other", DOCKER_HOST=second_engine.host))
    crate.doit("cache_clear:nuke", "--yes")
    for image in set(crate.images().values()):
        docker("image", "rm", "--force", image)


def test_the_base_is_built_by_one_machine(team: Team) -> None:
    team.machine.github("layers-base", "base")
    assert {"base", "runtime"} <= team.tags()
    assert "Image layers" in team.machine.summary
    assert PASSWORD not in "".join(team.machine.said.values())


def test_another_machine_takes_it_tests_and_builds(team: Team) -> None:
    team.other.github("layers-build", "build")
    said = team.other.said
    assert "\nbase    pull  " in said["Test"]
    assert "base    build " not in said["Test"] + said["Build"]
    assert "app" in team.tags()
    assert "Image layers" in team.other.summary


def test_a_third_job_publishes_the_version_of_the_tag(team: Team) -> None:
    team.other.github("layers-publish", "publish", ref="v1.2.0")
    assert {"1.2.0", "1.2", "latest"} <= team.tags()
    assert "hello 1.2.0" in team.other.said["Publish"]
    assert "app     built" not in team.other.said["Publish"]


def test_the_registry_is_cleaned_after_a_rehearsal(team: Team) -> None:
    before = team.tags()
    team.other.github("layers-registry", "registry")
    assert team.other.said["What would be removed"]
    assert team.tags() == before, "nothing is a day old"


def test_jobs_of_gitlab(team: Team) -> None:
    clone = team.other.gitlab("layers:build", REGISTRY_USER=USER, REGISTRY_TOKEN=PASSWORD)
    said = team.other.said["layers:build"]
    assert "this tree passed before" in said
    assert "not built before" not in said, "another clone of this commit was built on this machine"
    assert "Image layers" in (clone / "layers-report.md").read_text()
    assert "<html" in (clone / "layers-report.html").read_text()
