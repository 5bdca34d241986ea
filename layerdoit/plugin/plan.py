"""`doit layers plan`: what would be done to each layer, why, and how long that takes by this project's own history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerdoit.plugin.layers import CHANGES

if TYPE_CHECKING:
    from layerdoit.history import Figures
    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project import Project


def run(params: Any, _words: Sequence[str]) -> int:
    """Print the plan; with `--exit-code`, 2 when something would be done."""
    from layerdoit.planner import plan_of
    from layerdoit.project import Project
    from layerdoit.tasks import variables

    project = Project(Path(params["root"]), variables())
    plan = plan_of(project)
    figures = {step.spec.layer: _expected(project, plan, step) for step in plan.layers()}
    if params["json"]:
        told = plan.as_json()
        layers = [{**layer, "expected": _as_json(figures[layer["layer"]])} for layer in told["layers"]]
        print(json.dumps({**told, "layers": layers}, indent=2))
    else:
        for step in plan.layers():
            print(f"{step.spec.layer:<5} {step.action:<6} {step.spec.tag}{_text(figures[step.spec.layer])}")
            for reason in step.reasons:
                print(f"      {reason}")
    return CHANGES if params["exit_code"] and plan.changes else 0


def _expected(project: Project, plan: Plan, step: Step) -> Figures | None:
    """How long builds of this kind took here; None for what is not built, or was never built so."""
    if step.action != "build":
        return None
    from layerdoit import build, history

    # The base layer is two images.
    names = ("base", "runtime") if step.spec.layer == "base" else (step.spec.layer,)
    parts = [plan.step(name) for name in names]
    return history.together(
        history.of_layer(project.state, project.variant, part.spec.layer, cold=build.from_nothing(part))
        for part in parts
        if part.action == "build"
    )


def _as_json(found: Figures | None) -> Mapping[str, float] | None:
    if found is None:
        return None
    return {"seconds": found.median, "low": found.low, "high": found.high, "n": found.n}


def _text(found: Figures | None) -> str:
    if found is None:
        return ""
    from layerdoit.units import duration_text

    between = f"{duration_text(found.low)} to {duration_text(found.high)}" if found.n > 1 else "one build"
    return f"  about {duration_text(found.median)} ({between}{f', n={found.n}' if found.n > 1 else ''})"
