"""What a tag of a registry stands for: which images, for which platforms, from which keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.platform import described_platform
from layerdoit.engine.images import label

if TYPE_CHECKING:
    from layerdoit.engine.registry_api import Manifest, RegistryApi


class There(NamedTuple):
    """What is in the registry. `keys`: of our images, by platform, '' for one that is not ours; `made`: when."""

    digest: str
    keys: Mapping[str, str]
    labels: Mapping[str, str]
    made: str = ""

    @property
    def words(self) -> str:
        """How people are told of it."""
        made = f", made {self.made[:19].replace('T', ' ')}" if self.made else ""
        return f"{self.digest[:19]}{made}"


def look(api: RegistryApi, reference: str) -> There | None:
    """What a tag or digest stands for; None where there is none."""
    manifest = api.manifest(reference)
    if manifest is None:
        return None
    found = {}
    for digest in _images(manifest):
        one = manifest if digest == manifest.digest else api.manifest(digest)
        if one is not None and one.config is not None:
            described = json.loads(api.blob(one.config.digest))
            found[described_platform(described)] = described
    labels = {name: (one.get("config") or {}).get("Labels") or {} for name, one in found.items()}
    first = next(iter(found), "")
    made = label(labels.get(first, {}), "built") or str(found.get(first, {}).get("created") or "")
    keys = {name: label(one, "key") for name, one in labels.items()}
    return There(manifest.digest, keys, labels.get(first, {}), made)


def _images(manifest: Manifest) -> list[str]:
    """The digests of what can run; attestations are for no platform."""
    if not manifest.is_index:
        return [manifest.digest]
    return [one.digest for one in manifest.children if not one.platform.startswith("unknown")]
