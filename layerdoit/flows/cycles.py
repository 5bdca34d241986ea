"""The cycles as users call them: what is built, replaced and cleared, in an order in which no failure loses anything.

Clearing comes last. What must not be reused is built from nothing beside what is there: the old image keeps its tag
until the new one takes it, the old target folder its place, the old container its address. So a failed build, Ctrl-C
or a kill at any moment leaves what was there, or what took its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from layerdoit.build import leftovers, planning
from layerdoit.core.console import say, warn
from layerdoit.core.errors import DeployError
from layerdoit.core.units import duration_text, size_text
from layerdoit.deploy.docker import swap
from layerdoit.deploy.provider import Deployment, Release
from layerdoit.flows.reporting import line, outcomes
from layerdoit.layers.key import IMAGES, ORDER
from layerdoit.layers.plan import Outcome
from layerdoit.project.project import Project

if TYPE_CHECKING:
    from layerdoit.cache.clear import Sweep
    from layerdoit.cache.levels import Going, Level
    from layerdoit.cache.usage import Usage


# --- fast ------------------------------------------------------------------------------------------------------------


def fast(project: Project, deployment: Deployment) -> None:
    """Start the image that is there beside the old container, wait until it is healthy, swap."""
    for step in planning.plan_of(project).layers():
        # What is not there was not built either: `deploy` needs the app image only, and says so where that lacks.
        if step.action == "reuse" and step.spec.layer not in project.told:
            say(line(Outcome(step)))
    deployed = _deployed(project, deployment, lambda: release(project))
    # What the container that is gone was made from.
    leftovers.sweep(project)
    if deployed or project.told:
        _summed_up(project)


def release(project: Project) -> Release:
    """The app image of the tree as it stands; DeployError where there is none."""
    # With `doit -n`, other processes build.
    planning.forget(project)
    step = planning.plan_of(project).step("app")
    if step.action != "reuse":
        raise DeployError(
            f"there is no image of the tree as it stands ({step.spec.tag}): {'; '.join(step.reasons)}",
            hint="doit image builds it, doit cycle_fast builds and deploys it",
        )
    return Release(step.spec.tag, step.spec.key)


def _deployed(project: Project, deployment: Deployment, build: Callable[[], Release], *, anew: bool = False) -> bool:
    """Whether a container was started; errors come out when the user has been told what serves."""
    result = swap.run(deployment, build, anew=anew)
    entered = {name: seconds for name, seconds in result.phases if name != "build"}
    for note in result.recovered:
        say(f"recovered: {note}")
    if entered:
        from layerdoit.history import recording

        plan = planning.plan_of(project) if result.error is None else None
        recording.deployment(project, plan, {**project.spent, **entered}, result.failed_in, result.error)
    if result.error is not None:
        if result.service is not None and result.service.running:
            at = f" at {result.service.url}" if result.service.address else ""
            warn(f"{result.service.name} still serves{at}")
        raise result.error
    service = result.service
    assert service is not None  # noqa: S101 - a cycle without error has one
    say(f"deploy  {service.name} {_how(result.replaced, bool(entered))}")
    if service.address:
        say(f"healthy at {service.url}")
    elif entered and project.config.deploy.port is None:
        say("no port is published: deploy.port in layerdoit.yaml names the one that a service listens on")
    return bool(entered)


def _how(replaced: bool, entered: bool) -> str:
    return "replaced the old one" if replaced else "started" if entered else "already serves this image"


def _summed_up(project: Project) -> None:
    from layerdoit.flows import summary

    for text in summary.of_cycle(project):
        say(text)


# --- from nothing ----------------------------------------------------------------------------------------------------


def anew(project: Project, deployment: Deployment, command: str, level: Level, *, yes: bool, dry_run: bool) -> bool:
    """Build what a cache level clears from nothing, deploy it, and only then clear; False where the user declined."""
    from layerdoit.cache import clear, levels
    from layerdoit.cache.usage import gather

    usage = gather(project)
    layers = _from_nothing(project, level)
    sweep = _afterwards(clear.of_level(level, levels.Narrow()), command, layers)
    wanted = sweep.going(usage)
    say(_announced(project, command, layers))
    say(clear.preview(usage, sweep, wanted, "Nothing of it goes before the new container is healthy."))
    if dry_run:
        return True
    if clear.declined_by_user(sweep, yes=yes):
        return False
    project.afresh.update(dict.fromkeys(layers, f"{command} builds it from nothing"))
    try:
        _deployed(project, deployment, lambda: _built(project, tuple(IMAGES)), anew=True)
    except BaseException:
        # What a failed attempt has left.
        leftovers.sweep(project)
        raise
    # What was built just now is the newest of its kind.
    with clear.interruptible(f"doit cache_clear:{level} --keep-last 1", "; the new container serves"):
        leftovers.sweep(project)
        with project.state.locked():
            cleared = clear.carry_out(project, sweep, wanted)
    if wanted:
        say(cleared.words)
    _summed_up(project)
    return not cleared.stayed


def _afterwards(sweep: Sweep, command: str, layers: Collection[str]) -> Sweep:
    """What a level clears, but nothing that the cycle does not build again."""

    def going(usage: Usage) -> Going:
        found = sweep.going(usage)
        return replace(found, images=tuple(image for image in found.images if image.layer in layers))

    return replace(sweep, command=command, clears=(), going=going)


def _from_nothing(project: Project, level: Level) -> list[str]:
    """The layers that are built from nothing: a base only where the project may build it at all."""
    from layerdoit.cache.levels import LAYERS

    layers = [layer for layer in ORDER if layer in LAYERS[level]]
    may = "build" in project.config.base.on_missing
    return [layer for layer in layers if may or layer not in IMAGES["base"]]


def _announced(project: Project, command: str, layers: Sequence[str]) -> str:
    made = [layer for layer in layers if layer != "runtime"]
    names = made[0] if len(made) == 1 else f"{', '.join(made[:-1])} and {made[-1]}"
    how_long = _expected(project, layers)
    return f"{command} builds {names} from nothing ({how_long}), then replaces the container, then clears"


def _expected(project: Project, layers: Sequence[str]) -> str:
    from layerdoit import history

    found = history.expected(project.state.folder, project.variant, layers)
    if found.seconds is None:
        return "how long it takes is unknown: this project's history has no such build"
    return f"expected: {duration_text(found.seconds)}, n={found.n}"


def _built(project: Project, layers: Sequence[str]) -> Release:
    from layerdoit.build import execute as build

    for layer in layers:
        outcomes(project, build.ensure(project, layer))
    return release(project)


# --- without the app -------------------------------------------------------------------------------------------------


def warm(project: Project, profiles: Sequence[str]) -> None:
    """Have base and deps, pulled or built, for each profile; the configured one where none is named."""
    from layerdoit.build import execute as build

    for profile in profiles or (project.config.profile,):
        other = Project(project.root, {**project.variables, "PROFILE": profile})
        other.asked = project.asked
        say(f"profile {profile}")
        for layer in ("base", "deps"):
            outcomes(other, build.ensure(other, layer))
        leftovers.sweep(other)


def refresh(project: Project, *, dry_run: bool) -> None:
    """Cook the deps image from nothing, as the first of a chain; the old one is there until the new one is."""
    from layerdoit.build import execute as build
    from layerdoit.engine import mounts

    tag = planning.plan_of(project).step("deps").spec.tag
    cooked = [image for image in project.images.of_project(project.name) if image.label("layer") == "deps"]
    old = next((image for image in cooked if tag in image.tags), None)
    below = f"{size_text(old.size)}, {old.label('depth') or '0'} below it" if old else ""
    stays = f"; the old one ({below}) stays until then" if old else ""
    say(f"cache_refresh cooks {tag} from nothing ({_expected(project, ['deps'])}){stays}")
    if dry_run:
        return
    outcomes(project, build.ensure(project, "base"))
    project.afresh["deps"] = "cache_refresh builds it from nothing"
    outcomes(project, build.ensure(project, "deps"))
    chain = old.label("cook") if old else ""
    if old and chain and not any(image.label("cook") == chain for image in cooked if image.id != old.id):
        leftovers.drop_mount(project, mounts.identity(project.name, project.root, project.variant, chain))
    leftovers.sweep(project)
    say("the next build of the app compiles the workspace's own crates once, against the new ones")
