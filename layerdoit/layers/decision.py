"""Decide what to do with each layer, from its wanted key and the images that exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.layers import reasons
from layerdoit.layers.plan import UP_TO_DATE, Plan, Step
from layerdoit.layers.reasons import Reason
from layerdoit.layers.specs import deps as deps_layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layerdoit.layers.key import Spec


class Previous(NamedTuple):
    """The newest earlier image of a layer, to tell what changed since."""

    key: str
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Present:
    """What engine and registry have. Tags are full references; `built`: the key that this checkout saw last, by layer.

    `lacking`: packages of Cargo.lock, outside the selection's closure, that the deps image's index does not know.
    """

    local: frozenset[str]
    remote: frozenset[str] = frozenset()
    previous: Mapping[str, Previous] = field(default_factory=dict)
    built: Mapping[str, str] = field(default_factory=dict)
    cooked: tuple[deps_layer.Cooked, ...] = ()
    lacking: tuple[str, ...] = ()


def plan(specs: tuple[Spec, ...], present: Present, max_chain: int) -> Plan:
    """Decide for each layer: reuse an existing image, pull what the registry has, build the rest."""
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
