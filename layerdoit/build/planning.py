"""From what a tree's layers are made of, and what engine and registry hold, to the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from layerdoit.core.background import Background, begun
from layerdoit.core.console import Speaker, speak_as, speaker
from layerdoit.engine import image_labels
from layerdoit.layers import plan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from layerdoit.engine.handle import Engine
    from layerdoit.engine.images import Image
    from layerdoit.layers.decision import Present, Previous
    from layerdoit.layers.key import Spec
    from layerdoit.layers.reasons import Reason
    from layerdoit.layers.specs.donors import Donor
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.snapshot import Tree

NOTHING: Mapping[str, str] = {}


Needs = Callable[[plan.Plan], "Collection[str]"]
"""Of a plan, the tags of what has to be there: see `Plan.needs`."""


def unchanged(engine: Engine, tree: Tree, needs: Needs) -> plan.Plan | None:
    """The plan of a build where nothing is to be done, told by the last run's answer; None where it does not say so.

    EngineError without an engine.
    """
    answer = tree.remembered(_place(engine, tree))
    if answer is None:
        return None
    specs = answer.layers()
    labels = engine.images.labels([spec.tag for spec in specs])
    cooked = _of_deps(specs, labels)
    if cooked and image_labels.lacking(answer.locked, cooked):
        return None
    if len(labels) == len(specs):
        return plan.up_to_date(specs)
    known = tree.project.state.remembered(tree.project.app_variant)
    made = plan.found(specs, labels, known.values())
    made = made.only(needs(made))
    return None if made.changes else made


def make(
    engine: Engine,
    inputs: Inputs,
    *,
    from_scratch: Mapping[str, str] = NOTHING,
    ask_registry: bool = True,
    needs: Needs | None = None,
) -> plan.Plan:
    """What would be done to each layer, and why. EngineError without an engine.

    `from_scratch`: layers to build although their images are there, each with the command that asked for it; `needs`:
    what is made; all where it is None.
    """
    from layerdoit.layers import decision

    deps = inputs.project.config.deps
    present = _present(engine, inputs, ask_registry=ask_registry, anew="app" in from_scratch)

    def planned(present: Present) -> plan.Plan:
        made = decision.plan(inputs.specs, present, deps.max_chain if deps.delta else 0)
        made = made.from_scratch(from_scratch)
        return made if needs is None else made.only(needs(made))

    made = planned(present)
    if ask_registry and deps.lenders and made.has("deps"):
        from layerdoit.build import lenders

        # They are asked for what is really cooked, and what is lacking then.
        if more := lenders.offered(engine, inputs, made.step("deps"), present.donors):
            return planned(replace(present, donors=(*present.donors, *more)))
    return made


def remember(engine: Engine, inputs: Inputs, made: plan.Plan) -> None:
    """Keep the answer that nothing is to be done for the next run."""
    if inputs.question.kind == "build" and not made.changes:
        layers = [(step.spec.layer, step.spec.key, step.spec.repository) for step in made.steps]
        inputs.tree.remember(_place(engine, inputs.tree), layers)


def _place(engine: Engine, tree: Tree) -> str:
    """What an answer holds for, besides the tree and its configuration: the engine; of a page also how it is served."""
    project = tree.project
    if project.kind != "served" or project.whole is None:
        return engine.place
    return f"{engine.place} {project.whole.config.services[project.service]!r}"


def settled(engine: Engine, made: plan.Plan, layers: Sequence[str]) -> plan.Plan:
    """The plan without those steps whose image has come since: with `doit -n`, other processes build too."""
    steps = [made.step(name) for name in layers if made.has(name)]
    waiting = [step for step in steps if step.works and not step.replaces]
    there = engine.labels_of([step.spec for step in waiting]) if waiting else {}
    return made.done([step.spec.layer for step in waiting if step.spec.tag in there])


def _of_deps(specs: Sequence[Spec], labels: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    return next((labels[spec.tag] for spec in specs if spec.layer == "deps" and spec.tag in labels), {})


def _present(engine: Engine, inputs: Inputs, *, ask_registry: bool, anew: bool) -> Present:
    """What is there of what is wanted. The registry is asked only for what the engine lacks.

    `anew`: the app is built whatever there is.
    """
    from layerdoit.layers.decision import Present

    specs, project = inputs.specs, inputs.project
    labels = engine.labels_of(specs)
    cooked = _of_deps(specs, labels)
    lacking = image_labels.lacking(inputs.tree.locked, cooked) if cooked else ()
    if len(labels) == len(specs) and not lacking:
        return Present(frozenset(labels))
    # With many images the engine takes its time: meanwhile what was read is compared.
    listed = Background(lambda: engine.images.of_project(project.name))
    missing = [spec for spec in specs if spec.tag not in labels]
    cooks = bool(lacking) or any(spec.layer == "deps" for spec in missing)
    lenders = Background(partial(_lenders, engine, inputs)) if cooks and inputs.lends != "none" else None
    remote = (
        Background(partial(_remote, engine, inputs, missing, speaker()))
        if ask_registry and _is_shared(inputs)
        else None
    )
    read = inputs.component == "rust"
    same = None if anew or not read else _same(engine, inputs, missing)
    if same:
        missing = [spec for spec in missing if spec.layer != "app"]
    rereads = _rereads(inputs, missing) if read else ()
    if missing:
        # What a build needs takes 12 ms to load.
        import layerdoit.build.execute  # noqa: F401
    there = listed.result()
    # What another project of this name built tells nothing of changes here; crates that it compiled are the same.
    ours = [image for image in there if project.owner.owns(image.labels)]
    found = remote.result() if remote is not None else frozenset()
    lent = lenders.result() if lenders is not None else ()
    afar = _afar(engine, inputs, there, found) if remote is not None and cooks and not lent else ()
    seen = project.state.remembered(inputs.app_variant)
    previous = image_labels.previous([*ours, *afar], inputs.variant, inputs.app_variant, seen)
    return Present(
        frozenset(labels),
        found,
        previous,
        seen,
        (*image_labels.cooked(there), *image_labels.cooked(afar, afar=True)),
        lacking,
        image_labels.beneath(ours, previous.values()),
        same,
        rereads,
        _idle(inputs, missing, previous) if read else frozenset(),
        project.service,
        lent,
        inputs.lends,
    )


def _afar(engine: Engine, inputs: Inputs, there: Sequence[Image], found: Collection[str]) -> tuple[Image, ...]:
    """The deps image of the registry that is cooked on where nothing here helps, such as on a machine of a CI.

    `there`: the project's images on this engine; `found`: what the registry has of what is wanted.
    """
    from layerdoit.layers.specs import deps as deps_layer

    spec, config = next(spec for spec in inputs.specs if spec.layer == "deps"), inputs.project.config
    most = config.deps.max_chain if config.deps.delta else 0
    if spec.tag in found or "deps" not in config.registry.pulled or not most or not engine.is_local:
        return ()
    if deps_layer.parent(spec.inputs, image_labels.cooked(there), most):
        return ()
    from layerdoit.engine import registry_relatives

    where = str(config.registry.repository), engine.platform_of("deps"), spec.repository
    # Services are planned one by one, on one engine.
    images = begun(engine, f"_afar {where}", partial(registry_relatives.deps_images, *where)).result()
    best = deps_layer.parent(spec.inputs, image_labels.cooked(images), most)
    return tuple(image for image in images if best is not None and image.label("key") == best.key)


def _lenders(engine: Engine, inputs: Inputs) -> tuple[Donor, ...]:
    """The images on this engine that lend. A builder elsewhere would have to be sent each of them."""
    if not inputs.kin or not engine.is_local:
        return ()
    return image_labels.donors(engine.images.labelled("kin", inputs.kin), private=inputs.lends == "private")


def _same(engine: Engine, inputs: Inputs, missing: Sequence[Spec]) -> tuple[str, tuple[str, ...]] | None:
    """Another app image that is here and that the tree gives too: its key, and the files that nothing reads."""
    app = next((spec for spec in missing if spec.layer == "app"), None)
    if app is None:
        return None
    from layerdoit.project import traces

    found = traces.same(inputs, app)
    there = engine.labels_of([app.known_as(one.key) for one in found]) if found else {}
    return next(((one.key, one.unread) for one in found if app.known_as(one.key).tag in there), None)


def _idle(inputs: Inputs, missing: Sequence[Spec], previous: Mapping[str, Previous]) -> frozenset[str]:
    before = previous.get("app")
    if before is None or inputs.question.kind != "build" or all(spec.layer != "app" for spec in missing):
        return frozenset()
    from layerdoit.project import traces

    return traces.idle(inputs, before.key)


def _rereads(inputs: Inputs, missing: Sequence[Spec]) -> tuple[Reason, ...]:
    if all(spec.layer != "app" for spec in missing):
        return ()
    from layerdoit.layers.reasons import Reason
    from layerdoit.project import traces

    found = traces.rereadings(inputs)
    return tuple(Reason("rereads", (one.crate, one.read.path), "lists" if one.listed else "reads") for one in found)


def _is_shared(inputs: Inputs) -> bool:
    return inputs.project.config.registry.repository is not None


def _remote(engine: Engine, inputs: Inputs, missing: Sequence[Spec], whose: Speaker) -> frozenset[str]:
    """The tags of what the registry has of what the engine lacks. `whose`: for whom this thread speaks."""
    speak_as(whose)
    config = inputs.project.config
    layers = config.registry.pulled
    if inputs.question.kind != "build":
        # Others never get its app.
        layers -= {"app"}
    if "pull" not in config.base.on_missing:
        layers -= {"base"}
    wanted = [spec for spec in missing if ("base" if spec.layer == "runtime" else spec.layer) in layers]
    if not wanted:
        return frozenset()
    from layerdoit.engine import registry_lookup

    return registry_lookup.available(wanted, str(config.registry.repository), engine.platform_of)
