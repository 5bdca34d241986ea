"""From a project's facts and the engine's images to the plan: the only place where the two meet."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from layerdoit.engine import images
from layerdoit.layers import plan
from layerdoit.layers.key import IMAGES

if TYPE_CHECKING:
    from layerdoit.layers.key import Spec
    from layerdoit.project.project import Project


_plans: WeakKeyDictionary[Project, plan.Plan] = WeakKeyDictionary()


def plan_of(project: Project) -> plan.Plan:
    """What would be done to each layer of a project, and why. Kept until `forget`. EngineError without an engine."""
    found = _plans.get(project)
    if found is None:
        begun = time.monotonic()
        found = _plans[project] = _made(project)
        project.spent["plan"] = project.spent.get("plan", 0.0) + time.monotonic() - begun
    return found


def forget(project: Project) -> None:
    """Images were made or removed, or the tree was read again: the next plan asks the engine again."""
    _plans.pop(project, None)


def _made(project: Project) -> plan.Plan:
    if project.known is not None and not project.afresh:
        specs = project.known.layers()
        labels = project.images.labels([spec.tag for spec in specs])
        if len(labels) == len(specs) and not images.lacking(project.known.locked, _of_deps(specs, labels)):
            return plan.make(specs, plan.Present(frozenset(labels)), 0)
    made = plan.make(project.specs, _present(project), _max_chain(project)).afresh(project.afresh)
    if not made.changes:
        project.remember()
    return made


def local_plan(project: Project) -> plan.Plan:
    """The plan as it would be without a registry, which can be slow to say that it is not there. Never kept."""
    return plan.make(project.specs, _present(project, ask_registry=False), _max_chain(project))


def _max_chain(project: Project) -> int:
    return project.config.deps.max_chain if project.config.deps.delta else 0


def _of_deps(specs: tuple[Spec, ...], labels: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    return next((labels[spec.tag] for spec in specs if spec.layer == "deps" and spec.tag in labels), {})


def _present(project: Project, *, ask_registry: bool = True) -> plan.Present:
    """What is there of what is wanted. The registry is asked only for what the engine lacks."""
    labels = project.images.labels([spec.tag for spec in project.specs])
    cooked = _of_deps(project.specs, labels)
    lacking = images.lacking(project.locked, cooked) if cooked else ()
    if len(labels) == len(project.specs) and not lacking:
        return plan.Present(frozenset(labels))
    ours = project.images.of_project(project.name)
    missing = [spec for spec in project.specs if spec.tag not in labels]
    seen = project.state.remembered(project.variant)
    return plan.Present(
        frozenset(labels),
        _remote(project, missing) if ask_registry else frozenset(),
        images.previous(ours, project.variant, seen),
        seen,
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
        unasked |= set(IMAGES["base"])
    return registry.available([spec for spec in missing if spec.layer not in unasked], repository)
