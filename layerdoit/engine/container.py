"""A container as the engine describes it, what is to be created, and what can go wrong with either."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from layerdoit.core.errors import DeployError
from layerdoit.engine.images import label

PARTS: Final = ("", "-next", "-old", "-try")
"""What follows the name of a deployment in the names of its containers; a rename says how far it has come."""


@dataclass(frozen=True)
class Container:
    """One container as the engine describes it. `networks`: name -> address; `ports`: container -> host side.

    `ended_at`: when it ended last, before it was started again; `env`: what it was started with; `out_of_memory`:
    whether that is what it was killed for. `health`: what the engine says by the HEALTHCHECK that it has ("" for none),
    and `health_said`: what that printed last. `restart`: the engine's policy for when it ends; `restarts`: how often it
    was started again by that. `image`: the id of its image. `check`: the test of its HEALTHCHECK, as it is written.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    state: str
    exit_code: int
    networks: Mapping[str, str]
    ports: Mapping[int, tuple[str, int]]
    started_at: str = ""
    ended_at: str = ""
    pid: int = 0
    env: Mapping[str, str] = field(default_factory=dict, compare=False)
    out_of_memory: bool = False
    health: str = ""
    health_said: str = field(default="", compare=False)
    restart: str = "no"
    restarts: int = field(default=0, compare=False)
    image: str = field(default="", compare=False)
    check: tuple[str, ...] = field(default=(), compare=False)

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def attached(self) -> bool:
        """Whether it is on the networks that it serves on."""
        return all(network in self.networks for network in self.own_networks)

    @property
    def own_networks(self) -> tuple[str, ...]:
        """The network that it serves on, and those of what it needs."""
        return (self.label("network"), *filter(None, self.label("joined").split(",")))

    def label(self, name: str) -> str:
        """The value of `io.layerdoit.<name>`, or ''."""
        return label(self.labels, name)


_HOLDING: Final = ("running", "paused", "restarting")


@dataclass(frozen=True)
class Spec:
    """What to create. `publish`: host port, 0 for any free one, None for none. `memory`: bytes.

    `restart`: the policy from its creation on; a candidate has none. `joined`: networks of what it needs, too.
    `init`: whether it gets an init process, if the engine has one. `entrypoint`: what takes the place of the image's
    entry point, and of its command.
    """

    name: str
    image: str
    network: str
    labels: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    port: int | None = None
    publish: int | None = None
    bind: str = "127.0.0.1"
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    stop_grace: float = 3
    memory: int | None = None
    cpus: float | None = None
    restart: str = "no"
    joined: tuple[str, ...] = ()
    init: bool = True


class PortTaken(DeployError):
    """The engine cannot bind a published port."""


class Refused(DeployError):
    """The engine refuses to create or start a container as it is asked to. `text`: its own words."""

    def __init__(self, text: str) -> None:
        super().__init__(f"the engine could not start the container: {text}")
        self.text = text


class NoNetwork(DeployError):
    """The engine cannot make a network; by default it has addresses for some thirty."""

    next_step = "docker network prune removes those that no container uses; deploy.network joins one that is there"


class NameTaken(DeployError):
    """A container of another deployment, or not ours, has the name."""


def strays(there: Iterable[Container], name: str) -> list[Container]:
    """Running containers of a deployment that serve under a name of their own, the last started first."""
    ours = {name + part for part in PARTS}
    found = [one for one in there if one.running and one.name not in ours and one.label("role") == "serving"]
    return sorted(found, key=lambda one: one.started_at, reverse=True)


def name_taken(name: str) -> NameTaken:
    """The error for a name that another container has."""
    return NameTaken(
        f"the container name {name} is taken by a container that does not belong to this deployment",
        hint=f"set deploy.name to another name, or remove that container (docker rm -f {name})",
    )


def health_test(test: Sequence[str]) -> tuple[str, ...] | None:
    """The command of a health check, as it is written in an image or a container; None for none."""
    if not test or test[0] == "NONE":
        return None
    kind, *words = map(str, test)
    return ("/bin/sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words)


def described(raw: Mapping[str, Any]) -> Container:
    settings = raw["NetworkSettings"]
    # Of one that ended together with its engine, the engine still lists the ports that it had.
    listed = settings.get("Ports") or {} if raw["State"]["Status"] in _HOLDING else {}
    ports = {
        int(port.partition("/")[0]): (bound[0]["HostIp"], int(bound[0]["HostPort"]))
        for port, bound in listed.items()
        if bound
    }
    checked = raw["State"].get("Health") or {}
    policy = (raw.get("HostConfig") or {}).get("RestartPolicy") or {}
    return Container(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        labels=raw["Config"].get("Labels") or {},
        state=raw["State"]["Status"],
        exit_code=int(raw["State"]["ExitCode"]),
        networks={name: attached.get("IPAddress", "") for name, attached in (settings.get("Networks") or {}).items()},
        ports=ports,
        started_at=raw["State"].get("StartedAt", ""),
        ended_at="" if (ended := raw["State"].get("FinishedAt", "")).startswith("0001-") else ended,
        pid=int(raw["State"].get("Pid") or 0),
        env=dict(one.split("=", 1) for one in raw["Config"].get("Env") or () if "=" in one),
        out_of_memory=bool(raw["State"].get("OOMKilled")),
        health="" if checked.get("Status") == "none" else checked.get("Status", ""),
        health_said=next((str(one.get("Output", "")) for one in reversed(checked.get("Log") or ())), "").strip(),
        restart=policy.get("Name") or "no",
        restarts=int(raw.get("RestartCount") or 0),
        image=str(raw.get("Image") or ""),
        check=tuple((raw["Config"].get("Healthcheck") or {}).get("Test") or ()),
    )
