"""What the tests of Azure share: Resource Manager on the loopback address, an app in it, images, and az."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from layerdoit.deploy.azure.container_app import AzureProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from tests.engine.deploy.conftest import SERVER
from tests.engine.registry_fixture import Registry, docker
from tests.engine.static_program import program
from tests.support.arm_server import GROUP, SUBSCRIPTION, Arm, arm_server
from tests.support.azure_deploying import settings
from tests.support.ports import PORT

ROOT: Final = Path(__file__).resolve().parents[3]
PLACE: Final = ("--subscription", SUBSCRIPTION, "--resource-group", GROUP)
NO_ENV: Final[Mapping[str, str]] = {}
MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class Cloud:
    """A container app `web`, and the releases that can be deployed to it, by what their servers answer."""

    arm: Arm
    releases: dict[str, Release]
    folder: Path
    changes: dict[str, Any] = field(default_factory=dict)

    def settings(self, **changes: Any) -> DeploySettings:
        """The settings of a deployment."""
        return settings(self.folder, **changes)

    def provider(self, **changes: Any) -> AzureProvider:
        """A provider as a user's settings make it."""
        return AzureProvider(self.settings(**changes))

    def create(self, release: str, suffix: str = "first") -> None:
        """Let the app run an image that layerdoit did not deploy."""
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.App"
        container = {"name": "web", "image": self.releases[release].reference}
        ingress = {"external": True, "targetPort": PORT}
        properties = {
            "managedEnvironmentId": f"{group}/managedEnvironments/env",
            "configuration": {"activeRevisionsMode": "Multiple", "ingress": ingress},
            "template": {"containers": [container], "revisionSuffix": suffix},
        }
        identity = f"{group}/containerApps/web"
        body = {"location": "West Europe", "properties": properties}
        operation = self.arm.apps.put("web", identity, body)
        ends = time.monotonic() + 60
        while self.arm.apps.operations[operation]["status"] == "InProgress":
            assert time.monotonic() < ends
            time.sleep(0.01)
        assert self.arm.apps.operations[operation]["status"] == "Succeeded", self.arm.apps.operations[operation]

    @property
    def answers(self) -> tuple[int, str]:
        """What users of the app get."""
        return self.arm.ask("web")

    def active(self) -> list[str]:
        """The revisions that run."""
        return [one.name for one in self.arm.apps.find("web").revisions.values() if one.active]

    def traffic(self) -> dict[str, int]:
        """Revision -> weight, of those that have any."""
        return {name: weight for name, weight in self.arm.apps.find("web").weights().items() if weight}


@pytest.fixture(scope="session")
def releases(
    docker_engine: Any, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Release]]:
    """Servers of one file in images, in a registry: three good ones, one that ends at once, and a sick one."""
    server = program(SERVER, tmp_path_factory.mktemp("server") / "server")
    docker_name = f"az-{uuid.uuid4().hex[:8]}"
    found: dict[str, Release] = {}
    packed = server.parent / "server.tar"
    subprocess.run(["tar", "-C", str(server.parent), "-cf", str(packed), "server"], check=True)
    for name, env in {"1": "", "2": "", "3": "", "broken": "EXIT=3", "sick": "SICK=yes"}.items():
        words = ["--change", 'ENTRYPOINT ["/server"]', "--change", f"ENV VERSION={name} {env}"]
        image = docker("import", *words, str(packed), f"{docker_name}:{name}")
        reference = registry.push(f"{docker_name}:{name}", f"{docker_name}:{name}")
        digest = _digest(registry, docker_name, name)
        key = uuid.uuid5(uuid.NAMESPACE_OID, name).hex
        repository = reference.rpartition(":")[0]
        found[name] = Release(f"{repository}@{digest}", key, digest, "prod", f"{name * 40}"[:40], name)
        docker("image", "rm", "--force", f"{docker_name}:{name}")
        assert image
    yield found
    for one in found.values():
        subprocess.run(["docker", "image", "rm", "--force", one.reference], capture_output=True, check=False)


def _digest(registry: Registry, repository: str, tag: str) -> str:
    url = f"http://{registry.address}/v2/{repository}/manifests/{tag}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": MANIFEST}), timeout=10) as answer:
        return str(answer.headers["Docker-Content-Digest"])


@pytest.fixture(scope="session")
def real_az(arm: Arm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the real `az` asks the server of the tests, and is logged in there."""
    found = subprocess.run([ROOT / "scripts/ensure-az"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip() or "no Azure CLI to test with")
    folder = tmp_path_factory.mktemp("az")
    (folder / "bin").mkdir()
    (folder / "bin/az").symlink_to(found.stdout.strip())
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "AZURE_CONFIG_DIR": str(folder / "config"),
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "REQUESTS_CA_BUNDLE": str(arm.certificate),
    }
    endpoints = {
        name: f"{arm.url}{path}"
        for name, path in {
            "resourceManager": "/",
            "activeDirectory": "/adfs",
            "activeDirectoryResourceId": "/",
            "management": "/",
            "activeDirectoryGraphResourceId": "/graph/",
        }.items()
    }
    (folder / "cloud.json").write_text(json.dumps({"endpoints": endpoints}))
    for words in (
        ("cloud", "register", "-n", "lab", "--skip-endpoint-discovery", "--cloud-config", f"@{folder / 'cloud.json'}"),
        ("cloud", "set", "-n", "lab"),
        ("login", "--service-principal", "-u", "a", "-p", "s", "--tenant", "adfs"),
    ):
        az(*words, environment=environment)
    return environment


def az(*words: str, environment: Mapping[str, str] = NO_ENV) -> str:
    """`az …`, which must succeed."""
    done = subprocess.run(
        ["az", *words], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def quick_az(arm: Arm, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which something that answers as az does asks the server of the tests."""
    folder = tmp_path_factory.mktemp("quick")
    script = folder / "az"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S {ROOT / "tests/support/quick_az.py"} "$@"\n')
    script.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "ARM_URL": arm.url}


@pytest.fixture(scope="session")
def arm(docker_engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arm]:
    """Resource Manager on the loopback address."""
    with arm_server(tmp_path_factory.mktemp("arm")) as server:
        yield server


@pytest.fixture
def cloud(arm: Arm, releases: dict[str, Release], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An app of its own for each test, which runs an image that layerdoit did not deploy."""
    monkeypatch.setenv("SSL_CERT_FILE", str(arm.certificate))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    one = Cloud(arm, releases, tmp_path)
    one.create("1")
    arm.asked.clear()
    yield one
    arm.reset()


def at(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Let az be the one of this environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
