"""The end of a run waits for what is being pushed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerdoit.core.errors import Interrupted, LayerdoitError, ProcessError
from layerdoit.core.prose import listed
from layerdoit.project import pending

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.project.pending import Waiting
    from layerdoit.project.project import Project


def settle(session: Session) -> None:
    """Wait for the pushes of a run, and tell what came of them. EngineError only where `registry.strict` wants it."""
    whole = session.whole or session
    _layers(whole, session)
    if has_compiled(whole.project):
        _compiled(whole)


def has_compiled(project: Project) -> bool:
    """Whether what was compiled is to be pushed now. Nobody else begins with what was compiled of uncommitted edits."""
    if not pending.is_compiled(project):
        return False
    from layerdoit.tree import git_changes

    try:
        return not git_changes.changed(project.root)
    except ProcessError:
        return False


def _compiled(whole: Session) -> None:
    """Push what was compiled of the workspace; nothing else waits for that."""
    from layerdoit.build import shared_artefacts

    try:
        work = whole.work
    except Interrupted:
        raise
    except LayerdoitError:
        # The tree cannot be read: the next run pushes it.
        return
    with whole.project.state.locked():
        shared_artefacts.push(work)


def _layers(whole: Session, session: Session) -> None:
    project, run = whole.project, session.run
    if project.config.registry.repository is None or not (run.pushes or project.state.unshared()):
        return
    from layerdoit.build import sharing

    try:
        plans = [one.plan for one in (whole, *whole.built)]
    except LayerdoitError:
        # The tree cannot be read: what is on its way goes on.
        plans = []
    sharing.settle(run, project, whole.engine, plans)


def waiting(session: Session) -> list[Waiting]:
    """What is here, and what the registry lacks of it as far as this checkout knows. No registry is asked."""
    project, parts = session.project, session.built if session.project.services else []
    return pending.every([(one.project, one.plan) for one in (session, *parts)], compiled=has_compiled(project))


def words(session: Session, found: Sequence[Waiting]) -> str:
    """What is pending, as a line."""
    names, repository = listed([one.name for one in found]), session.project.config.registry.repository
    return f"pending {names}: not known to be in {repository}; the next run pushes what it lacks"
