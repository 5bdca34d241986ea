"""The plan: what happens to each layer, and why. Whatever decides or explains reads this one value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from layerdoit.core.frozen import Frozen
from layerdoit.layers import reasons
from layerdoit.layers.key import IMAGES, LAYERS
from layerdoit.layers.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from layerdoit.layers.key import Spec
    from layerdoit.layers.specs.deps import Cooked
    from layerdoit.layers.specs.donors import Donor

Action = Literal["reuse", "skip", "pull", "build"]
"""`skip`: the image is not here, and nothing that is wanted needs it."""

UP_TO_DATE: Final = (Reason("up_to_date"),)
NEEDLESS: Final = (Reason("needless"),)


class Step(NamedTuple):
    """One layer's part of the plan.

    `parent`: the deps image to cook from; `replaces`: an image with that key exists;
    `from_scratch`: nothing of an earlier build is reused; `donors`: the deps images whose units are taken.
    """

    spec: Spec
    action: Action
    reasons: tuple[Reason, ...]
    parent: Cooked | None = None
    replaces: bool = False
    from_scratch: bool = False
    donors: tuple[Donor, ...] = ()

    @property
    def works(self) -> bool:
        """Whether anything is done."""
        return self.action in ("pull", "build")

    @property
    def why(self) -> str:
        """The reasons as one line of text."""
        return reasons.text(self.reasons)

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {
            "layer": self.spec.layer,
            "action": self.action,
            "key": self.spec.key,
            "tag": self.spec.tag,
            **reasons.documented(self.reasons),
            **({"donors": [donor.tag for donor in self.donors]} if self.donors else {}),
            **({"pulled_first": pulled} if (pulled := [one.tag for one in self.donors if one.afar]) else {}),
        }


class Plan(Frozen):
    """Ordered steps: base, runtime, deps, app. A page has no base; a project with services has no app of its own."""

    steps: tuple[Step, ...]

    def has(self, layer: str) -> bool:
        """Whether there is such a layer."""
        return any(step.spec.layer == layer for step in self.steps)

    def step(self, layer: str) -> Step:
        """The step of one layer."""
        return next(step for step in self.steps if step.spec.layer == layer)

    def from_scratch(self, layers: Mapping[str, str]) -> Plan:
        """The same plan with some layers built from scratch, even if they exist. `layers`: layer -> command name."""

        def step(found: Step) -> Step:
            command = layers.get(found.spec.layer)
            if command is None:
                return found
            why = (Reason("from_scratch", (command,)),)
            return Step(found.spec, "build", why, replaces=True, from_scratch=True)

        return Plan(tuple(map(step, self.steps)))

    def done(self, layers: Collection[str]) -> Plan:
        """The plan after these layers were built or pulled."""
        return Plan(
            tuple(
                Step(step.spec, "reuse", UP_TO_DATE) if step.spec.layer in layers and step.works else step
                for step in self.steps
            )
        )

    @property
    def changes(self) -> bool:
        """Whether anything is pulled or built."""
        return any(step.works for step in self.steps)

    def needs(self, goals: Collection[str]) -> frozenset[str]:
        """The tags of the images that have to be here so that these layers come about (`base` is two images)."""
        layers = {image for goal in goals for image in IMAGES[goal]}
        if "app" in goals and self.has("app") and self.step("app").action == "build":
            layers |= {"runtime", "deps"}
        if "deps" in layers and self.has("deps") and self.step("deps").action == "build":
            # A deps image that is cooked from another one stands on that.
            layers |= {"base"} if self.step("deps").parent is None else set()
        return frozenset(step.spec.tag for step in self.steps if step.spec.layer in layers)

    def only(self, needed: Collection[str]) -> Plan:
        """The same plan without what is not here and is not among these tags.

        What is made anew stays in it, and what was built here and is gone: it comes back as it was.
        """

        def step(found: Step) -> Step:
            back = found.action == "build" and any(reason.kind == "removed" for reason in found.reasons)
            stays = not found.works or found.replaces or back or found.spec.tag in needed
            return found if stays else Step(found.spec, "skip", NEEDLESS)

        return Plan(tuple(map(step, self.steps)))

    def as_json(self) -> dict[str, Any]:
        """`{"layers": [...]}`; the base layer stands for builder and runtime image."""
        return {"layers": [step.as_json() for step in self.layers()]}

    def layers(self) -> tuple[Step, ...]:
        """The layers as a user counts them: base stands for builder and runtime."""
        found = [self.step(layer) for layer in LAYERS if self.has(layer)]
        if not self.has("runtime"):
            return tuple(found)
        runtime = self.step("runtime")
        if not self.has("base"):
            return (runtime, *found)
        if found[0].action == "skip" and runtime.works:
            return (runtime, *found[1:])
        if found[0].action == "reuse" and runtime.works:
            why = tuple(replace(reason, image="runtime") for reason in runtime.reasons)
            found[0] = Step(found[0].spec, runtime.action, why)
        return tuple(found)


def found(specs: Iterable[Spec], tags: Collection[str], known: Collection[str]) -> Plan:
    """The plan when only these images exist. `known`: keys of images that were here."""

    def step(spec: Spec) -> Step:
        if spec.tag in tags:
            return Step(spec, "reuse", UP_TO_DATE)
        return Step(spec, "build", (Reason("removed" if spec.key in known else "not_built_before"),))

    return Plan(tuple(map(step, specs)))


def up_to_date(specs: Iterable[Spec]) -> Plan:
    """The plan when every image exists."""
    return Plan(tuple(Step(spec, "reuse", UP_TO_DATE) for spec in specs))
