"""What a chain of layers is made of: each component turns a step of a plan into a build.

A component is a module with the functions of `Component`. To add one: write it, and name it in `COMPONENTS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.components.recipe import Recipe, Request
    from layerdoit.core.errors import BuildError
    from layerdoit.engine.buildx import StepFailed
    from layerdoit.engine.progress import Listener
    from layerdoit.project.inputs import Inputs


class Component(Protocol):
    """What building asks of a component."""

    LISTENER: Listener
    """How the output of its builds is understood."""

    def recipe(self, request: Request) -> Recipe:
        """The build of one step. ContextDiffers where sources changed while they were staged."""

    def explain(self, failed: StepFailed, inputs: Inputs) -> BuildError:
        """Why a step failed, for the user. ContextDiffers where the sources must be read and sent again."""


COMPONENTS: Final[Mapping[str, str]] = {
    "rust": "layerdoit.components.rust",
    "page": "layerdoit.components.static_page",
    "packed": "layerdoit.components.packed_program",
}
"""The module of each component, by name (`Inputs.component`). It is imported when something is built with it."""


def component(name: str) -> Component:
    """The component of a name in `COMPONENTS`."""
    return cast("Component", import_module(COMPONENTS[name]))
