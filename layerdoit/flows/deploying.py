"""A release takes its place: rules, hooks, the registry, the provider, the checks, the log, and the way back.

`deploy` and `roll_back` are all that changes what serves. Whatever fails, what served goes on serving.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layerdoit import deploy as providers
from layerdoit.core.console import say, warn
from layerdoit.core.errors import DeployError, LayerdoitError
from layerdoit.core.signals import as_errors
from layerdoit.core.units import duration_text, size_text
from layerdoit.deploy import deploy_lock
from layerdoit.deploy.provider import Deployed, Provider, Release, Remembers, Service
from layerdoit.deploy.release_log import ReleaseLog, before
from layerdoit.flows import conditions, deploy_row, hooks, release_keeping

if TYPE_CHECKING:
    from layerdoit.deploy.release_entry import Entry
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.flows.session import Session


@dataclass(frozen=True)
class Place:
    """Where a release is to serve: a provider, and the settings that it was made from."""

    provider: Provider
    settings: DeploySettings

    @classmethod
    def of(cls, session: Session) -> Place:
        """The deployment of a session's project, in its environment."""
        conditions.require_named(session.project)
        conditions.require_runnable(session.project)
        settings = replace(providers.settings_of(session.project), live=session.run.live)
        return cls(providers.provider_with(settings), settings)

    def check(self, release: Release) -> None:
        """Raise where the release cannot be deployed, or a secret lacks. Changes nothing."""
        _ = self.settings.secrets
        self.provider.check(release)


def wanted(session: Session) -> Release:
    """The release of the tree as it stands; its image may still be unbuilt."""
    app = session.plan.step("app").spec
    return Release(app.tag, app.key, environment=session.project.environment)


def serves_already(session: Session) -> bool:
    """Whether the log has the release of the tree, with the settings of now, as the one that serves."""
    place = Place.of(session)
    return _is(ReleaseLog(place.settings).serving(), wanted(session), place)


def deploy(session: Session, place: Place, build: Callable[[], Release], *, anew: bool = False) -> bool:
    """Deploy what `build` gives; whether anything was started. Errors come out when the user knows what serves."""
    project, release = session.project, None
    with as_errors():
        try:
            conditions.check(project)
            built = build()
            place.check(built)
            with deploy_lock.held(place.settings):
                release = _numbered(session, place, built)
                if place.settings.last is None or release.id != place.settings.last.id:
                    conditions.agreed(session, f"deploy to {project.environment}")
                image = release.digest
                release = _pushed(session, place, release)
                result = _deployed(session, place, release, image=image, anew=anew)
        except LayerdoitError as error:
            _failed(session, place, release, error)
            tell_what_serves(serving(place.provider))
            raise
    if result.error is not None:
        _failed(session, place, release, result.error)
        if result.failed_in != "verify":
            tell_what_serves(result.service)
        raise result.error
    if result.phases:
        url = result.service.url if result.service else None
        hooks.run(project, "after_deploy", hooks.of_release(place.settings, release, url))
    return bool(result.phases)


def _numbered(session: Session, place: Place, built: Release) -> Release:
    """The release with its number, commit and digest. One that serves already keeps the number it has."""
    log = ReleaseLog(place.settings)
    last, settings = log.serving(), place.settings
    commit, _ = session.run.head(session.project.root).result()
    number = last.id if last is not None and _is(last, built, place) else log.next_id()
    digest = str((session.engine.images.inspect(built.reference) or {}).get("Id") or "")
    return replace(built, digest=digest, environment=settings.environment, commit=commit or "", id=number)


def _pushed(session: Session, place: Place, release: Release) -> Release:
    """The release as the provider can have it: by its digest in the registry, where it needs one."""
    if not place.provider.needs_registry:
        return release
    from layerdoit.build import release_push, sharing

    project, spec = session.project, session.plan.step("app").spec
    sharing.wait_for(session.run, spec)
    with deploy_row.shown(session.run.prefix) as on_phase:
        on_phase("push")
        sent = release_push.push(project, spec, release.digest)
    if sent.seconds:
        session.run.spend("push", sent.seconds)
        say(f"push    {sent.reference} ({size_text(sent.bytes)} in {duration_text(sent.seconds)})")
    return replace(release, reference=sent.reference, digest=sent.digest)


def _deployed(session: Session, place: Place, release: Release, *, image: str, anew: bool) -> Deployed:
    """Deploy and check; what came of it is in the log, and in the history of runs. `image`: its id on this engine."""
    begun, log = time.time(), ReleaseLog(place.settings)
    previous = log.serving()

    def first() -> None:
        conditions.agreed(session, f"deploy to {session.project.environment}")
        hooks.run(session.project, "before_deploy", hooks.of_release(place.settings, release))

    with deploy_row.shown(session.run.prefix, first) as on_phase:
        result = place.provider.deploy(release, anew=anew, on_phase=on_phase)
    for note in result.recovered:
        say(f"recovered: {note}")
    entry = release_keeping.entry(session, place.settings, release, result, image=image, at=begun)
    if result.error is None:
        assert result.service is not None  # noqa: S101 - a deployment without error has one
        _tell(session, release, result, result.service)
        if not result.phases and _is(previous, release, place):
            return result
        if not result.phases and previous is not None:
            say(f"recovered: release {release.id} serves already; its deployment was interrupted at its end")
        entry, result = _verified(session, place, release, result, entry, previous)
    log.add(entry)
    _recorded(session, result, result.error)
    if result.error is None:
        release_keeping.keep(session, place.settings, entry)
    return result


def _is(serving: Entry | None, release: Release, place: Place) -> bool:
    """Whether the log knows that the release serves: else whoever started it was ended before it wrote that down."""
    return serving is not None and (serving.key, serving.started_with) == (release.key, place.settings.digest())


def _verified(
    session: Session, place: Place, release: Release, result: Deployed, entry: Entry, previous: Entry | None
) -> tuple[Entry, Deployed]:
    """Run the checks of a release that serves; where one fails, the release before serves again."""
    commands = place.settings.config.verify
    if not commands:
        return entry, result
    begun = time.monotonic()
    url = result.service.url if result.service else None
    try:
        hooks.verify(session.project, commands, hooks.of_release(place.settings, release, url))
    except LayerdoitError as error:
        spent = ("verify", time.monotonic() - begun)
        served = result.replaced or not result.phases
        error.reworded(what=f"{error.what}\n{_gone_back(session, place, release, previous, served=served)}")
        failed = replace(result, phases=(*result.phases, spent), failed_in="verify", error=error)
        return replace(entry, outcome="rolled back", failed_in="verify", error=error.what), failed
    return entry, replace(result, phases=(*result.phases, ("verify", time.monotonic() - begun)))


def _gone_back(session: Session, place: Place, release: Release, previous: Entry | None, *, served: bool) -> str:
    """Go back from a release whose checks failed; what was done, in words. `served`: whether anything did before."""
    try:
        if isinstance(place.provider, Remembers) and (done := place.provider.put_back()):
            return done
    except LayerdoitError as error:
        return f"release {release.id} serves on, for what served before could not be restored: {error.what}"
    if previous is None and served:
        return f"release {release.id} serves on: this machine's log does not have what served before"
    if previous is None:
        place.provider.destroy()
        return f"{place.settings.name} had no release before: it was removed"
    then = of_then(place, previous)
    back = release_keeping.there(session, then.provider, previous)
    with deploy_row.shown(session.run.prefix) as on_phase:
        result = then.provider.roll_back(back, on_phase=on_phase)
    if result.error is not None:
        return f"release {release.id} serves on, for release {previous.id} could not be restored: {result.error.what}"
    return f"release {previous.id} serves again"


# --- going back ------------------------------------------------------------------------------------------------------


def roll_back(session: Session, place: Place, word: str | None) -> None:
    """Let a good release serve again: the one before, or the one that was named. Builds and pushes nothing."""
    from layerdoit.deploy import release_log

    log = ReleaseLog(place.settings)
    entries, now = log.here(), log.serving()
    where = f"{place.settings.name} ({place.settings.environment})"
    target = release_log.named(entries, word, where) if word else _before(place, entries, now)
    if target is None:
        raise DeployError(f"{where} has no release before", hint="doit releases lists what was deployed")
    then, project = of_then(place, target), session.project
    conditions.agreed(session, f"roll {where} back to release {target.id}")
    with as_errors(), deploy_lock.held(place.settings):
        release, begun = release_keeping.there(session, then.provider, target), time.time()
        # Before the log has the rollback: the release before is the one that serves now.
        variables = hooks.of_release(place.settings, release)
        with deploy_row.shown(session.run.prefix) as on_phase:
            result = then.provider.roll_back(release, on_phase=on_phase)
    for note in result.recovered:
        say(f"recovered: {note}")
    if result.phases or result.error:
        entry = release_keeping.entry(session, then.settings, release, result, image=target.image, at=begun)
        entry = replace(entry, kind="rollback", commit=target.commit, dirty=target.dirty, settings=target.settings)
        log.add(entry)
    if result.error is not None:
        _failed(session, place, release, result.error)
        tell_what_serves(result.service)
        raise result.error
    assert result.service is not None  # noqa: S101 - a deployment without error has one
    at = f": healthy at {result.service.url}" if result.service.url else ""
    say(f"rollback {result.service.name} {'serves' if result.phases else 'already serves'} release {target.id}{at}")
    if result.phases:
        release_keeping.tags_follow(session, target)
        hooks.run(project, "after_deploy", {**variables, "LAYERDOIT_URL": result.service.url or ""})


def _before(place: Place, entries: Sequence[Entry], now: Entry | None) -> Entry | None:
    """The release before. Another machine may have deployed since: where the provider knows what served, it decides."""
    known = place.provider.earlier() if isinstance(place.provider, Remembers) else ()
    if not known:
        return before(entries, now)
    same = (one for one in reversed(entries) if one.good and (one.key, one.digest) == (known[0].key, known[0].digest))
    return next(same, None) or release_keeping.told(place.settings, known[0])


def of_then(place: Place, entry: Entry) -> Place:
    """The place as it was when a release was deployed: its settings then, with the secrets of today."""
    settings = release_keeping.settings_then(place.settings, entry)
    return Place(providers.provider_with(settings), settings)


# --- what is said ----------------------------------------------------------------------------------------------------


def serving(provider: Provider) -> Service | None:
    """What is deployed; None also where that cannot be found out: what went wrong before is the error to show."""
    with contextlib.suppress(LayerdoitError):
        return provider.status().service
    return None


def tell_what_serves(service: Service | None) -> None:
    """Say that the old release goes on serving, where there is one."""
    if service is not None and service.running:
        at = f" at {service.url}" if service.url else ""
        warn(f"{service.name} still serves{at}")


def _tell(session: Session, release: Release, result: Deployed, service: Service) -> None:
    at = f": healthy at {service.url}" if service.url else ""
    how = _how(result, release, named="app" in session.run.reported)
    number = f" (release {release.id})" if result.phases and session.project.config.named else ""
    say(f"deploy  {service.name} {how}{number}{at}")
    whose = f"{session.project.service}: " if session.project.service else ""
    for remark in result.remarks:
        # Several services may need the same.
        if remark not in session.run.done:
            session.run.done.add(remark)
            say(f"{whose}{remark}")


def _how(result: Deployed, release: Release, *, named: bool) -> str:
    """What was done. `named`: the user has been told of the image."""
    if not result.phases:
        return f"already serves {release.reference}"
    if not named:
        return f"replaced the old one with {release.reference}" if result.replaced else f"started {release.reference}"
    return "replaced the old one" if result.replaced else "started"


def _failed(session: Session, place: Place, release: Release | None, error: LayerdoitError) -> None:
    if session.project.config.hooks.on_failure:
        hooks.failed(session.project, error, hooks.of_release(place.settings, release))


def _recorded(session: Session, result: Deployed, error: LayerdoitError | None) -> None:
    if not result.phases:
        return
    from layerdoit.history import recording

    plan = session.plan if error is None else None
    phases = {**session.run.spent, **dict(result.phases)}
    recording.deployment(session.run, session.inputs, plan, phases, result.failed_in, error)


def changes(place: Place, release: Release) -> Sequence[str]:
    """What a deployment of the release would change, in lines."""
    place.check(release)
    return tuple(place.provider.changes(release))
