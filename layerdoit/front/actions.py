"""What the tasks do. Imported with the dodo; anything heavy is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from json import dumps
from typing import TYPE_CHECKING, Any

from layerdoit import config as configuration
from layerdoit.build import planning
from layerdoit.core.console import say
from layerdoit.core.errors import ConfigError
from layerdoit.project.project import Project

if TYPE_CHECKING:
    from layerdoit.deploy.docker.deployment import DockerDeployment
    from layerdoit.layers.plan import Plan


def _plan(project: Project) -> Plan:
    """The plan as of now: with `doit -n`, other processes build."""
    planning.forget(project)
    return planning.plan_of(project)


# Functions of a module, not closures: `doit -n` pickles them where processes are not forked.


def base(project: Project) -> None:
    """Have the builder and runtime images."""
    _have(project, "base")


def deps(project: Project) -> None:
    """Have the image of compiled dependencies."""
    _have(project, "deps")


def app(project: Project) -> None:
    """Have the app image."""
    _have(project, "app")


def _have(project: Project, layer: str) -> None:
    from layerdoit.build import execute, leftovers
    from layerdoit.flows import reporting

    reporting.outcomes(project, execute.ensure(project, layer))
    leftovers.sweep(project)


def image(project: Project) -> None:
    """The image is there: have its tags on it, and say what it is called."""
    from layerdoit.build import execute

    # Where this run had the app made, the tags moved with it; by now another run may have moved them on.
    if "app" not in project.told:
        execute.ensure(project, "app")
    say(f"image   {', '.join(f'{project.repository}:{tag}' for tag in project.tags)}")


# --- the deployment --------------------------------------------------------------------------------------------------


def deployment(project: Project) -> DockerDeployment:
    """The container of this project, or of this worktree of it."""
    from layerdoit.deploy.docker.deployment import DockerDeployment
    from layerdoit.deploy.provider import DeployConfig

    config = project.config.deploy
    default = f"{project.name}-{project.worktree}" if project.worktree else project.name
    name = configuration.repository_name(config.name or default).replace("/", "-")
    return DockerDeployment(
        project.name,
        DeployConfig(
            name=name,
            port=config.port,
            publish=config.publish,
            bind=config.bind,
            health_path=config.health.path,
            health_command=config.health.command,
            health_timeout=config.health.timeout,
            env=config.env,
            volumes=tuple(config.volumes),
            args=tuple(config.args),
            network=config.network,
            isolated_start=config.isolated_start,
            stop_grace=config.stop_grace,
        ),
        root=project.root,
    )


def replace(project: Project) -> None:
    """Start the image beside the old container, wait until it is healthy, swap. The old one serves until then."""
    from layerdoit.flows import cycles

    cycles.fast(project, deployment(project))


def cycle_clean(project: Project, dry_run: bool) -> bool:
    """Build the app from nothing, replace the container, then clear what `cache_clear:medium` clears."""
    from layerdoit.flows import cycles

    return cycles.anew(project, deployment(project), "cycle_clean", "medium", yes=True, dry_run=dry_run)


def cycle_nuclear(project: Project, yes: bool, dry_run: bool) -> bool:
    """Build all layers from nothing, replace the container, then clear what `cache_clear:nuke` clears."""
    from layerdoit.flows import cycles

    agreed = _agreed(project, yes)
    return cycles.anew(project, deployment(project), "cycle_nuclear", "nuke", yes=agreed, dry_run=dry_run)


def destroy(project: Project) -> None:
    """Remove the container; its absence is no error."""
    where = deployment(project)
    say("container removed" if where.destroy() else "there is no container: nothing to do")


def status(project: Project, json: bool) -> None:
    """What runs, and what a build would do."""
    from layerdoit.core.units import instant
    from layerdoit.report.formats import when_text

    found = deployment(project).status()
    service = found.service
    plan = _plan(project)
    current = service is not None and service.key == plan.step("app").spec.key
    if json:
        running = None if service is None else {**asdict(service), "health": found.health, "current": current}
        say(dumps({"deployment": running, **plan.as_json()}))
        return
    fast = f"doit {project.prefix}:cycle_fast" if project.prefix else "doit cycle_fast"
    if service is None:
        say(f"nothing is deployed; {fast} does it")
    else:
        at = service.url if service.address else "(no port published)"
        say(f"{service.name}  {found.health}  {at}  since {when_text(instant(service.since) or None)}")
        other = f"runs another image than that of the tree as it stands; {fast} replaces it"
        say("runs the image of the tree as it stands" if current else other)
    for step in plan.layers():
        say(f"{step.spec.layer:<5} {step.action:<6} {step.spec.tag}  {'; '.join(step.reasons)}")


def logs(project: Project, follow: bool, tail: int) -> None:
    """What the container wrote."""
    for text in deployment(project).logs(follow=follow, tail=tail):
        say(text)


def connect(project: Project) -> bool:
    """A shell in the container."""
    return deployment(project).connect() == 0


# --- caches ----------------------------------------------------------------------------------------------------------


def cache_status(project: Project, json: bool) -> None:
    """What this project's caches hold."""
    from concurrent.futures import ThreadPoolExecutor

    from layerdoit.cache import table, usage
    from layerdoit.engine import builders

    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(builders.of, project.config.builder)
        found, builder = usage.gather(project), asked.result()
    say(dumps(table.as_json(found, builder)) if json else table.render(found, builder))


def cache_clear(project: Project, level: str, yes: bool, dry_run: bool, older_than: str, keep_last: str) -> bool:
    """Clear one level of this project's caches."""
    from layerdoit.cache import clear, levels

    less = levels.narrow(older_than, keep_last)
    return clear.run(project, level, yes=_agreed(project, yes), dry_run=dry_run, less=less) == 0


def cache_gc(project: Project, yes: bool, dry_run: bool, stale: bool) -> bool:
    """Let go what the configured policy does not keep."""
    from layerdoit.cache import gc

    return gc.run(project, stale=stale, yes=_agreed(project, yes), dry_run=dry_run) == 0


def cache_pin(project: Project, images: list[str], remove: bool, show: bool, json: bool) -> None:
    """Protect images, or no longer."""
    from layerdoit.cache import pins, usage

    if json and not show:
        raise ConfigError("--json goes with --list", hint="doit cache_pin --list --json")
    if show:
        found = usage.gather(project)
        say(dumps(pins.as_json(found)) if json else pins.listing(found))
    else:
        pins.run(project, images, remove=remove)


def cache_warm(project: Project, profiles: str) -> None:
    """Have base and deps, without the app."""
    from layerdoit.flows import cycles

    cycles.warm(project, [name for name in profiles.split(",") if name])


def cache_refresh(project: Project, dry_run: bool) -> None:
    """Cook the dependencies from nothing."""
    from layerdoit.flows import cycles

    cycles.refresh(project, dry_run=dry_run)


def _agreed(project: Project, yes: bool) -> bool:
    return yes or configuration.confirmed(project.variables)


def check(project: Project) -> None:
    """Tests and clippy for the whole workspace."""
    from layerdoit.flows import check as checking

    checking.show(project)


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
