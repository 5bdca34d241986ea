"""What the tasks do. Imported with the dodo; anything heavy is imported where it is used."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from layerdoit.project import Project

if TYPE_CHECKING:
    from layerdoit.build import Outcome


def _say(text: str) -> None:
    print(text, flush=True)


def layer(name: str) -> Callable[[Project], None]:
    """The action of a layer's task: have its images."""

    def action(project: Project) -> None:
        from layerdoit import build

        for outcome in build.ensure(project, name):
            _say(line(outcome))
            for warning in warnings(outcome):
                print(f"layerdoit: {warning}", file=sys.stderr, flush=True)

    return action


def line(outcome: Outcome) -> str:
    """One layer: what was done, how long it took, why."""
    step = outcome.step
    reasons = "; ".join(step.reasons)
    if step.action == "reuse":
        return f"{step.spec.layer:<8} reuse  {step.spec.tag}"
    counts = outcome.counts
    crates = f", {counts['compiled']} crates compiled" if "compiled" in counts else ""
    return f"{step.spec.layer:<8} {step.action:<6} {step.spec.tag} in {outcome.seconds:.1f} s: {outcome.how}{crates} — {reasons}"


def warnings(outcome: Outcome) -> list[str]:
    """A miss is seen: external crates that the app build had to compile again."""
    external = outcome.counts.get("external", 0)
    if outcome.step.spec.layer != "app" or not external:
        return []
    names = ", ".join(outcome.not_fresh[:8]) + (", …" if len(outcome.not_fresh) > 8 else "")
    return [
        f"{external} external crates were not fresh and compiled again in the app build: {names}; "
        "likely causes: flags set by a build script or .cargo/config.toml below the root, or features that the deps layer did not see"
    ]


def image(project: Project) -> None:
    """The image is there: say what it is called."""
    plan = project.plan()
    for step in plan.layers():
        _say(f"{step.spec.layer:<5} {step.spec.tag}")
    tags = [project.worktree] if project.worktree else project.config.image.tags
    _say(f"image {', '.join(f'{project.repository}:{tag}' for tag in tags)}")


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "base": layer("base"),
    "deps": layer("deps"),
    "app": layer("app"),
    "image": image,
}
