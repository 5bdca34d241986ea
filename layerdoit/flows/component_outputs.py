"""The outputs of components that images to be built are made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from layerdoit.build import component_building
from layerdoit.core.doing import Doing, tell

if TYPE_CHECKING:
    from layerdoit.flows.session import Session


def have(parts: Iterable[Session]) -> None:
    """Have those that the images of these services need and that are not there. The lock is held."""
    needed = [part for part in parts if part.project.kind == "served" and part.plan.step("app").action == "build"]
    for name, part in {part.inputs.served.name: part for part in needed}.items():
        planned = component_building.plan(part.engine, part.inputs.served)
        if planned.changes:
            tell(Doing(f"building {name}"))
        component_building.carry_out(part.run, part.engine, planned)
