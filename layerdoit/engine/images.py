"""Images: which exist, and what their labels say. Every image query goes through here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from layerdoit.engine.api import Api
from layerdoit.engine.layer_sizes import Made
from layerdoit.layers.key import ORDER, TAG_DIGITS

PREFIX = "io.layerdoit."
UNPACKED: Final = "unpacked"
"""The origin of such a system, in the label that an image inherits from what it is made from."""


def label(labels: Mapping[str, str], name: str) -> str:
    """The value of our label `io.layerdoit.<name>`, or ''."""
    return labels.get(PREFIX + name, "")


def labels_of(described: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels in the engine's description of an image."""
    return (described.get("Config") or {}).get("Labels") or {}


def is_unpacked(labels: Mapping[str, str]) -> bool:
    """Whether an image is, or stands on, a system none of whose packages' scripts was run."""
    return label(labels, "origin") == UNPACKED


def fits(tag: str, labels: Mapping[str, str]) -> bool:
    """Whether an image with these labels is what its tag says: somebody may have put the tag on another by hand."""
    layer, dash, key = tag.rpartition(":")[2].partition("-")
    if not dash or layer not in ORDER or not re.fullmatch(rf"[0-9a-f]{{{TAG_DIGITS}}}", key):
        return True
    return label(labels, "layer") == layer and label(labels, "key").startswith(key)


class Image(NamedTuple):
    """An image of ours. `created`: seconds since 1970. `size`: bytes, shared layers included."""

    id: str
    tags: tuple[str, ...]
    labels: Mapping[str, str]
    created: int
    size: int

    def label(self, name: str) -> str:
        """The value of `io.layerdoit.<name>`, or ''."""
        return label(self.labels, name)

    @property
    def keyed_tag(self) -> str | None:
        """The tag with its key. An image without it is not a layer, but built FROM one, whose labels it inherits."""
        end = f":{self.label('layer')}-{self.label('key')[:TAG_DIGITS]}"
        return next((tag for tag in self.tags if tag.endswith(end)), None)

    @property
    def inputs(self) -> Mapping[str, str]:
        """The inputs that the image's label lists; empty if there are none."""
        try:
            return dict(json.loads(self.label("inputs") or "{}"))
        except ValueError:
            return {}


class Images:
    """The images of one engine."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._listed: dict[str, list[Image]] = {}

    def inspect(self, reference: str) -> Mapping[str, Any] | None:
        """The engine's description of an image; None if it does not exist."""
        answer = self._api.get(f"/images/{quote(reference, safe='/:@')}/json")
        return answer if isinstance(answer, dict) else None

    def labels(self, tags: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """The labels of the tags that exist. A tag with a key on an image of another one is not there: see `fits`."""
        return {tag: labels_of(described) for tag, described in self.described(tags).items()}

    def described(self, tags: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """The same with all that the engine says of them."""
        found = {tag: self.inspect(tag) for tag in tags}
        return {tag: one for tag, one in found.items() if one is not None and fits(tag, labels_of(one))}

    def of_project(self, project: str) -> list[Image]:
        """Every image with this project's label, newest first."""
        self._listed[project] = self.labelled("project", project)
        return self._listed[project]

    def labelled(self, name: str, value: str) -> list[Image]:
        """Every image whose label `io.layerdoit.<name>` has this value, newest first."""
        answer = self._api.get("/images/json", {"filters": {"label": [f"{PREFIX}{name}={value}"]}})
        images = [
            Image(
                item["Id"],
                tuple(tag for tag in item.get("RepoTags") or () if tag != "<none>:<none>"),
                item.get("Labels") or {},
                int(item["Created"]),
                int(item["Size"]),
            )
            for item in answer or ()
        ]
        images.sort(key=lambda image: (image.label("built") or "", image.created), reverse=True)
        return images

    def listed(self, project: str) -> list[Image]:
        """What `of_project` found last, as far as it was asked: for what is worth no question of its own."""
        return self._listed.get(project, [])

    def history(self, reference: str) -> tuple[Made, ...]:
        """The steps that an image was made by, the last one first; () if it does not exist."""
        answer = self._api.get(f"/images/{quote(reference, safe='/:@')}/history")
        found = answer if isinstance(answer, list) else ()
        return tuple(Made(str(step.get("CreatedBy") or ""), int(step.get("Size") or 0)) for step in found)

    def untagged(self, reference: str, repository: str, names: Iterable[str]) -> list[str]:
        """The names that are not (or no longer) tags of an image."""
        present = set((self.inspect(reference) or {}).get("RepoTags") or ())
        return [name for name in names if f"{repository}:{name}" not in present]

    def tag(self, reference: str, repository: str, names: Iterable[str]) -> None:
        """Add tags to an image."""
        for name in names:
            self._api.post(f"/images/{quote(reference, safe='/:@')}/tag", {"repo": repository, "tag": name})
