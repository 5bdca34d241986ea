"""Images that lost their last tag to another: which of those without one a build of ours made.

Whatever is built FROM an image of ours inherits its labels, tag or no tag. What ours never has is a step more: an
image without a tag is ours when it was made by the very steps of an image that bears the tag of its key.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from layerdoit.cache.model import ImageUse

Steps = Callable[[str], tuple[str, ...]]
"""The steps that an image of that id was made by; () where the engine does not say."""

COMPARED: Final = 10
"""Images of a layer that one is compared with: each costs a question, and most layers have one set of steps."""


def find(images: Sequence[ImageUse], steps: Steps) -> frozenset[str]:
    """Ids of the images without any tag that builds of ours made."""
    bare = [image for image in images if image.layer and image.key and not (image.tags or image.others or image.pin)]
    asked = functools.cache(steps)
    return frozenset(
        image.id
        for image in bare
        if asked(image.id) and any(asked(other.id) == asked(image.id) for other in _alike(image, images))
    )


def _alike(image: ImageUse, images: Iterable[ImageUse]) -> Iterator[ImageUse]:
    """Images with a keyed tag that may be made as it is: the one that took its tag, then the newest."""
    alike = [
        other
        for other in images
        if other.tags and other.layer == image.layer and len(other.rootfs) == len(image.rootfs)
    ]
    alike.sort(key=lambda other: (other.key != image.key, -other.made, other.id))
    yield from alike[:COMPARED]
