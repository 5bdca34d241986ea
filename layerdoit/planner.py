"""From a project's facts and the engine's images to the plan: the only place where the two meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from layerdoit import state
from layerdoit.engine import images
from layerdoit.layers import plan

if TYPE_CHECKING:
    from layerdoit.layers.key import Spec
    from layerdoit.project import Project


_plans: WeakKeyDictionary[Project, plan.Plan] = WeakKeyDictionary()


def plan_of(project: Project) -> plan.Plan:
    """What would be done to each layer of a project, and why. Kept until `forget`. EngineError without an engine."""
    found = _plans.get(project)
    if found is None:
        found = _plans[project] = _made(project)
    return found


def forget(project: Project) -> None:
    """Images were made or removed, or the tree was read again: the next plan asks the engine again."""
    _plans.pop(project, None)


def _made(project: Project) -> plan.Plan:
    if project.known is not None:
        specs = project.known.layers()
        labels = project.images.labels([spec.tag for spec in specs])
        if len(labels) == len(specs) and not images.lacking(project.known.locked, _of_deps(specs, labels)):
            return plan.make(specs, plan.Present(frozenset(labels)), 0)
    max_chain = project.config.deps.max_chain if project.config.deps.delta else 0
    made = plan.make(project.specs, _present(project), max_chain)
    if not made.changes:
        project.remember()
    return made


def _of_deps(specs: tuple[Spec, ...], labels: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    return next((labels[spec.tag] for spec in specs if spec.layer == "deps" and spec.tag in labels), {})


def _present(project: Project) -> plan.Present:
    """What is there of what is wanted. The registry is asked only for what the engine lacks."""
    labels = project.images.labels([spec.tag for spec in project.specs])
    cooked = _of_deps(project.specs, labels)
    lacking = images.lacking(project.locked, cooked) if cooked else ()
    if len(labels) == len(project.specs) and not lacking:
        return plan.Present(frozenset(labels))
    ours = project.images.of_project(project.name)
    return plan.Present(
        frozenset(labels),
        _remote(project, [spec for spec in project.specs if spec.tag not in labels]),
        images.previous(ours, project.variant),
        state.remembered(project.state, project.variant),
        images.cooked(ours),
        lacking,
    )


def _remote(project: Project, missing: list[Spec]) -> frozenset[str]:
    repository = project.config.registry.repository
    if repository is None:
        return frozenset()
    from layerdoit.engine import registry

    # Apps are asked for only where a team shares them: otherwise every edit would wait for the registry's no.
    unasked = set() if "app" in project.config.registry.push else {"app"}
    if "pull" not in project.config.base.on_missing:
        unasked |= {"base", "runtime"}
    return registry.available([spec for spec in missing if spec.layer not in unasked], repository)
