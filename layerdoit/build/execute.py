"""Carries out a plan: pulls or builds each layer, and gives the image its tags. What to do was decided before."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace

from layerdoit.build import leftovers, planning
from layerdoit.build.host_secrets import gathered
from layerdoit.components import rust
from layerdoit.core.errors import BuildError, EngineError, LayerdoitError
from layerdoit.dockerfile import binaries
from layerdoit.engine import buildx
from layerdoit.engine.images import PREFIX
from layerdoit.history import recording
from layerdoit.layers.key import IMAGES, ORDER
from layerdoit.layers.plan import Outcome, Plan, Step
from layerdoit.project import branches
from layerdoit.project.project import Project

# A source that is edited while it is sent is read again; after so many times the editing does not seem to end.
TRIES = 6
# cargo's words where Cargo.lock lags behind the manifests.
_LOCKED = "--locked was passed"
# The stages of our Dockerfiles that make a layer.
_STAGES = {"base": ("builder",), "runtime": ("runtime",), "deps": ("deps",), "app": ("build",)}


def ensure(project: Project, layer: str) -> list[Outcome]:
    """Have the images of one layer; `base` stands for builder and runtime. Layers below are there, as a rule.

    They are built too where they are not: after an edit while this run waited, or while sources were sent, they are
    another tree's. Raises BuildError or EngineError; then no tag was made or moved.
    """
    with project.state.locked() as waited:
        if waited:
            # The other run may have built a newer tree than the one that was read before the wait.
            project.reread()
        for attempt in range(TRIES):
            planning.forget(project)
            plan = planning.plan_of(project)
            names = _wanted(plan, layer)
            try:
                outcomes = _carried_out(project, plan, names)
                moved = give_tags(project, plan) if layer == "app" else False
            except (buildx.ContextDiffers, buildx.Cleared) as error:
                if attempt == TRIES - 1:
                    raise
                if isinstance(error, buildx.ContextDiffers):
                    _resend(project)
                continue
            planning.forget(project)
            project.state.remember(project.variant, {name: plan.step(name).spec.key for name in names})
            project.state.mark_cleared(done=names)
            built = any(outcome.step.action != "reuse" for outcome in outcomes)
            if moved or built:
                recording.layers(project, plan, outcomes)
            if built and layer == "app" and project.config.retention.after_build:
                from layerdoit.cache import gc

                gc.after_build(project)
            return outcomes
    raise BuildError("the sources keep changing while they are read", hint="run again when the editing has ended")


def _carried_out(project: Project, plan: Plan, names: Sequence[str]) -> list[Outcome]:
    done: list[Outcome] = []
    for name in names:
        begun = time.monotonic()
        try:
            done.append(_ensure(project, plan, plan.step(name)))
        except (buildx.ContextDiffers, buildx.Cleared):
            raise
        except (LayerdoitError, KeyboardInterrupt, SystemExit) as error:
            recording.failure(project, done, plan.step(name), error, time.monotonic() - begun)
            raise
    return done


def _wanted(plan: Plan, layer: str) -> tuple[str, ...]:
    asked = IMAGES[layer]
    below = ORDER[: ORDER.index(asked[0])]
    return (*(name for name in below if plan.step(name).action != "reuse"), *asked)


def _resend(project: Project) -> None:
    shutil.rmtree(project.state / "context", ignore_errors=True)
    (project.state / "index").unlink(missing_ok=True)
    project.reread()


def _ensure(project: Project, plan: Plan, step: Step) -> Outcome:
    if step.action == "reuse":
        return Outcome(step)
    recording.begin(project)
    repository = project.config.registry.repository
    begun = time.monotonic()
    if step.action == "pull":
        from layerdoit.engine import registry

        assert repository is not None  # noqa: S101 - only a registry makes a layer pullable
        registry.pull(step.spec, repository, project.name)
        return Outcome(
            step, time.monotonic() - begun, f"pulled from {repository}", cold=True, size=_size(project, step)
        )
    if step.spec.layer in IMAGES["base"] and "build" not in project.config.base.on_missing:
        raise EngineError(
            f"the base image {step.spec.tag} is not on this machine, and base.on_missing forbids to build it",
            hint="push it from another machine (registry.push: [base]), or set base.on_missing: [pull, build]",
        )
    secrets = gathered(project=project.workspace.config, repositories=rust.downloaded(project, step))
    with project.state.open_log(step.spec.layer) as log:
        recipe = rust.OF[step.spec.layer](project, plan, step, secrets)
        build, how = rust.with_secrets(project, recipe, secrets), recipe.how
        if step.spec.layer in project.afresh or step.spec.layer in project.state.cleared():
            # BuildKit's own cache would bring back what the user cleared.
            build = replace(build, afresh=_STAGES[step.spec.layer])
        leftovers.replacing(project, step.spec.tag)
        try:
            built = buildx.run(build, log, recipe.crates)
        except BuildError as error:
            if isinstance(error, buildx.ContextDiffers) or not _cleared(project, plan, step):
                raise _advised(project, step, error) from None
            raise buildx.Cleared(f"{step.spec.layer}: an image that it stands on was cleared meanwhile") from error
        if project.afresh.pop(step.spec.layer, None) and step.spec.layer == "app":
            leftovers.adopt(project, build.labels[PREFIX + "mount"])
    report = built.report
    if step.spec.layer == "app" and "compiled" not in report.counts():
        # Only assets or settings are new: BuildKit had what cargo made.
        how = "put together"
    if new := report.noted("linked"):
        project.state.mark_linked(binaries.moved_up(project.state.linked(), new))
    pushed = "base" if step.spec.layer == "runtime" else step.spec.layer
    if repository is not None and pushed in project.config.registry.push:
        from layerdoit.engine import registry

        registry.push(step.spec, repository)
        how = f"{how}, pushed to {repository}"
    return Outcome(
        step,
        time.monotonic() - begun,
        how,
        report.counts(),
        tuple(report.noted("not-fresh")),
        # The target mount may have been collected or cleared.
        cold=report.ran > 0 and (from_nothing(step) or bool(build.afresh) or report.counts().get("cold") == 1),
        export=report.export,
        sent=report.sent,
        size=_size(project, step),
        crates=tuple(report.noted("crate")),
    )


def _advised(project: Project, step: Step, error: BuildError) -> BuildError:
    """The error, with the setting that cures it where a build lacks a Debian package."""
    from layerdoit.cargo import failures

    if not isinstance(error, buildx.StepFailed):
        return error
    log = (error.hint or "").rpartition("; ")[2]
    if _LOCKED in error.said and (lagging := _lagging(project)):
        what = f"{step.spec.layer} did not build: {lagging.what}"
        return BuildError(what, where=lagging.where, hint=f"{lagging.hint}; {log}")
    advice = failures.advice(error.said, project.config)
    if advice is None:
        return error
    return BuildError(f"{step.spec.layer} did not build: {advice.sentence}", hint=f"{advice.setting}; {log}")


def _lagging(project: Project) -> LayerdoitError | None:
    """What Cargo.lock lacks of the manifests."""
    from layerdoit.cargo import lock_drift

    try:
        lock_drift.check(project.workspace, project.lock)
    except LayerdoitError as error:
        return error
    return None


def _cleared(project: Project, plan: Plan, step: Step) -> bool:
    """Whether what a layer is built from was there when it was planned, and is no longer.

    Another checkout of the project may clear at any time; what its build took along already stays with it.
    """
    deps_parent = step.parent.tag if step.parent else plan.step("base").spec.tag
    parents = {"deps": [deps_parent], "app": [plan.step("deps").spec.tag, plan.step("runtime").spec.tag]}
    return any(project.images.inspect(tag) is None for tag in parents.get(step.spec.layer, ()))


def from_nothing(step: Step) -> bool:
    """Whether a build has nothing of an earlier one to go on."""
    if step.spec.layer == "app":
        return step.reasons == ("not built before",)
    return step.parent is None


def _size(project: Project, step: Step) -> int | None:
    found = project.images.inspect(step.spec.tag)
    return None if found is None else int(found.get("Size") or 0)


def give_tags(project: Project, plan: Plan) -> bool:
    """Move the friendly tags to the image that the key names; whether any had to be. `Cleared` when it is not there."""
    step, tag = plan.step("app"), plan.step("app").spec.tag
    lacking = project.images.untagged(tag, project.repository, project.tags)
    project.images.tag(tag, project.repository, lacking)
    if lacking and project.images.inspect(tag) is None:
        raise buildx.Cleared("the app image was cleared before it had its tags")
    if lacking and step.action == "reuse":
        branches.note(project, step.spec.key)
    return bool(lacking)
