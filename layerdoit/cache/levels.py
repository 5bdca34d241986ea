"""Which of a project's caches each level clears: soft < medium < hard < nuke, each with all of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from layerdoit.errors import ConfigError

if TYPE_CHECKING:
    from layerdoit.cache.usage import ImageUse, Usage
    from layerdoit.engine.mounts import Mount

Level = Literal["soft", "medium", "hard", "nuke"]

LEVELS: Final[tuple[Level, ...]] = ("soft", "medium", "hard", "nuke")
ASKED: Final[frozenset[Level]] = frozenset({"hard", "nuke"})
"""Levels that cost more than the workspace's own compilation."""
LAYERS: Final[Mapping[Level, frozenset[str]]] = {
    "soft": frozenset(),
    "medium": frozenset({"app"}),
    "hard": frozenset({"app", "deps"}),
    "nuke": frozenset({"app", "deps", "base", "runtime"}),
}


@dataclass(frozen=True)
class Going:
    """What a level clears. An image with tags that are not ours loses ours, and stays."""

    mounts: tuple[Mount, ...] = ()
    images: tuple[ImageUse, ...] = ()


def level(word: str) -> Level:
    """The level of that name."""
    for known in LEVELS:
        if word == known:
            return known
    raise ConfigError(f'there is no cache level "{word}"', hint=f"one of {', '.join(LEVELS)}")


def going(usage: Usage, chosen: Level) -> Going:
    """What the level clears: app mounts always, then images by layer, unless protected or without a tag of ours."""
    kept = protected(usage)
    layers = LAYERS[chosen]
    images = (image for image in usage.images if image.layer in layers and image.tags and image.id not in kept)
    return Going(tuple(mount for mount in usage.mounts if not mount.in_use), tuple(images))


def protected(usage: Usage) -> Mapping[str, str]:
    """Images that no level touches, by id, with the reason: a container was made from it, or an app on it.

    The deps image of a deployed app image may go: nothing of it is in what runs.
    """
    held = {image.id: f"{image.holders[0].name} ({image.holders[0].how})" for image in usage.images if image.holders}
    runtimes = {image.runtime: image.holders[0].name for image in usage.images if image.id in held and image.runtime}
    for image in usage.images:
        if image.layer == "runtime" and image.key in runtimes and image.id not in held:
            held[image.id] = f"parent of the image of {runtimes[image.key]}"
    return held


def freed(usage: Usage, gone: Going) -> int:
    """Bytes that nothing else of this project holds; at most this much comes free, for others may share layers."""
    ids = {image.id for image in gone.images if not image.others}
    kept = [image.rootfs for image in usage.images if image.id not in ids] + [layers for layers, _ in usage.foreign]
    sizes = {
        image.rootfs: image.size - image.shared
        for image in usage.images
        if image.id in ids and not any(other[: len(image.rootfs)] == image.rootfs for other in kept)
    }
    return sum(sizes.values()) + sum(mount.size for mount in gone.mounts)
