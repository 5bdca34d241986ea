"""Deployments that this folder's configuration made and describes no more: of a service that is gone or has another
name, or of the project as it was before it had services. They go on running, and may hold a port.

Nothing removes them by itself, for they serve. They are told of once, in `doit status` as long as they are there, and
`doit destroy --left` removes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit import deploy as providers
from layerdoit.core.console import warn
from layerdoit.deploy.settings import NAMED, OF_SERVICE
from layerdoit.engine import removal
from layerdoit.flows import removing
from layerdoit.flows.deploying import Place

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.flows.session import Session
    from layerdoit.project.project import Project

_TOLD: Final = "left.json"


class Left(NamedTuple):
    """`source`: which settings described it; `service`: of which service, '' of the project without services."""

    deployment: str
    container: str
    source: str
    service: str
    running: bool

    @property
    def words(self) -> str:
        """What it is, in a sentence."""
        of = f"the service {self.service}, which is there no more" if self.service else "the project without services"
        return f"{self.container} {'runs on' if self.running else 'is still there'}: it is of {of}"


def found(session: Session) -> list[Left]:
    """Those of a project's folder and environment, on the engine."""
    project = (session.whole or session).project
    if project.home is not None:
        # Of a commit that was pushed, other services may be deployed than those of this tree.
        return []
    places = [providers.settings_of(one) for one in project.services.values() or (project,)]
    known = {one.source for one in places} | {one.name for one in places}
    file, environment, _ = _parts(places[0].source)
    left = {
        one.deployment: Left(one.deployment, one.name, one.settings, _parts(one.settings)[2], one.running)
        for one in removal.deployments(project.name)
        if one.serves
        and project.owner.made_here(one.labels)
        and _parts(one.settings)[:2] == (file, environment)
        and not known & {one.settings, one.deployment}
    }
    return list(left.values())


def _parts(source: str) -> tuple[str, str, str]:
    """File, environment and service of the label that says which settings described a deployment."""
    rest, _, environment = source.partition(NAMED)
    file, _, service = rest.partition(OF_SERVICE)
    return file, environment, service


def tell(session: Session) -> None:
    """Say it, once of each."""
    state = session.project.state
    there, told = found(session), state.note(_TOLD)
    for one in there:
        if one.deployment not in told:
            warn(f"{one.words}; doit destroy --left removes it")
    state.keep_note(_TOLD, {one.deployment: one.source for one in there})


def remove(session: Session) -> Sequence[Left]:
    """Remove them; those that were there."""
    there = found(session)
    for one in there:
        removing.take_away(session, _place(session.project, one), _repository(session.project, one))
    return there


def _repository(project: Project, one: Left) -> str:
    """Where the images of its releases are."""
    return f"{project.name}-{one.service}" if one.service else project.config.image.repository or project.name


def _place(project: Project, one: Left) -> Place:
    settings: DeploySettings = providers.settings_of(project)
    config = replace(settings.config, provider="docker")
    there = replace(settings, config=config, name=one.deployment, source=one.source, service=one.service)
    return Place(providers.provider_with(there), there)
