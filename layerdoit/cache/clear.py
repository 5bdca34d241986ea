"""Carries out a level: shows what goes, asks where it costs much, then clears exactly that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.cache import levels, whose
from layerdoit.cache.levels import Going, Level, Narrow
from layerdoit.cache.model import Usage, layer_of
from layerdoit.cache.usage import gather
from layerdoit.core.console import say, warn
from layerdoit.core.errors import Interrupted
from layerdoit.core.prose import confirm
from layerdoit.core.signals import as_errors
from layerdoit.core.units import count_text, duration_text, size_text

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse
    from layerdoit.engine.handle import Engine
    from layerdoit.engine.removal import Deployment
    from layerdoit.project.inputs import Inputs

CANCELLED = 1
REFUSED = 2
BUILDKIT = (
    "  what BuildKit's own cache holds of these images stays on disk until it is collected, or `docker buildx prune`\n"
    "  takes everybody's; the next build does not use it"
)


@dataclass(frozen=True)
class Sweep:
    """Something that clears: how a user calls it, what it takes of what is there, and whether it asks first.

    `clears`: layers that must not come back from BuildKit's own cache. `kept`: words for what would go but stays.
    """

    command: str
    select: Callable[[Usage], Going]
    asks: bool = False
    clears: Collection[str] = ()
    keeps: Callable[[Usage], list[str]] = lambda _: []


def run(
    inputs: Inputs,
    engine: Engine,
    word: str,
    *,
    yes: bool,
    dry_run: bool,
    less: Narrow | None = None,
    every: bool = False,
) -> int:
    """Clear one level of the project's caches; the exit code. A question that cannot be asked is answered with no."""
    sweep = of_level(levels.level(word), less or Narrow(), every=every)
    return carried_through(inputs, engine, sweep, yes=yes, dry_run=dry_run)


def of_level(chosen: Level, less: Narrow, *, every: bool = False) -> Sweep:
    """A cache level as something that clears. `every`: also what other configurations of the project named."""
    return Sweep(
        f"cache_clear:{chosen}{' --all' if every else ''}",
        lambda usage: levels.select(usage.widened() if every else usage, chosen, less),
        asks=chosen in levels.ASKED or every,
        # What narrowing leaves need not be built again.
        clears=levels.LAYERS[chosen] if less == Narrow() else (),
        keeps=lambda usage: _kept(usage, chosen, less),
    )


def carried_through(inputs: Inputs, engine: Engine, sweep: Sweep, *, yes: bool, dry_run: bool) -> int:
    """Preview, question, and the deed; the exit code."""

    usage = gather(inputs, engine)
    wanted = sweep.select(usage)
    say(preview(usage, sweep, wanted, expectation(inputs, usage, wanted)))
    if dry_run or not wanted:
        return 0
    if declined := declined_by_user(sweep, yes=yes):
        return declined
    with inputs.project.state.locked(), interruptible("the same command again"):
        done = carry_out(inputs, engine, sweep, wanted)
    say(done.words)
    return 1 if done.stayed else 0


def declined_by_user(sweep: Sweep, *, yes: bool) -> int:
    """Ask where that is due; 0 to go on, else the exit code."""
    if yes or not sweep.asks:
        return 0
    agreed = confirm(f"{sweep.command.replace('cache_clear:', 'clear ')}?")
    if agreed:
        return 0
    if agreed is None:
        words = f"{sweep.command} needs confirmation, and there is no terminal to ask on; nothing was cleared"
        warn(f"error: {words}\nnext: doit {sweep.command} --yes")
        return REFUSED
    say("cancelled; nothing was cleared")
    return CANCELLED


def preview(usage: Usage, sweep: Sweep, wanted: Going, expected: str) -> str:
    """What goes, and what would but stays, with bytes, and what that will cost."""
    if not wanted:
        lines = [f"{sweep.command} of project {usage.project}: nothing to clear"]
    else:
        lines = [f"{sweep.command} of project {usage.project} clears at most {_sum(usage, wanted)}:"]
    for one in wanted.containers:
        state = "running" if one.running else "stopped"
        lines.append(f"  container {one.name} ({state}), deployed from a folder that is gone: {one.folder}")
    for mount in wanted.mounts:
        lines.append(f"  mount  {size_text(mount.size):>8}  {place(usage, mount.checkout)}, {mount.variant}")
    parts = levels.parts(usage, wanted)
    for image in wanted.images:
        stays = f" (the image stays as {', '.join(image.others)})" if image.others else ""
        own = size_text(parts.get(image.id, 0))
        lines.append(f"  {image.layer:<7}{own:>8}  {', '.join(image.tags) or image.name}{stays}{left_by(usage, image)}")
    if any(not image.others for image in wanted.images):
        lines.append(BUILDKIT)
    lines += [f"  keeps  {words}" for words in sweep.keeps(usage)]
    if wanted:
        lines.append(f"  {expected}")
    return "\n".join(lines)


def _sum(usage: Usage, gone: Going) -> str:
    """What it comes to, and of what."""
    images, mounts = sum(levels.parts(usage, gone).values()), sum(mount.size for mount in gone.mounts)
    both = f" (images {size_text(images)}, mounts {size_text(mounts)})" if images and mounts else ""
    return f"{size_text(images + mounts)}{both}"


def left_by(usage: Usage, image: ImageUse) -> str:
    """Whose it was, where that is no more."""
    if image.checkout in usage.gone:
        return f" ({place(usage, image.checkout)})"
    return f" (branch gone: {image.branch})" if image.branch_gone else ""


def place(usage: Usage, digest: str) -> str:
    """A checkout in words."""
    found = usage.checkouts.get(digest)
    return found.words if found else f"checkout {digest}"


def expectation(inputs: Inputs, usage: Usage, wanted: Going) -> str:
    """How long the next build will take, from this project's own history."""
    from layerdoit import history

    if not usage.current:
        return "expected time of the next build: unknown (the tree cannot be read)"
    layers = levels.rebuilt(usage, wanted)
    if not layers and not any(mount.id.startswith(usage.mount) for mount in wanted.mounts if usage.mount):
        return "the next build of this tree does not get slower"
    what = f"the next build ({', '.join(layers)})" if layers else "the build after the next edit"
    folder, wanted_layers = inputs.project.state.folder, layers or ("app",)
    each = {name: history.expected(folder, _variant(inputs, name), [layer_of(name)]) for name in wanted_layers}
    known = [found for found in each.values() if found.seconds is not None]
    if not known:
        return f"expected time of {what}: unknown (this project's history has no such build)"
    seconds, n = sum(found.seconds or 0.0 for found in known), min(found.n for found in known)
    unknown = [layer for layer, found in each.items() if found.seconds is None]
    if not unknown:
        return f"expected time of {what}: {duration_text(seconds)} (n={n})"
    # One that BuildKit had in its own cache was never built from nothing here.
    return (
        f"expected time of {what}: at least {duration_text(seconds)} (n={n}); "
        f"of {' and '.join(unknown)} this project's history has no such build"
    )


def _kept(usage: Usage, chosen: Level, less: Narrow) -> list[str]:
    held, spared = levels.protected(usage), levels.spared(usage, less)
    found = []
    for image in usage.images:
        if image.layer in levels.LAYERS[chosen] and image.tags:
            reason = held.get(image.id) or ("newer, or used later" if image.id in spared else "")
            found += [f"{image.tags[-1]}: {reason}"] if reason else []
    for mount in usage.mounts:
        reason = "a build uses it" if mount.in_use else "used later" if mount.record in spared else ""
        found += [f"mount of {place(usage, mount.checkout)}: {reason}"] if reason else []
    return found


@dataclass(frozen=True)
class Done:
    """What was cleared, and how much of what was to go had to stay."""

    mounts: int
    tags: int
    stayed: int
    untagged: int = 0
    containers: int = 0
    freed: str = ""

    @property
    def words(self) -> str:
        """As it is said. `freed`: what that was, of what is really gone."""
        first = f"{count_text(self.containers, 'container')}, " if self.containers else ""
        more = f", and {count_text(self.untagged, 'image')} without a tag" if self.untagged else ""
        what = f"{first}{count_text(self.mounts, 'mount')} and {count_text(self.tags, 'image tag')}{more}"
        return f"cleared {what}: {self.freed}" if self.freed else f"cleared {what}"


@contextlib.contextmanager
def interruptible(rest: str, so_far: str = "") -> Iterator[None]:
    """Who ends a clearing is told what clears the rest: nothing does by itself. `so_far`: what holds already."""
    try:
        with as_errors():
            yield
    except Interrupted as error:
        what = f"interrupted by signal {error.signum} while clearing{so_far}"
        raise error.reworded(what=what, hint=f"{rest} clears the rest")  # noqa: B904 - the same error


def _variant(inputs: Inputs, name: str) -> str:
    """Of the app of a service, its own."""
    service = name.partition(" of ")[2]
    return inputs.project.of_service(service).app_variant if service else inputs.variant


def carry_out(inputs: Inputs, engine: Engine, sweep: Sweep, seen: Going) -> Done:
    """Clear what was shown and may go still: a build in this checkout was waited for, and changed what is there.

    The caller holds the lock of the state folder.
    """
    from layerdoit.engine import layouts, removal

    project = inputs.project
    tags = {(tag, image.id) for image in seen.images for tag in image.tags}
    ids = {image.id for image in seen.images if not image.tags}
    usage = gather(inputs, engine)
    still = sweep.select(usage)
    # What needs images goes before them.
    ended = _ended(inputs, [one for one in still.containers if one in seen.containers])
    # Images go before those they stand on, and the keyed tag last: what is interrupted is still found as ours.
    going = [(tag, image.id) for image in reversed(still.images) for tag in image.tags if (tag, image.id) in tags]
    project.state.mark_cleared(sweep.clears)
    tagged = removal.untag(project.name, going, project.owner)
    bare = [image for image in reversed(still.images) if not image.tags and image.id in ids]
    removed = [
        removal.Untagged(image.name, removal.remove_untagged(project.name, image.id, project.owner)) for image in bare
    ]
    refused = [done for done in (*tagged, *removed) if done.refused]
    stayed = [mount for mount in seen.mounts if not engine.prune(mount)]
    there = {mount.record for mount in whose.listed(project, engine)} if stayed else set()
    busy = [mount for mount in stayed if mount.record in there]
    for mount in busy:
        warn(f"the mount of {place(usage, mount.checkout)} is in use and was not removed")
    for done in refused:
        warn(f"{done.tag} was not removed: {done.refused}")
    cleared = [sum(not done.refused for done in several) for several in (tagged, removed)]
    layouts.sweep(engine.images, project.name)
    kept = {mount.record for mount in busy}
    gone = Going(
        tuple(mount for mount in seen.mounts if mount.record not in kept),
        tuple(one for one in still.images if not one.others and engine.images.inspect(one.id) is None),
    )
    # One that something else cleared meanwhile is cleared.
    return Done(len(gone.mounts), cleared[0], len(busy) + len(refused), cleared[1], ended, _sum(usage, gone))


def _ended(inputs: Inputs, containers: Sequence[Deployment]) -> int:
    """Stop and remove containers, unless they are another's by now; how many."""
    from layerdoit.engine.containers import Containers

    done = 0
    for name in sorted({one.deployment for one in containers}):
        wanted = {one.id for one in containers if one.deployment == name}
        deployed = Containers(inputs.project.name, name, inputs.project.owner)
        for container in deployed.mine().values():
            if container.id in wanted:
                deployed.stop(container, inputs.project.config.deploy.stop_grace)
                deployed.remove(container)
                done += 1
        deployed.remove_networks()
    return done
