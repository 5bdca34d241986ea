"""From what a run does to rows: called where something was done, never by a run that found everything there."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from layerdoit.core.errors import Interrupted
from layerdoit.core.version import __version__
from layerdoit.history import crates
from layerdoit.history.records import Ended, LayerRecord, RunRecord, save

if TYPE_CHECKING:
    from layerdoit.layers.outcome import Outcome
    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.project import Project
    from layerdoit.project.run import Run


def begin(run: Run, inputs: Inputs) -> None:
    """Something is about to be done: find out what takes a while, meanwhile."""
    run.head(inputs.project.root)


def layers(run: Run, inputs: Inputs, plan: Plan, outcomes: Sequence[Outcome]) -> None:
    """What was done, and of the other layers which were there already."""
    done = {outcome.step.spec.layer for outcome in outcomes}
    hits = [step for step in plan.steps if step.action == "reuse" and step.spec.layer not in done]
    rows = [*map(_of_outcome, _done(outcomes)), *map(_of_hit, hits)]
    save(inputs.project.state.folder, _record(run, inputs, "ok"), rows, run.spent, _cooked(inputs, outcomes))


def failure(
    run: Run, inputs: Inputs, outcomes: Sequence[Outcome], step: Step, error: BaseException, seconds: float
) -> None:
    """A layer did not come about; what was done before it counts."""
    ended = how_it_ended(error)
    lost = LayerRecord(step.spec.layer, step.spec.key, step.action, False, seconds, reasons=step.reasons, outcome=ended)
    record = _record(run, inputs, ended, step.spec.layer, str(error))
    rows = [*map(_of_outcome, _done(outcomes)), lost]
    save(inputs.project.state.folder, record, rows, run.spent, _cooked(inputs, outcomes))


def component(
    run: Run,
    project: Project,
    variant: str,
    outcomes: Sequence[Outcome],
    failed: tuple[Step, BaseException, float] | None = None,
) -> None:
    """What was done to a component: a row beside that of the run. `failed`: a step, why, and its seconds."""
    rows = [*map(_of_outcome, outcomes)]
    ended: Ended = "ok"
    error = layer = None
    if failed is not None:
        step, why, seconds = failed
        ended, error, layer = how_it_ended(why), str(why), step.spec.layer
        rows.append(LayerRecord(layer, step.spec.key, step.action, False, seconds, reasons=step.reasons, outcome=ended))
    record = _row(run, f"{run.token}-{variant}", project, variant, ended, layer, error)
    save(project.state.folder, record, rows)


def deployment(
    run: Run,
    inputs: Inputs,
    plan: Plan | None,
    phases: Mapping[str, float],
    failed_in: str | None,
    error: BaseException | None,
) -> None:
    """What happened to the container."""
    record = _record(run, inputs, how_it_ended(error), failed_in, None if error is None else str(error))
    hits = [_of_hit(step) for step in plan.steps if step.action == "reuse"] if plan else []
    save(inputs.project.state.folder, record, hits, phases)


def how_it_ended(error: BaseException | None) -> Ended:
    """`interrupted` by a signal, `failed`, or ok."""
    if error is None:
        return "ok"
    signalled = isinstance(error, Interrupted) or not isinstance(error, Exception)
    return "interrupted" if signalled else "failed"


def _record(
    run: Run, inputs: Inputs, outcome: Ended, failed_in: str | None = None, error: str | None = None
) -> RunRecord:
    return _row(run, run.token, inputs.project, inputs.app_variant, outcome, failed_in, error)


def _row(
    run: Run, token: str, project: Project, variant: str, outcome: Ended, failed_in: str | None, error: str | None
) -> RunRecord:
    commit, dirty = run.head(project.root).result()
    begun = run.begun / 1e9
    return RunRecord(
        token,
        begun,
        run.asked,
        variant,
        os.uname().nodename,
        __version__,
        time.time() - begun,
        outcome,
        failed_in,
        error,
        commit,
        dirty,
    )


def _cooked(inputs: Inputs, outcomes: Sequence[Outcome]) -> Sequence[crates.Crate]:
    """The crates that the deps layer's build named; its stubs do not count."""
    said = [crate for outcome in outcomes if outcome.step.spec.layer == "deps" for crate in outcome.crates]
    external = {(package.name, package.version) for package in inputs.tree.lock.external} if said else set()
    return crates.read(said, external)


def _done(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Without what was not needed: it is neither found nor made."""
    return [outcome for outcome in outcomes if outcome.step.action != "skip"]


def _of_hit(step: Step) -> LayerRecord:
    return LayerRecord(step.spec.layer, step.spec.key, "reuse", reasons=step.reasons)


def _of_outcome(outcome: Outcome) -> LayerRecord:
    step, counts = outcome.step, outcome.counts
    if step.action == "reuse":
        return _of_hit(step)
    compiled, units = counts.get("compiled"), counts.get("units")
    return LayerRecord(
        step.spec.layer,
        step.spec.key,
        step.action,
        outcome.cold,
        outcome.seconds,
        outcome.how,
        outcome.export,
        compiled,
        None if compiled is None or units is None else units - compiled,
        counts.get("external"),
        outcome.size,
        outcome.sent,
        step.reasons,
        shared=outcome.shared,
    )
