"""A sentence after a build where old app images pile up, with the lines that cure it: by itself nothing is removed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.units import size_text

if TYPE_CHECKING:
    from layerdoit.engine.images import Image
    from layerdoit.project.project import Project

MANY: Final = 10
LARGE: Final = 500_000_000
"""Bytes. Fewer or smaller old images are what going back to earlier trees warrants."""
AGAIN: Final = 86_400.0
"""Seconds until it is said again; or when they hold twice as much."""
_TOLD: Final = "told_old_apps.json"


class Pile(NamedTuple):
    """Old app images: how many, and the bytes that they hold at most."""

    number: int
    bytes: int

    @property
    def words(self) -> str:
        """The sentence."""
        size = size_text(self.bytes)
        return (
            f"{self.number} old app images of this project hold up to {size}: `doit cache_gc --keep 5` removes all but "
            "the newest five; after each build, this line of layerdoit.yaml does: "
            "retention: {after_build: true, app: {keep_last: 5}}"
        )


def pile(project: Project, listed: Iterable[Image], current: Collection[str]) -> Pile:
    """The old app images among those that the engine listed. `current`: keys of the present ones."""
    found = [image for image in listed if project.owner.owns(image.labels) and image.keyed_tag]
    below = {image.label("key"): image.size for image in found if image.label("layer") == "runtime"}
    old = [image for image in found if image.label("layer") == "app" and image.label("key") not in current]
    return Pile(len(old), sum(max(0, image.size - below.get(image.label("runtime"), image.size)) for image in old))


def remark(project: Project, listed: Iterable[Image], current: Collection[str], now: float | None = None) -> str:
    """The sentence, where it is due; '' otherwise. It is noted that it was said."""
    if not project.config.retention.app.idle:
        return ""
    found, at = pile(project, listed, current), time.time() if now is None else now
    if found.number < MANY or found.bytes < LARGE:
        return ""
    told = project.state.note(_TOLD)
    recently = float(told.get("at", 0)) <= at < float(told.get("at", 0)) + AGAIN
    if recently and found.bytes < 2 * int(told.get("bytes", 0)):
        return ""
    project.state.keep_note(_TOLD, {"at": str(int(at)), "bytes": str(found.bytes)})
    return found.words
