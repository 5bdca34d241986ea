"""The bytes that pulling would transfer, by the registry's manifests, without layers that the engine has."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from layerdoit.core.background import Background
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.process import capture_quick
from layerdoit.engine.buildx_program import buildx


@dataclass(frozen=True)
class Layer:
    """A layer of an image in a registry. `content`: digest when unpacked; `size`: bytes when compressed."""

    content: str
    size: int


def to_pull(references: Sequence[str], local: Collection[Sequence[str]], platform: str) -> list[int | None]:
    """Bytes that pulling each image transfers, one after the other; None if the registry does not tell.

    `local`: the unpacked layers, lowest first, of images on the engine; `platform`: the engine's, `linux/amd64`.
    """
    asked = [Background(partial(layers, reference, platform)) for reference in references]
    return needed([one.result() for one in asked], local)


def needed(images: Iterable[Sequence[Layer] | None], local: Collection[Sequence[str]]) -> list[int | None]:
    """Bytes for each image. A layer counts as present if a local image has it on top of the same layers."""
    there = {tuple(rootfs[:end]) for rootfs in local for end in range(1, len(rootfs) + 1)}
    found: list[int | None] = []
    for image in images:
        if image is None:
            found.append(None)
            continue
        stacks = [tuple(layer.content for layer in image[:end]) for end in range(1, len(image) + 1)]
        found.append(sum(layer.size for layer, stack in zip(image, stacks, strict=True) if stack not in there))
        there.update(stacks)
    return found


def layers(reference: str, platform: str) -> tuple[Layer, ...] | None:
    """The layers of an image in a registry, lowest first; None if unknown."""
    try:
        described = Background(partial(_inspected, reference, "--format", "{{json .Image}}"))
        manifest = _inspected(reference, "--raw")
        if "layers" not in manifest:
            digest = _of_platform(manifest, platform)
            manifest = _inspected(f"{reference.partition('@')[0]}@{digest}", "--raw")
        contents = _image(described.result(), platform)["rootfs"]["diff_ids"]
        sizes = [int(layer["size"]) for layer in manifest["layers"]]
        return tuple(Layer(content, size) for content, size in zip(contents, sizes, strict=True))
    except (LayerdoitError, LookupError, TypeError, ValueError):
        return None


def _inspected(reference: str, *how: str) -> Any:
    return json.loads(capture_quick([*buildx(), "imagetools", "inspect", reference, *how]))


def _of_platform(index: Mapping[str, Any], platform: str) -> str:
    architecture = platform.split("/")[1]
    return {one["platform"]["architecture"]: str(one["digest"]) for one in index["manifests"]}[architecture]


def _image(described: Mapping[str, Any], platform: str) -> Mapping[str, Any]:
    """The image for a platform: an index has one for each."""
    if "rootfs" in described:
        return described
    found: dict[str, Mapping[str, Any]] = {name.split("/")[1]: one for name, one in described.items()}
    return found[platform.split("/")[1]]
