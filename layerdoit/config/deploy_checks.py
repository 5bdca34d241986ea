"""Settings of a deployment that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from layerdoit.config.deploy_section import Deploy

_NAMELESS: Final = ("bridge", "default", "host", "none")
"""Networks of the engine in which containers do not find one another by name."""


class Contradiction(NamedTuple):
    """`path`: the setting that cannot be as it is."""

    path: str
    problem: str
    hint: str


def contradictions(deploy: Deploy) -> Iterator[Contradiction]:
    """What cannot be, in the order of the settings."""
    health = deploy.health
    if deploy.publish is not None and deploy.port is None:
        problem = "deploy.publish needs deploy.port, the port that the service listens on"
        yield Contradiction("deploy.publish", problem, "set deploy.port")
    for name in ("status", "text"):
        if getattr(health, name) not in (None, ()) and health.path is None:
            problem = f"deploy.health.{name} is about the answer to a request, and there is no deploy.health.path"
            yield Contradiction(f"deploy.health.{name}", problem, "say what is requested: deploy: {health: {path: /}}")
    if deploy.provider != "docker":
        return
    for name in ("path", "tcp"):
        if getattr(health, name) and deploy.port is None:
            problem = f"deploy.health.{name} needs deploy.port, the port that the service listens on"
            yield Contradiction(f"deploy.health.{name}", problem, "set deploy.port, or check it by command or log")
    if deploy.gap == "none" and deploy.port is None:
        problem = "deploy.gap: none needs deploy.port: without a port nobody waits for an answer"
        yield Contradiction("deploy.gap", problem, "set deploy.port, or remove deploy.gap")
    if deploy.gap == "none" and deploy.network in _NAMELESS:
        problem = f"deploy.gap: none finds the container by its name, which the network {deploy.network} has not"
        yield Contradiction("deploy.gap", problem, "remove deploy.network, or make one: docker network create NAME")
