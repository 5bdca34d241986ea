"""What a component is asked for one step of a plan, and its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from layerdoit.engine import buildx
    from layerdoit.engine.handle import Engine
    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project.inputs import Inputs


class Request(NamedTuple):
    """One step to be built.

    `host_args`: build arguments that come from this machine, such as proxies; `mount`: the target mount to use, by
    its plain id; `linked`: the binaries that earlier builds linked, the last ones last.
    """

    inputs: Inputs
    engine: Engine
    plan: Plan
    step: Step
    host_args: Mapping[str, str]
    mount: Callable[[str], str]
    linked: Sequence[str] = ()


class Recipe(NamedTuple):
    """A build without secrets: its Dockerfile's text, how it comes about in words, how many crates it compiles."""

    build: buildx.Build
    text: str
    how: str
    crates: int | None = None
