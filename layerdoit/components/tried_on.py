"""The runtime image that binaries are tried on: of a variant that only adds packages it may be the ordinary one.

Then the step that compiles is the same for BuildKit, which does not run it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.project import question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree

if TYPE_CHECKING:
    from layerdoit.components.recipe import Request
    from layerdoit.layers.key import Spec


def ordinary(request: Request) -> Spec | None:
    """The ordinary runtime image, where it does: the same tree's image on it is there, and so had all that it needs."""
    inputs = request.inputs
    name = inputs.project.runtime_variant
    if inputs.question.kind != "build" or not name or inputs.question.image.smoke:
        return None
    if inputs.project.config.variants[name].runtime_image is not None:
        return None
    without = _without_variant(inputs)
    app = next(spec for spec in without.specs if spec.layer == "app")
    there = request.engine.images.labels([app.tag, without.runtime.tag])
    return without.runtime if len(there) == len({app.tag, without.runtime.tag}) else None


def _without_variant(inputs: Inputs) -> Inputs:
    here = inputs.project
    variables = {one: value for one, value in here.variables.items() if one != "VARIANT"}
    project = Project.open(here.root, variables, state=here.state, home=here.home, call=here.call)
    tree = Tree(project).of_service(here.service) if here.service else Tree(project)
    return Inputs(tree, question.build(tree.project, inputs.question.platform))
