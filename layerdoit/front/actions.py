"""What the tasks do. Imported with the dodo; anything heavy is imported where it is used."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from json import dumps
from typing import TYPE_CHECKING, Any

from layerdoit import config as configuration
from layerdoit.core.console import say, warn
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.front import deploy_actions

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.project.inputs import Inputs


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

    reporting.each(ensure.ensure_each(session, layer))
    ensure.sweep(session)


def image(session: Session) -> None:
    """The image is there: have its tags on it, and say what it is called."""
    from layerdoit.flows import conditions, ensure, reporting

    # Where this run had the app made, the tags moved with it; by now another run may have moved them on.
    if "app" not in session.run.reported:
        made = ensure.ensure_each(session, "app")
        if session.project.service:
            # Nothing else has told of it.
            reporting.each(made)
    # In a cycle, the tags follow what serves.
    for one in session.built if not session.run.deploys else ():
        names = one.project.references
        # A program that serves nothing, and is no service, is started by hand.
        by_hand = names and one.project.config.deploy.port is None and not one.project.service
        words = conditions.started_with(one.project) if by_hand else None
        start = f" ({' '.join(('docker run --rm', *words, names[0]))})" if words is not None else ""
        say(f"image   {', '.join(names)}{start}")


def push(session: Session) -> None:
    """Push the image under its tags."""
    from layerdoit.flows import publishing

    publishing.push(session)


def publish(session: Session, dirty: bool, force: bool, sbom: bool, provenance: bool, sign: str) -> None:
    """Publish the image under its version."""
    from layerdoit.flows import publishing
    from layerdoit.flows.attaching import Beside

    publishing.publish(session, publishing.Wish(dirty, force, Beside(sbom, provenance, sign)))


def publish_base(session: Session, dirty: bool, force: bool, sbom: bool, provenance: bool, sign: str) -> None:
    """Publish the base images."""
    from layerdoit.flows import publishing
    from layerdoit.flows.attaching import Beside

    publishing.publish_base(session, publishing.Wish(dirty, force, Beside(sbom, provenance, sign)))


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


def registry_status(session: Session, json: bool) -> None:
    """What the registry holds of this project."""
    from layerdoit.cache import registry_gc, registry_table

    found, idle = registry_gc.looked_at(_each_platform(session)), session.project.config.registry.retention.idle
    name = session.project.name
    say(dumps(registry_table.as_json(name, found)) if json else registry_table.render(name, found, idle=idle))


def registry_gc(session: Session, yes: bool, dry_run: bool) -> bool:
    """Remove from the registry what its retention does not keep."""
    from layerdoit.cache import registry_gc as collection

    return collection.run(_each_platform(session), yes=_agreed(session, yes), dry_run=dry_run) == 0


def _each_platform(session: Session) -> list[Inputs]:
    """What the layers are made from, for the engine's platform and for each that is configured."""
    found = [session.inputs]
    for name in session.project.config.platforms if session.project.platform is None else ():
        try:
            found.append(session.on(name).inputs)
        except LayerdoitError as error:
            warn(f"what the current tree asks for on {name} is not protected: {error.what}")
    return found


def cache_warm(session: Session, profiles: str) -> None:
    """Have what the first build needs, without the app."""
    from layerdoit.flows import cycles

    cycles.warm(session, [name for name in profiles.split(",") if name])


def cache_refresh(session: Session, dry_run: bool) -> None:
    """Cook the dependencies from nothing."""
    from layerdoit.flows import cycles

    cycles.refresh(session, dry_run=dry_run)


def cache_save(session: Session, file: list[str]) -> None:
    """What is compiled of the workspace, in a file."""
    from doit import get_initial_workdir

    from layerdoit.flows import saved_artefacts

    saved_artefacts.save(session, saved_artefacts.one_file(file, "cache_save", get_initial_workdir()))


def cache_load(session: Session, file: list[str], anew: bool) -> None:
    """Begin with what a file holds."""
    from doit import get_initial_workdir

    from layerdoit.flows import saved_artefacts

    saved_artefacts.load(session, saved_artefacts.one_file(file, "cache_load", get_initial_workdir()), anew=anew)


def _agreed(session: Session, yes: bool) -> bool:
    return yes or configuration.confirmed(session.project.variables)


def check(session: Session) -> None:
    """Tests and clippy for the whole workspace."""
    from layerdoit.flows import check as checking

    checking.show(session)


def watch(session: Session, projects: list[str], json: bool) -> None:
    """Let edits serve as they are made."""
    from layerdoit.front import watching

    watching.watch(session, projects, json)


def watch_every(session: Session, projects: list[str], json: bool) -> None:
    """The same for all projects of the dodo."""
    from layerdoit.front import watching

    watching.watch_every(session, projects, json)


class AskingWhich:
    """The action of a task that is about one service, where none was named."""

    def __init__(self, task: str, services: Sequence[str], action: Callable[..., Any]) -> None:
        self._task = task
        self._services = tuple(services)
        # Its options are those of the task.
        functools.update_wrapper(self, action)

    def __call__(self, *_: Any, **__: Any) -> None:
        names = ", ".join(f"doit {self._task}:{name}" for name in self._services)
        what = f"{self._task} is about one service, and there are {len(self._services)}"
        raise ConfigError(what, hint=f"name it: {names}")


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "base": base,
    "deps": deps,
    "app": app,
    "image": image,
    "watch": watch,
    "push": push,
    "publish": publish,
    "publish_base": publish_base,
    "check": check,
    "cache_status": cache_status,
    "cache_clear": cache_clear,
    "cache_gc": cache_gc,
    "cache_pin": cache_pin,
    "registry_status": registry_status,
    "registry_gc": registry_gc,
    "cache_warm": cache_warm,
    "cache_refresh": cache_refresh,
    "cache_save": cache_save,
    "cache_load": cache_load,
    **deploy_actions.ACTIONS,
}
