"""A deployment to the app of the tests, and as a program of its own, so that a test can kill it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from layerdoit.config import Config, Deploy, Health
from layerdoit.config.deploy_section import Azure
from layerdoit.deploy.azure import az
from layerdoit.deploy.azure.container_app import AzureProvider
from layerdoit.deploy.provider import Release
from layerdoit.deploy.settings import DeploySettings
from tests.support.arm_server import GROUP, SUBSCRIPTION


def settings(folder: Path, **changes: Any) -> DeploySettings:
    """The settings of a deployment, as a user would write them."""
    health = Health(**{"path": "/", "timeout": 10, **changes.pop("health", {})})
    place = {"subscription": SUBSCRIPTION, "resource_group": GROUP, "app": "web", "deadline": 30.0}
    azure = Azure(**{**place, **changes.pop("azure", {})})
    config = Deploy(**{"provider": "azure-container-apps", "health": health, "azure": azure, **changes})
    return DeploySettings(config, "web", "web", folder, environment="prod", whole=Config(deploy=config))


def main(text: str) -> None:
    """Deploy what the text says, without pauses."""
    asked = json.loads(text)
    az.PAUSE = 0.05
    done = AzureProvider(settings(Path(asked["folder"]), **asked["changes"])).deploy(Release(**asked["release"]))
    if done.error is not None:
        sys.exit(f"{type(done.error).__name__}: {done.error}")


if __name__ == "__main__":
    main(sys.argv[1])
