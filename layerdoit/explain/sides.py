"""What is compared: a tree, a commit or images, each as the listings of its layers' inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from layerdoit.layers.key import ORDER, TAG_DIGITS, Layer
from layerdoit.layers.specs import app

if TYPE_CHECKING:
    from layerdoit.engine.images import Image
    from layerdoit.explain.graph import Graph
    from layerdoit.layers.key import Spec
    from layerdoit.project.inputs import Inputs


@dataclass(frozen=True)
class Listing:
    """One layer of a side. `inputs`: None where nobody knows them any more; `files`: all of them, where they are there.

    `whole`: the listing names everything; the label of a very large workspace names the locked packages only.
    """

    key: str
    inputs: Mapping[str, str] | None
    whole: bool = True
    files: tuple[Mapping[str, str], Mapping[str, str]] | None = None

    def form(self, kind: str) -> str | None:
        """How the listing shows files (or assets): by `file` or by `folder`; None where it shows none."""
        names = self.inputs or ()
        if any(name.startswith(f"{kind}s in ") for name in names):
            return "folder"
        return "file" if any(name.startswith(f"{kind} ") for name in names) else None


@dataclass(frozen=True)
class Side:
    """`kind`: `tree`, `commit`, `image`, `built` or `nothing`; `words`: what it is, for people."""

    kind: str
    words: str
    layers: Mapping[Layer, Listing]
    graph: Callable[[], Graph] | None = None
    """Who needs which package; None for images, whose labels do not say it."""
    notes: tuple[str, ...] = ()
    tags: Mapping[Layer, str] = field(default_factory=dict)
    """Keyed tags of its images."""
    beneath: Mapping[tuple[Layer, str], Listing] = field(default_factory=dict)
    """What its images stand on, by layer and key. After a failed build a layer is newer than what stands on it."""


# --- a tree ----------------------------------------------------------------------------------------------------------


def of_inputs(inputs: Inputs, kind: str, words: str, notes: Iterable[str] = ()) -> Side:
    """The side of a tree, or of a commit that was laid out as one."""
    from layerdoit.explain import graph

    listings = {spec.layer: _of_spec(inputs, spec) for spec in inputs.specs}
    project = inputs.project
    needs = (lambda: graph.build(project.workspace, inputs.tree.lock, inputs.closure)) if project.has_rust else None
    return Side(
        kind,
        words,
        listings,
        needs,
        tuple(notes),
        {spec.layer: spec.tag for spec in inputs.specs},
    )


def _of_spec(inputs: Inputs, spec: Spec) -> Listing:
    if spec.layer != "app":
        return Listing(spec.key, spec.inputs)
    files = (inputs.listing(inputs.sources), inputs.listing(inputs.assets))
    return Listing(spec.key, spec.label_inputs, files=files)


# --- images ----------------------------------------------------------------------------------------------------------


def of_label(image: Image) -> Listing:
    """What the label of an image says. Of a listing that was too large for a label, the packages are left."""
    inputs = image.inputs or None
    layer = image.label("layer")
    marker = {"deps": "resolver", "app": "runtime", "base": "os", "runtime": "os"}.get(layer, "")
    return Listing(image.label("key"), inputs, whole=inputs is not None and marker in inputs)


def below(image: Image, known: Mapping[tuple[str, str], Image]) -> dict[Layer, Listing]:
    """A layer and those that it stands on, as far as their images are there; of the others the key."""
    found: dict[Layer, Listing] = {}
    layer = image.label("layer")
    found[layer] = listing = of_label(image)  # type: ignore[index]
    inputs = listing.inputs or {}
    beneath = {name: image.label(name) or inputs.get(name, "") for name in _BENEATH.get(layer, ())}
    for name, key in beneath.items():
        if not key:
            continue
        other = known.get((name, key))
        found |= below(other, known) if other is not None else {name: Listing(key, None)}  # type: ignore[dict-item]
    return found


_BENEATH: Final[Mapping[str, tuple[str, ...]]] = {"app": ("deps", "runtime"), "deps": ("base",)}


def by_key(images: Iterable[Image]) -> dict[tuple[str, str], Image]:
    """Layers that are there: (layer, key) -> image. `images`: newest first."""
    found: dict[tuple[str, str], Image] = {}
    for image in images:
        if image.keyed_tag is not None:
            found.setdefault((image.label("layer"), image.label("key")), image)
    return found


def of_image(image: Image, known: Mapping[tuple[str, str], Image], words: str) -> Side:
    """The side of one image, with the layers below it."""
    listings = below(image, {**known, (image.label("layer"), image.label("key")): image})
    tags: dict[Layer, str] = {
        layer: tag
        for layer, listing in listings.items()
        if (other := known.get((layer, listing.key))) is not None and (tag := other.keyed_tag) is not None
    }
    return Side("image", words, listings, tags=tags)


# --- what this checkout built last -----------------------------------------------------------------------------------


def of_last(keys: Mapping[str, str], images: Iterable[Image], newest: Mapping[str, str], variant: str) -> Side:
    """What this checkout built or found last, by `keys`; of a layer that it does not know, the newest image."""
    known = by_key(images)
    listings: dict[Layer, Listing] = {}
    notes, tags = [], {}
    beneath: dict[tuple[Layer, str], Listing] = {}
    for layer in ORDER:
        key = keys.get(layer) or newest.get(layer)
        if key is None:
            continue
        image = known.get((layer, key))
        if image is None and newest.get(layer) not in (None, key):
            # Its inputs went with its label.
            notes.append(
                f"{layer}: the image of the last build, {layer}-{key[:TAG_DIGITS]}, is gone, and its inputs with it"
            )
        listings[layer] = of_label(image) if image is not None else Listing(key, None)
        if image is not None and image.keyed_tag:
            tags[layer] = image.keyed_tag
            beneath |= {(name, listing.key): listing for name, listing in below(image, known).items()}
    if not listings:
        return Side("nothing", f"nothing: no image of this project was built here with {variant}", {})
    words = "what this checkout last built or found" if keys else "the newest images of this project"
    return Side("built", words, listings, None, tuple(notes), tags, beneath)


# --- comparable listings ---------------------------------------------------------------------------------------------


def comparable(old: Listing, new: Listing) -> tuple[Mapping[str, str], Mapping[str, str], list[str]] | None:
    """Two listings in one form, and what cannot be compared; None where the inputs of one are not known."""
    if old.inputs is None or new.inputs is None:
        return None
    unknown: list[str] = []
    was, now = dict(old.inputs), dict(new.inputs)
    for place, kind in enumerate(("file", "asset")):
        forms = {listing.form(kind) for listing in (old, new) if listing.files is None} - {None}
        if len(forms) > 1:
            was, now = _without(kind, was), _without(kind, now)
            unknown.append(f"{kind}s are not compared: one image lists them by folder, the other by name")
            continue
        listed = app.by_folder if forms == {"folder"} else app.by_file
        if old.files is not None:
            was = {**_without(kind, was), **listed(kind, old.files[place])}
        if new.files is not None:
            now = {**_without(kind, now), **listed(kind, new.files[place])}
    if not (old.whole and new.whole):
        was, now = _packages(was), _packages(now)
        unknown.append("only locked packages are compared: the image's label had no room for the other inputs")
    return was, now, unknown


def _without(kind: str, inputs: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in inputs.items() if not name.startswith((f"{kind} ", f"{kind}s in "))}


def _packages(inputs: Mapping[str, str]) -> dict[str, str]:
    # The label holds as much of each.
    return {name: value[:40] for name, value in inputs.items() if name.startswith("package ")}
