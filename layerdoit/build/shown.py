"""What is shown while a plan is carried out: a row for each layer, and what is usual for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

from layerdoit.history import of_layer
from layerdoit.layers.key import IMAGES, ORDER

if TYPE_CHECKING:
    from layerdoit.engine.board import Board, State, Usual
    from layerdoit.engine.display import Display
    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.run import Run

ENOUGH: Final = 3
"""Of fewer runs, no estimate is made."""
_WORDS: Final = {"pull": "pulling", "build": "preparing"}
# What these tasks have made; every other one has the app in the end.
_UP_TO: Final = {"base": "base", "deps": "deps", "cache_warm": "deps", "cache_refresh": "deps"}
_made: dict[str, float] = {}
"""Seconds by tag, of what this process has made: a later task of the same call shows it as done."""


def board(plan: Plan, wanted: Collection[str]) -> Board:
    """The rows of a plan, up to the highest layer that is wanted. A runtime image that is there needs none."""
    from layerdoit.engine.board import Board, Row

    def row(step: Step) -> Row:
        if step.works:
            return Row(step.spec.layer)
        seconds = _made.get(step.spec.tag)
        state: State = "reused" if seconds is None else "done"
        return Row(step.spec.layer, state, until=seconds or 0.0)

    highest = max(ORDER.index(layer) for layer in wanted)
    rows = [row(step) for step in plan.steps if ORDER.index(step.spec.layer) <= highest and step.action != "skip"]
    return Board(tuple(one for one in rows if one.name != "runtime" or one.state != "reused"))


def wanted(asked: str, prefix: str, layers: Sequence[str]) -> list[str]:
    """The layers that the user's call will have made in the end; `asked`: its tasks."""
    names = [word.removeprefix(f"{prefix}:") if prefix else word for word in asked.split()]
    if names and all(name in _UP_TO for name in names):
        return [*layers, *(layer for name in names for layer in IMAGES[_UP_TO[name]])]
    return [*layers, "app"]


def display(run: Run, plan: Plan, layers: Sequence[str]) -> Display:
    """What shows the carrying out of some layers."""
    from layerdoit.engine.display import Display

    rows = board(plan, wanted(run.asked, run.prefix, layers))
    return Display(rows, run.label)


def working(
    shown: Display, run: Run, inputs: Inputs, step: Step, *, cold: bool = True, folds: bool = True
) -> AbstractContextManager[None]:
    """One layer is pulled or built. `folds`: see `Display.work`."""
    if not step.works:
        return nullcontext()
    return shown.work(
        row_of(inputs, step), _WORDS[step.action], partial(usual, run, inputs, step, cold=cold), folds=folds
    )


def row_of(inputs: Inputs, step: Step) -> str:
    """What the row of a step is called: the app of a service as the service."""
    return inputs.project.service if step.spec.layer == "app" and inputs.project.service else step.spec.layer


def of_services(run: Run, parts: Sequence[tuple[Inputs, Plan]]) -> Display:
    """What shows how the apps of several services are made, side by side."""
    from layerdoit.engine.board import Board, Row
    from layerdoit.engine.display import Display

    steps = [(inputs, plan.step("app")) for inputs, plan in parts]
    rows = [Row(row_of(inputs, step), "reused" if step.action == "reuse" else "waits") for inputs, step in steps]
    return Display(Board(tuple(rows)), run.label)


def beside(run: Run, plan: Plan, layers: Sequence[str], components: Sequence[str]) -> Display:
    """What shows components that are built while layers are, or alone."""
    from layerdoit.engine.board import Board, Row
    from layerdoit.engine.display import Display

    rows = board(plan, wanted(run.asked, run.prefix, layers)).rows if layers else ()
    return Display(Board((*rows, *(Row(of_component(name)) for name in components))), run.label)


def of_component(name: str) -> str:
    """What the row of a component is called."""
    return f"{name} (node)" if name in ORDER else name


def made(step: Step, seconds: float) -> None:
    """A layer is there now."""
    if step.works:
        _made[step.spec.tag] = seconds


def usual(run: Run, inputs: Inputs, step: Step, *, cold: bool) -> Usual | None:
    """How long this layer takes, by enough runs of the same kind."""
    from layerdoit.engine.board import Usual

    folder, variant = inputs.project.state.folder, inputs.variant_of(step.spec.layer)
    found = of_layer(folder, variant, step.spec.layer, cold=cold, action=step.action, besides=run.token)
    return Usual(found.median, found.n) if found is not None and found.n >= ENOUGH else None
