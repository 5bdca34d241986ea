"""What the registry is not known to have of what is here: pushed by the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project.project import Project


def of(project: Project, plan: Plan, shared: Collection[str] | None = None) -> list[Step]:
    """Layers of a plan that are here, and are to be shared. No registry is asked. `shared`: those that are pushed."""
    settings = project.config.registry
    wanted = settings.push if shared is None else shared
    if settings.repository is None or not wanted:
        return []
    known = project.state.shared(settings.repository)
    there = [step for step in plan.steps if step.action == "reuse" and step.spec.tag not in known]
    return [step for step in there if ("base" if step.spec.layer == "runtime" else step.spec.layer) in wanted]
