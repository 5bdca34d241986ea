"""Retention: what the configured policy, or the end of a checkout, lets go. Pure decisions; `gc` carries them out.

Nothing goes that is protected (levels.protected), that the policy protects, that bears a tag of `keep_tags`, or that
an image that stays was made from in the same layer: its bytes would stay with that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from layerdoit.cache import levels
from layerdoit.cache.levels import Going
from layerdoit.cache.room import Room
from layerdoit.layers.key import IMAGES

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse, Usage
    from layerdoit.config import Keep, Retention
    from layerdoit.engine.mounts import Mount


def select(usage: Usage, chosen: Retention, now: float) -> Going:
    """What the policy lets go, as of `now` (seconds since 1970). What stays is the same when it is asked again."""
    return _select(usage, chosen, keeps(usage, chosen), now)


def spared(usage: Usage, chosen: Retention, now: float) -> Mapping[str, str]:
    """Images that the rules alone would let go, by tag, with the reason that they stay."""
    reasons = keeps(usage, chosen)
    return {
        image.tags[-1]: reasons[image.id] for image in _select(usage, chosen, {}, now).images if image.id in reasons
    }


def _select(usage: Usage, chosen: Retention, kept: Mapping[str, str], now: float) -> Going:
    room = Room(usage)
    images: set[str] = set()
    for layer, kinds in IMAGES.items():
        rule: Keep = getattr(chosen, layer)
        if not rule.idle:
            images |= _select_images([image for image in usage.images if image.layer in kinds], rule, kept, room, now)
    mounts = set() if chosen.mounts.idle else _select_mounts(usage, chosen, now)
    return Going(
        tuple(mount for mount in usage.mounts if mount.record in mounts),
        tuple(image for image in usage.images if image.id in images),
    )


def stale(usage: Usage) -> Going:
    """What is left behind: mounts and containers of checkouts that are gone, apps of those and of branches, what lost
    its tags."""
    containers, usage = usage.left, usage.without(usage.left)
    gone, held = usage.gone, levels.protected(usage)
    images = [
        image
        for image in usage.images
        if image.id not in held and not image.current and (image.replaced or _is_orphan(usage, image))
    ]
    left = (mount for mount in usage.mounts if mount.checkout in gone or _is_superseded(usage, mount))
    mounts = (mount for mount in left if not mount.in_use)
    return Going(tuple(mounts), levels.under_none(usage, images), containers)


def _is_orphan(usage: Usage, image: ImageUse) -> bool:
    """Whether an app is of a checkout or branch that is gone. By a friendly tag, or another's, a branch's is in use."""
    if image.layer != "app" or not image.tags:
        return False
    in_use = image.others or usage.live_tags & set(image.tags)
    return image.checkout in usage.gone or (image.branch_gone and not in_use)


def keeps(usage: Usage, chosen: Retention) -> Mapping[str, str]:
    """Images that stay whatever the rules say, by id, with the reason."""
    found = dict(levels.protected(usage))
    for image in usage.images:
        tags = (*image.tags, *image.others)
        named = next((tag for tag in tags if matches(tag, chosen.keep_tags)), "")
        if named:
            found.setdefault(image.id, f"keep_tags: {named}")
        if "current" in chosen.protect and image.current:
            found.setdefault(image.id, "needed by the current tree")
    if "worktrees" in chosen.protect:
        named_so = [image for image in usage.images if image.layer == "app" and usage.live_tags & set(image.tags)]
        for image in named_so:
            found.setdefault(image.id, f"{image.tags[0]} of an existing checkout")
        for parent in levels.lineage(usage.images, named_so):
            found.setdefault(parent, "an app of an existing checkout was built from it")
    return found


def matches(tag: str, patterns: Iterable[str]) -> bool:
    """Whether a tag, without its repository, is like one of the patterns (`v*`, `release-?`)."""
    name = tag.rpartition(":")[2]
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _select_images(images: list[ImageUse], rule: Keep, kept: Mapping[str, str], room: Room, now: float) -> set[str]:
    ranked = levels.ranks(images).values()
    firm = {each for ids in ranked for each in ids[: rule.floor]} | kept.keys()
    # The oldest first; an image without a tag of ours is not ours to remove, but holds its parents. One that somebody
    # tagged besides would only lose our tag: that frees nothing, and is no help where bytes are what counts.
    open_to = [
        image
        for image in sorted(images, key=lambda image: (image.made, image.id))
        if image.tags
        and image.id not in firm
        and now - image.made >= rule.min_age
        and not (image.others and rule.max_bytes is not None)
    ]
    left = {image.id: image for image in images}
    gone: set[str] = set()
    while rule.max_bytes is None or room.held(left) > rule.max_bytes:
        needed = {name for image in left.values() for name in levels.parents(image)}
        chosen = next((image for image in open_to if (image.layer, image.key) not in needed), None)
        if chosen is None:
            break
        open_to.remove(chosen)
        del left[chosen.id]
        gone.add(chosen.id)
    return gone


def _select_mounts(usage: Usage, chosen: Retention, now: float) -> set[str]:
    rule = chosen.mounts
    firm = {record for ids in levels.mount_ranks(usage.mounts).values() for record in ids[: rule.floor]}
    if "current" in chosen.protect and usage.mount:
        firm |= {mount.record for mount in usage.mounts if is_current(usage, mount)}
    total = sum(mount.size for mount in usage.mounts)
    gone: set[str] = set()
    for mount in sorted(usage.mounts, key=lambda mount: (mount.used, mount.record)):
        if rule.max_bytes is not None and total <= rule.max_bytes:
            break
        if mount.record not in firm and not mount.in_use and now - mount.used >= rule.min_age:
            gone.add(mount.record)
            total -= mount.size
    return gone


def is_current(usage: Usage, mount: Mount) -> bool:
    """Whether the next app build of this tree would compile in it; its id may say the place and the owner, too."""
    return mount.id.partition("@")[0] == usage.mount and mount.drawn == usage.owner.drawn


def _is_superseded(usage: Usage, mount: Mount) -> bool:
    """Whether it was this tree's, under the id that an earlier version or another owner gave it."""
    return mount.id.partition("@")[0] == usage.mount and not is_current(usage, mount)
