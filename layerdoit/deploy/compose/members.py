"""The containers of our service at one moment, and what an interrupted replacement left of them. Pure.

Names say how far a replacement has come: `<name>-back` stopped so that the new one could start, and comes back unless
that one becomes healthy; `<name>-old` has been replaced for good. A label says which containers were started together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from layerdoit.engine.images import PREFIX, label

BACK: Final = "-back"
OLD: Final = "-old"
TRY: Final = "-try"

PROJECT: Final = "com.docker.compose.project"
SERVICE: Final = "com.docker.compose.service"
ONE_OFF: Final = "com.docker.compose.oneoff"
HASH: Final = "com.docker.compose.config-hash"
ATTEMPT: Final = "attempt"


@dataclass(frozen=True)
class Member:
    """One container. `state`: as the engine calls it; `attempt`: which deployment of ours started it, '' for none."""

    id: str
    name: str
    state: str
    created: int
    labels: Mapping[str, str]
    image: str = ""
    image_name: str = ""
    status: str = ""

    @classmethod
    def of(cls, listed: Mapping[str, Any]) -> Member:
        """Of the engine's list."""
        name = str((listed.get("Names") or [listed["Id"][:12]])[0]).lstrip("/")
        return cls(
            listed["Id"],
            name,
            str(listed.get("State") or ""),
            int(listed.get("Created") or 0),
            listed.get("Labels") or {},
            str(listed.get("ImageID") or ""),
            str(listed.get("Image") or ""),
            str(listed.get("Status") or ""),
        )

    @property
    def attempt(self) -> str:
        return label(self.labels, ATTEMPT)

    @property
    def running(self) -> bool:
        return self.state == "running"

    @property
    def plain_name(self) -> str:
        """Its name without what says how far a replacement has come."""
        for end in (BACK, OLD, TRY):
            if self.name.endswith(end):
                return self.name.removesuffix(end)
        return self.name


@dataclass(frozen=True)
class Settled:
    """Who is to serve, and what has to be done for that. `back`: to be started again; `gone`: to be removed."""

    serving: tuple[Member, ...] = ()
    back: tuple[Member, ...] = ()
    gone: tuple[Member, ...] = ()


def settled(there: Sequence[Member]) -> Settled:
    """What to do so that one release serves: the new one if it was healthy, else the old one."""
    tries = tuple(one for one in there if label(one.labels, "role") == "candidate")
    rest = sorted((one for one in there if one not in tries), key=lambda one: (one.created, one.attempt))
    attempt = rest[-1].attempt if rest else ""
    fresh = tuple(one for one in rest if attempt and one.attempt == attempt)
    former = tuple(one for one in rest if one not in fresh)
    replaced = any(one.name.endswith(OLD) for one in former)
    if fresh and former and replaced:
        return Settled(fresh, gone=(*tries, *former))
    if fresh and former:
        return Settled(former, tuple(one for one in former if one.name.endswith(BACK)), (*tries, *fresh))
    only = fresh or former
    never = tuple(one for one in only if one.attempt and one.state == "created")
    kept = tuple(one for one in only if one not in never)
    return Settled(kept, tuple(one for one in kept if one.name.endswith((BACK, OLD))), (*tries, *never))


def up_to_date(there: Sequence[Member], wanted: str, image: str, replicas: int, *, once: bool) -> bool:
    """Whether docker compose would leave the containers of another service alone.

    `wanted`: the hash of its settings; `image`: what its image is called. The engine lists no name of an image that has
    lost it to another one.
    """
    if any((one.labels.get(HASH), one.image_name) != (wanted, image) for one in there):
        return False
    if once:
        return len(there) == 1 and there[0].state == "exited" and there[0].status.startswith("Exited (0)")
    return len(there) == replicas and all(
        one.running and "(unhealthy)" not in one.status and "health: starting" not in one.status for one in there
    )


def ours(project: str, deployment: str) -> dict[str, str]:
    """The labels by which the containers of a deployment are found."""
    return {PREFIX + "project": project, PREFIX + "deployment": deployment}
