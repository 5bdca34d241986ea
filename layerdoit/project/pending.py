"""What the registry is not known to have of what is here: pushed by the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.layers.key import ARTEFACTS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project.project import Project

_COMPILED: Final = "artefacts.json"


class Waiting(NamedTuple):
    """Something that the next run pushes. `name`: for people; `tag`: the keyed one of a layer."""

    name: str
    tag: str


def every(parts: Iterable[tuple[Project, Plan]], *, compiled: bool) -> list[Waiting]:
    """All of it: layers of the plans, and what was compiled of the workspace. No registry is asked.

    `parts`: the project itself, and its services; what several have is named once. `compiled`: whether there is any.
    """
    found: dict[str, Waiting] = {}
    for one, plan in parts:
        for step in of(one, plan):
            name = one.service if one.service and step.spec.layer == "app" else step.spec.layer
            found.setdefault(step.spec.tag, Waiting(name, step.spec.tag))
    return [*found.values(), *([Waiting(ARTEFACTS, ARTEFACTS)] if compiled else [])]


def of(project: Project, plan: Plan, shared: Collection[str] | None = None) -> list[Step]:
    """Layers of a plan that are here, and are to be shared. No registry is asked. `shared`: those that are pushed."""
    settings = project.config.registry
    wanted = settings.push if shared is None else shared
    if settings.repository is None or not wanted:
        return []
    known = project.state.shared(settings.repository)
    there = [step for step in plan.steps if step.action == "reuse" and step.spec.tag not in known]
    return [step for step in there if ("base" if step.spec.layer == "runtime" else step.spec.layer) in wanted]


def note_compiled(project: Project, repository: str | None) -> None:
    """What was compiled of the workspace is to be pushed to a repository; None: no more."""
    project.state.keep_note(_COMPILED, {ARTEFACTS: repository} if repository else {})


def is_compiled(project: Project) -> bool:
    """Whether something was compiled of the workspace that the registry is to have, and has not yet."""
    settings = project.config.registry
    return ARTEFACTS in settings.push and project.state.note(_COMPILED).get(ARTEFACTS) == settings.repository
