"""The deps images that a registry has of a project: one may be cooked on, and those of another project may lend.

deps_images(repository, platform, local) -> tuple[Image, ...]   # by their labels; () where it does not list them
asked(repository, platform, local) -> Told                      # the same, and why there may be more
give_up(repository)                                             # this process asks no more
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from layerdoit.core.background import Background, Late
from layerdoit.core.errors import EngineError
from layerdoit.core.platform import alike, described_platform
from layerdoit.engine import registry_lookup
from layerdoit.engine.images import Image
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_answers import Refusal
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
    return asked(repository, platform, local).images


class Told(NamedTuple):
    """What a registry said. `refused`: why it did not list all; `given_up`: it did not before, and was not asked."""

    images: tuple[Image, ...] = ()
    refused: Refusal | None = None
    given_up: bool = False


def asked(repository: str, platform: str, local: str) -> Told:
    """The same, and what stood against it."""
    if repository in _given_up or registry_lookup.is_given_up(repository):
        return Told(given_up=True)
    refused: Refusal | None = None
    found: list[Image] = []
    until = time.monotonic() + registry_lookup.PATIENCE

    def look() -> None:
        for image in _listed(RegistryApi.of(repository), platform, local):
            if time.monotonic() > until:
                return
            found.append(image)

    try:
        Background(look, until).result()
    # It is worth some time, and no error.
    except Late:
        refused = Refusal("silent", f"no answer in {registry_lookup.PATIENCE:.0f} s")
    except RegistryError as error:
        refused = error.refusal
    except (EngineError, ValueError) as error:
        refused = Refusal("other", str(error).partition("\n")[0])
    if refused is not None:
        give_up(repository)
    return Told(tuple(sorted(found, key=lambda image: image.label("built"), reverse=True)), refused)


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
