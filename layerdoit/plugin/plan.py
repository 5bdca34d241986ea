"""`doit layers plan`: what would be done to each layer, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layerdoit.plugin.layers import CHANGES


def run(params: Any, _words: Sequence[str]) -> int:
    """Print the plan; with `--exit-code`, 2 when something would be done."""
    from layerdoit.planner import plan_of
    from layerdoit.project import Project
    from layerdoit.tasks import variables

    project = Project(Path(params["root"]), variables())
    plan = plan_of(project)
    if params["json"]:
        print(json.dumps(plan.as_json(), indent=2))
    else:
        for step in plan.layers():
            print(f"{step.spec.layer:<5} {step.action:<6} {step.spec.tag}")
            for reason in step.reasons:
                print(f"      {reason}")
    return CHANGES if params["exit_code"] and plan.changes else 0
