"""From what a run does to rows: called where something was done, never by a run that found everything there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from layerdoit.core.errors import Interrupted, LayerdoitError
from layerdoit.core.version import __version__
from layerdoit.history import crates
from layerdoit.history.records import Ended, LayerRecord, Run, save

if TYPE_CHECKING:
    from layerdoit.layers.plan import Outcome, Plan, Step
    from layerdoit.project.project import Project


class _Git(threading.Thread):
    """The commit, and whether the tree differs from it; asked for while the builder works."""

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._commit: str | None = None
        self._dirty: bool | None = None
        self.start()

    def run(self) -> None:
        from layerdoit.core.process import capture_quick

        command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", "."]
        try:
            lines = capture_quick(command, cwd=self._root).decode(errors="replace").splitlines()
        except LayerdoitError:
            return
        oid = next((line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")), "")
        self._commit = oid if oid.isalnum() else None
        self._dirty = any(not line.startswith("# ") for line in lines)

    def answer(self) -> tuple[str | None, bool | None]:
        """Both None outside a repository."""
        self.join()
        return self._commit, self._dirty


_git: WeakKeyDictionary[Project, _Git] = WeakKeyDictionary()


def begin(project: Project) -> None:
    """Something is about to be done: find out what takes a while, meanwhile."""
    if project not in _git:
        _git[project] = _Git(project.root)


def layers(project: Project, plan: Plan, outcomes: Sequence[Outcome]) -> None:
    """What was done, and of the other layers which were there already."""
    done = {outcome.step.spec.layer for outcome in outcomes}
    hits = [step for step in plan.steps if step.action == "reuse" and step.spec.layer not in done]
    rows = [*map(_of_outcome, outcomes), *map(_of_hit, hits)]
    save(project.state, _run(project, "ok"), rows, project.spent, _cooked(project, outcomes))


def failure(project: Project, outcomes: Sequence[Outcome], step: Step, error: BaseException, seconds: float) -> None:
    """A layer did not come about; what was done before it counts."""
    ended = how_it_ended(error)
    lost = LayerRecord(step.spec.layer, step.spec.key, step.action, False, seconds, reasons=step.reasons, outcome=ended)
    run = _run(project, ended, step.spec.layer, str(error))
    save(project.state, run, [*map(_of_outcome, outcomes), lost], project.spent, _cooked(project, outcomes))


def deployment(
    project: Project, plan: Plan | None, phases: Mapping[str, float], failed_in: str | None, error: BaseException | None
) -> None:
    """What happened to the container."""
    run = _run(project, how_it_ended(error), failed_in, None if error is None else str(error))
    save(project.state, run, [_of_hit(step) for step in plan.steps if step.action == "reuse"] if plan else [], phases)


def how_it_ended(error: BaseException | None) -> Ended:
    """`interrupted` by a signal, `failed`, or ok."""
    if error is None:
        return "ok"
    signalled = isinstance(error, Interrupted) or not isinstance(error, Exception)
    return "interrupted" if signalled else "failed"


def token(project: Project) -> str:
    """The name of this run: equal in the processes of one `doit -n` where they are forked."""
    return f"{project.begun:x}"


def _run(project: Project, outcome: Ended, failed_in: str | None = None, error: str | None = None) -> Run:
    begin(project)
    commit, dirty = _git[project].answer()
    begun = project.begun / 1e9
    return Run(
        token(project),
        begun,
        project.asked,
        project.variant,
        os.uname().nodename,
        __version__,
        time.time() - begun,
        outcome,
        failed_in,
        error,
        commit,
        dirty,
    )


def _cooked(project: Project, outcomes: Sequence[Outcome]) -> Sequence[crates.Crate]:
    """The crates that the deps layer's build named; its stubs do not count."""
    said = [crate for outcome in outcomes if outcome.step.spec.layer == "deps" for crate in outcome.crates]
    external = {(package.name, package.version) for package in project.lock.external} if said else set()
    return crates.read(said, external)


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
    )
