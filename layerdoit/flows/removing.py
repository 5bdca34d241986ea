"""Take a deployment away, or the lock that one left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from layerdoit.core.errors import DeployError
from layerdoit.deploy import deploy_lock
from layerdoit.deploy.release_entry import Entry
from layerdoit.deploy.release_log import ReleaseLog
from layerdoit.flows import conditions, release_keeping
from layerdoit.flows.deploying import Place

if TYPE_CHECKING:
    from layerdoit.flows.session import Session


def destroy(session: Session) -> bool:
    """Remove what is deployed; False where there was nothing. The log of releases stays, and has this too."""
    return take_away(session, Place.of(session), session.project.repository)


def take_away(session: Session, place: Place, repository: str) -> bool:
    """The same of any deployment of the project. `repository`: where the images of its releases are."""
    conditions.agreed(session, f"remove {place.settings.name} from {session.project.environment}")
    with deploy_lock.held(place.settings):
        last, begun = ReleaseLog(place.settings).serving(), time.time()
        removed = place.provider.destroy()
        if (removed or last) and not place.settings.foreign:
            ReleaseLog(place.settings).add(_line(place, last, begun))
            release_keeping.let_go(session, place.settings, repository)
    return removed


def _line(place: Place, last: Entry | None, begun: float) -> Entry:
    settings, was = place.settings, last.release if last else None
    return Entry(
        id=was.id if was else "",
        at=begun,
        environment=settings.environment,
        deployment=settings.name,
        provider=settings.config.provider,
        reference=was.reference if was else "",
        key=was.key if was else "",
        digest=was.digest if was else "",
        image=last.image if last else "",
        commit=was.commit if was else "",
        who=deploy_lock.who(),
        kind="destroy",
        seconds=time.time() - begun,
    )


def unlock(session: Session) -> str:
    """What was done. DeployError where a process of this machine deploys at this moment."""
    place = Place.of(session)
    if busy := deploy_lock.holder(place.settings):
        raise DeployError(f"nothing is left to unlock: {busy}", hint="let it end, or end that process")
    return place.provider.unlock()
