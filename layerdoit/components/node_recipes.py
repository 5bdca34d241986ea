"""Node components: base image, installed packages, and the output folder, each as a build."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.components import layer_labels
from layerdoit.components.recipe import Recipe
from layerdoit.core.errors import ContextDiffers
from layerdoit.core.files import write_if_changed
from layerdoit.engine import buildx, node_broker
from layerdoit.engine.images import PREFIX
from layerdoit.engine.node_broker import Asked
from layerdoit.engine.progress import Listener
from layerdoit.tree.staging import stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from layerdoit.engine.handle import Engine
    from layerdoit.layers.plan import Step
    from layerdoit.project.component_inputs import ComponentInputs

LISTENER: Final = Listener()
"""Package managers say too little that a machine could read."""
STAGES: Final[Mapping[str, tuple[str, ...]]] = {"base": ("base",), "deps": ("deps",), "output": ("build",)}
"""The stages of the Dockerfiles that make a layer."""


class Wanted(NamedTuple):
    """One step to be built. `below`: how the builder finds the image it builds on; `dest`: where an output goes."""

    inputs: ComponentInputs
    engine: Engine
    step: Step
    below: str
    host_args: Mapping[str, str]
    dest: Path


def recipe(wanted: Wanted) -> Recipe:
    """The build of one step. ContextDiffers where sources changed while they were staged."""
    return _RECIPES[wanted.step.spec.layer](wanted)


def labels(wanted: Wanted, parent: str) -> dict[str, str]:
    """The labels by which an image is known as ours."""
    inputs = wanted.inputs
    return layer_labels.labels(inputs.project, wanted.step.spec, parent, inputs.variant, component=inputs.name)


def context(inputs: ComponentInputs, layer: str) -> Path:
    """Where the files for a build lie: below the folder by which builds of this checkout are known."""
    return inputs.project.state / "context" / f"node-{inputs.name}" / layer


def _control(wanted: Wanted, folder: Path, *scripts: str) -> None:
    """What the scripts of a build read."""
    inputs, manager = wanted.inputs, wanted.inputs.root.manager
    settings = {
        "MANAGER": "berry" if manager.berry else manager.name,
        "SCRIPTS": "yes" if inputs.config.scripts else "no",
        **(
            {"BUILD": inputs.config.build, "OUTPUT": inputs.config.output} if wanted.step.spec.layer == "output" else {}
        ),
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in settings.items()]
    lines += [f"export {name}={shlex.quote(value)}\n" for name, value in sorted(inputs.config.env.items())]
    write_if_changed(folder / "settings", "".join(lines).encode())
    for name in scripts:
        write_if_changed(folder / name, inputs.recipe(name))


def _base(wanted: Wanted) -> Recipe:
    inputs, config = wanted.inputs, wanted.inputs.config
    asked = Asked(config.image, inputs.node, inputs.asked_node.source, inputs.host_node)
    found = node_broker.origin(inputs.project.config.base, asked, inputs.setting, wanted.engine)
    folder = context(inputs, "base")
    folder.mkdir(parents=True, exist_ok=True)
    manager = inputs.root.manager
    build = buildx.Build(
        "base",
        folder / "Dockerfile",
        folder,
        [wanted.step.spec.tag],
        {
            **labels(wanted, found.node_image if found.method == "image" else found.os_image),
            PREFIX + "origin": found.method,
        },
        {
            "METHOD": found.method,
            "OS_IMAGE": found.os_image,
            "NODE_IMAGE": found.node_image,
            "PACKAGES": " ".join(config.packages),
            "MANAGER": manager.name,
            "MANAGER_PACKAGE": manager.package,
            **wanted.host_args,
        },
        target="base",
        contexts=found.contexts,
        builder=wanted.engine.builder,
    )
    return Recipe(build, inputs.recipe("Dockerfile.node-base").decode(), found.words)


def _deps(wanted: Wanted) -> Recipe:
    inputs = wanted.inputs
    folder = context(inputs, "deps")
    _fresh(folder / "manifests")
    if moved := stage(inputs.kept, folder / "manifests"):
        raise ContextDiffers.of(moved)
    for path, content in inputs.made.items():
        write_if_changed(folder / "manifests" / inputs.kept.context_path(path), content)
    _control(wanted, folder / "control", "node-install.sh")
    build = buildx.Build(
        "deps",
        folder / "Dockerfile",
        folder,
        [wanted.step.spec.tag],
        labels(wanted, inputs.specs[0].key),
        {"BASE": wanted.below, "FOLDER": inputs.facts.folder, **wanted.host_args},
        target="deps",
        builder=wanted.engine.builder,
    )
    return Recipe(build, inputs.recipe("Dockerfile.node").decode(), f"installed by {inputs.root.manager.name}")


def _output(wanted: Wanted) -> Recipe:
    inputs = wanted.inputs
    folder = context(inputs, "output")
    if moved := stage(inputs.sources, folder / "src"):
        raise ContextDiffers.of(moved)
    _control(wanted, folder / "control", "node-build.sh")
    build = buildx.Build(
        "output",
        folder / "Dockerfile",
        folder,
        [],
        {},
        {"DEPS": wanted.below, "COMPONENT": inputs.facts.path},
        target="output",
        builder=wanted.engine.builder,
        output=wanted.dest,
    )
    return Recipe(build, inputs.recipe("Dockerfile.node").decode(), f"built by {inputs.config.build}")


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f"{folder.name}.staged").unlink(missing_ok=True)


_RECIPES: Final[Mapping[str, Callable[[Wanted], Recipe]]] = {"base": _base, "deps": _deps, "output": _output}
