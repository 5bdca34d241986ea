"""What the tasks around deployments do. Imported with the dodo; anything heavy is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from json import dumps
from typing import TYPE_CHECKING, Any

from layerdoit import config as configuration
from layerdoit.core.console import pass_on, say
from layerdoit.core.errors import ConfigError

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


def destroy(session: Session) -> None:
    """Remove the container; its absence is no error."""
    from layerdoit.flows import removing

    say("container removed" if removing.destroy(session) else "there is no container: nothing to do")


def rollback(session: Session) -> None:
    """Let the release before serve again, or the one that TO names."""
    from layerdoit.flows import deploying

    deploying.roll_back(session, deploying.Place.of(session), session.project.variables.get("TO"))


def releases(session: Session, json: bool) -> None:
    """What was deployed, and how it ended."""
    from layerdoit.report import release_list

    found = release_list.of(session)
    say(dumps(release_list.as_json(found)) if json else release_list.table(found))


def environments(session: Session, json: bool) -> None:
    """The environments of the project, and what runs there."""
    from layerdoit.report import environment_list

    found = environment_list.of(session)
    say(dumps(environment_list.as_json(found)) if json else environment_list.table(found))


def deploy_unlock(session: Session) -> None:
    """Remove the lock that an interrupted deployment left."""
    from layerdoit.flows import removing

    for text in removing.unlock(session):
        say(text)


def status(session: Session, json: bool) -> None:
    """What runs, and what a build would do."""
    from layerdoit.core.units import instant
    from layerdoit.report.formats import when_text

    project = session.project
    found = deployment(session).status()
    service = found.service
    plan = session.plan
    current = service is not None and service.key == plan.step("app").spec.key
    if json:
        running = None if service is None else {**asdict(service), "health": found.health, "current": current}
        identity = {"name": project.name, **project.owner.as_json()}
        words = {"project": identity, "environment": project.environment, "deployment": running}
        say(dumps({**words, **plan.as_json()}))
        return
    where = f", environment {project.environment}" if project.config.named else ""
    say(f"project {project.name}: {project.owner.words}{where}")
    fast = "doit cycle_fast"
    if service is None:
        say(f"nothing is deployed; {found.remark or f'{fast} deploys it'}")
    else:
        at = service.url or "(no port published)"
        say(f"{service.name}  {found.health}  {at}  since {when_text(instant(service.since) or None)}")
        other = f"runs another image than that of the current tree; {fast} replaces it"
        same = f"{'runs' if service.running else 'ran'} the image of the current tree"
        say(same if current else other)
        if found.remark:
            say(found.remark)
    for step in plan.layers():
        say(f"{step.spec.layer:<5} {step.action:<6} {step.spec.tag}  {step.why}")


def logs(session: Session, follow: bool, tail: int, since: str) -> None:
    """What the container wrote."""
    for text in deployment(session).logs(follow=follow, tail=tail, since=_ago(since)):
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
        raise ConfigError("exec needs a command", hint="doit exec ls /srv; with options of its own: doit exec -- ls -l")
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
