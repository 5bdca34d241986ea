"""The manifest that lists the images of several platforms: the same children give the same bytes, and so its digest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit.engine.registry_api import DOCKER_IMAGE, INDEX, LIST

if TYPE_CHECKING:
    from layerdoit.engine.registry_api import Manifest


class Listing(NamedTuple):
    """An index: its media type and its bytes."""

    media_type: str
    content: bytes


def index_of(images: Mapping[str, Manifest]) -> Listing:
    """The index of images by platform. Engines with the classic store push, and read, docker's form of both."""
    docker = all(one.media_type == DOCKER_IMAGE for one in images.values())
    media_type = LIST if docker else INDEX
    listed = [_entry(platform, images[platform]) for platform in sorted(images)]
    found = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed}
    return Listing(media_type, json.dumps(found, separators=(",", ":")).encode())


def _entry(platform: str, image: Manifest) -> Mapping[str, Any]:
    words = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    order = {name: words[name] for name in ("architecture", "os", "variant") if name in words}
    return {"mediaType": image.media_type, "digest": image.digest, "size": image.size, "platform": order}
