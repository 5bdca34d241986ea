"""The cycles as users call them: what is built, replaced and cleared, in an order in which no failure loses anything.

Clearing comes last. What must not be reused is built from nothing beside what is there: the old image keeps its tag
until the new one takes it, the old target folder its place, the old container its address. So a failed build, Ctrl-C
or a kill at any moment leaves what was there, or what took its place.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from layerdoit.build import execute, leftovers
from layerdoit.core.console import say
from layerdoit.core.errors import DeployError
from layerdoit.core.prose import listed
from layerdoit.core.units import duration_text, size_text
from layerdoit.deploy.provider import Provider, Release
from layerdoit.flows import conditions, deploying, left_behind, service_deploys
from layerdoit.flows.deploying import Place
from layerdoit.flows.ensure import ensure, ensure_each, sweep
from layerdoit.flows.reporting import each, line, outcomes
from layerdoit.layers.key import IMAGES, LAYERS, ORDER
from layerdoit.layers.outcome import Outcome
from layerdoit.layers.plan import UP_TO_DATE

if TYPE_CHECKING:
    from layerdoit.cache.clear import Sweep
    from layerdoit.cache.levels import Going, Level
    from layerdoit.cache.model import Usage
    from layerdoit.flows.session import Session


# --- fast ------------------------------------------------------------------------------------------------------------


def fast(session: Session, *, anew: bool = False) -> None:
    """Start what is there beside the old containers, wait until it is healthy, swap: of one service, or of all.

    `anew`: also where the image is the one that serves; it was built again.
    """
    if session.project.kind == "foreign":
        from layerdoit.flows import foreign_services

        foreign_services.replace(session)
        return
    if session.project.local_only:
        from layerdoit.flows import local_only

        for one in session.built:
            local_only.show(one, release(one))
        return
    left_behind.tell(session)
    for one in session.built:
        _tell_reused(one)
    _ask_for_all(session, anew=anew)
    deployed = service_deploys.each(session, partial(_replaced, anew=anew))
    for one in session.built:
        if one.project.service in deployed:
            _tags_follow(one, Place.of(one).provider)
    # What the containers that are gone were made from.
    sweep(session)
    for one in session.built:
        if deployed.get(one.project.service) or one.run.reported:
            _summed_up(one)
    service_deploys.raise_failed(deployed)


def _ask_for_all(session: Session, *, anew: bool) -> None:
    """Ask where the rules of the environment want it: once for all services, before anything is pushed or changed."""
    rules, _ = conditions.rules_of(session.project.config)
    if not rules.confirm or len(session.built) < 2:
        return
    changed = [one.project.service for one in session.built if anew or not deploying.serves_already(one)]
    if changed:
        conditions.agreed(session, f"deploy {listed(changed)} to {session.project.environment}")


def _tell_reused(session: Session) -> None:
    # What is not there was not built either: `deploy` needs the app image only, and says so where that lacks.
    reused = [step for step in session.plan.layers() if step.action == "reuse"]
    for step in reused if session.run.verbose else ():
        if step.spec.layer not in session.run.reported:
            say(line(Outcome(step)))


def _replaced(session: Session, *, anew: bool) -> bool:
    """Deploy one image; whether anything was started."""
    place = Place.of(session)

    def there() -> Release:
        # Where it cannot be deployed, an image that lacks is not the first thing to know.
        app = session.plan.step("app")
        place.check(deploying.wanted(session))
        if app.action == "reuse" and app.reasons != UP_TO_DATE and not session.run.verbose:
            # An image of another tree is that of this one too.
            say(line(Outcome(app)))
        wanted = release(session)
        if _tags_lack(session):
            execute.check_tags(session.work)
        return wanted

    return deploying.deploy(session, place, there, anew=anew)


def preview(session: Session) -> None:
    """What `deploy` would change; changes nothing."""
    for one in list(session.services.values()) or [session]:
        if one.project.kind == "foreign":
            from layerdoit.flows import foreign_services

            foreign_services.preview(one, named=one is session)
            continue
        app = one.plan.step("app")
        for text in deploying.changes(Place.of(one), deploying.wanted(one)):
            say(text)
        if app.action != "reuse":
            say(f"the image is not built yet: {app.why}")


def release(session: Session) -> Release:
    """The app image of the tree as it stands; DeployError where there is none."""
    session.settle(["app"])
    step = session.plan.step("app")
    if step.action != "reuse":
        raise DeployError(
            f"there is no image of the current tree ({step.spec.tag}): {step.why}",
            hint="doit image builds it, doit cycle_fast builds and deploys it",
        )
    return Release(step.spec.tag, step.spec.key)


def _tags_lack(session: Session) -> bool:
    app = session.plan.step("app").spec
    return bool(session.engine.images.untagged(app.tag, app.repository, session.project.tags))


def _tags_follow(session: Session, provider: Provider) -> None:
    """Have the friendly tags on the image that serves; not where another run has deployed meanwhile."""
    if not _tags_lack(session):
        return
    with session.project.state.locked():
        serving = deploying.serving(provider)
        if serving is not None and serving.key == session.plan.step("app").spec.key:
            execute.give_tags(session.work, serves=True)


def _summed_up(session: Session) -> None:
    from layerdoit.flows import summary

    of = f"{session.project.service}: " if session.project.service else ""
    for at, text in enumerate(summary.of_cycle(session.past, verbose=session.run.verbose)):
        say(text.replace("cycle   ", f"cycle   {of}", 1) if at == 0 else text)


# --- from nothing ----------------------------------------------------------------------------------------------------


def anew(session: Session, command: str, level: Level, *, yes: bool, dry_run: bool) -> bool:
    """Build what a cache level clears from nothing, deploy it, and only then clear; False where the user declined."""
    from layerdoit.cache import clear, levels
    from layerdoit.cache.usage import gather

    for one in session.built:
        execute.check_tags(one.work)
        app = next(spec for spec in one.inputs.specs if spec.layer == "app")
        # A long build is not begun for what could not be deployed afterwards.
        Place.of(one).check(Release(app.tag, app.key, environment=one.project.environment))
    conditions.check(session.project)
    usage = gather(session.inputs, session.engine)
    layers = _from_scratch(session, level)
    clearing = _afterwards(clear.of_level(level, levels.Narrow()), command, layers)
    wanted = clearing.select(usage)
    say(_announced(session, command, layers))
    say(clear.preview(usage, clearing, wanted, "Nothing is cleared before the new container is healthy."))
    if dry_run:
        return True
    if clear.declined_by_user(clearing, yes=yes):
        return False
    session.build_from_scratch(dict.fromkeys(layers, command))
    try:
        if session.project.services:
            _build(session)
            fast(session, anew=True)
        else:
            place = Place.of(session)
            deploying.deploy(session, place, lambda: _built(session), anew=True)
            _tags_follow(session, place.provider)
    except BaseException:
        # What a failed attempt has left.
        sweep(session)
        raise
    # What was built just now is the newest of its kind.
    with clear.interruptible(f"doit cache_clear:{level} --keep-last 1", "; the new container serves"):
        sweep(session)
        with session.project.state.locked():
            cleared = clear.carry_out(session.inputs, session.engine, clearing, wanted)
    if wanted:
        say(cleared.words)
    if not session.project.services:
        _summed_up(session)
    return not cleared.stayed


def _afterwards(clearing: Sweep, command: str, layers: Collection[str]) -> Sweep:
    """What a level clears, but nothing that the cycle does not build again."""

    def select(usage: Usage) -> Going:
        found = clearing.select(usage)
        return replace(found, images=tuple(image for image in found.images if image.layer in layers))

    return replace(clearing, command=command, clears=(), select=select)


def _from_scratch(session: Session, level: Level) -> list[str]:
    """The layers that are built from scratch: a base only where the project may build it at all."""
    from layerdoit.cache import levels

    layers = [layer for layer in ORDER if layer in levels.LAYERS[level]]
    may = "build" in session.project.config.base.on_missing
    return [layer for layer in layers if may or layer not in IMAGES["base"]]


def _announced(session: Session, command: str, layers: Sequence[str]) -> str:
    made = [layer for layer in layers if layer != "runtime"]
    names = made[0] if len(made) == 1 else f"{', '.join(made[:-1])} and {made[-1]}"
    how_long = _expected(session, layers)
    return f"{command} builds {names} from scratch ({how_long}), then replaces the container, then clears"


def _expected(session: Session, layers: Sequence[str]) -> str:
    from layerdoit import history

    found = history.expected(session.project.state.folder, session.inputs.variant, layers)
    if found.seconds is None:
        return "expected time unknown: this project's history has no such build"
    return f"expected: {duration_text(found.seconds)}, n={found.n}"


def _built(session: Session) -> Release:
    _build(session)
    return release(session)


def _build(session: Session) -> None:
    for layer in LAYERS:
        each(ensure_each(session, layer))


# --- without the app -------------------------------------------------------------------------------------------------


def warm(session: Session, profiles: Sequence[str]) -> None:
    """Have what the first build needs, pulled or built, for each profile; the configured one where none is named."""
    from layerdoit.flows import saved_artefacts

    for profile in profiles or (session.project.config.profile,):
        other = session.variant(PROFILE=profile)
        say(f"profile {profile}")
        for layer in ("base", "deps"):
            outcomes(other, ensure(other, layer))
        saved_artefacts.fetch(other)
        sweep(other)


def refresh(session: Session, *, dry_run: bool) -> None:
    """Cook the deps image from nothing, as the first of a chain; the old one is there until the new one is."""
    from layerdoit.engine import mounts

    project = session.project
    if not project.has_rust:
        say("cache_refresh has nothing to do: nothing is compiled here")
        return
    tag = session.plan.step("deps").spec.tag
    cooked = [image for image in session.engine.images.of_project(project.name) if image.label("layer") == "deps"]
    old = next((image for image in cooked if tag in image.tags), None)
    below = f"{size_text(old.size)}, builds on {old.label('depth') or '0'} others" if old else ""
    stays = f"; the old one ({below}) stays until then" if old else ""
    say(f"cache_refresh cooks {tag} from scratch ({_expected(session, ['deps'])}){stays}")
    if dry_run:
        return
    session.build_from_scratch({"deps": "cache_refresh"})
    outcomes(session, ensure(session, "base"))
    outcomes(session, ensure(session, "deps"))
    chain = old.label("cook") if old else ""
    if old and chain and not any(image.label("cook") == chain for image in cooked if image.id != old.id):
        leftovers.drop_mount(project.state, mounts.identity(project.name, project.root, session.inputs.variant, chain))
    sweep(session)
    say("the next build of the app compiles the workspace's own crates once more, against the new image")
