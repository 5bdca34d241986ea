"""The sessions of a watch, on readings of their own: threads and processes do not share one."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

from layerdoit import deploy
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.live import Live
from layerdoit.engine import live_volumes
from layerdoit.flows.session import Session
from layerdoit.project.run import Run
from layerdoit.watch.facts import Facts

if TYPE_CHECKING:
    from layerdoit.project.project import Project


def next_live(project: Project) -> Live:
    """Live deployments that no other watch has."""
    return Live(f"{deploy.settings_of(project).name}-{secrets.token_hex(3)}")


def opened(project: Project, live: Live | None, prefix: str) -> Session:
    """A new one, with the live deployments of a watch. `prefix`: before the names of its tasks."""
    service = project.service
    run = Run(live=live, prefix=prefix)
    run = Run(run.task(f"cycle_fast:{service}" if service else "cycle_fast"), prefix, live=live)
    whole = project.whole or project
    session = Session(run, whole.again())
    return session.service(service) if service else session


def finds_other(session: Session, at: Facts, connection: object | None) -> bool:
    """Whether another reading finds another tree than one that is worked on. `connection`: see `read_again`."""
    try:
        session.read_again(asking=True, connection=connection)
        return Facts.of(session).name() != at.name()
    except (LayerdoitError, OSError):
        # What is wrong is told when the turn has ended.
        return False


def sweep(project: Project, live: Live | None, *, over: bool) -> None:
    """Remove volumes that no container uses: of watches that were killed, and of this one where it is over."""
    own = live.watch if live else ""
    ended, going = ([own], "") if over else ([], own)
    with contextlib.suppress(LayerdoitError):
        live_volumes.sweep(project.name, project.owner, ended, going)
