"""The plan: what happens to each layer, and why. Everything that decides or explains reads this one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from layerdoit.layers.key import Spec
from layerdoit.layers.specs import deps as deps_layer
from layerdoit.layers.words import difference

Action = Literal["reuse", "pull", "build"]


@dataclass(frozen=True)
class Previous:
    """The newest image of a layer that was there before, for the difference in words."""

    key: str
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Present:
    """What engine and registry hold. Tags are full references; `built` is the key this checkout saw last, by layer.

    `lacking`: packages of Cargo.lock, outside the selection's closure, that the deps image's index does not know.
    """

    local: frozenset[str]
    remote: frozenset[str] = frozenset()
    previous: Mapping[str, Previous] = field(default_factory=dict)
    built: Mapping[str, str] = field(default_factory=dict)
    cooked: tuple[deps_layer.Cooked, ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One layer's part of the plan. `parent`: the deps image to cook from."""

    spec: Spec
    action: Action
    reasons: tuple[str, ...]
    parent: deps_layer.Cooked | None = None

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {
            "layer": self.spec.layer,
            "action": self.action,
            "key": self.spec.key,
            "tag": self.spec.tag,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class Outcome:
    """What was done for a layer: seconds, how it came about, and cargo's counts (compiled, units, external).

    `cold`: made from nothing, not from what an earlier build left; `export`: the seconds in which the image was
    written; `sent`: bytes that went to the builder; `size`: bytes of the image; `crates`: (name, version, seconds) of
    each that a cook compiled; `notes`: the lines that the build's scripts print for layerdoit, whole.
    """

    step: Step
    seconds: float = 0.0
    how: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    not_fresh: tuple[str, ...] = ()
    cold: bool = False
    export: float = 0.0
    sent: int | None = None
    size: int | None = None
    crates: tuple[tuple[str, str, float], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Ordered steps: base, runtime, deps, app."""

    steps: tuple[Step, ...]

    def step(self, layer: str) -> Step:
        """The step of one layer."""
        return next(step for step in self.steps if step.spec.layer == layer)

    def afresh(self, layers: Mapping[str, str]) -> Plan:
        """The same, with these layers built from nothing whether they are there or not; each with the reason."""
        return Plan(
            tuple(
                Step(step.spec, "build", (layers[step.spec.layer],)) if step.spec.layer in layers else step
                for step in self.steps
            )
        )

    @property
    def changes(self) -> bool:
        """Whether anything is pulled or built."""
        return any(step.action != "reuse" for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """`{"layers": [...]}`; the base layer speaks for both of its images."""
        return {"layers": [step.as_json() for step in self.layers()]}

    def layers(self) -> tuple[Step, ...]:
        """The three layers as a user counts them: base stands for builder and runtime."""
        base, runtime = self.step("base"), self.step("runtime")
        if base.action == "reuse" and runtime.action != "reuse":
            reasons = tuple(f"runtime image: {reason}" for reason in runtime.reasons)
            base = Step(base.spec, runtime.action, reasons)
        return (base, self.step("deps"), self.step("app"))


def make(specs: tuple[Spec, ...], present: Present, max_chain: int) -> Plan:
    """Decide each layer: reuse what is there, pull what the registry has, build the rest."""
    return Plan(tuple(_step(spec, present, max_chain) for spec in specs))


def _step(spec: Spec, present: Present, max_chain: int) -> Step:
    if spec.layer == "deps" and spec.tag in present.local and present.lacking:
        itself = next((image for image in present.cooked if image.key == spec.key and image.depth < max_chain), None)
        named = ", ".join(present.lacking[:3]) + (", …" if len(present.lacking) > 3 else "")
        reason = f"its index lacks, of Cargo.lock: {named}"
        return Step(spec, "build", (reason,), itself)
    if spec.tag in present.local:
        return Step(spec, "reuse", ("image is up to date",))
    if spec.tag in present.remote:
        return Step(spec, "pull", ("the registry has it", *_why(spec, present)))
    parent = None
    if spec.layer == "deps" and max_chain > 0:
        parent = deps_layer.parent(spec.inputs, present.cooked, max_chain)
    return Step(spec, "build", tuple(_why(spec, present)), parent)


def _why(spec: Spec, present: Present) -> list[str]:
    if present.built.get(spec.layer) == spec.key:
        return ["image was removed"]
    previous = present.previous.get(spec.layer)
    if previous is None:
        return ["not built before"]
    if previous.key == spec.key:
        return ["image was removed"]
    words = difference(previous.inputs, spec.label_inputs)
    return words or ["its inputs changed"]
