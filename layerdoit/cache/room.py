"""How many bytes a set of images holds: what several of them share is counted once."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerdoit.cache.model import Usage

Layers = tuple[str, ...]


class Room:
    """The project's images as a tree of layers: each image adds some to the fullest image that it stands on.

    Layers that two images share without a third one that ends with them are counted for both: sums are upper bounds.
    """

    def __init__(self, usage: Usage) -> None:
        foreign = dict(usage.foreign)
        own = {image.rootfs or (image.id,): image.size for image in usage.images}
        sizes = {**own, **foreign}
        self._adds: dict[Layers, int] = {}
        self._stands_on: dict[str, list[Layers]] = {}
        below = {layers: [layers[:end] for end in range(1, len(layers)) if layers[:end] in sizes] for layers in own}
        for layers, size in own.items():
            fullest = below[layers][-1] if below[layers] else None
            self._adds[layers] = max(0, size - (sizes[fullest] if fullest else 0))
        for layers in foreign:
            self._adds[layers] = 0
        for image in usage.images:
            layers = image.rootfs or (image.id,)
            self._stands_on[image.id] = [*below[layers], layers]

    def held(self, ids: Collection[str]) -> int:
        """Bytes of the layers of these images, without those of foreign images below them."""
        return sum(self._adds[layers] for layers in {layers for each in ids for layers in self._stands_on[each]})
