"""Have the images of a layer: the lock, the plan, its steps, the tags, the history, and what retention removes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from layerdoit.build import execute, leftovers
from layerdoit.core.console import warn
from layerdoit.core.errors import Cleared, ContextDiffers, LayerdoitError
from layerdoit.flows import component_builds, preparing, pushes, service_builds
from layerdoit.history import recording
from layerdoit.layers.key import IMAGES, ORDER

if TYPE_CHECKING:
    from layerdoit.engine.display import Display
    from layerdoit.flows.service_builds import Made
    from layerdoit.flows.session import Session
    from layerdoit.layers.outcome import Outcome
    from layerdoit.layers.plan import Plan

TRIES: Final = 6
"""A source that is edited while it is sent is read again; after so many times the editing does not seem to end."""


def ensure(session: Session, layer: str) -> list[Outcome]:
    """Have the images of one layer; `base` stands for builder and runtime. Layers below are there, as a rule.

    They are built too where they are not: after an edit while this run waited, or while sources were sent, they are
    another tree's. Raises BuildError or EngineError; then no tag was made or moved.
    """
    return [outcome for _, found in ensure_each(session, layer) for outcome in found]


def ensure_each(session: Session, layer: str, *, hooked: bool = True) -> list[Made]:
    """The same, and whose image it is: of a project with services, each has an app, and they are made side by side."""
    # Outside of the lock: a command of the user's may call doit itself.
    if hooked:
        preparing.before_build(session.whole or session)
    try:
        made = _ensured(session, layer)
    except LayerdoitError as error:
        from layerdoit.flows import reporting

        reporting.before_error(session, error)
        preparing.failed(session, error)
        raise
    if not session.run.settles:
        pushes.settle(session)
    for one, outcomes in made if layer == "app" else ():
        if any(outcome.step.spec.layer == "app" and outcome.step.action == "build" for outcome in outcomes):
            preparing.after_build(one)
    return made


def _ensured(session: Session, layer: str) -> list[Made]:
    with session.project.state.locked() as waited:
        if waited:
            # The other run may have built a newer tree than the one that was read before the wait.
            session.read_again()
        for attempt in range(TRIES):
            try:
                return _made(session, layer)
            except (ContextDiffers, Cleared) as error:
                if attempt == TRIES - 1:
                    raise
                leftovers.try_again(session.project.state)
                if isinstance(error, ContextDiffers):
                    session.send_again()
                else:
                    session.read_again()
    raise AssertionError("unreachable")


def _made(session: Session, layer: str) -> list[Made]:
    beside = component_builds.Beside([], [], [])
    if session.project.config.components and (layer == "app" or component_builds.begin_early(session, layer)):
        beside = component_builds.make(session, done)
    made = beside.made
    if layer == "app" and (session.project.service or session.has_services):
        made += service_builds.apps(session, done, beside.stopped)
        if any(one.step.works for _, found in made for one in found):
            tidy(session.whole or session)
        service_builds.raised(beside.errors)
        return made
    if all(outcome.step.spec.layer not in IMAGES[layer] for _, found in made for outcome in found):
        made.append((session, done(session, layer)))
    return made


def done(session: Session, layer: str, display: Display | None = None) -> list[Outcome]:
    """Make what lacks of a layer and those below, as planned. The lock is held. `display`: that of several at once."""
    names = _wanted(session.plan, layer)
    session.settle(names)
    _refuse_early(session)
    work = session.work
    execute.check_tags(work)
    outcomes = execute.carry_out(work, names, display)
    moved = execute.give_tags(work) if layer == "app" else False
    session.done(names)
    state = session.project.state
    # Also what was found ready: the next change is told from what this checkout used.
    upto = ORDER[: ORDER.index(IMAGES[layer][-1]) + 1]
    used = [name for name in upto if work.plan.has(name) and work.plan.step(name).action != "skip"]
    state.remember(work.inputs.app_variant, {name: work.plan.step(name).spec.key for name in used})
    state.mark_cleared(done=names)
    built = any(outcome.step.works for outcome in outcomes)
    if moved or built:
        recording.layers(work.run, work.inputs, work.plan, outcomes)
    execute.share_late(work, names)
    if built and layer == "app" and session.whole is None:
        tidy(session)
    return outcomes


def tidy(session: Session) -> None:
    """Apps were built: apply retention, where that is wanted; else say when old ones pile up."""
    if session.project.config.retention.after_build:
        from layerdoit.cache import gc

        gc.after_build(session.inputs, session.engine)
        return
    from layerdoit.cache import old_apps

    listed = session.engine.images.listed(session.project.name)
    keys = [one.plan.step("app").spec.key for one in session.built]
    if text := old_apps.remark(session.project, listed, keys):
        warn(text)


def _refuse_early(session: Session) -> None:
    """Before anything is built that cargo would refuse in the end."""
    from layerdoit.flows import early_refusals

    if (refused := early_refusals.of_session(session)) is not None:
        raise refused


def _wanted(plan: Plan, layer: str) -> tuple[str, ...]:
    asked = [name for name in IMAGES[layer] if plan.has(name)]
    at = ORDER.index(IMAGES[layer][0])
    below = [name for name in ORDER[:at] if plan.has(name) and plan.step(name).works]
    # Pulls wait for nothing: those of layers above begin now, too.
    later = ORDER[at : ORDER.index("app")]
    above = [name for name in later if name not in asked and plan.has(name) and plan.step(name).action == "pull"]
    return (*below, *asked, *above)


def sweep(session: Session) -> None:
    """Remove what builds have replaced, where nothing uses it."""
    project = session.project
    leftovers.sweep(project.state, session.engine, project.name, lambda: project.owner)
