"""Collection: what the configured policy lets go, on request or after a build, and what was left behind."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from layerdoit.cache import clear, levels, retention
from layerdoit.cache.levels import Going
from layerdoit.cache.model import Usage
from layerdoit.cache.usage import gather
from layerdoit.config import Keep
from layerdoit.core.console import say, warn
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.core.units import count_text, size_text

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse
    from layerdoit.config import Retention
    from layerdoit.engine.handle import Engine
    from layerdoit.engine.removal import Deployment
    from layerdoit.project.inputs import Inputs


def kept(word: str) -> int | None:
    """The value of `--keep`, as it was typed; None where it was not."""
    if word and not re.fullmatch(r"[0-9]{1,4}", word):
        raise ConfigError(f'--keep: expected a number, got "{word}"', hint="for example --keep 5")
    return int(word) if word else None


def run(inputs: Inputs, engine: Engine, *, stale: bool, yes: bool, dry_run: bool, keep: int | None = None) -> int:
    """Apply the policy, and with `stale` clear after checkouts that are gone; the exit code.

    `keep`: how many app images of each kind stay, whatever the policy says of apps.
    """
    chosen = inputs.project.config.retention
    if keep is not None:
        chosen = replace(chosen, app=Keep(keep_last=keep))
    if chosen.idle and not stale:
        say("cache_gc: `retention` in layerdoit.yaml sets no limit; nothing to remove")
        found = offer(gather(inputs, engine))
        if found:
            say(found)
        return 0
    options = (["--stale"] if stale else []) + ([f"--keep {keep}"] if keep is not None else [])
    return clear.carried_through(inputs, engine, sweep(chosen, options), yes=yes, dry_run=dry_run)


def sweep(chosen: Retention, options: Sequence[str] = ()) -> clear.Sweep:
    """The policy as something that clears. It is written down, so it does not ask; with `options`, which are not, it
    does."""
    stale = "--stale" in options

    def select(usage: Usage) -> Going:
        found = retention.select(usage, chosen, usage.at)
        if not stale:
            return found
        left = retention.stale(usage)
        mounts = tuple(dict.fromkeys(found.mounts + left.mounts))
        return Going(mounts, _in_order(usage, found, left), left.containers)

    def keeps(usage: Usage) -> list[str]:
        return [f"{tag}: {reason}" for tag, reason in retention.spared(usage, chosen, usage.at).items()]

    return clear.Sweep(" ".join(("cache_gc", *options)), select, asks=bool(options), keeps=keeps)


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
    what = [f"{' and '.join(who)} hold up to {size_text(levels.freed(usage, left))}{which}"] if who else []
    what += [_left_words(left.containers)] if left.containers else []
    return "\n".join((*what, "next: doit cache_gc --stale"))


def _left_words(containers: Collection[Deployment]) -> str:
    folders = ", ".join(sorted({one.folder for one in containers}))
    verb = "is" if len(containers) == 1 else "are"
    return f"{count_text(len(containers), 'container')} of folders that are gone {verb} still there: {folders}"


def after_build(inputs: Inputs, engine: Engine) -> None:
    """Apply the policy after a build that built something; the caller holds the lock. It never fails a build."""
    chosen = inputs.project.config.retention
    if chosen.idle:
        return
    found = sweep(chosen)
    try:
        wanted = found.select(gather(inputs, engine))
        if wanted:
            say(f"retention: {clear.carry_out(inputs, engine, found, wanted).words}")
    except (LayerdoitError, OSError) as error:
        warn(f"retention was not applied: {error}")
