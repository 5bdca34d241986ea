"""Images that lost their last tag to another: which of those without one a build of ours made.

Whatever is built FROM an image of ours inherits its labels, tag or no tag. What ours never has is a step more: an
image without a tag is ours when it was made by the steps of an image that bears the tag of its key. What the
configuration puts into a step (arguments, names of binaries, values) may differ: not which steps there are.
"""

from __future__ import annotations

import functools
import re
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
    bare = [image for image in images if image.layer and image.key and not _has_tag(image)]
    asked = functools.cache(lambda image: shape(steps(image)))
    return frozenset(
        image.id
        for image in bare
        if asked(image.id) and any(asked(other.id) == asked(image.id) for other in _alike(image, images))
    )


def _has_tag(image: ImageUse) -> bool:
    return bool(image.tags or image.others or image.elsewhere or image.pin)


def _alike(image: ImageUse, images: Iterable[ImageUse]) -> Iterator[ImageUse]:
    """Images with a keyed tag that may be made as it is: the one that took its tag, then the newest."""
    alike = [other for other in images if other.tags and other.layer == image.layer]
    alike.sort(key=lambda other: (other.key != image.key, -other.made, other.id))
    yield from alike[:COMPARED]


_ARGUMENTS: Final = re.compile(r"\|\d+ .*?(?=/bin/sh -c )", re.DOTALL)
_VALUES: Final = ("ARG", "ENV", "LABEL", "EXPOSE", "USER", "WORKDIR", "ENTRYPOINT", "CMD", "COPY")
"""Instructions that say what the configuration says."""
_ANY: Final = ("ARG", "ENV", "LABEL", "EXPOSE", "COPY")
"""Those of which there are as many as the configuration has, perhaps none."""


def shape(steps: Sequence[str]) -> tuple[str, ...]:
    """Which steps made an image, without what the configuration puts into them. `steps`: the last one first.

    What others made of an image of ours ends with a step of theirs: where the last step is one that counts not, all do.
    """
    if not steps or steps[0].partition(" ")[0] in _ANY:
        return tuple(steps)
    found: list[str] = []
    for step in steps:
        first = step.partition(" ")[0]
        words = first if first in _VALUES else _ARGUMENTS.sub("", step)
        if words not in _ANY:
            found.append(words)
    return tuple(found)
