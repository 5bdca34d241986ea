"""What of a plan is made: only what a goal needs."""

from __future__ import annotations

import pytest

from layerdoit.front import run_goals
from layerdoit.layers.key import LAYERS, ORDER, Spec
from layerdoit.layers.plan import Action, Plan, Step
from layerdoit.layers.reasons import Reason
from layerdoit.layers.specs.deps import Cooked


def plan(**actions: Action) -> Plan:
    return Plan(tuple(Step(Spec(layer, {"layer": layer}, "shop"), actions.get(layer, "reuse"), ()) for layer in ORDER))


def left(made: Plan, *goals: str) -> dict[str, str]:
    """The layers that are not simply there."""
    only = made.only(made.needs(goals))
    return {step.spec.layer: step.action for step in only.steps if step.action != "reuse"}


REMOVED = (Reason("removed"),)
PULLS = plan(base="pull", runtime="pull", deps="pull", app="pull")


@pytest.mark.parametrize(
    ("made", "goals", "needed"),
    [
        (PULLS, ("app",), {"app"}),
        (PULLS, ("deps",), {"deps"}),
        (PULLS, ("base",), {"base", "runtime"}),
        (PULLS, ("base", "app"), {"base", "runtime", "app"}),
        (PULLS, LAYERS, set(ORDER)),
        (plan(base="pull", runtime="pull", deps="pull", app="build"), ("app",), {"runtime", "deps", "app"}),
        (plan(base="pull", runtime="pull", deps="build", app="build"), ("app",), set(ORDER)),
        (plan(base="build", runtime="build", deps="build"), ("app",), set()),
        (plan(base="pull", deps="build"), ("deps",), {"base", "deps"}),
    ],
)
def test_only_what_a_goal_needs_is_made(made: Plan, goals: tuple[str, ...], needed: set[str]) -> None:
    found = left(made, *goals)
    assert {layer for layer, action in found.items() if action != "skip"} == needed
    assert {layer for layer, action in found.items() if action == "skip"} == {
        step.spec.layer for step in made.steps if step.works
    } - needed


def test_deps_that_are_cooked_from_other_deps_need_no_base() -> None:
    made = plan(base="build", deps="build", app="build")
    parent = Cooked("0", "shop:deps-0", "", "cook", 0, frozenset(), "")
    delta = Plan(tuple(step._replace(parent=parent) if step.spec.layer == "deps" else step for step in made.steps))
    assert left(delta, "app")["base"] == "skip"
    assert left(made, "app")["base"] == "build"


def test_what_is_made_anew_is_made_although_nothing_needs_it() -> None:
    made = plan().from_scratch({"deps": "cache_refresh"})
    assert left(made, "app") == {"deps": "build"}


def test_a_plan_of_which_something_is_left_out_has_nothing_to_do() -> None:
    made = plan(base="pull", runtime="pull", deps="build")
    only = made.only(made.needs(("app",)))
    assert made.changes
    assert not only.changes
    assert only.done(ORDER) == only, "what is not here is not made by saying so"


def test_what_was_built_here_and_is_gone_comes_back() -> None:
    gone = Plan(
        tuple(
            step._replace(reasons=(Reason("in_registry"), Reason("removed")) if step.action == "pull" else REMOVED)
            for step in plan(base="build", deps="pull").steps
        )
    )
    assert left(gone, "app") == {"base": "build", "deps": "skip"}


def test_of_base_and_runtime_the_one_that_comes_is_shown() -> None:
    made = plan(base="pull", runtime="pull", app="build")
    shown = made.only(made.needs(("app",))).layers()
    assert [(step.spec.layer, step.action) for step in shown] == [
        ("runtime", "pull"),
        ("deps", "reuse"),
        ("app", "build"),
    ]


@pytest.mark.parametrize(
    ("words", "prefix", "goals"),
    [
        ("", "", ("app",)),
        ("image", "", ("app",)),
        ("base", "", ("base",)),
        ("base deps", "", ("base", "deps")),
        ("base cycle_fast", "", ("base", "app")),
        ("cache_warm", "", ("base", "deps")),
        ("cache_clear:soft", "", ("app",)),
        ("cycle_fast:api", "", ("app",)),
        ("my_own_task", "", LAYERS),
        ("web:base", "web", ("base",)),
        ("web", "web", ("app",)),
        ("api:base web:deps", "web", ("deps",)),
        ("api:image", "web", ("app",)),
        ("web:base own", "web", LAYERS),
    ],
)
def test_what_a_call_wants_for_itself(words: str, prefix: str, goals: tuple[str, ...]) -> None:
    assert run_goals.of(words.split(), prefix, {"", "web", "api"}) == goals


@pytest.mark.parametrize(
    ("task", "words", "prefix", "later"),
    [
        ("base", "", "", True),
        ("app", "", "", True),
        ("image", "", "", False),
        ("image", "cycle_fast", "", True),
        ("cycle_fast", "cycle_fast", "", False),
        ("base", "base", "", False),
        ("base", "base deps", "", True),
        ("deps", "base deps", "", False),
        ("base", "my_own_task", "", False),
        ("image", "web:cycle_fast", "web", True),
        ("image", "api:cycle_fast web:image", "web", False),
        ("image", "cycle_fast:api", "", True),
        ("cache_warm", "cache_warm", "", False),
    ],
)
def test_the_last_task_waits_for_the_pushes(task: str, words: str, prefix: str, later: bool) -> None:
    assert run_goals.goes_on(task, words.split(), prefix) == later
