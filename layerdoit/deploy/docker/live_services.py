"""What a provider with containers on the engine does for a watch: `KeepsLive`, for one container."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from layerdoit.core.errors import DeployError
from layerdoit.deploy import supervision
from layerdoit.deploy.docker import restarted
from layerdoit.deploy.provider import LiveService
from layerdoit.engine import live_volumes

if TYPE_CHECKING:
    from layerdoit.deploy.docker.health import Health
    from layerdoit.engine.container import Container
    from layerdoit.engine.containers import Containers


class LiveServices:
    """The live containers of one deployment. `health`: how it is judged."""

    def __init__(self, containers: Containers, health: Health) -> None:
        self._containers = containers
        self._health = health
        self._seen: dict[str, Container] = {}

    def of(self, container: Container | None, url: str | None, grace: float) -> LiveService | None:
        """A container as a watch has it; None where it is no live one, or does not run."""
        if container is None or not container.running or not (token := supervision.token_of(container.labels)):
            return None
        # What is asked of the engine now is not asked while nobody answers.
        self._seen[container.id] = container
        if self._health.checks.asks_port(container):
            _ = self._health.direct
        watch, key = live_volumes.of_watch(container.labels), container.label("key")
        return LiveService(container.id, container.name, token, watch, key, url, grace)

    def judge(self, service: LiveService, ended: Callable[[], str | None]) -> None:
        """See `KeepsLive`."""
        restarted.wait(self._health, self._containers, service.id, ended, self._seen.get(service.id))

    def place(self, service: LiveService, archive: bytes) -> None:
        """See `KeepsLive`."""
        self._containers.fill(self._there(service), "/", io.BytesIO(archive))

    def gone(self, service: LiveService, paths: Sequence[str]) -> None:
        """See `KeepsLive`."""
        if paths:
            self._containers.remove_files(self._there(service), paths)

    def _there(self, service: LiveService) -> Container:
        found = self._containers.inspect(service.id)
        if found is None or not found.running:
            raise DeployError(f"{service.name} does not run any more", hint="doit cycle_fast")
        return found
