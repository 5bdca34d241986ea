"""A compose project of a test, its deployment, and what there is on the engine afterwards."""

from __future__ import annotations

import json
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerdoit.config import Deploy, Health
from layerdoit.config.deploy_section import Compose
from layerdoit.deploy.compose.service_deployment import ComposeProvider
from layerdoit.deploy.provider import Deployed, Release
from layerdoit.deploy.settings import DeploySettings

CHECKED = """
    healthcheck: {test: [CMD, /server, check], interval: 1s}
"""


def compose_answers() -> None:
    """Skip where there is no `docker compose`: scripts/ensure-compose installs it."""
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no docker compose")


@dataclass
class Project:
    name: str
    root: Path
    image: str
    engine: Any

    def write(self, text: str, name: str = "compose.yaml") -> None:
        """A compose file; IMAGE stands for the server's."""
        body = textwrap.dedent(text).replace("IMAGE", self.image)
        (self.root / name).write_text(f"name: {self.name}\n{body}", encoding="utf-8")

    def make(self, version: str = "1", **changes: Any) -> ComposeProvider:
        env = {"VERSION": version, **changes.pop("env", {})}
        health = Health(**{"timeout": 8, **changes.pop("health", {})})
        compose = Compose(**changes.pop("compose", {}))
        others = {key: changes.pop(key) for key in ("where", "environment", "pages", "live") if key in changes}
        name = changes.pop("deployment", self.name)
        config = Deploy(provider="compose", env=env, health=health, compose=compose, **changes)
        return ComposeProvider(DeploySettings(config, name, self.name, self.root, source="layerdoit.yaml", **others))

    def go(self, version: str = "1", key: str = "", **changes: Any) -> Deployed:
        return self.make(version, **changes).deploy(Release(self.image, key or f"k{version}"))

    def compose(self, *words: str) -> str:
        """As the user types it."""
        done = subprocess.run(["docker", "compose", *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout

    def containers(self, service: str = "") -> dict[str, Any]:
        """Name -> container, including stopped ones."""
        labels = [f"com.docker.compose.project={self.name}"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        found = self.engine.containers.list(all=True, filters={"label": labels})
        return {one.name: one for one in found}

    def running(self) -> list[str]:
        """The services that `docker compose ps` shows."""
        lines = self.compose("ps", "--format", "json").splitlines()
        return sorted(json.loads(line)["Service"] for line in lines)

    def version(self, service: str = "web") -> str:
        """Of the one container of a service."""
        (one,) = self.containers(service).values()
        assert one.status == "running"
        return next(str(item.partition("=")[2]) for item in one.attrs["Config"]["Env"] if item.startswith("VERSION="))
