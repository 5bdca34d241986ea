"""Collection: what the configured policy lets go, on request or after a build, and what was left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.cache import clear, levels, retention
from layerdoit.cache.levels import Going
from layerdoit.cache.model import Usage
from layerdoit.cache.usage import gather
from layerdoit.core.console import warn
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.units import size_text

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse
    from layerdoit.config import Retention
    from layerdoit.engine.handle import Engine
    from layerdoit.project.inputs import Inputs


def run(inputs: Inputs, engine: Engine, *, stale: bool, yes: bool, dry_run: bool) -> int:
    """Apply the policy, and with `stale` clear after checkouts that are gone; the exit code."""
    chosen = inputs.project.config.retention
    if chosen.idle and not stale:
        print("cache_gc: `retention` in layerdoit.yaml sets no limit; nothing to remove", flush=True)
        found = offer(gather(inputs, engine))
        if found:
            print(found, flush=True)
        return 0
    return clear.carried_through(inputs, engine, sweep(chosen, stale=stale), yes=yes, dry_run=dry_run)


def sweep(chosen: Retention, *, stale: bool = False) -> clear.Sweep:
    """The policy as something that clears. It is written down, so it does not ask; about what is stale it does."""

    def select(usage: Usage) -> Going:
        found = retention.select(usage, chosen, usage.at)
        if not stale:
            return found
        left = retention.stale(usage)
        return Going(tuple(dict.fromkeys(found.mounts + left.mounts)), _in_order(usage, found, left))

    def keeps(usage: Usage) -> list[str]:
        return [f"{tag}: {reason}" for tag, reason in retention.spared(usage, chosen, usage.at).items()]

    return clear.Sweep("cache_gc --stale" if stale else "cache_gc", select, asks=stale, keeps=keeps)


def _in_order(usage: Usage, *several: Going) -> tuple[ImageUse, ...]:
    ids = {image.id for going in several for image in going.images}
    return tuple(image for image in usage.images if image.id in ids)


def offer(usage: Usage) -> str:
    """One line on what checkouts and branches left behind, and builds that were replaced; '' where that is nothing."""
    left = retention.stale(usage)
    if not left:
        return ""
    gone = usage.gone
    digests = {image.checkout for image in left.images} | {mount.checkout for mount in left.mounts}
    paths = sorted(usage.checkouts[digest].path for digest in digests & set(gone))
    names = sorted({image.branch for image in left.images if image.branch_gone and image.checkout not in gone})
    owners = [word for word, there in (("checkouts", paths), ("branches", names)) if there]
    who = [f"orphaned {' and '.join(owners)}"] if owners else []
    who += ["untagged images"] if any(not image.tags for image in left.images) else []
    which = f": {', '.join((*paths, *names))}" if owners else ""
    what = f"{' and '.join(who)} hold up to {size_text(levels.freed(usage, left))}{which}"
    return f"{what}\nnext: doit cache_gc --stale"


def after_build(inputs: Inputs, engine: Engine) -> None:
    """Apply the policy after a build that built something; the caller holds the lock. It never fails a build."""
    chosen = inputs.project.config.retention
    if chosen.idle:
        return
    found = sweep(chosen)
    try:
        wanted = found.select(gather(inputs, engine))
        if wanted:
            print(f"retention: {clear.carry_out(inputs, engine, found, wanted).words}", flush=True)
    except (LayerdoitError, OSError) as error:
        warn(f"retention was not applied: {error}")
