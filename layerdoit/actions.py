"""What the tasks do. Imported with the dodo; anything heavy is imported where it is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from json import dumps
from typing import TYPE_CHECKING, Any

from layerdoit import config as configuration
from layerdoit import planner
from layerdoit.errors import DeployError
from layerdoit.layers.plan import Outcome
from layerdoit.project import Project

if TYPE_CHECKING:
    from layerdoit.deploy.base import Release, Service
    from layerdoit.deploy.docker import DockerDeployment
    from layerdoit.layers.plan import Outcome, Plan


def _say(text: str) -> None:
    print(text, flush=True)


def _plan(project: Project) -> Plan:
    """The plan as of now: with `doit -n`, other processes build."""
    planner.forget(project)
    return planner.plan_of(project)


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
    from layerdoit import build

    for outcome in build.ensure(project, layer):
        project.told.add(outcome.step.spec.layer)
        _say(line(outcome))
        for warning in warnings(outcome):
            print(f"layerdoit: {warning}", file=sys.stderr, flush=True)


def line(outcome: Outcome) -> str:
    """One layer: what was done, how long it took, why."""
    step = outcome.step
    did = ""
    if step.action != "reuse":
        compiled = outcome.counts.get("compiled")
        crates = "" if compiled is None else f", {compiled} crate{'' if compiled == 1 else 's'} compiled"
        did = f" in {outcome.seconds:.1f} s: {outcome.how}{crates}"
    return f"{step.spec.layer:<7} {step.action:<5} {step.spec.tag}{did} — {'; '.join(step.reasons)}"


def warnings(outcome: Outcome) -> list[str]:
    """A miss is seen: external crates that the app build had to compile again."""
    external = outcome.counts.get("external", 0)
    if outcome.step.spec.layer != "app" or not external:
        return []
    names = ", ".join(outcome.not_fresh[:8]) + (", …" if len(outcome.not_fresh) > 8 else "")
    what = f"{external} external crates were not fresh and compiled again in the app build: {names}"
    causes = (
        "flags set by a build script or .cargo/config.toml below the root, or features that the deps layer did not see"
    )
    return [f"{what}; likely causes: {causes}"]


def image(project: Project) -> None:
    """The image is there: have its tags on it, and say what it is called."""
    from layerdoit import build

    # Where this run had the app made, the tags moved with it; by now another run may have moved them on.
    if "app" not in project.told:
        build.ensure(project, "app")
    _say(f"image   {', '.join(f'{project.repository}:{tag}' for tag in project.tags)}")


# --- the deployment --------------------------------------------------------------------------------------------------


def deployment(project: Project) -> DockerDeployment:
    """The container of this project, or of this worktree of it."""
    from layerdoit.deploy.base import DeployConfig
    from layerdoit.deploy.docker import DockerDeployment

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


def _release(project: Project) -> Release:
    from layerdoit.deploy.base import Release

    step = _plan(project).step("app")
    if step.action != "reuse":
        raise DeployError(
            f"there is no image of the tree as it stands ({step.spec.tag}): {'; '.join(step.reasons)}",
            hint="doit image builds it, doit cycle_fast builds and deploys it",
        )
    return Release(step.spec.tag, step.spec.key)


def replace(project: Project) -> bool:
    """Start the image beside the old container, wait until it is healthy, swap. The old one serves until then."""
    from layerdoit import cycle

    for step in planner.plan_of(project).layers():
        if step.spec.layer not in project.told:
            _say(line(Outcome(step)))
    result = cycle.run(deployment(project), lambda: _release(project))
    for note in result.recovered:
        _say(f"recovered: {note}")
    if result.error is not None:
        if result.service is not None and result.service.running:
            at = f" at {url(result.service)}" if result.service.address else ""
            print(f"layerdoit: {result.service.name} still serves{at}", file=sys.stderr, flush=True)
        raise result.error
    service = result.service
    assert service is not None  # noqa: S101 - a cycle without error has one
    phases = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.phases if name != "build")
    how = "replaced the old one" if result.replaced else "started" if phases else "already serves this image"
    _say(f"deploy  {service.name} {how}" + (f" ({phases})" if phases else ""))
    if service.address:
        _say(f"healthy at {url(service)}")
    return True


def url(service: Service) -> str:
    """Where a user finds the service. What publishes a port is, as far as we know, an HTTP service."""
    return f"http://{service.address}"


def destroy(project: Project) -> None:
    """Remove the container; its absence is no error."""
    where = deployment(project)
    _say("container removed" if where.destroy() else "there is no container: nothing to do")


def status(project: Project, json: bool) -> None:
    """What runs, and what a build would do."""
    found = deployment(project).status()
    service = found.service
    plan = _plan(project)
    current = service is not None and service.key == plan.step("app").spec.key
    if json:
        running = None if service is None else {**asdict(service), "health": found.health, "current": current}
        _say(dumps({"deployment": running, **plan.as_json()}))
        return
    if service is None:
        _say("nothing is deployed; doit cycle_fast does it")
    else:
        at = url(service) if service.address else "(no port published)"
        _say(f"{service.name}  {found.health}  {at}  since {service.since}")
        _say("runs the image of the tree as it stands" if current else "runs an older image than the tree would give")
    for step in plan.layers():
        _say(f"{step.spec.layer:<5} {step.action:<6} {step.spec.tag}  {'; '.join(step.reasons)}")


def logs(project: Project, follow: bool, tail: int) -> None:
    """What the container wrote."""
    for text in deployment(project).logs(follow=follow, tail=tail):
        _say(text)


def connect(project: Project) -> bool:
    """A shell in the container."""
    return deployment(project).connect() == 0


# --- caches ----------------------------------------------------------------------------------------------------------


def cache_status(project: Project, json: bool) -> None:
    """What this project's caches hold."""
    from layerdoit.cache import usage

    found = usage.gather(project)
    _say(dumps(usage.as_json(found)) if json else usage.render(found))


def cache_clear(project: Project, level: str, yes: bool, dry_run: bool) -> bool:
    """Clear one level of this project's caches."""
    from layerdoit.cache import clear

    agreed = yes or configuration.confirmed(project.variables)
    return clear.run(project, level, yes=agreed, dry_run=dry_run) == 0


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "base": base,
    "deps": deps,
    "app": app,
    "image": image,
    "cycle_fast": replace,
    "deploy": replace,
    "destroy": destroy,
    "status": status,
    "logs": logs,
    "connect": connect,
    "cache_status": cache_status,
    "cache_clear": cache_clear,
}
