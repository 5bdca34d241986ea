"""Which of a project's caches each level clears: soft < medium < hard < nuke, each with all of the one before."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from layerdoit.cache.model import layer_of
from layerdoit.cache.room import Room
from layerdoit.core.errors import ConfigError
from layerdoit.core.units import SPAN, seconds_of
from layerdoit.layers.key import IMAGES, ORDER

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse, Usage
    from layerdoit.engine.mounts import Mount
    from layerdoit.engine.removal import Deployment

Level = Literal["soft", "medium", "hard", "nuke"]

LEVELS: Final[tuple[Level, ...]] = ("soft", "medium", "hard", "nuke")
ASKED: Final[frozenset[Level]] = frozenset({"hard", "nuke"})
"""Levels that cost more than the workspace's own compilation."""
LAYERS: Final[Mapping[Level, frozenset[str]]] = {
    "soft": frozenset(),
    "medium": frozenset({"app"}),
    "hard": frozenset({"app", "deps"}),
    "nuke": frozenset(ORDER),
}


@dataclass(frozen=True)
class Going:
    """What is cleared. An image with tags that are not ours loses ours, and stays; one without any is `replaced`."""

    mounts: tuple[Mount, ...] = ()
    images: tuple[ImageUse, ...] = ()
    containers: tuple[Deployment, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.mounts or self.images or self.containers)


@dataclass(frozen=True)
class Narrow:
    """Clear less: only what was not used for `older_than` seconds; never the `keep_last` newest of a kind."""

    older_than: float | None = None
    keep_last: int | None = None


def level(word: str) -> Level:
    """The level of that name."""
    for known in LEVELS:
        if word == known:
            return known
    raise ConfigError(f'there is no cache level "{word}"', hint=f"choose one of {', '.join(LEVELS)}")


def narrow(older_than: str, keep_last: str) -> Narrow:
    """The options as they were typed; '' for one that was not given."""
    seconds = seconds_of(older_than) if older_than else None
    if older_than and seconds is None:
        raise ConfigError(f'--older-than: expected {SPAN}, got "{older_than}"', hint="for example --older-than 7d")
    if keep_last and not re.fullmatch(r"[0-9]+", keep_last):
        raise ConfigError(f'--keep-last: expected a number, got "{keep_last}"', hint="for example --keep-last 3")
    return Narrow(seconds, int(keep_last) if keep_last else None)


def select(usage: Usage, chosen: Level, less: Narrow | None = None) -> Going:
    """What the level clears: app mounts always, then images by layer, unless protected or not known to be ours."""
    kept = protected(usage).keys() | spared(usage, less or Narrow())
    layers = LAYERS[chosen]
    images = [image for image in usage.images if image.layer in layers and is_ours(image) and image.id not in kept]
    mounts = tuple(mount for mount in usage.mounts if not mount.in_use and mount.record not in kept)
    return Going(mounts, under_none(usage, images))


def is_ours(image: ImageUse) -> bool:
    """Whether it has a tag of ours, or lost it to another; what others made of ours bears our labels too."""
    return bool(image.tags or image.replaced)


def under_none(usage: Usage, images: Iterable[ImageUse]) -> tuple[ImageUse, ...]:
    """Those of the images that may go, without the replaced ones that an image which stays was made from."""
    found = tuple(images)
    gone = {image.id for image in found if not image.others}
    stays = (image.rootfs for image in usage.images if image.id not in gone)
    # What one of them that stays stands on, the same image stands on: one look is enough.
    needed = {rootfs[:end] for rootfs in stays for end in range(1, len(rootfs))}
    return tuple(image for image in found if not image.replaced or image.rootfs not in needed)


def spared(usage: Usage, less: Narrow) -> Collection[str]:
    """Image ids and mount records that narrowing keeps; the same for every level, so that levels stay nested."""
    kept: set[str] = set()
    if (age := less.older_than) is not None:
        kept |= {image.id for image in usage.images if usage.at - image.used < age}
        kept |= {mount.record for mount in usage.mounts if usage.at - mount.used < age}
    if less.keep_last:
        for ranked in (*ranks(usage.images).values(), *mount_ranks(usage.mounts).values()):
            kept.update(ranked[: less.keep_last])
    return kept


def ranks(images: Iterable[ImageUse]) -> Mapping[tuple[str, str], list[str]]:
    """Ids of images, the newest first, by layer and variant; profile and target make none to a base."""
    found: dict[tuple[str, str], list[str]] = {}
    for image in sorted(images, key=lambda image: (-image.made, image.id)):
        if image.tags:
            variant = image.component if image.layer in IMAGES["base"] else image.variant
            found.setdefault((image.layer, variant), []).append(image.id)
    return found


def mount_ranks(mounts: Iterable[Mount]) -> Mapping[tuple[str, str], list[str]]:
    """Records of mounts, the last used first, by checkout and variant."""
    found: dict[tuple[str, str], list[str]] = {}
    for mount in sorted(mounts, key=lambda mount: (-mount.used, mount.record)):
        found.setdefault((mount.checkout, mount.variant), []).append(mount.record)
    return found


# --- protection ------------------------------------------------------------------------------------------------------


def protected(usage: Usage) -> Mapping[str, str]:
    """Images that no level touches, by id, with the reason: a container or a provider needs it, or it is pinned.

    The deps image of a deployed app image may go: nothing of it is in what runs. Who pins an image wants to be able to
    go back to it: all that it was made from stays.
    """
    held = {image.id: "pinned" for image in usage.images if image.pin}
    held |= {image.id: f"{image.holders[0].name} ({image.holders[0].how})" for image in usage.images if image.holders}
    return {**needed(usage), **held}


def needed(usage: Usage) -> Mapping[str, str]:
    """Images that a protected one was made from, by id, with the reason."""
    runtimes = {image.runtime: image.holders[0].name for image in usage.images if image.holders and image.runtime}
    found = {
        image.id: f"parent of the image of {runtimes[image.key]}"
        for image in usage.images
        if image.layer == "runtime" and image.key in runtimes
    }
    for image in usage.images:
        for parent in lineage(usage.images, [image]) if image.pin else ():
            found.setdefault(parent, f"parent of the pinned {image.name}")
    return found


def lineage(images: Collection[ImageUse], children: Iterable[ImageUse]) -> set[str]:
    """Ids of the images that others were made from, by the keys in their labels: runtime, deps and its chain, base."""
    by_key: dict[tuple[str, str], list[ImageUse]] = {}
    for image in images:
        by_key.setdefault((image.layer, image.key), []).append(image)
    found: set[str] = set()
    todo = list(children)
    while todo:
        image = todo.pop()
        for name in parents(image):
            new = [parent for parent in by_key.get(name, ()) if parent.id not in found]
            found.update(parent.id for parent in new)
            todo += new
    return found


def parents(image: ImageUse) -> set[tuple[str, str]]:
    """Layer and key of what an image was made from."""
    named = {("runtime", image.runtime), ("deps", image.deps)}
    if image.layer in ("deps", "app"):
        named |= {("deps", image.parent), ("base", image.parent)}
    return {(layer, key) for layer, key in named if key and (layer, key) != (image.layer, image.key)}


# --- what it comes to ------------------------------------------------------------------------------------------------


def freed(usage: Usage, gone: Going) -> int:
    """Bytes that nothing else of this project holds; at most this much comes free, for others may share layers."""
    return sum(parts(usage, gone).values()) + sum(mount.size for mount in gone.mounts)


def parts(usage: Usage, gone: Going) -> Mapping[str, int]:
    """The bytes that each image releases, by id, in the order in which they go; none where others tagged it too."""
    return Room(usage).released([image.id for image in reversed(gone.images) if not image.others])


def rebuilt(usage: Usage, gone: Going) -> tuple[str, ...]:
    """Layers of the tree as it stands that the next build has to make: those that go, and those that are not there."""
    ids = {image.id for image in gone.images}
    there = {(image.layer, image.key) for image in usage.images if (image.tags or image.owner) and image.id not in ids}
    return tuple(name for name, key in usage.current.items() if (layer_of(name), key) not in there)
