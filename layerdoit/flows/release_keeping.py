"""Releases that were deployed: their lines in the log, the tags that keep their images, and their settings of then."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from layerdoit.config import reading
from layerdoit.config.deploy_section import Deploy
from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.deploy import deploy_lock, release_log
from layerdoit.deploy.provider import Deployed, Provider, Release
from layerdoit.deploy.release_entry import Entry
from layerdoit.deploy.release_log import ReleaseLog
from layerdoit.history.recording import how_it_ended

if TYPE_CHECKING:
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.flows.session import Session

_ERROR: Final = 300
"""Characters of an error that the log keeps."""


def entry(
    session: Session, settings: DeploySettings, release: Release, result: Deployed, *, image: str, at: float
) -> Entry:
    """The line of the log about a deployment. `image`: the image's id on this engine."""
    _, dirty = session.run.head(session.project.root).result()
    error = result.error
    return replace(
        told(settings, release),
        id=release.id,
        at=at,
        image=image,
        dirty=dirty,
        who=deploy_lock.who(),
        outcome=how_it_ended(error),
        failed_in=result.failed_in,
        error=error.what[:_ERROR] if isinstance(error, LayerdoitError) else None,
        seconds=time.time() - at,
        started_with=settings.digest(),
    )


def told(settings: DeploySettings, release: Release) -> Entry:
    """A line about a release that a provider remembers, and this machine's log does not have."""
    return Entry(
        id=release.id or release.key[:12],
        at=0.0,
        environment=settings.environment,
        deployment=settings.name,
        provider=settings.config.provider,
        reference=release.reference,
        key=release.key,
        digest=release.digest,
        commit=release.commit,
        settings=as_json(settings.config),
    )


# --- images ----------------------------------------------------------------------------------------------------------


def keep(session: Session, settings: DeploySettings, added: Entry) -> None:
    """Have the images of the last good releases bear a tag that keeps them; older ones let go of theirs."""
    images, project = session.engine.images, session.project
    if added.image and images.inspect(added.image):
        images.tag(added.image, project.repository, [_tag(added)])
    let_go(session, settings, project.repository)


def let_go(session: Session, settings: DeploySettings, repository: str) -> None:
    """Take the tags from the images of releases that are kept no longer. `repository`: where these images are."""
    from layerdoit.engine import removal

    images, project = session.engine.images, session.project
    here = ReleaseLog(settings).here()
    wanted = {_tag(one) for one in release_log.kept(here)}
    old = {f"{repository}:{_tag(one)}": one.image for one in here if one.good and _tag(one) not in wanted}
    there = [(name, image) for name, image in old.items() if images.inspect(name)]
    if there:
        removal.untag(project.name, there, project.owner)


def _tag(one: Entry) -> str:
    return f"release-{one.deployment}-{one.id}"[-128:]


def there(session: Session, provider: Provider, target: Entry) -> Release:
    """The release of an entry, as the provider can run it; DeployError where its image is gone."""
    release = target.release
    if provider.needs_registry:
        from layerdoit.engine import registry

        repository = release.reference.partition("@")[0]
        if not registry.has_digest(repository, release.digest):
            what = f"release {target.id} cannot be restored: {repository} no longer has {release.digest}"
            raise DeployError(what, hint=_other(target))
        return release
    images, repository = session.engine.images, session.project.repository
    for reference in (f"{repository}:{_tag(target)}", target.image, release.reference):
        found = images.inspect(reference) if reference else None
        if found is not None and found.get("Id") == (target.image or found.get("Id")):
            return replace(release, reference=reference, digest=str(found.get("Id")))
    what = f"release {target.id} cannot be restored: this engine no longer has its image {target.image[:19]}"
    raise DeployError(what, hint=_other(target))


def _other(target: Entry) -> str:
    return (
        f"doit releases lists the others; or build its commit {target.commit[:12] or '(not known)'} again and deploy it"
    )


def tags_follow(session: Session, target: Entry) -> None:
    """Have the friendly tags on the image that serves again, where this engine has it."""
    images, project = session.engine.images, session.project
    if target.image and images.inspect(target.image):
        images.tag(target.image, project.repository, project.tags)


# --- settings --------------------------------------------------------------------------------------------------------


def as_json(settings: Any) -> dict[str, Any]:
    """A section of the configuration as JSON values. `deploy` holds names of secrets, and no values."""
    found = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if one.metadata.get("section"):
            value = as_json(value)
        found[one.name] = list(value) if isinstance(value, tuple) else value
    return found


def settings_then(settings: DeploySettings, target: Entry) -> DeploySettings:
    """The settings with the section `deploy` as it was; as they are now where a later layerdoit wrote it."""
    try:
        then = Deploy(**reading.built(Deploy, _tuples(target.settings)))
    except (TypeError, ValueError):
        return settings
    return replace(settings, config=then)


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    def turned(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _tuples(value)
        return tuple(value) if isinstance(value, list) else value

    return {name: turned(value) for name, value in values.items()}
