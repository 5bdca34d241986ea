"""A release in a registry, by its digest: with a login and TLS, as companies have it."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from layerdoit import deploy as providers
from layerdoit.build import release_push
from layerdoit.core.errors import ConfigError, DeployError, EngineError
from layerdoit.deploy.provider import Deployed, Release, Service
from layerdoit.engine import registry as engine_registry
from layerdoit.flows import release_keeping
from layerdoit.flows.session import Session
from layerdoit.layers.key import Spec
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.engine.registry_fixture import ROOT, docker, served

USER, PASSWORD = "builder", "hunter2word"
HASHED = "$2b$05$pTG21NJkHWJwEoSfF0dKNuFEfvX1qHgszb1p1BKojkLrKt/auhsMG"
GUARDED = """\
  tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}
auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}
"""


class Guarded(NamedTuple):
    """A registry that wants a login. `environment`: with it, docker is logged in."""

    address: str
    logins: Path


@pytest.fixture(scope="module")
def guarded(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    found = subprocess.run([ROOT / "scripts/ensure-registry"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip() or "no image registry to test with")
    folder = tmp_path_factory.mktemp("guarded")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext {names}".split()
    paths = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(["openssl", *words, *paths], check=True, capture_output=True)
    (folder / "htpasswd").write_text(f"{USER}:{HASHED}\n")
    with served(found.stdout.strip(), GUARDED.format(folder=folder), "https") as address:
        yield Guarded(address, folder / "logins")


class Image(NamedTuple):
    """An image with a keyed tag, and its id."""

    spec: Spec
    id: str


@pytest.fixture
def image(docker_engine: Any, tmp_path: Path) -> Iterator[Image]:
    name = f"lt-push-{uuid.uuid4().hex[:8]}"
    (tmp_path / "word").write_text(name)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY word /\n")
    spec = Spec.of_key("app", uuid.uuid4().hex * 2, name)
    words = ["buildx", "build", "--quiet", "--load", "--provenance=false", "--tag", spec.tag, str(tmp_path)]
    yield Image(spec, docker(*words))
    for tag in docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name).split():
        docker("image", "rm", "--force", tag)


def project(folder: Path, repository: str) -> Project:
    (folder / "layerdoit.yaml").write_text(
        f"project: {uuid.uuid4().hex[:8]}\nregistry: {{repository: '{repository}'}}\n"
        "deploy: {provider: command, command: {deploy: 'true'}}\n"
    )
    return Project.open(folder, {})


def test_a_release_is_pushed_once_and_found_by_its_digest(
    guarded: Guarded, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = f"{guarded.address}/team/{image.spec.repository}"
    shop = project(tmp_path, repository)
    monkeypatch.setenv("DOCKER_CONFIG", str(guarded.logins))
    with pytest.raises(EngineError, match=r"no basic auth|denied|unauthorized") as refused:
        release_push.push(shop, image.spec, image.id)
    assert "docker login" in str(refused.value.hint)
    docker("login", "--username", USER, "--password", PASSWORD, guarded.address)
    sent = release_push.push(shop, image.spec, image.id)
    assert sent.reference == f"{repository}@{sent.digest}"
    assert sent.seconds > 0
    again = release_push.push(shop, image.spec, image.id)
    assert again == release_push.Pushed(sent.reference, sent.digest)

    # By its digest, it is the very image that was built here.
    docker("pull", "--quiet", sent.reference)
    assert docker("image", "inspect", "--format", "{{.Id}}", sent.reference) == image.id
    docker("image", "rm", sent.reference)
    assert docker("image", "ls", "--quiet", repository) == "", "this engine keeps no name of the registry's"


def test_a_registry_that_does_not_answer(image: Image, tmp_path: Path) -> None:
    shop = project(tmp_path, "127.0.0.1:9/team/shop")
    with pytest.raises(EngineError, match="refused"):
        release_push.push(shop, image.spec, image.id)


def test_without_a_registry_there_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "layerdoit.yaml").write_text("project: x\ndeploy:\n  provider: kubernetes\n")
    with pytest.raises(ConfigError, match=r"registry\.repository is not set") as caught:
        release_push.repository_of(Project.open(tmp_path, {}))
    assert caught.value.where == "layerdoit.yaml:3"


def test_a_release_that_the_registry_has_no_more_cannot_be_restored(
    registry: Any, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    shop = project(tmp_path, f"{registry.address}/team/{image.spec.repository}")
    sent = release_push.push(shop, image.spec, image.id)
    settings = providers.settings_of(shop)
    session, provider = Session(Run(), shop), providers.provider_with(settings)
    release = Release(sent.reference, image.spec.key, sent.digest, "dev", id="1")
    done = Deployed(Service("x", "x", image.spec.key, running=True), (("command", 0.1),))
    entry = release_keeping.entry(session, settings, release, done, image=image.id, at=0.0)
    assert release_keeping.there(session, provider, entry) == release
    assert not engine_registry.has_digest(sent.reference.partition("@")[0], f"sha256:{'0' * 64}")
    gone = sent.digest.replace(sent.digest[-8:], "0" * 8)
    lost = replace(entry, digest=gone, reference=sent.reference.replace(sent.digest, gone))
    with pytest.raises(DeployError, match=r"release 1 cannot be restored: .* no longer has"):
        release_keeping.there(session, provider, lost)
