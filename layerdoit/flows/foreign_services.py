"""Services of images that are not built here: a cycle has them up; only by its name, one is replaced or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit import deploy as providers
from layerdoit.core.console import say
from layerdoit.core.signals import as_errors
from layerdoit.deploy import needs
from layerdoit.deploy.docker.foreign import Foreign
from layerdoit.deploy.docker.foreign_provider import ForeignProvider
from layerdoit.deploy.provider import Release
from layerdoit.flows import conditions, deploy_row

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.flows.session import Session

_NONE = Release("", "")


def have(session: Session) -> bool:
    """Have it up and healthy, and otherwise leave it alone; whether anything was started."""
    settings = _settings(session)
    if why := needs.unmanaged(settings):
        tell(session, why)
        return False
    found = Foreign(settings)
    with as_errors(), deploy_row.shown(session.run.prefix) as on_phase:
        if started := found.lacking() or bool(needs.lacking(settings)):
            conditions.agreed(session, f"start {settings.name} in {session.project.environment}")
            on_phase("needs")
        first = needs.have(settings)
        had = found.have()
    for remark in (*first.remarks, *had.remarks):
        tell(session, remark)
    return started


def replace(session: Session) -> bool:
    """Have it as the settings are by now: one that was started otherwise gives way. Whether anything was started."""
    settings = _settings(session)
    if session.project.local_only:
        say(f"{settings.name} is neither started nor replaced (LOCAL_ONLY)")
        return False
    provider = ForeignProvider(settings)
    provider.check(_NONE)

    def first() -> None:
        conditions.agreed(session, f"deploy {settings.name} to {session.project.environment}")

    with as_errors(), deploy_row.shown(session.run.prefix, first) as on_phase:
        done = provider.deploy(_NONE, on_phase=on_phase)
    for remark in done.remarks:
        tell(session, remark)
    if done.error is not None:
        raise done.error
    if not done.phases and done.service is not None:
        at = f" at {done.service.address}" if done.service.address else ""
        say(f"deploy  {settings.name} already runs {settings.foreign}: healthy{at}")
    return bool(done.phases)


def preview(session: Session, *, named: bool) -> None:
    """What a deployment would do with it, where its name was given, or as one of all; changes nothing."""
    settings = _settings(session)
    if why := needs.unmanaged(settings):
        say(why)
        return
    found = Foreign(settings)
    there = found.found()
    if not named and there is not None and (why := found.outdated(there)):
        say(f"{there.name} {why}, and would stay: doit deploy:{settings.service} replaces it")
        return
    for text in ForeignProvider(settings).changes(_NONE):
        say(text)


def kept(session: Session) -> None:
    """Say that it stays, where everything else of the project is removed."""
    settings = _settings(session)
    if not needs.unmanaged(settings) and (found := Foreign(settings).found()) is not None:
        say(f"{found.name} ({settings.foreign}) stays: doit destroy:{settings.service} removes it, but for its data")


def tell(session: Session, text: str) -> None:
    """Say it once in a run: several services may need the same."""
    if text not in session.run.done:
        session.run.done.add(text)
        say(text)


def _settings(session: Session) -> DeploySettings:
    conditions.require_named(session.project)
    return providers.settings_of(session.project)
