"""Components are built beside the Rust layers; what has their output waits for both.

A component that fails stops the images that have it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.build import shown
from layerdoit.core import side_by_side
from layerdoit.core.console import say
from layerdoit.core.errors import Cleared, ContextDiffers
from layerdoit.core.units import duration_text
from layerdoit.flows import service_builds
from layerdoit.layers.key import IMAGES, ORDER

if TYPE_CHECKING:
    from layerdoit.build.component_building import ComponentPlan
    from layerdoit.engine.display import Display
    from layerdoit.flows.service_builds import Made, Make
    from layerdoit.flows.session import Session
    from layerdoit.layers.outcome import Outcome
    from layerdoit.project.component_inputs import ComponentInputs

_LAYERS = ("base", "deps")
_RUST = "the Rust layers"


def lacking(session: Session) -> dict[str, ComponentInputs]:
    """Components whose output is not there, and that images need which are to be built."""
    if not session.project.config.components:
        return {}
    return {name: one for part in _parts(session) for name, one in _of(part).items()}


def _parts(session: Session) -> list[Session]:
    """Those that have an app each. A check asks about the workspace as a whole."""
    return session.built if session.project.service or session.has_services else [session]


def plans(session: Session) -> list[ComponentPlan]:
    """What would be done to them. EngineError without an engine."""
    from layerdoit.build import component_building

    return [component_building.plan(session.engine, one) for one in lacking(session).values()]


def _of(part: Session) -> Mapping[str, ComponentInputs]:
    if not part.plan.has("app") or part.plan.step("app").action != "build":
        return {}
    return {name: one for name, one in part.inputs.components.items() if not one.output.is_dir()}


def begin_early(session: Session, layer: str) -> bool:
    """Whether they are built beside this layer: something of it is built, and the run goes on to the app."""
    run = session.run
    return "app" in shown.wanted(run.asked, run.prefix, [layer]) and bool(_below(session))


def _below(session: Session) -> list[str]:
    """The layers that are built before the apps."""
    return [layer for layer in _LAYERS if any(service_builds.lacks(part, layer) for part in _parts(session))]


class Beside(NamedTuple):
    """What was made of the Rust layers meanwhile; and whose images lack a component that failed, and why it did."""

    made: list[Made]
    stopped: list[Session]
    errors: list[BaseException]


def make(session: Session, make_layer: Make) -> Beside:
    """Build the components that lack, beside base and deps where those lack too.

    An error comes out at once where nobody can go on.
    """
    waiting = lacking(session)
    if not waiting:
        return Beside([], [], [])
    whole = session.whole or session
    below = _below(session)
    jobs: dict[str, Callable[[], object]] = {}
    with shown.beside(session.run, whole.plan, _images(below), list(waiting)).shown() as display:
        plans = {name: partial(_component, session, one, display) for name, one in waiting.items()}
        jobs |= plans
        if below:
            jobs[_RUST] = partial(_rust, whole, below, make_layer, display)
        ended = side_by_side.all_of(jobs)
    for name, one in waiting.items():
        for outcome in ended[name].result or ():  # type: ignore[attr-defined]
            _tell(session, one, outcome)
    for part in _parts(session):
        part.inputs.outputs_made()
    failed = {name: one.error for name, one in ended.items() if one.error is not None}
    made: list[Made] = ended[_RUST].result or [] if _RUST in ended else []  # type: ignore[assignment]
    stopped = [part for part in _parts(session) if _of(part)]
    again = any(isinstance(error, ContextDiffers | Cleared) for error in failed.values())
    if again or _RUST in failed or len(stopped) == len(_parts(session)):
        service_builds.raised(list(failed.values()))
    return Beside(made, stopped, list(failed.values()))


def _images(layers: Sequence[str]) -> list[str]:
    return [image for image in ORDER for layer in layers if image in IMAGES[layer]]


def _rust(whole: Session, layers: Sequence[str], make_layer: Make, display: Display) -> list[Made]:
    return [(whole, make_layer(whole, layer, display)) for layer in layers]


def _component(session: Session, inputs: ComponentInputs, display: Display) -> list[Outcome]:
    from layerdoit.build import component_building

    planned = component_building.plan(session.engine, inputs)
    return component_building.carry_out(session.run, session.engine, planned, display)


def _tell(session: Session, inputs: ComponentInputs, outcome: Outcome) -> None:
    step = outcome.step
    if step.action == "reuse" and not session.run.verbose:
        return
    what = inputs.output_path if step.spec.layer == "output" else step.spec.tag
    did = f" in {duration_text(outcome.seconds)}: {outcome.how}" if step.action != "reuse" else ""
    say(f"{inputs.name:<7} {step.action:<5} {what}{did} — {step.why}")
