"""What the caches hold, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from layerdoit.cache import levels, retention
from layerdoit.cache.gc import offer
from layerdoit.cache.room import Room
from layerdoit.core.units import age_text, count_text, size_text
from layerdoit.engine import builders
from layerdoit.layers import reasons
from layerdoit.layers.reasons import Reason

if TYPE_CHECKING:
    from layerdoit.cache.levels import Going
    from layerdoit.cache.model import ImageUse, Usage
    from layerdoit.engine.builders import Builder
    from layerdoit.engine.mounts import Mount

HEAD = ("LAYER", "WHAT", "OWN", "SHARED", "AGE", "LAST USE", "USED BY")
_STATE = {"logs": "build logs", "history.db": "history", "context": "staged build contexts"}

Row = tuple[str, ...]


def render(usage: Usage, builder: Builder) -> str:
    """A table for people, and what follows from it."""
    rows = [HEAD, *(_image_row(usage, image) for image in usage.images if _is_named(image))]
    rows += [*_bare_rows(usage), *(_mount_row(usage, mount) for mount in usage.mounts), *_state_rows(usage)]
    lines = [f"project {usage.project}: {usage.owner.words}" if usage.owner.words else f"project {usage.project}"]
    lines += [*_aligned([row for row in rows if row])]
    lines += [_total(usage), *_levels(usage), *_warmth(usage), *_collection(usage, builder)]
    return "\n".join(filter(None, (*lines, *_namesakes(usage), offer(usage))))


def _is_named(image: ImageUse) -> bool:
    return bool(image.layer and (image.tags or image.pin or image.owner))


def _namesakes(usage: Usage) -> Iterable[str]:
    for other in usage.namesakes:
        counted = [(other.images, "image"), (other.mounts, "mount")]
        what = " and ".join(count_text(number, noun) for number, noun in counted if number)
        yield f"not touched: {what} of another project of the name {usage.project}: {other.words}"


def _image_row(usage: Usage, image: ImageUse) -> Row:
    depth = _depth(usage, image)
    chain = f" (on {count_text(depth, 'other')})" if depth else ""
    return (
        image.layer,
        image.name + chain,
        size_text(image.size - image.shared),
        size_text(image.shared),
        age_text(usage.at - image.made),
        f"{age_text(usage.at - image.used)} ago",
        ", ".join(_references(usage, image)),
    )


def _depth(usage: Usage, image: ImageUse) -> int:
    """How many deps images a deps image stands on."""
    if image.layer != "deps":
        return 0
    below = levels.lineage([other for other in usage.images if other.layer == "deps" and _is_named(other)], [image])
    return len(below - {image.id})


def _bare_rows(usage: Usage) -> Iterable[Row]:
    """Ours without a tag; and what others built on ours: it bears our labels, and stays."""
    bare = [image for image in usage.images if not _is_named(image)]
    replaced = [image for image in bare if image.replaced]
    elsewhere = [image for image in bare if image.elsewhere and not image.replaced]
    others = [image for image in bare if not image.replaced and not image.elsewhere]
    names = sorted({tag.rpartition(":")[0] for image in elsewhere for tag in image.elsewhere})
    for found, what in (
        (replaced, "untagged: replaced by later builds; cleared with their layer"),
        (elsewhere, f"under other names of this project ({', '.join(names)}); cache_clear:… --all clears them too"),
        (others, "without our tags: built from ours by others; never cleared"),
    ):
        if found:
            size = size_text(sum(image.size - image.shared for image in found))
            yield ("other", f"{len(found)} {what}", size, "", "", "", "")


def _references(usage: Usage, image: ImageUse) -> list[str]:
    words = [f"{holder.name} ({holder.how})" for holder in image.holders]
    words += ["pinned"] if image.pin else []
    words += ["this tree"] if image.current else []
    words += [f"made by another project: {image.owner}"] if image.owner else []
    words += [tag for tag in image.tags if tag in usage.live_tags]
    if image.checkout in usage.gone:
        words.append(usage.checkouts[image.checkout].words)
    words += [f"branch gone: {image.branch}"] if image.branch_gone else []
    words += [f"also tagged {', '.join(image.others)}"] if image.others and not image.owner else []
    parent = "" if image.holders or image.pin else levels.needed(usage).get(image.id, "")
    return [*words, parent] if parent else words


def _mount_row(usage: Usage, mount: Mount) -> Row:
    place = usage.checkouts.get(mount.checkout)
    words = ["a build"] if mount.in_use else []
    words += ["this tree"] if is_current(usage, mount) else []
    return (
        "app",
        f"mount of {place.words if place else f'checkout {mount.checkout}'}, {mount.variant}",
        size_text(mount.size),
        "",
        "",
        f"{age_text(usage.at - mount.used)} ago",
        ", ".join(words),
    )


def is_current(usage: Usage, mount: Mount) -> bool:
    """Whether the next app build of this tree would compile in it."""
    return retention.is_current(usage, mount)


def _state_rows(usage: Usage) -> Iterable[Row]:
    rest = 0
    if usage.layouts:
        yield ("copies", "base and deps, for other builders", size_text(usage.layouts), "", "", "", "")
    for name, size in usage.state.items():
        if name in _STATE:
            yield ("state", _STATE[name], size_text(size), "", "", "", "")
        else:
            rest += size
    if rest:
        yield ("state", "index, last keys, lock", size_text(rest), "", "", "", "")


def _total(usage: Usage) -> str:
    held = Room(usage).held([image.id for image in usage.images])
    mounts = sum(mount.size for mount in usage.mounts)
    state = sum(usage.state.values())
    copies = f", copies {size_text(usage.layouts)}" if usage.layouts else ""
    return f"total: images {size_text(held)}, mounts {size_text(mounts)}, state folder {size_text(state)}{copies}"


def _levels(usage: Usage) -> list[str]:
    """What each level would free, and how much of that the one before it would not."""
    lines, before = [], 0
    for word, going in _cleared(usage).items():
        most = levels.freed(usage, going)
        counted = [(going.mounts, "mount"), (going.images, "image")]
        what = ", ".join(count_text(len(found), noun) for found, noun in counted if found) or "nothing"
        lines.append(f"  {word:<7} {size_text(most):>8}  ({size_text(most - before)} more)  {what}")
        before = most
    return ["each level of cache_clear frees at most:", *lines] if before else []


def _cleared(usage: Usage) -> Mapping[str, Going]:
    return {word: levels.select(usage, word) for word in levels.LEVELS}


def _warmth(usage: Usage) -> list[str]:
    """For the tree as it stands, warm or cold by layer, with the reason."""
    lines = []
    for layer, warm in usage.warm.items():
        why = "" if warm else f": {reasons.text(usage.cold.get(layer, (Reason('not_built_before'),)))}"
        lines.append(f"  {layer:<7} {'warm' if warm else 'cold'}{why}")
    if usage.mount:
        warm = any(is_current(usage, mount) for mount in usage.mounts)
        lines.append(f"  mount   {'warm' if warm else 'cold: nothing was compiled here against these deps'}")
    return ["for the current tree:", *lines] if lines else []


def _collection(usage: Usage, builder: Builder) -> list[str]:
    lines = [builder.words]
    if builder.threatens:
        total = sum(mount.size for mount in usage.mounts)
        lines += [f"to keep them for 60 days, add this {builders.where(builder)}:"]
        lines += [f"  {line}" for line in builders.remedy(builder, total).splitlines()]
    return lines


def _aligned(rows: list[Row]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


# --- for programs ----------------------------------------------------------------------------------------------------


def as_json(usage: Usage, builder: Builder) -> dict[str, Any]:
    """The documented form: bytes, seconds since 1970."""
    held = levels.protected(usage)
    left = retention.stale(usage)
    return {
        "project": usage.project,
        "identity": usage.owner.as_json(),
        "namesakes": [
            {"project": other.words, "images": other.images, "mounts": other.mounts} for other in usage.namesakes
        ],
        "images": [_image(image, held, usage) for image in usage.images],
        "mounts": [_mount(mount, usage) for mount in usage.mounts],
        "state": dict(usage.state),
        "layouts": usage.layouts,
        "warm": dict(usage.warm),
        "cold": {layer: reasons.sentences(why) for layer, why in usage.cold.items()},
        "checkouts": [
            {"digest": place.digest, "path": place.path, "state": place.state} for place in usage.checkouts.values()
        ],
        "levels": {
            word: {"bytes": levels.freed(usage, going), "images": len(going.images), "mounts": len(going.mounts)}
            for word, going in _cleared(usage).items()
        },
        "stale": {
            "images": [image.id for image in left.images],
            "mounts": [mount.record for mount in left.mounts],
            "containers": [{"name": one.name, "folder": one.folder, "running": one.running} for one in left.containers],
        },
        "builder": _builder(usage, builder),
    }


def _image(image: ImageUse, held: Mapping[str, str], usage: Usage) -> dict[str, Any]:
    return {
        "id": image.id,
        "layer": image.layer,
        "key": image.key,
        "tags": list(image.tags),
        "other_tags": list(image.others),
        "elsewhere_tags": list(image.elsewhere),
        "size": image.size,
        "shared": image.shared,
        "made": image.made,
        "last_used": image.used,
        "variant": image.variant,
        "current": image.current,
        "pinned": bool(image.pin),
        "depth": _depth(usage, image),
        "checkout": image.checkout,
        "branch": image.branch or None,
        "branch_gone": image.branch_gone,
        "replaced": image.replaced,
        "other_project": image.owner or None,
        "protected": held.get(image.id),
        "containers": [{"name": holder.name, "how": holder.how} for holder in image.holders],
    }


def _mount(mount: Mount, usage: Usage) -> dict[str, Any]:
    return {
        "record": mount.record,
        "id": mount.id,
        "checkout": mount.checkout,
        "variant": mount.variant,
        "size": mount.size,
        "last_used": round(mount.used),
        "in_use": mount.in_use,
        "current": is_current(usage, mount),
    }


def _builder(usage: Usage, builder: Builder) -> dict[str, Any]:
    rules = None
    if builder.rules is not None:
        rules = [
            {"filters": list(rule.filters), "unused": rule.unused, "limit": rule.limit, "mounts": rule.takes_mounts}
            for rule in builder.rules
        ]
    remedy = builders.remedy(builder, sum(mount.size for mount in usage.mounts)) if builder.threatens else None
    return {
        "name": builder.name,
        "driver": builder.driver,
        "rules": rules,
        "threatens_mounts": builder.threatens,
        "remedy": remedy,
    }
