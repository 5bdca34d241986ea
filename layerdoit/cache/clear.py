"""Carries out a level: shows what goes, asks where it costs much, then clears exactly that."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from layerdoit.cache import levels
from layerdoit.cache.levels import Going, Level
from layerdoit.cache.usage import Usage, gather, size_text

if TYPE_CHECKING:
    from layerdoit.project import Project

CANCELLED = 1
REFUSED = 2


def run(project: Project, level: str, *, yes: bool, dry_run: bool) -> int:
    """Clear one level of the project's caches; the exit code. A question that cannot be asked is answered with no."""
    chosen = levels.level(level)
    usage = gather(project)
    wanted = levels.going(usage, chosen)
    print(preview(usage, chosen, wanted), flush=True)
    if dry_run or not (wanted.mounts or wanted.images):
        return 0
    if chosen in levels.ASKED and not yes:
        if not sys.stdin.isatty():
            words = f"{chosen} asks before it clears, and there is no terminal to ask on; nothing was cleared"
            print(f"layerdoit: error: {words}\nnext: doit cache_clear:{chosen} --yes", file=sys.stderr, flush=True)
            return REFUSED
        if not _confirmed(chosen):
            print("cancelled; nothing was cleared", flush=True)
            return CANCELLED
    return _carry_out(project, chosen, wanted)


def preview(usage: Usage, chosen: Level, wanted: Going) -> str:
    """What goes, and what would but stays, with bytes."""
    if not (wanted.mounts or wanted.images):
        lines = [f"cache_clear:{chosen} of project {usage.project}: nothing to clear"]
    else:
        most = size_text(levels.freed(usage, wanted))
        lines = [f"cache_clear:{chosen} of project {usage.project} clears at most {most}:"]
    for mount in wanted.mounts:
        lines.append(f"  mount  {size_text(mount.size):>8}  checkout {mount.checkout}, {mount.variant}")
    for image in wanted.images:
        stays = f" (the image stays as {', '.join(image.others)})" if image.others else ""
        own = size_text(image.size - image.shared)
        lines.append(f"  {image.layer:<7}{own:>8}  {', '.join(image.tags)}{stays}")
    if any(not image.others for image in wanted.images):
        lines.append("  BuildKit's own cache of them comes free when it collects it; the next build does not use it.")
    kept = levels.protected(usage)
    for image in usage.images:
        if image.layer in levels.LAYERS[chosen] and image.tags and image.id in kept:
            lines.append(f"  keeps  {image.tags[-1]}: {kept[image.id]}")
    lines += [f"  keeps  mount of checkout {mount.checkout}: a build uses it" for mount in usage.mounts if mount.in_use]
    return "\n".join(lines)


def _confirmed(chosen: Level) -> bool:
    try:
        return input(f"clear {chosen}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _carry_out(project: Project, chosen: Level, seen: Going) -> int:
    """Clear what was shown and may go still: a build in this checkout is waited for, and changes what is there."""
    from layerdoit import state
    from layerdoit.engine import mounts, removal

    records = {mount.record for mount in seen.mounts}
    tags = {(tag, image.id) for image in seen.images for tag in image.tags}
    with state.locked(project.state):
        usage = gather(project)
        shown = [mount for mount in usage.mounts if mount.record in records]
        busy = [mount for mount in shown if not mounts.prune(mount.record, project.config.builder)]
        # Images go before those they stand on, and the keyed tag last: what is interrupted is still found as ours.
        images = reversed(levels.going(usage, chosen).images)
        still = [(tag, image.id) for image in images for tag in image.tags if (tag, image.id) in tags]
        state.mark_cleared(project.state, levels.LAYERS[chosen])
        refused = [done for done in removal.untag(project.name, still) if done.refused]
    for mount in busy:
        print(f"layerdoit: the mount of checkout {mount.checkout} is in use and stays", file=sys.stderr, flush=True)
    for done in refused:
        print(f"layerdoit: {done.tag} stays: {done.refused}", file=sys.stderr, flush=True)
    gone = len(shown) - len(busy), len(still) - len(refused)
    print(f"cleared {_count(gone[0], 'mount')} and {_count(gone[1], 'image tag')}", flush=True)
    return 1 if busy or refused else 0


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
