"""What the retention policy will let go after the build that is planned: the policy on what will be there then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from layerdoit.cache import levels, retention
from layerdoit.cache.model import ImageUse, Usage
from layerdoit.cache.usage import gather
from layerdoit.core.units import count_text, size_text

if TYPE_CHECKING:
    from layerdoit.cache.levels import Going
    from layerdoit.engine.handle import Engine
    from layerdoit.layers.plan import Plan, Step
    from layerdoit.project.inputs import Inputs


@dataclass(frozen=True)
class Removal:
    """What would go: names of images, a number of target mounts, and the bytes that come free at most."""

    images: tuple[str, ...]
    mounts: int
    bytes: int

    def line(self) -> str:
        """One sentence."""
        what = [count_text(len(self.images), "image")] if self.images or not self.mounts else []
        what += [count_text(self.mounts, "target mount")] if self.mounts else []
        size = f", up to {size_text(self.bytes)}" if self.images or self.mounts else ""
        names = f": {', '.join(self.images)}" if self.images else ""
        return f"would remove {' and '.join(what)}{size} (retention){names}"

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {"images": list(self.images), "mounts": self.mounts, "bytes": self.bytes}


def removal(inputs: Inputs, engine: Engine, parts: Sequence[tuple[Inputs, Plan]]) -> Removal | None:
    """What `retention.after_build` would remove; None where it does not apply.

    `inputs`: of the whole project; `parts`: what each image is made from, and its plan.
    """
    chosen = inputs.project.config.retention
    if not chosen.after_build or chosen.idle or all(plan.step("app").action == "reuse" for _, plan in parts):
        return None
    now = then = gather(inputs, engine)
    for one, plan in parts:
        named = [f"{one.project.repository}:{name}" for name in one.question.tags]
        then = after(then, plan, one.app_variant, named)
    return of(now, retention.select(then, chosen, then.at))


def of(usage: Usage, gone: Going) -> Removal:
    """In names and bytes; of images that are there now."""
    there = {image.id for image in usage.images}
    old = replace(gone, images=tuple(image for image in gone.images if image.id in there))
    return Removal(tuple(image.name for image in old.images), len(old.mounts), levels.freed(usage, old))


def after(usage: Usage, plan: Plan, variant: str, named: Iterable[str]) -> Usage:
    """The usage with the images that the plan makes. `named`: friendly tags, which move to the new app.

    How large they will be nobody knows: they count as the newest of their layer.
    """
    moving = set(named) if plan.step("app").action != "reuse" else set()
    old = [replace(image, tags=tuple(tag for tag in image.tags if tag not in moving)) for image in usage.images]
    new = [_made(usage, plan, step, variant) for step in plan.steps if step.works]
    new = [replace(one, tags=(*sorted(moving), *one.tags)) if one.layer == "app" else one for one in new]
    keys = {(image.layer, image.key) for image in new}
    return replace(usage, images=(*new, *(image for image in old if (image.layer, image.key) not in keys)))


def _made(usage: Usage, plan: Plan, step: Step, variant: str) -> ImageUse:
    layer = step.spec.layer
    alike = [image for image in usage.images if image.layer == layer and image.tags]
    like = max(alike, key=lambda image: (image.variant == variant, image.made), default=None)
    keys = {one.spec.layer: one.spec.key for one in plan.steps}
    base, deps, runtime = (keys.get(name, "") for name in ("base", "deps", "runtime"))
    parent = {"deps": step.parent.key if step.parent else base, "app": deps}.get(layer, "")
    return ImageUse(
        f"planned {layer}",
        layer,
        step.spec.key,
        (step.spec.tag,),
        size=like.size if like else 0,
        made=int(usage.at) + 1,
        rootfs=(*(like.rootfs[:-1] if like else ()), f"planned {layer}"),
        runtime=runtime if layer == "app" else "",
        current=True,
        deps=deps if layer == "app" else "",
        parent=parent,
        variant=variant,
    )
