"""Keys: each layer is named by a digest of everything that goes into it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final, Literal

from layerdoit.core.frozen import Frozen

Layer = Literal["base", "runtime", "deps", "app", "output"]
"""The layers of an image; and what a component writes, which is none."""

ORDER: Final[tuple[Layer, ...]] = ("base", "runtime", "deps", "app")
"""All images; each comes after the images that it is made from."""
IMAGES: Final[Mapping[str, tuple[Layer, ...]]] = {"base": ("base", "runtime"), "deps": ("deps",), "app": ("app",)}
"""The images of each layer as a user counts them: base stands for builder and runtime."""
LAYERS: Final = tuple(IMAGES)
"""The layers as a user counts them, the lowest first."""
ARTEFACTS: Final = "artefacts"
"""No layer: what is compiled of the workspace, as it is shared beside the layers."""

# Twelve hexadecimal digits in a tag; the full key stands in a label.
TAG_DIGITS = 12
PINNED = "pinned-"


def digest(parts: Iterable[str]) -> str:
    """sha256 (64 hexadecimal digits) over the parts, each preceded by its length: no two listings collide."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode()
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def key(inputs: Mapping[str, str]) -> str:
    """The key of a layer: the digest of its inputs, sorted by name."""
    return digest(word for name in sorted(inputs) for word in (name, inputs[name]))


class Spec(Frozen):
    """A layer to have: its name, its inputs (readable; the key is their digest), and where its image is found.

    `listed` makes a shorter form of the inputs for the image's label, used when there are too many inputs.
    """

    layer: Layer
    inputs: Mapping[str, str]
    repository: str
    listed: Callable[[], Mapping[str, str]] | None = None

    @classmethod
    def of_key(cls, layer: Layer, full_key: str, repository: str) -> Spec:
        """A layer of which only the key is known, not the inputs."""
        spec = cls(layer, {}, repository)
        spec.__dict__["key"] = full_key
        return spec

    def known_as(self, full_key: str) -> Spec:
        """The same layer, found as the image of another key."""
        spec = replace(self)
        spec.__dict__["key"] = full_key
        return spec

    @cached_property
    def key(self) -> str:
        """64 hexadecimal digits."""
        return key(self.inputs)

    @property
    def tag(self) -> str:
        """`<repository>:<layer>-<first 12 digits of the key>`."""
        return tag(self.repository, self.layer, self.key)

    @property
    def label_inputs(self) -> Mapping[str, str]:
        """The inputs as the image's label lists them."""
        return self.inputs if self.listed is None else self.listed()


def tag(repository: str, layer: str, full_key: str) -> str:
    """The tag of a layer's image, from its full key."""
    return f"{repository}:{layer}-{full_key[:TAG_DIGITS]}"


def pin_tag(repository: str, layer: str, full_key: str) -> str:
    """`<repository>:pinned-<layer>-<first 12 digits of the key>`: protects an image from being cleared."""
    return f"{repository}:{PINNED}{layer}-{full_key[:TAG_DIGITS]}"
