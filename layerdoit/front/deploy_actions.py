"""What the tasks around deployments do. Imported with the dodo; anything heavy is imported where it is used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from json import dumps
from typing import TYPE_CHECKING, Any

from layerdoit import config as configuration
from layerdoit.core.console import pass_on, say, warn
from layerdoit.core.errors import ConfigError, EngineError, LayerdoitError
from layerdoit.core.prose import listed

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Provider
    from layerdoit.flows.session import Session


def deployment(session: Session) -> Provider:
    """Where the project, or this worktree of it, is deployed in its environment."""
    from layerdoit.flows.deploying import Place

    return Place.of(session).provider


def replace(session: Session) -> None:
    """Start the image beside the old container, wait until it is healthy, swap. The old one serves until then."""
    from layerdoit.flows import cycles

    cycles.fast(session)


def deploy(session: Session, dry_run: bool) -> None:
    """As `replace`; or what it would change."""
    if not dry_run:
        replace(session)
        return
    from layerdoit.flows import cycles

    cycles.preview(session)


def from_source(session: Session) -> None:
    """Build a pushed commit; deploy it where an environment is named."""
    from layerdoit.flows import from_ref

    project = session.project
    from_ref.run(session, replace if "ENV" in project.variables and not project.local_only else None)


def cycle_clean(session: Session, dry_run: bool) -> bool:
    """Build the app from nothing, replace the container, then clear what `cache_clear:medium` clears."""
    from layerdoit.flows import cycles

    return cycles.anew(session, "cycle_clean", "medium", yes=True, dry_run=dry_run)


def cycle_nuclear(session: Session, yes: bool, dry_run: bool) -> bool:
    """Build all layers from nothing, replace the container, then clear what `cache_clear:nuke` clears."""
    from layerdoit.flows import cycles

    agreed = yes or configuration.confirmed(session.project.variables)
    return cycles.anew(session, "cycle_nuclear", "nuke", yes=agreed, dry_run=dry_run)


def destroy(session: Session, left: bool) -> None:
    """Remove the containers, and those that no setting describes any more; their absence is no error."""
    from layerdoit.flows import conditions, left_behind, removing

    if session.project.service and left:
        raise ConfigError("--left is about the whole project", hint="doit destroy --left")
    parts = [] if left else _deployed(session)
    behind: list[left_behind.Left] = []
    # What serves elsewhere is removed without an engine here, too.
    with contextlib.nullcontext() if left else contextlib.suppress(EngineError):
        behind += [] if session.project.service else left_behind.found(session)
    ours = [one for one in parts if one is session or one.project.kind != "foreign"]
    names = [*(one.project.service for one in ours if one.project.service), *(one.deployment for one in behind)]
    if len(names) > 1:
        conditions.agreed(session, f"remove {listed(names)} from {session.project.environment}")
    for part in reversed(parts):
        if part not in ours:
            from layerdoit.flows import foreign_services

            foreign_services.kept(part)
            continue
        whose = f" of {part.project.service}" if part.project.service else ""
        removed = removing.destroy(part)
        say(f"container{whose} removed" if removed else f"there is no container{whose}: nothing to do")
    for gone in left_behind.remove(session) if behind else ():
        say(f"{gone.container} removed")
    if left and not behind:
        say("no deployment is left behind: nothing to do")


def _deployed(session: Session) -> list[Session]:
    """What a task is about that shows or removes: this service, or all of them."""
    return list(session.services.values()) or [session]


def rollback(session: Session) -> None:
    """Let the release before serve again, or the one that TO names."""
    from layerdoit.flows import deploying

    deploying.roll_back(session, deploying.Place.of(session), session.project.variables.get("TO"))


def releases(session: Session, json: bool) -> None:
    """What was deployed, and how it ended."""
    from layerdoit.report import release_list

    found = {one.project.service: release_list.of(one) for one in session.built}
    if json:
        told = {name: release_list.as_json(entries) for name, entries in found.items()}
        say(dumps({"services": told} if session.project.services else told[session.project.service]))
        return
    for name, entries in found.items():
        if session.project.services:
            say(f"{name}:")
        say(release_list.table(entries))


def environments(session: Session, json: bool) -> None:
    """The environments of the project, and what runs there."""
    from layerdoit.report import environment_list

    found = environment_list.of(session)
    say(dumps(environment_list.as_json(found)) if json else environment_list.table(found))


def deploy_unlock(session: Session) -> None:
    """Remove the lock that an interrupted deployment left."""
    from layerdoit.flows import removing

    failed: list[LayerdoitError] = []
    for one in _deployed(session):
        whose = f"{one.project.service}: " if one.project.service else ""
        try:
            say(f"{whose}{removing.unlock(one)}")
        except LayerdoitError as error:
            # One that is deployed at this moment keeps none of the others locked.
            failed.append(error.reworded(what=f"{whose}{error.what}"))
    for other in failed[:-1]:
        warn(f"error: {other}")
    if failed:
        raise failed[-1]


def status(session: Session, json: bool) -> None:
    """What runs, and what a build would do."""
    project = session.project
    identity = {"name": project.name, **project.owner.as_json()}
    if json:
        told = {one.project.service: _status_json(one) for one in _deployed(session)}
        own = {"services": told} if project.services else told[project.service]
        say(dumps({"project": identity, "environment": project.environment, **own, **_layers_json(session)}))
        return
    where = f", environment {project.environment}" if project.config.named else ""
    say(f"project {project.name}: {project.owner.words}{where}")
    for one in _deployed(session):
        _tell_status(one)
    if not project.service:
        from layerdoit.flows import left_behind

        for left in left_behind.found(session):
            say(f"{left.words}; doit destroy --left removes it")
    for step in session.plan.layers() if project.kind != "foreign" else ():
        say(f"{step.spec.layer:<5} {step.action:<6} {step.spec.tag}  {step.why}")
    if project.kind != "foreign":
        from layerdoit.flows import pushes

        if waiting := pushes.waiting(session):
            say(pushes.words(session, waiting))


def _layers_json(session: Session) -> Mapping[str, Any]:
    if session.project.kind == "foreign":
        return {}
    from layerdoit.flows import pushes

    return {**session.plan.as_json(), "pending": [one.tag for one in pushes.waiting(session)]}


def _status_json(session: Session) -> Mapping[str, Any]:
    found, foreign = deployment(session).status(), session.project.kind == "foreign"
    service, app = found.service, None if foreign else session.plan.step("app")
    # Of somebody else's image, nothing but a remark says that it was started otherwise.
    current = service is not None and (service.key == app.spec.key if app else not found.remark)
    live = {"live": found.live} if found.live else {}
    running = None if service is None else {**asdict(service), "health": found.health, "current": current, **live}
    return {"deployment": running, **({"app": app.as_json()} if app and session.project.service else {})}


def _tell_status(session: Session) -> None:
    from layerdoit.core.units import instant
    from layerdoit.report.formats import when_text

    found, project = deployment(session).status(), session.project
    service = found.service
    app = session.plan.step("app") if project.kind != "foreign" else None
    fast = f"doit cycle_fast:{project.service}" if project.service else "doit cycle_fast"
    whose = f"{project.service}: " if project.service else ""
    if service is None:
        say(f"{whose}nothing is deployed; {found.remark or f'{fast} deploys it'}")
    else:
        at = service.url or "(no port published)"
        say(f"{service.name}  {found.health}  {at}  since {when_text(instant(service.since) or None)}")
        other = f"runs another image than that of the current tree; {fast} replaces it"
        same = f"{'runs' if service.running else 'ran'} the image of the current tree"
        if app is not None:
            say(same if service.key == app.spec.key else other)
        if found.live:
            say(f"live: {found.live}")
        if found.remark:
            say(found.remark)
    if project.service and app is not None:
        say(f"{app.spec.layer:<5} {app.action:<6} {app.spec.tag}  {app.why}")


def logs(session: Session, follow: bool, tail: int, since: str) -> None:
    """What the container wrote; of several, each line says whose it is."""
    ago = _ago(since)
    if not session.project.services:
        for text in deployment(session).logs(follow=follow, tail=tail, since=ago):
            pass_on(text)
        return
    from layerdoit.report import service_logs

    places = {name: deployment(one) for name, one in session.services.items()}
    for text in service_logs.lines(places, follow=follow, tail=tail, since=ago):
        pass_on(text)


def _ago(written: str) -> float | None:
    """Seconds since a moment that is given as a duration, or as a time."""
    import time

    from layerdoit.core import units

    if not written:
        return None
    seconds = units.seconds_of(written)
    if seconds is None and (moment := units.instant(written)):
        seconds = max(0.0, time.time() - moment)
    if seconds is None:
        hint = "--since 10m, --since 2h, or a time such as 2026-01-31T12:00:00Z"
        raise ConfigError(f'--since: "{written}" is neither {units.SPAN} nor a time', hint=hint)
    return seconds


def connect(session: Session) -> bool:
    """A shell in the container."""
    return deployment(session).shell() == 0


def execute(session: Session, words: list[str]) -> bool:
    """A command in the container."""
    if not words:
        task = f"exec:{session.project.service}" if session.project.service else "exec"
        hint = f"doit {task} ls /srv; with options of its own: doit {task} -- ls -l"
        raise ConfigError(f"{task} needs a command", hint=hint)
    # One text with blanks is a line of shell, as people type it.
    command = ["sh", "-c", words[0]] if len(words) == 1 and " " in words[0] else words
    return deployment(session).execute(command) == 0


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "cycle_fast": replace,
    "cycle_clean": cycle_clean,
    "cycle_nuclear": cycle_nuclear,
    "from_source": from_source,
    "deploy": deploy,
    "rollback": rollback,
    "releases": releases,
    "environments": environments,
    "deploy_unlock": deploy_unlock,
    "destroy": destroy,
    "status": status,
    "logs": logs,
    "connect": connect,
    "exec": execute,
}
