"""Read the labels of a project's images: earlier images, images to cook from, and the packages that they know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.engine.images import PREFIX
from layerdoit.layers.key import ORDER

if TYPE_CHECKING:
    # A run with nothing to do asks only what is lacking.
    from collections.abc import Iterable, Mapping

    from layerdoit.engine.images import Image
    from layerdoit.layers.decision import Previous
    from layerdoit.layers.specs.deps import Cooked
    from layerdoit.layers.specs.donors import Donor


def previous(
    images: Iterable[Image], variant: str, app_variant: str, seen: Mapping[str, str], component: str = ""
) -> dict[str, Previous]:
    """For each layer, the image that this checkout saw last (`seen`: its key), or else the newest of the same variant.

    `images`: newest first; `variant`: profile and target; `app_variant`: with the service, where there are several;
    `component`: whose images, '' for those of Rust.
    """
    variants = {"deps": variant, "app": app_variant}
    from layerdoit.layers.decision import Previous

    found: dict[str, Previous] = {}
    for image in images:
        layer = image.label("layer")
        if image.keyed_tag is None or image.label("component") != component:
            continue
        if image.label("variant") != variants.get(layer, image.label("variant")):
            continue
        key = image.label("key")
        if layer not in found or key == seen.get(layer):
            found[layer] = Previous(key, image.inputs)
    return found


def beneath(images: Iterable[Image], upper: Iterable[Previous]) -> dict[tuple[str, str], Mapping[str, str]]:
    """Inputs of the layers that some images stand on, and of those below, by layer and key; of gone ones, nothing."""
    known = {(image.label("layer"), image.label("key")): image for image in images}
    found: dict[tuple[str, str], Mapping[str, str]] = {}
    todo = [image.inputs for image in upper]
    while todo:
        inputs = todo.pop()
        for place in ((layer, inputs[layer]) for layer in ORDER if layer in inputs):
            if place in known and place not in found:
                found[place] = known[place].inputs
                todo.append(found[place])
    return found


def locked_text(packages: Iterable[str]) -> str:
    """The label of a deps image that lists every package of its lockfile, as `name version`."""
    return ";".join(sorted(set(packages)))


def listed_text(text: str) -> set[str]:
    """The packages that `locked_text` has made a text of."""
    return set(filter(None, text.split(";")))


def lacking(locked: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Packages of a lockfile that a deps image's registry index does not know, because they were added later."""
    had = labels.get(PREFIX + "locked", "")
    return () if had == locked else tuple(sorted(listed_text(locked) - listed_text(had)))


def cooked(images: Iterable[Image], *, afar: bool = False) -> tuple[Cooked, ...]:
    """The deps images that others can be cooked from. `afar`: a registry has them."""
    from layerdoit.layers.specs.deps import Cooked, packages

    return tuple(
        Cooked(
            key=image.label("key"),
            tag=image.keyed_tag or image.id,
            compat=image.label("compat"),
            cook=image.label("cook"),
            depth=int(image.label("depth") or 0),
            packages=packages(image.inputs),
            created=image.label("built"),
            afar=afar,
        )
        for image in images
        if image.label("layer") == "deps" and image.keyed_tag and not image.label("component")
    )


def donors(images: Iterable[Image], *, private: bool, afar: str = "") -> tuple[Donor, ...]:
    """The deps images that lend what they have compiled. `private`: to one that takes private crates too.

    `afar`: the repository in a registry that has them.
    """
    from layerdoit.layers.specs.donors import Donor, packages

    return tuple(
        Donor(
            key=image.label("key"),
            tag=image.keyed_tag,
            project=image.label("project"),
            packages=packages(image.inputs, private=private and image.label("lends") == "private"),
            private=image.label("lends") == "private",
            created=image.label("built"),
            afar=afar,
        )
        for image in images
        if image.label("layer") == "deps" and image.keyed_tag and image.label("lends") in ("public", "private")
    )
