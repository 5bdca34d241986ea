"""How many bytes a set of images holds: what several of them share is counted once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse, Usage

Layers = tuple[str, ...]


class Room:
    """The project's images as a tree of layers: each layer, on those below it, adds some bytes.

    Of an image whose layers' sizes are not known, only those are known where another image ends: what it shares
    besides is counted twice, and sums are upper bounds.
    """

    def __init__(self, usage: Usage) -> None:
        foreign = dict(usage.foreign)
        sizes: dict[Layers, int] = {}
        for image in usage.images:
            sizes |= _known(image)
        sizes |= foreign
        below_foreign = {layers[:end] for layers in foreign for end in range(1, len(layers) + 1)}
        self._adds: dict[Layers, int] = {}
        self._stands_on: dict[str, tuple[Layers, ...]] = {}
        for image in usage.images:
            layers = _place(image)
            points = tuple(layers[:end] for end in range(1, len(layers) + 1) if layers[:end] in sizes)
            self._stands_on[image.id] = points
            for lower, point in zip(((), *points), points, strict=False):
                adds = 0 if point in below_foreign else max(0, sizes[point] - sizes.get(lower, 0))
                self._adds[point] = adds

    def held(self, ids: Iterable[str]) -> int:
        """Bytes of the layers of these images, without those of foreign images below them."""
        return sum(self._adds[layers] for layers in {layers for each in ids for layers in self._stands_on[each]})

    def shares(self, ids: Iterable[str]) -> Mapping[str, int]:
        """Of images one after the other, the bytes that none before it holds; they add up to what all hold."""
        seen: set[Layers] = set()
        found = {}
        for each in ids:
            found[each] = sum(self._adds[layers] for layers in self._stands_on[each] if layers not in seen)
            seen.update(self._stands_on[each])
        return found

    def released(self, ids: Collection[str]) -> Mapping[str, int]:
        """Of images that go one after the other, the bytes that each releases; they add up to what is freed."""
        users = Counter(layers for several in self._stands_on.values() for layers in several)
        found = {}
        for each in ids:
            users.subtract(self._stands_on[each])
            found[each] = sum(self._adds[layers] for layers in self._stands_on[each] if users[layers] == 0)
        return found


def _place(image: ImageUse) -> Layers:
    return image.rootfs or (image.id,)


def _known(image: ImageUse) -> Mapping[Layers, int]:
    """The size of an image, and of each part of it that is a layer and all below, where that is known."""
    place = _place(image)
    parts = image.layers if len(image.layers) == len(place) else ()
    return {**{place[:end]: size for end, size in enumerate(accumulate(parts), 1)}, place: image.size}
