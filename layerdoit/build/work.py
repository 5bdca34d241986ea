"""What carrying out a plan needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from layerdoit.engine.handle import Engine
    from layerdoit.layers.plan import Plan
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.run import Run


class Work(NamedTuple):
    """A plan, and what it was made from: all that carrying it out needs."""

    run: Run
    engine: Engine
    inputs: Inputs
    plan: Plan
