"""Decide what to do with each layer, from its wanted key and the images that exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.layers import reasons
from layerdoit.layers.plan import UP_TO_DATE, Plan, Step
from layerdoit.layers.reasons import Reason
from layerdoit.layers.specs import app
from layerdoit.layers.specs import deps as deps_layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layerdoit.layers.key import Spec
    from layerdoit.layers.specs.donors import Donor, Word


class Previous(NamedTuple):
    """The newest earlier image of a layer, to tell what changed since."""

    key: str
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Present:
    """What engine and registry have. Tags are full references; `built`: the key that this checkout saw last, by layer.

    `lacking`: packages of Cargo.lock, outside the selection's closure, that the deps image's index does not know.
    `beneath`: the inputs of the layers that the earlier images stand on, by layer and key.
    `same`: the key of another app image that is here and that this tree gives too, and the files that differ, which
    nothing reads. `rereads`: why crates compile again whose own source code is the same.
    `idle`: sources that differ from those of the earlier app image, and that nothing reads. `service`: whose image the
    app is, where there are several. `donors`: deps images of any project that a cook may take units of, as far as
    `lends` says.
    """

    local: frozenset[str]
    remote: frozenset[str] = frozenset()
    previous: Mapping[str, Previous] = field(default_factory=dict)
    built: Mapping[str, str] = field(default_factory=dict)
    cooked: tuple[deps_layer.Cooked, ...] = ()
    lacking: tuple[str, ...] = ()
    beneath: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    same: tuple[str, tuple[str, ...]] | None = None
    rereads: tuple[Reason, ...] = ()
    idle: frozenset[str] = frozenset()
    service: str = ""
    donors: tuple[Donor, ...] = ()
    lends: Word = "none"


def plan(specs: tuple[Spec, ...], present: Present, max_chain: int) -> Plan:
    """Decide for each layer: reuse an existing image, pull what the registry has, build the rest."""
    made = Plan(tuple(_step(spec, present, max_chain) for spec in specs))
    return Plan(
        tuple(
            step._replace(reasons=tuple(more for reason in step.reasons for more in _in_full(reason, made, present)))
            for step in made.steps
        )
    )


def _step(spec: Spec, present: Present, max_chain: int) -> Step:
    if spec.layer == "deps" and spec.tag in present.local and present.lacking:
        itself = next((image for image in present.cooked if image.key == spec.key and image.depth < max_chain), None)
        return Step(spec, "build", (Reason("lacking", present.lacking),), itself, replaces=True)
    if spec.tag in present.local:
        return Step(spec, "reuse", UP_TO_DATE)
    if spec.layer == "app" and present.same:
        image, unread = present.same
        names = tuple(f"file {path}" for path in unread)
        return Step(spec.known_as(image), "reuse", (Reason("unread", names, "file", image=present.service),))
    if spec.tag in present.remote:
        return Step(spec, "pull", (Reason("in_registry"), *_why(spec, present)))
    parent = None
    if spec.layer == "deps" and max_chain > 0:
        parent = deps_layer.parent(spec.inputs, present.cooked, max_chain)
    why = _why(spec, present)
    lent: tuple[Donor, ...] = ()
    if spec.layer == "deps" and present.donors:
        from layerdoit.layers.specs import donors

        lent = donors.choose(spec.inputs, present.donors, parent, present.lends)
    return Step(spec, "build", (*why, *present.rereads) if spec.layer == "app" else why, parent, donors=lent)


def _why(spec: Spec, present: Present) -> tuple[Reason, ...]:
    previous = present.previous.get(spec.layer)
    if present.built.get(spec.layer) == spec.key or (previous is not None and previous.key == spec.key):
        return (Reason("removed"),)
    if previous is None:
        return (Reason("not_built_before"),)
    old, new = previous.inputs, spec.label_inputs
    if spec.layer == "app":
        old, new = app.alike(old, new)
    found = reasons.difference(old, new)
    if spec.layer == "app" and present.idle:
        found = reasons.without(found, {f"file {path}" for path in present.idle}) or found
    return found or (Reason("inputs_changed"),)


def _in_full(reason: Reason, made: Plan, present: Present) -> Iterator[Reason]:
    """A reason; and for a changed layer below that is there already, and so says nothing itself, what changed in it."""
    yield reason
    if reason.input != "layer" or reason.kind != "changed" or reason.old is None:
        return
    below = made.step(reason.names[0])
    inputs = present.beneath.get((below.spec.layer, reason.old))
    if below.action != "reuse" or inputs is None:
        return
    for deeper in reasons.difference(inputs, below.spec.label_inputs):
        yield from _in_full(deeper, made, present)
