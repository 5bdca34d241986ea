"""The deps images that a registry has of a project, besides the one that is wanted: one of them may be cooked on.

deps_images(repository, platform, local) -> tuple[Image, ...]   # by their labels; () where it does not list them
give_up(repository)                                             # this process asks no more
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Final

from layerdoit.core.background import Background, Late
from layerdoit.core.errors import EngineError
from layerdoit.core.platform import alike, described_platform
from layerdoit.engine import registry_lookup
from layerdoit.engine.images import Image
from layerdoit.engine.registry_api import Manifest, RegistryApi
from layerdoit.layers.key import TAG_DIGITS

MOST: Final = 40
"""Images that are looked at, of each two answers of the registry are read."""
_KEYED: Final = re.compile(rf"deps-[0-9a-f]{{{TAG_DIGITS}}}")
_given_up: Final = set[str]()


def deps_images(repository: str, platform: str, local: str) -> tuple[Image, ...]:
    """The deps images of a repository that are for a platform, newest first, under the names that they get here.

    `local`: the repository of those names.
    """
    if repository in _given_up or registry_lookup.is_given_up(repository):
        return ()
    found: list[Image] = []
    until = time.monotonic() + registry_lookup.PATIENCE

    def look() -> None:
        for image in _listed(RegistryApi.of(repository), platform, local):
            if time.monotonic() > until:
                return
            found.append(image)

    try:
        Background(look, until).result()
    except (Late, EngineError, ValueError):
        # It is worth some time, and no error.
        give_up(repository)
    return tuple(sorted(found, key=lambda image: image.label("built"), reverse=True))


def give_up(repository: str) -> None:
    """What it has cannot be had: from now on it has nothing."""
    _given_up.add(repository)


def _listed(api: RegistryApi, platform: str, local: str) -> Iterator[Image]:
    for tag in [tag for tag in api.tags() if _KEYED.fullmatch(tag)][:MOST]:
        manifest = _manifest(api, tag, platform)
        if manifest is None or manifest.config is None:
            continue
        told = json.loads(api.blob(manifest.config.digest))
        match told:
            case {"config": {"Labels": dict(labels)}} if alike(described_platform(told), platform):
                image = Image(manifest.config.digest, (f"{local}:{tag}",), labels, 0, 0)
                if image.keyed_tag is not None and image.label("layer") == "deps":
                    yield image


def _manifest(api: RegistryApi, tag: str, platform: str) -> Manifest | None:
    found = api.manifest(tag)
    if found is None or not found.is_index:
        return found
    fits = (one.digest for one in found.children if one.platform and alike(one.platform, platform))
    return next(map(api.manifest, fits), None)
