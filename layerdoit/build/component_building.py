"""Have the output of a component: its plan, and the carrying out of it. The output folder is named by its key.

    planned = plan(engine, inputs)              # steps with actions and reasons; no engine where the output is there
    outcomes = carry_out(run, engine, planned)  # pulls, builds and exports; history and logs
    planned.inputs.output                       # the folder, complete or not there: it comes by a rename

A run may be killed at any time: what was there stays, and what is half done goes with the next run.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from layerdoit.build import leftovers, node_secrets, shown
from layerdoit.components import node_failures, node_recipes
from layerdoit.components.node_recipes import Wanted
from layerdoit.core.errors import BuildError, Cleared, ContextDiffers, LayerdoitError
from layerdoit.core.files import read_json, write_json
from layerdoit.engine import buildx, image_labels
from layerdoit.history import recording
from layerdoit.layers import decision, reasons
from layerdoit.layers.decision import Present, Previous
from layerdoit.layers.outcome import Outcome
from layerdoit.layers.plan import UP_TO_DATE, Step
from layerdoit.node import node_checks
from layerdoit.project.component_inputs import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from layerdoit.engine.display import Display
    from layerdoit.engine.handle import Engine
    from layerdoit.layers.key import Spec
    from layerdoit.project.component_inputs import ComponentInputs
    from layerdoit.project.run import Run

_MADE: Final = "made.json"
"""Keys and inputs of the output that was made last, to tell what changed since."""
_TRASH: Final = "old-"
_NEW: Final = "new-"
_WORDS: Final = {"base": "making its base image", "deps": "installing packages", "output": "building"}
KEPT: Final = 3
"""Outputs that stay: those of branches between which somebody goes to and fro."""


@dataclass(frozen=True)
class ComponentPlan:
    """What happens to a component: base, deps, output. Layers below an output that is there are not looked for."""

    inputs: ComponentInputs
    steps: tuple[Step, Step, Step]

    def as_json(self) -> dict[str, Any]:
        """The documented form: the images, and the output with its folder in place of a tag."""
        *images, output = (step.as_json() for step in self.steps)
        return {"layers": [*images, {**output, "tag": None, "folder": str(self.inputs.output)}]}

    def lines(self) -> list[str]:
        """The same for people; what is there is not told."""
        found = []
        for step in self.steps:
            if step.action != "reuse":
                what = self.inputs.output_path if step.spec.layer == "output" else step.spec.tag
                found += [f"{self.inputs.name:<5} {step.action:<6} {what}"]
                found += [f"      {sentence}" for sentence in reasons.sentences(step.reasons)]
        return found

    @property
    def changes(self) -> bool:
        """Whether anything is pulled or built."""
        return any(step.action != "reuse" for step in self.steps)


# --- the plan --------------------------------------------------------------------------------------------------------


def plan(
    engine: Engine, inputs: ComponentInputs, *, from_scratch: Sequence[str] = (), ask_registry: bool = True
) -> ComponentPlan:
    """What would be done, and why. EngineError without an engine, WorkspaceError where the component is wrong.

    `from_scratch`: layers to build although they are there.
    """
    base, deps, output = inputs.specs
    if inputs.output.is_dir() and not from_scratch:
        return ComponentPlan(inputs, (_there(base), _there(deps), _there(output)))
    labels = engine.labels_of([base, deps])
    needs_deps = deps.tag not in labels or "deps" in from_scratch
    missing = [spec for spec in (deps, base) if needs_deps and spec.tag not in labels]
    remote = _remote(engine, inputs, missing) if ask_registry else frozenset()
    ours = [one for one in engine.images.of_project(inputs.project.name) if inputs.project.owner.owns(one.labels)]
    found: dict[str, Previous] = image_labels.previous(ours, inputs.variant, "", {}, inputs.name)
    made = read_json(inputs.folder / _MADE)
    if made:
        found["output"] = Previous(str(made.get("key")), made.get("inputs") or {})
    # A deps image that is there, or comes, needs no base.
    local = set(labels) | ({base.tag} if deps.tag in {*labels, *remote} and "deps" not in from_scratch else set())
    steps = decision.plan(inputs.specs, Present(frozenset(local), remote, found), 0).from_scratch(
        dict.fromkeys(from_scratch, "cache_clear")
    )
    first, second, third = steps.steps
    return ComponentPlan(inputs, (first, second, third))


def _there(spec: Spec) -> Step:
    return Step(spec, "reuse", UP_TO_DATE)


def _remote(engine: Engine, inputs: ComponentInputs, missing: Sequence[Spec]) -> frozenset[str]:
    settings = inputs.project.config.registry
    wanted = [spec for spec in missing if spec.layer in settings.pulled]
    if settings.repository is None or not wanted:
        return frozenset()
    from layerdoit.engine import registry_lookup

    return registry_lookup.available(wanted, settings.repository, engine.platform_of)


# --- carrying it out -------------------------------------------------------------------------------------------------


def carry_out(run: Run, engine: Engine, planned: ComponentPlan, display: Display | None = None) -> list[Outcome]:
    """Do what the plan says. What a failed step means is in the history when its error comes out.

    `display`: has a row for it. ContextDiffers or Cleared where tree or engine is no longer as it was planned for.
    """
    inputs = planned.inputs
    if not planned.changes:
        return [Outcome(step) for step in planned.steps]
    node_checks.check(inputs.root, inputs.config.build, inputs.setting)
    sweep(inputs)
    done: list[Outcome] = []
    for step in planned.steps:
        begun = time.monotonic()
        try:
            with _shown(display, inputs, step):
                done.append(_ensure(run, inputs, engine, step))
        except (ContextDiffers, Cleared):
            raise
        except (LayerdoitError, KeyboardInterrupt, SystemExit) as error:
            recording.component(run, inputs.project, inputs.variant, done, (step, error, time.monotonic() - begun))
            raise
    recording.component(run, inputs.project, inputs.variant, done)
    return done


def _shown(display: Display | None, inputs: ComponentInputs, step: Step) -> AbstractContextManager[None]:
    if display is None or step.action == "reuse":
        return nullcontext()
    return display.work(shown.of_component(inputs.name), _WORDS[step.spec.layer])


def _ensure(run: Run, inputs: ComponentInputs, engine: Engine, step: Step) -> Outcome:
    if step.action == "reuse":
        return Outcome(step)
    begun = time.monotonic()
    if step.action == "pull":
        from layerdoit.build import sharing
        from layerdoit.engine import registry

        repository = inputs.project.config.registry.repository
        assert repository is not None  # noqa: S101 - only a registry makes a layer pullable
        platform = engine.platform_of(step.spec.layer)
        registry.pull(step.spec, repository, platform, inputs.project.name, inputs.project.owner)
        sharing.got(inputs.project, step.spec, repository)
        return Outcome(step, time.monotonic() - begun, f"pulled from {repository}", cold=True)
    return _built(run, inputs, engine, step, begun)


def _built(run: Run, inputs: ComponentInputs, engine: Engine, step: Step, begun: float) -> Outcome:
    layer, state = step.spec.layer, inputs.project.state
    secrets = node_secrets.collect(inputs)
    fresh = inputs.folder / f"{_NEW}{os.getpid()}"
    wanted = Wanted(inputs, engine, step, _below(inputs, layer), secrets.args, fresh)
    with state.open_log(f"{inputs.name}.{layer}") as log:
        recipe = node_recipes.recipe(wanted)
        build = node_secrets.with_secrets(recipe, secrets)
        if step.from_scratch or (layer != "output" and layer in state.cleared()):
            build = replace(build, no_cache_stages=node_recipes.STAGES[layer])
        if layer != "output":
            leftovers.replacing(state, engine.images, step.spec.tag)
        registry_settings = inputs.project.config.registry
        shared = buildx.Shared(registry_settings.repository, registry_settings.push)
        try:
            report = engine.build(build, log, None, node_recipes.LISTENER, shared).report
        except buildx.StepFailed as error:
            if _cleared(inputs, engine, layer):
                raise Cleared(f"{inputs.name}: an image that it builds on was removed meanwhile") from error
            raise node_failures.explain(error, inputs, secrets.unset) from None
    if layer == "output":
        _adopt(inputs, step.spec, fresh)
    _share(run, inputs, engine, step.spec)
    described = engine.images.inspect(step.spec.tag) if layer != "output" else None
    size = int(described.get("Size") or 0) if described else None
    return Outcome(
        step,
        time.monotonic() - begun,
        recipe.how,
        cold=layer != "output",
        export=report.export,
        sent=report.sent,
        size=size,
    )


def _below(inputs: ComponentInputs, layer: str) -> str:
    base, deps, _ = inputs.specs
    return {"deps": base.tag, "output": deps.tag}.get(layer, "")


def _cleared(inputs: ComponentInputs, engine: Engine, layer: str) -> bool:
    below = {"deps": inputs.specs[0], "output": inputs.specs[1]}.get(layer)
    return below is not None and engine.images.inspect(below.tag) is None


def _share(run: Run, inputs: ComponentInputs, engine: Engine, spec: Spec) -> None:
    """Push an image where that is configured, while the run goes on."""
    settings = inputs.project.config.registry
    if settings.repository is None or spec.layer not in settings.push:
        return
    from layerdoit.build import sharing

    sharing.begin(run, inputs.project, spec, f"{inputs.name} {spec.layer}")
    if not engine.is_local:
        sharing.wait_for(run, spec)


# --- the output folder -----------------------------------------------------------------------------------------------


def _adopt(inputs: ComponentInputs, spec: Spec, fresh: Path) -> None:
    """A whole output takes its place; the link `output` leads to it."""
    place = inputs.output
    if not fresh.is_dir():
        raise BuildError(f"{inputs.setting}: the builder wrote no output", hint="run again; docker buildx ls")
    _drop(place)
    fresh.rename(place)
    link = inputs.folder / f"{_NEW}link-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(place.name)
    link.replace(inputs.folder / "output")
    write_json(inputs.folder / _MADE, {"key": spec.key, "inputs": dict(spec.label_inputs)})
    found = sorted(inputs.folder.glob(f"{OUTPUT}*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in [one for one in found if one != place][KEPT - 1 :]:
        _drop(old)


def _drop(folder: Path) -> None:
    """Remove a folder so that it is never half there under its name."""
    if folder.exists():
        trash = folder.with_name(f"{_TRASH}{os.getpid()}-{folder.name}")
        folder.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)


def sweep(inputs: ComponentInputs) -> None:
    """Remove what a killed run left half done."""
    inputs.folder.mkdir(parents=True, exist_ok=True)
    for start in (_NEW, _TRASH):
        for path in inputs.folder.glob(f"{start}*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
