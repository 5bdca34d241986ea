"""Have the images of a layer: the lock, the plan, its steps, the tags, the history, and what retention removes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from layerdoit.build import execute, leftovers
from layerdoit.core.console import say, warn
from layerdoit.core.errors import Cleared, ContextDiffers, LayerdoitError
from layerdoit.flows import preparing
from layerdoit.history import recording
from layerdoit.layers.key import IMAGES, ORDER

if TYPE_CHECKING:
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
    # Outside of the lock: a command of the user's may call doit itself.
    preparing.before_build(session)
    try:
        outcomes = _ensured(session, layer)
    except LayerdoitError as error:
        preparing.failed(session, error)
        raise
    if layer == "app" and any(outcome.step.action == "build" for outcome in outcomes):
        preparing.after_build(session)
    return outcomes


def _ensured(session: Session, layer: str) -> list[Outcome]:
    with session.project.state.locked() as waited:
        if waited:
            # The other run may have built a newer tree than the one that was read before the wait.
            session.read_again()
        for attempt in range(TRIES):
            try:
                return _done(session, layer)
            except (ContextDiffers, Cleared) as error:
                if attempt == TRIES - 1:
                    raise
                if isinstance(error, ContextDiffers):
                    session.send_again()
                else:
                    session.read_again()
    raise AssertionError("unreachable")


def _done(session: Session, layer: str) -> list[Outcome]:
    names = _wanted(session.plan, layer)
    session.settle(names)
    _locked(session)
    work = session.work
    execute.check_tags(work)
    outcomes = execute.carry_out(work, names)
    moved = execute.give_tags(work) if layer == "app" else False
    session.done(names)
    state = session.project.state
    # Also what was found ready: the next change is told from what this checkout used.
    used = ORDER[: ORDER.index(IMAGES[layer][-1]) + 1]
    state.remember(work.inputs.variant, {name: work.plan.step(name).spec.key for name in used})
    state.mark_cleared(done=names)
    built = any(outcome.step.action != "reuse" for outcome in outcomes)
    if moved or built:
        recording.layers(work.run, work.inputs, work.plan, outcomes)
    for tag in execute.share_late(work, names):
        say(f"{layer:<7} push  {tag}, which an earlier run could not push")
    if built and layer == "app" and session.project.config.retention.after_build:
        from layerdoit.cache import gc

        gc.after_build(work.inputs, work.engine)
    elif built and layer == "app":
        _tell_of_old_apps(session)
    return outcomes


def _tell_of_old_apps(session: Session) -> None:
    from layerdoit.cache import old_apps

    listed, app = session.engine.images.listed(session.project.name), session.plan.step("app").spec
    if text := old_apps.remark(session.project, listed, app.key):
        warn(text)


def _locked(session: Session) -> None:
    """Before anything is built that cargo would refuse in the end: Cargo.lock has to be what the manifests ask for."""
    if any(session.plan.step(name).action == "build" for name in ("deps", "app")):
        from layerdoit.cargo import lock_drift

        lock_drift.check(session.project.workspace, session.tree.lock)


def _wanted(plan: Plan, layer: str) -> tuple[str, ...]:
    asked = IMAGES[layer]
    below = ORDER[: ORDER.index(asked[0])]
    return (*(name for name in below if plan.step(name).action != "reuse"), *asked)


def sweep(session: Session) -> None:
    """Remove what builds have replaced, where nothing uses it."""
    project = session.project
    leftovers.sweep(project.state, session.engine, project.name, lambda: project.owner)
