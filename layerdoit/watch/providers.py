"""What a watch cannot do for a project, as one message: where it would deploy, for which platform, by which rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from layerdoit import config as configuration
from layerdoit.config import environments
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.engine import api
from layerdoit.engine.handle import Engine
from layerdoit.flows import conditions
from layerdoit.project.project import Project

KEPT: Final = ("docker", "compose")
"""The providers that have a container on the engine, into which an edit can be put."""


def refuse(project: Project) -> None:
    """Raise where no watch can keep a project, or one of its services: the first reason of all, with the next step.

    How an image comes about is none: what is not compiled here gets ordinary turns. Asks the builder only where it is
    not the engine's own, or a platform is named.
    """
    _refuse_local_only(project)
    _refuse_rules(project)
    for one in project.services.values() or (project,):
        _refuse_provider(one)
    _refuse_platform(project)
    _refuse_builder(project)


def _refuse_local_only(project: Project) -> None:
    if project.local_only:
        what = "a watch deploys each edit, and nothing is to be deployed"
        raise ConfigError(what, where=f"LOCAL_ONLY={project.variables['LOCAL_ONLY']}", hint="leave LOCAL_ONLY out")


def _refuse_rules(project: Project) -> None:
    config = (project.whole or project).config
    rules, where = conditions.rules_of(config)
    wants = [*(("confirmation",) if rules.confirm else ()), *rules.require]
    if wants:
        what = (
            f"the environment {project.environment} has rules ({', '.join(wants)}), and a watch deploys edits without "
            "asking"
        )
        raise ConfigError(what, where=where, hint=_another(project))


def _refuse_provider(project: Project) -> None:
    provider = project.config.deploy.provider
    # Somebody else's image always runs on the engine.
    if provider in KEPT or project.kind == "foreign":
        return
    whose = f"{project.service} is deployed" if project.service else f"{project.name} is deployed"
    what = (
        f"{whose} by the provider {provider}: a watch puts edits into a container of this engine, which only "
        f"{' and '.join(KEPT)} have"
    )
    raise ConfigError(what, where=project.config.where.get("deploy.provider"), hint=_another(project))


def _refuse_platform(project: Project) -> None:
    way = project.way
    if way is not None and (way.elsewhere or way.kind == "emulated"):
        what = f"a watch runs what it compiles on this engine, and the image is for {way.words}"
        hint = "leave PLATFORM out; doit image builds for another platform"
        raise ConfigError(what, where=f"PLATFORM={project.variables['PLATFORM']}", hint=hint)


def _refuse_builder(project: Project) -> None:
    config = (project.whole or project).config
    engine = Engine(config.builder, project.way)
    if engine.is_local:
        return
    chosen = api.chosen_builder() if config.builder is None else None
    where = chosen[1] if chosen else config.where.get("builder")
    if project.way is not None and project.way.builder is not None:
        where = config.where.get("builders")
    own = api.builder_name()
    raise ConfigError(
        f"builds run on the builder {engine.builder}, outside of the engine: a watch compiles in a container of the "
        "deps image, on the engine where the service runs",
        where=where,
        hint=f"BUILDER={own}, or builder: {own} in layerdoit.yaml, builds in the engine",
    )


# --- what to do instead ----------------------------------------------------------------------------------------------


def _another(project: Project) -> str:
    """The environment to watch instead: one that the project has, or how to write one."""
    whole = project.whole or project
    for name in environments.known(whole.root, whole.config.environments):
        if name != whole.environment and _fits(whole, name):
            default = whole.config.environments.get("default", environments.DEFAULT)
            return "leave ENV out" if name == default else f"watch another environment: ENV={name}"
    known = {whole.environment, *environments.known(whole.root, whole.config.environments)}
    name = next(name for name in _proposed() if name not in known)
    file = environments.file_of(name)
    return f'write {file} with "deploy: {{provider: docker}}", and watch that environment: ENV={name}'


def _proposed() -> Iterator[str]:
    yield from ("local", "watch")
    number = 1
    while True:
        number += 1
        yield f"watch-{number}"


def _fits(whole: Project, name: str) -> bool:
    variables = {**whole.variables, "ENV": name}
    overlay = variables.get("CONFIG")
    try:
        config = configuration.load(
            whole.root, overlay=Path(overlay) if overlay else None, variables=variables, call=whole.call
        )
    except LayerdoitError:
        return False
    if conditions.rules_of(config)[0] != environments.Rules():
        return False
    each = [configuration.of_service(config, service, variables) for service in config.services] or [config]
    return all(one.deploy.provider in KEPT for one in each)
