"""Carry out the steps of a plan: pull or build each layer, and tag the image. The plan decided what to do."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from layerdoit.build import compiler_store, leftovers, pulled_first, secret_mounts, shown
from layerdoit.build.host_secrets import collect
from layerdoit.components import compiler_paths, compiler_words, component, script_protocol
from layerdoit.components.recipe import Request
from layerdoit.core import side_by_side
from layerdoit.core.background import Background
from layerdoit.core.errors import BuildError, Cleared, ContextDiffers, EngineError, LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.core.units import count_text
from layerdoit.dockerfile import binaries, edit
from layerdoit.engine import buildx, mounts, ownership
from layerdoit.engine.images import PREFIX, label
from layerdoit.engine.progress import Report
from layerdoit.history import recording
from layerdoit.layers.key import ARTEFACTS, IMAGES
from layerdoit.layers.outcome import Outcome
from layerdoit.layers.plan import Step
from layerdoit.project import branches, traces
from layerdoit.tree import reads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from layerdoit.build.work import Work
    from layerdoit.components.recipe import Recipe
    from layerdoit.engine.display import Display
    from layerdoit.engine.handle import Engine
    from layerdoit.engine.progress import Report

# The stages of our Dockerfiles that make a layer.
_STAGES: Final = {
    "base": ("builder", "builder-gcc", "builder-zig"),
    "runtime": ("runtime", "unpacked"),
    "deps": ("deps",),
    "app": ("build", "looked-at-image"),
}
_PAGE: Final = {"runtime": ("runtime",), "app": ("page",)}


def carry_out(work: Work, layers: Sequence[str], display: Display | None = None) -> list[Outcome]:
    """Do the steps of some layers in order. What a failed step means is in the history when its error comes out.

    `display`: shows it, where others are shown beside it. Raises ContextDiffers or Cleared where the tree or the engine
    is no longer as it was planned for.
    """
    if not any(work.plan.step(name).works for name in layers):
        return [Outcome(work.plan.step(name)) for name in layers]
    if display is not None:
        return _carried_out(work, layers, display)
    with shown.display(work.run, work.plan, layers).shown() as own:
        return _carried_out(work, layers, own)


def _carried_out(work: Work, layers: Sequence[str], display: Display) -> list[Outcome]:
    done: list[Outcome] = []
    pulls = _pulls(work, layers, display)
    for name in layers:
        begun = time.monotonic()
        step = work.plan.step(name)
        try:
            if name in pulls:
                with side_by_side.others_run():
                    done.append(pulls[name].result())
            else:
                with shown.working(display, work.run, work.inputs, step, cold=from_nothing(step)):
                    done.append(_ensure(work, step))
            shown.made(step, done[-1].seconds)
        except (ContextDiffers, Cleared):
            raise
        except (LayerdoitError, KeyboardInterrupt, SystemExit) as error:
            recording.failure(work.run, work.inputs, done, step, error, time.monotonic() - begun)
            raise
    return done


def _pulls(work: Work, layers: Sequence[str], display: Display) -> Mapping[str, Background[Outcome]]:
    """Begin to pull what is pulled, side by side, and beside what is built: a pull needs no layer below."""

    def pull(step: Step) -> Outcome:
        with shown.working(display, work.run, work.inputs, step, folds=False):
            return _pull(work, step)

    steps = [step for step in map(work.plan.step, layers) if step.action == "pull"]
    if steps:
        recording.begin(work.run, work.inputs)
    return {step.spec.layer: Background(partial(pull, step)) for step in steps}


def _ensure(work: Work, step: Step) -> Outcome:
    if not step.works:
        return Outcome(step)
    recording.begin(work.run, work.inputs)
    work.engine.tell_of_builder()
    work.engine.tell_of_way()
    return _build(work, step)


def _pull(work: Work, step: Step) -> Outcome:
    from layerdoit.build import sharing
    from layerdoit.engine import registry

    project = work.inputs.project
    repository = project.config.registry.repository
    assert repository is not None  # noqa: S101 - only a registry makes a layer pullable
    begun = time.monotonic()
    registry.pull(step.spec, repository, work.engine.platform_of(step.spec.layer), project.name, project.owner)
    sharing.got(project, step.spec, repository)
    return Outcome(
        step, time.monotonic() - begun, f"pulled from {repository}", cold=True, size=_size(work.engine, step)
    )


def _build(work: Work, step: Step) -> Outcome:
    project, layer = work.inputs.project, step.spec.layer
    if layer in IMAGES["base"] and "build" not in project.config.base.on_missing:
        raise EngineError(
            f"the base image {step.spec.tag} is not on this machine, and base.on_missing does not allow building it",
            hint="push it from another machine (registry.push: [base]), or set base.on_missing: [pull, build]",
        )
    begun = time.monotonic()
    pulled_first.have(work, step)
    sources = secret_mounts.git_sources(work.inputs.tree, step)
    cargo = project.workspace.config if project.has_rust else {}
    secrets = collect(project=cargo, repositories=sources, root=project.root)
    if shares := layer == "deps" and project.config.deps.sccache.kind is not None:
        secrets = compiler_store.handed(project.config, project.root, secrets)
    mount = partial(leftovers.mount, project.state)
    if step.from_scratch:
        mount = partial(leftovers.new_mount, project.state, run=f"{work.run.begun:x}")
    request = Request(work.inputs, work.engine, work.plan, step, secrets.args, mount, project.state.linked())
    with project.state.open_log(f"{project.part}-{layer}" if project.part else layer) as log:
        recipe = component(work.inputs.component).recipe(request)
        if shares:
            compiler_store.place(project.config, project.root, recipe.build.context / "control")
        build = secret_mounts.with_secrets(work.inputs.tree, recipe, secrets)
        if uncached := step.from_scratch or layer in project.state.cleared():
            build = _uncached(work, step, build, recipe.text)
        leftovers.replacing(project.state, work.engine.images, step.spec.tag)
        report = _with_artefacts(work, step, build, partial(_run, work, step, build, log, recipe))
        if step.from_scratch and layer == "app" and PREFIX + "mount" in build.labels:
            leftovers.adopt(project.state, build.labels[PREFIX + "mount"])
    return _outcome(work, step, recipe.how, report, begun, cold=from_nothing(step) or uncached)


def _uncached(work: Work, step: Step, build: buildx.Build, text: str) -> buildx.Build:
    """The same without BuildKit's own cache, which would bring back what the user cleared.

    Services compile in one step that BuildKit runs once. Where two builds at once ignore the cache of such a step, it
    loses the step's mount (engine 26.1: 5 of 12 times; with an argument that makes it another step 0 of 20).
    """
    if edit.takes_anew(text):
        return replace(build, args={**build.args, edit.ANEW: f"{work.run.begun:x}"})
    stages = _PAGE[step.spec.layer] if work.inputs.component == "page" else _STAGES[step.spec.layer]
    lending = tuple(f"{edit.DONOR}{number}" for number in range(1, len(step.donors) + 1))
    return replace(build, no_cache_stages=(*stages, *lending))


def _with_artefacts(work: Work, step: Step, build: buildx.Build, run: Callable[[], Report]) -> Report:
    """Run a build; an app's begins with what was compiled elsewhere, and is shared, where that is configured."""
    mount, registry = build.labels.get(PREFIX + "mount"), work.inputs.project.config.registry
    if mount is None or ARTEFACTS not in {*registry.pulled, *registry.push}:
        return run()
    from layerdoit.build import shared_artefacts

    if not step.from_scratch:
        shared_artefacts.begin(work, mount)
    report = run()
    counts = script_protocol.counts(report.notes)
    shared_artefacts.built(work, mount, counts.compiled if counts else 0)
    return report


def _run(work: Work, step: Step, build: buildx.Build, log: TextIO, recipe: Recipe) -> Report:
    """Build, and tell what the build said; the component words a failure for the user."""
    made_of = component(work.inputs.component)
    listener = made_of.LISTENER._replace(placed=lambda line: compiler_paths.opened_from_here(line, work.inputs))
    shared = buildx.Shared(work.inputs.project.config.registry.repository, work.inputs.question.shared)
    try:
        report = work.engine.build(build, log, recipe.crates, listener, shared).report
        _log_diagnostics(log, report.notes)
        return report
    except BuildError as error:
        if isinstance(error, buildx.StepFailed):
            _log_diagnostics(log, error.notes)
        failure = made_of.explain(error, work.inputs) if isinstance(error, buildx.StepFailed) else error
        if isinstance(failure, ContextDiffers) or not _cleared(work, step):
            raise failure from None
        raise Cleared(f"{step.spec.layer}: an image that it builds on was removed meanwhile") from error


def _log_diagnostics(log: TextIO, notes: Sequence[str]) -> None:
    """What the compiler said, as text: the scripts pass it on packed."""
    log.write(compiler_words.as_text(script_protocol.diagnostics(notes)))
    log.flush()


def _outcome(work: Work, step: Step, how: str, report: Report, begun: float, *, cold: bool) -> Outcome:
    project, layer = work.inputs.project, step.spec.layer
    counts = script_protocol.counts(report.notes)
    compiles = layer == "app" and work.inputs.component == "rust"
    if compiles and counts is None:
        # Only assets or settings are new: BuildKit had what cargo made.
        how = "assembled"
    if compiles:
        _keep_reads(work, step, report, assembled=counts is None)
    if new := [note.binary for note in script_protocol.every(script_protocol.Linked, report.notes)]:
        project.state.mark_linked(binaries.promote(project.state.linked(), new))
    shared = script_protocol.shared(report.notes)
    taken = script_protocol.taken(report.notes)
    if taken is not None and taken.taken:
        how = f"{how}, {units_taken(taken, step, project.name)}"
        cold = False
    _share(work, step)
    return Outcome(
        step,
        time.monotonic() - begun,
        how,
        counts.as_dict() if counts else {},
        tuple(note.crate for note in script_protocol.every(script_protocol.NotFresh, report.notes)),
        # The target mount may have been collected or cleared.
        cold=report.ran > 0 and (cold or (counts is not None and counts.cold)),
        export=report.export,
        sent=report.sent,
        size=_size(work.engine, step),
        crates=tuple(script_protocol.every(script_protocol.Crate, report.notes)),
        shared=shared.hits if shared else None,
        notes=tuple(report.notes),
    )


def units_taken(taken: script_protocol.Taken, step: Step, project: str) -> str:
    """From which projects the units of a cook came, those first that lent most."""
    lent: dict[str, int] = {}
    for place, count in taken.donors.items():
        if 0 < place <= len(step.donors):
            name, afar = step.donors[place - 1].project, step.donors[place - 1].afar
            own = "its own earlier images" if name == project else name
            name = f"{name} (pulled from {afar})" if afar else own
            lent[name] = lent.get(name, 0) + count
    names = listed(sorted(lent, key=lambda name: -lent[name]))
    return f"{taken.taken} of {count_text(taken.units, 'unit')} taken from {names}"


def _keep_reads(work: Work, step: Step, report: Report, *, assembled: bool) -> None:
    if assembled:
        traces.keep_assembled(work.inputs, step.spec)
        return
    told = reads.unpack(note.packed for note in script_protocol.every(script_protocol.Reads, report.notes))
    if told is not None:
        traces.keep(work.inputs, step.spec, told)


def _share(work: Work, step: Step) -> None:
    """Push the layer where that is configured, while the run goes on."""
    project, layer = work.inputs.project, step.spec.layer
    if project.config.registry.repository is None or not _is_shared(work, layer):
        return
    from layerdoit.build import sharing

    sharing.begin(work.run, project, step.spec, shown.row_of(work.inputs, step))
    if not work.engine.is_local:
        # What is built on it next, such a builder finds in the registry.
        sharing.wait_for(work.run, step.spec)


def _is_shared(work: Work, layer: str) -> bool:
    return ("base" if layer == "runtime" else layer) in work.inputs.question.shared


def share_late(work: Work, layers: Sequence[str]) -> None:
    """Push what is here, and the registry lacks: an earlier run could not push it, or no registry was configured."""
    if work.inputs.project.config.registry.repository is not None and work.inputs.question.shared:
        from layerdoit.build import sharing

        sharing.late(work.run, work.inputs.project, work.plan, work.inputs.question.shared, layers)


def _cleared(work: Work, step: Step) -> bool:
    """Whether what a layer is built from was there when it was planned, and is no longer.

    Another checkout of the project may clear at any time; what its build took along already stays with it.
    """
    plan = work.plan
    parents = {"deps": ("base",), "app": ("deps", "runtime")}.get(step.spec.layer, ())
    tags = [step.parent.tag] if step.parent else [plan.step(layer).spec.tag for layer in parents if plan.has(layer)]
    tags += [donor.tag for donor in step.donors]
    return any(work.engine.images.inspect(tag) is None for tag in tags)


def from_nothing(step: Step) -> bool:
    """Whether a build has nothing of an earlier one to go on."""
    if step.spec.layer == "app":
        return [reason.kind for reason in step.reasons] == ["not_built_before"]
    return step.parent is None


def _size(engine: Engine, step: Step) -> int | None:
    found = engine.images.inspect(step.spec.tag)
    return None if found is None else int(found.get("Size") or 0)


def check_tags(work: Work) -> None:
    """Refuse, before anything is built, to take a friendly tag from another project of this name."""
    if not work.plan.has("app"):
        return
    project, repository = work.inputs.project, work.plan.step("app").spec.repository
    for name in work.inputs.question.tags:
        tag = f"{repository}:{name}"
        labels = work.engine.images.labels([tag]).get(tag, {})
        if not project.owner.owns(labels):
            folder = mounts.folder_of(label(labels, "mount"), work.engine.mounts(project.name))
            theirs = {PREFIX + ownership.FOLDER: folder, **labels}
            settings = ("image.repository", "image.tags", "project")
            where = next(filter(None, map(project.config.where.get, settings)), None)
            raise ownership.refused(project.name, f"the image {tag}", project.owner, theirs, where)


def give_tags(work: Work, *, serves: bool = False) -> bool:
    """Move the friendly tags to the image that the key names; whether any had to be. `Cleared` when it is not there.

    `serves`: whether that image serves now. Before, a run that ends in a deployment takes no tag from another image.
    """
    images, project = work.engine.images, work.inputs.project
    step = work.plan.step("app")
    repository = step.spec.repository
    lacking = images.untagged(step.spec.tag, repository, work.inputs.question.tags)
    if work.run.deploys and not serves:
        lacking = [name for name in lacking if images.inspect(f"{repository}:{name}") is None]
    images.tag(step.spec.tag, repository, lacking)
    if lacking and images.inspect(step.spec.tag) is None:
        raise Cleared("the app image was removed before it was tagged")
    if lacking and step.action == "reuse":
        branches.note(project, step.spec.key)
    return bool(lacking)
