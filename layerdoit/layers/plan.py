"""The plan: what happens to each layer, and why. Everything that decides or explains reads this one value."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from layerdoit.layers import reasons
from layerdoit.layers.key import Spec
from layerdoit.layers.reasons import Reason
from layerdoit.layers.specs import deps as deps_layer

Action = Literal["reuse", "pull", "build"]

UP_TO_DATE: Final = (Reason("up_to_date"),)


@dataclass(frozen=True)
class Previous:
    """The newest image of a layer that was there before, for what changed since."""

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
    """One layer's part of the plan.

    `parent`: the deps image to cook from; `replaces`: an image of that key is there;
    `from_scratch`: nothing of an earlier build is used.
    """

    spec: Spec
    action: Action
    reasons: tuple[Reason, ...]
    parent: deps_layer.Cooked | None = None
    replaces: bool = False
    from_scratch: bool = False

    @property
    def why(self) -> str:
        """The reasons in words, in one line."""
        return reasons.text(self.reasons)

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {
            "layer": self.spec.layer,
            "action": self.action,
            "key": self.spec.key,
            "tag": self.spec.tag,
            "reasons": reasons.sentences(self.reasons),
            "causes": reasons.as_json(self.reasons),
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
        """The same, with these layers built from scratch, there or not; each with the command that asked for it."""

        def step(found: Step) -> Step:
            command = layers.get(found.spec.layer)
            if command is None:
                return found
            why = (Reason("from_scratch", (command,)),)
            return Step(found.spec, "build", why, replaces=True, from_scratch=True)

        return Plan(tuple(map(step, self.steps)))

    def done(self, layers: Collection[str]) -> Plan:
        """The plan once the images of these layers are there."""
        return Plan(
            tuple(
                Step(step.spec, "reuse", UP_TO_DATE) if step.spec.layer in layers and step.action != "reuse" else step
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
            why = tuple(replace(reason, image="runtime") for reason in runtime.reasons)
            base = Step(base.spec, runtime.action, why)
        return (base, self.step("deps"), self.step("app"))


def make(specs: tuple[Spec, ...], present: Present, max_chain: int) -> Plan:
    """Decide each layer: reuse what is there, pull what the registry has, build the rest."""
    return Plan(tuple(_step(spec, present, max_chain) for spec in specs))


def _step(spec: Spec, present: Present, max_chain: int) -> Step:
    if spec.layer == "deps" and spec.tag in present.local and present.lacking:
        itself = next((image for image in present.cooked if image.key == spec.key and image.depth < max_chain), None)
        return Step(spec, "build", (Reason("lacking", present.lacking),), itself, replaces=True)
    if spec.tag in present.local:
        return Step(spec, "reuse", UP_TO_DATE)
    if spec.tag in present.remote:
        return Step(spec, "pull", (Reason("in_registry"), *_why(spec, present)))
    parent = None
    if spec.layer == "deps" and max_chain > 0:
        parent = deps_layer.parent(spec.inputs, present.cooked, max_chain)
    return Step(spec, "build", _why(spec, present), parent)


def _why(spec: Spec, present: Present) -> tuple[Reason, ...]:
    previous = present.previous.get(spec.layer)
    if present.built.get(spec.layer) == spec.key or (previous is not None and previous.key == spec.key):
        return (Reason("removed"),)
    if previous is None:
        return (Reason("not_built_before"),)
    return reasons.difference(previous.inputs, spec.label_inputs) or (Reason("inputs_changed"),)
