"""What of services and components may be wrong: gathered here, judged in `part_checks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from layerdoit.core import process
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.doctor.part_checks import Bound, Broken, Parts
from layerdoit.tree import git

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.flows.session import Session
    from layerdoit.project.component_inputs import ComponentInputs
    from layerdoit.project.project import Project

_COMPOSE: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_DEEPEST: Final = 40


def collect(session: Session) -> Parts:
    """Look at the services and components of a project whose workspace can be read."""
    from layerdoit.project.component_inputs import ComponentInputs

    project, root = session.project, session.project.root
    components = [ComponentInputs(session.tree, name, "") for name in project.config.components]
    broken = [found for one in components if (found := _broken(one)) is not None]
    sound = [one for one in components if one.name not in {found.name for found in broken}]
    return Parts(
        broken=tuple(broken),
        committed={one.name: file for one in sound if (file := _tracked(root, one.output_path))},
        open=tuple(one.name for one in sound if _is_seen(root, f"{one.path or '.'}/node_modules")),
        bound=tuple(_bound(project)) if project.has_rust else (),
        programs=tuple(_programs(project)) if project.has_rust else (),
        composed=_composed(project),
    )


def _broken(one: ComponentInputs) -> Broken | None:
    from layerdoit.node import node_checks

    try:
        node_checks.check(one.root, one.config.build, one.setting)
    except LayerdoitError as error:
        return Broken(one.name, error.what, error.where, error.hint)
    return None


def _tracked(root: Path, path: str) -> str | None:
    """A file at or below a path that git tracks."""
    if not path:
        return None
    try:
        names = process.capture_quick(git.command("ls-files", "-z", "--cached", "--", path), root)
    except LayerdoitError:
        return None
    return names.partition(b"\0")[0].decode("utf-8", "replace") or None


def _is_seen(root: Path, path: str) -> bool:
    """Whether git would list such a folder."""
    try:
        return (
            process.capture(
                git.command("check-ignore", "--quiet", "--no-index", f"{path}/"), cwd=root, check=False
            ).code
            == 1
        )
    except LayerdoitError:
        return False


def _bound(project: Project) -> Iterator[Bound]:
    """Where programs listen of which nothing but the source decides it."""
    from layerdoit.cargo import program_sources
    from layerdoit.init import bound_address

    named = {name: each for name, each in project.services.items() if each.kind == "compiled"}
    if not project.services:
        named = {"": project}
    every = program_sources.of(project.workspace, project.selection, project.options)
    owners = {name: key for key, name in project.selection.bins}
    for service, each in named.items():
        bins = [name for _, name in each.bins]
        program = each.config.image.entrypoint or (each.config.bins or tuple(bins))[0]
        if program not in owners or (not service and len(bins) > 1):
            continue
        own = program_sources.entry_only(project.workspace, every, owners[program], program, project.options)
        listens = bound_address.chosen(bound_address.found(own))
        if len(listens) == 1 and listens[0].fixed and listens[0].port is not None:
            yield Bound(service, program, listens[0].port, listens[0].where)


def _programs(project: Project) -> Iterator[str]:
    """Binaries of default members that are no tools."""
    from layerdoit.init.existing import NO_SERVICE

    ws = project.workspace
    for key in ws.default_members:
        for name in ws.packages[key].bins:
            if not NO_SERVICE.search(name) and not NO_SERVICE.search(ws.packages[key].dir.replace("/", "-")):
                yield name


def _composed(project: Project) -> frozenset[str] | None:
    """The services of the compose file; None where it takes in others, or cannot be read."""
    from layerdoit.config import reading
    from layerdoit.init import compose_service

    names = project.config.deploy.compose.file or _COMPOSE
    found: set[str] = set()
    for name in names:
        path = project.root / name
        if not path.is_file():
            continue
        try:
            top = compose_service.mapping(reading.parse(path.read_bytes(), name, deepest=_DEEPEST))
        except (ConfigError, OSError):
            return None
        if "include" in top:
            return None
        found |= set(compose_service.mapping(top.get("services")))
    return frozenset(found)
