"""What the tasks do. Imported with the dodo; anything heavy is imported where it is used."""

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
    from layerdoit.project.project import Project


# Functions of a module, not closures: `doit -n` pickles them where processes are not forked.


def base(session: Session) -> None:
    """Have the builder and runtime images."""
    _have(session, "base")


def deps(session: Session) -> None:
    """Have the image of compiled dependencies."""
    _have(session, "deps")


def app(session: Session) -> None:
    """Have the app image."""
    _have(session, "app")


def _have(session: Session, layer: str) -> None:
    from layerdoit.flows import ensure, reporting

    reporting.outcomes(session, ensure.ensure(session, layer))
    ensure.sweep(session)


def image(session: Session) -> None:
    """The image is there: have its tags on it, and say what it is called."""
    from layerdoit.flows.ensure import ensure

    # Where this run had the app made, the tags moved with it; by now another run may have moved them on.
    if "app" not in session.run.reported:
        ensure(session, "app")
    project = session.project
    # In a cycle, the tags follow what serves.
    if not session.run.deploys:
        names = project.references
        # A program that serves nothing is started by hand.
        start = f" (docker run --rm {names[0]})" if names and project.config.deploy.port is None else ""
        say(f"image   {', '.join(names)}{start}")


# --- the deployment --------------------------------------------------------------------------------------------------


def deployment(project: Project) -> Provider:
    """Where this project, or this worktree of it, is deployed."""
    from layerdoit import deploy

    return deploy.provider_of(project)


def replace(session: Session) -> None:
    """Start the image beside the old container, wait until it is healthy, swap. The old one serves until then."""
    from layerdoit.flows import cycles

    cycles.fast(session, deployment(session.project))


def cycle_clean(session: Session, dry_run: bool) -> bool:
    """Build the app from nothing, replace the container, then clear what `cache_clear:medium` clears."""
    from layerdoit.flows import cycles

    return cycles.anew(session, deployment(session.project), "cycle_clean", "medium", yes=True, dry_run=dry_run)


def cycle_nuclear(session: Session, yes: bool, dry_run: bool) -> bool:
    """Build all layers from nothing, replace the container, then clear what `cache_clear:nuke` clears."""
    from layerdoit.flows import cycles

    agreed = _agreed(session, yes)
    return cycles.anew(session, deployment(session.project), "cycle_nuclear", "nuke", yes=agreed, dry_run=dry_run)


def destroy(session: Session) -> None:
    """Remove the container; its absence is no error."""
    where = deployment(session.project)
    say("container removed" if where.destroy() else "there is no container: nothing to do")


def status(session: Session, json: bool) -> None:
    """What runs, and what a build would do."""
    from layerdoit.core.units import instant
    from layerdoit.report.formats import when_text

    project = session.project
    found = deployment(project).status()
    service = found.service
    plan = session.plan
    current = service is not None and service.key == plan.step("app").spec.key
    if json:
        running = None if service is None else {**asdict(service), "health": found.health, "current": current}
        identity = {"name": project.name, **project.owner.as_json()}
        say(dumps({"project": identity, "deployment": running, **plan.as_json()}))
        return
    say(f"project {project.name}: {project.owner.words}")
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


def logs(session: Session, follow: bool, tail: int) -> None:
    """What the container wrote."""
    for text in deployment(session.project).logs(follow=follow, tail=tail):
        pass_on(text)


def connect(session: Session) -> bool:
    """A shell in the container."""
    return deployment(session.project).shell() == 0


# --- caches ----------------------------------------------------------------------------------------------------------


def cache_status(session: Session, json: bool) -> None:
    """What this project's caches hold."""
    from layerdoit.cache import table, usage
    from layerdoit.core.background import Background
    from layerdoit.engine import builders

    asked = Background(lambda: builders.inspect(session.engine.builder))
    found, builder = usage.gather(session.inputs, session.engine), asked.result()
    say(dumps(table.as_json(found, builder)) if json else table.render(found, builder))


def cache_clear(
    session: Session, level: str, yes: bool, dry_run: bool, older_than: str, keep_last: str, every: bool
) -> bool:
    """Clear one level of this project's caches."""
    from layerdoit.cache import clear, levels

    less = levels.narrow(older_than, keep_last)
    agreed = _agreed(session, yes)
    return clear.run(session.inputs, session.engine, level, yes=agreed, dry_run=dry_run, less=less, every=every) == 0


def cache_gc(session: Session, yes: bool, dry_run: bool, stale: bool, keep: str) -> bool:
    """Let go what the configured policy does not keep."""
    from layerdoit.cache import gc

    agreed, only = _agreed(session, yes), gc.kept(keep)
    return gc.run(session.inputs, session.engine, stale=stale, keep=only, yes=agreed, dry_run=dry_run) == 0


def cache_pin(session: Session, images: list[str], remove: bool, show: bool, json: bool) -> None:
    """Protect images, or no longer."""
    from layerdoit.cache import pins, usage

    if json and not show:
        raise ConfigError("--json needs --list", hint="doit cache_pin --list --json")
    if show:
        found = usage.gather(session.inputs, session.engine)
        say(dumps(pins.as_json(found)) if json else pins.listing(found))
    else:
        pins.run(session.inputs, session.engine, images, remove=remove)


def cache_warm(session: Session, profiles: str) -> None:
    """Have base and deps, without the app."""
    from layerdoit.flows import cycles

    cycles.warm(session, [name for name in profiles.split(",") if name])


def cache_refresh(session: Session, dry_run: bool) -> None:
    """Cook the dependencies from nothing."""
    from layerdoit.flows import cycles

    cycles.refresh(session, dry_run=dry_run)


def _agreed(session: Session, yes: bool) -> bool:
    return yes or configuration.confirmed(session.project.variables)


def check(session: Session) -> None:
    """Tests and clippy for the whole workspace."""
    from layerdoit.flows import check as checking

    checking.show(session)


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "base": base,
    "deps": deps,
    "app": app,
    "image": image,
    "check": check,
    "cycle_fast": replace,
    "cycle_clean": cycle_clean,
    "cycle_nuclear": cycle_nuclear,
    "deploy": replace,
    "destroy": destroy,
    "status": status,
    "logs": logs,
    "connect": connect,
    "cache_status": cache_status,
    "cache_clear": cache_clear,
    "cache_gc": cache_gc,
    "cache_pin": cache_pin,
    "cache_warm": cache_warm,
    "cache_refresh": cache_refresh,
}
