"""Remove tags, never by force; the engine removes an image with its last tag. And remove untagged images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from layerdoit.engine.api import client, connect
from layerdoit.engine.images import PREFIX, label
from layerdoit.engine.ownership import ANYONE, FOLDER, LABEL, Owner

How = Literal["running", "deployed", "stopped"]


@dataclass(frozen=True)
class Holder:
    """Something made from an image, usually a container. `deployed`: by us, running or not."""

    name: str
    how: How


@dataclass(frozen=True)
class DeployedContainer:
    """A container of ours, running or not. `image`: the id of its image; `key`: that of the app layer."""

    name: str
    image: str
    key: str


@dataclass(frozen=True)
class Untagged:
    """The result for one tag. `refused`: why it still exists, '' if it does not."""

    tag: str
    refused: str = ""


def holders() -> Mapping[str, tuple[Holder, ...]]:
    """Image id -> the containers made from it, including those that are not ours."""
    found: dict[str, tuple[Holder, ...]] = {}
    for item in connect().get("/containers/json", {"all": True}) or ():
        deployed = PREFIX + "deployment" in (item.get("Labels") or {})
        how: How = "deployed" if deployed else "running" if item.get("State") == "running" else "stopped"
        found[item["ImageID"]] = (*found.get(item["ImageID"], ()), Holder(_name(item), how))
    return found


def deployed(project: str, deployment: str) -> tuple[DeployedContainer, ...]:
    """The containers of one deployment."""
    labels = [f"{PREFIX}project={project}", f"{PREFIX}deployment={deployment}"]
    answer = connect().get("/containers/json", {"all": True, "filters": {"label": labels}})
    return tuple(
        DeployedContainer(_name(item), item["ImageID"], item["Labels"].get(PREFIX + "key", "")) for item in answer or ()
    )


def _name(listed: Mapping[str, Any]) -> str:
    return str((listed.get("Names") or [listed["Id"][:12]])[0]).lstrip("/")


def untag(project: str, wanted: Iterable[tuple[str, str]], owner: Owner = ANYONE) -> list[Untagged]:
    """Remove (tag, image id) pairs. A tag that moved to another image, or is another project's, stays."""
    from docker.errors import APIError, ImageNotFound

    done = []
    with client() as engine:
        for tag, image_id in wanted:
            try:
                image = engine.images.get(tag)
                if image.id != image_id or not _is_of(image.labels, project, owner):
                    done.append(Untagged(tag, "it belongs to another image now"))
                    continue
                # `noprune`: parents without a tag are not ours to judge.
                engine.images.remove(tag, force=False, noprune=True)
            except ImageNotFound:
                pass
            except APIError as error:
                done.append(Untagged(tag, str(error.explanation or error)))
                continue
            done.append(Untagged(tag))
    return done


@dataclass(frozen=True)
class Deployment:
    """A container of ours, running or not. `folder`: where it was deployed from; `marks`: whose, as its label says;
    `settings`: which ones described it."""

    id: str
    name: str
    deployment: str
    folder: str
    marks: str
    running: bool
    settings: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        """Whether it is the one that is to serve: not one that was tried, and not what stands before it."""
        return label(self.labels, "role") == "serving"


def deployments(project: str) -> tuple[Deployment, ...]:
    """The containers of all deployments of projects of this name."""
    labels = [f"{PREFIX}project={project}", f"{PREFIX}deployment"]
    answer = connect().get("/containers/json", {"all": True, "filters": {"label": labels}})
    return tuple(
        Deployment(
            item["Id"],
            _name(item),
            label(item["Labels"], "deployment"),
            label(item["Labels"], FOLDER),
            label(item["Labels"], LABEL),
            item.get("State") == "running",
            label(item["Labels"], "settings"),
            item["Labels"],
        )
        for item in answer or ()
    )


def _is_of(labels: Mapping[str, str], project: str, owner: Owner) -> bool:
    return labels.get(PREFIX + "project") == project and owner.owns(labels)


def remove_untagged(project: str, image_id: str, owner: Owner = ANYONE) -> str:
    """Remove an image that has lost its tags; returns why it still exists, '' if it does not."""
    from docker.errors import APIError, ImageNotFound

    with client() as engine:
        try:
            image = engine.images.get(image_id)
            # By its id, the engine removes also what has one tag.
            if image.tags or not _is_of(image.labels, project, owner):
                return "it has a tag again" if image.tags else "it belongs to another project"
            # Without force: the engine refuses what a container needs.
            engine.images.remove(image_id, force=False, noprune=True)
        except ImageNotFound:
            pass
        except APIError as error:
            return str(error.explanation or error)
    return ""
