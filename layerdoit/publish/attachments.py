"""What stands beside an image in the registry: documents that refer to it, so that its own digest stays what it is.

A registry that knows no referrers keeps them by a tag that is made from the digest, as its specification says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from layerdoit.engine.registry_api import IMAGE, INDEX, digest_of

if TYPE_CHECKING:
    from layerdoit.engine.registry_api import Manifest, RegistryApi

_EMPTY: Final = b"{}"
_NOTHING: Final = "application/vnd.oci.empty.v1+json"


def has(api: RegistryApi, digest: str, kind: str) -> bool:
    """Whether an image has a document of that media type beside it."""
    return any(one.artifact_type == kind for one in api.referrers(digest))


def attach(api: RegistryApi, image: Manifest, kind: str, document: Mapping[str, Any]) -> str:
    """Put a document beside an image; the digest of what refers to it."""
    content = json.dumps(document, separators=(",", ":")).encode()
    empty = {"mediaType": _NOTHING, "digest": api.put_blob(_EMPTY), "size": len(_EMPTY)}
    layer = {"mediaType": kind, "digest": api.put_blob(content), "size": len(content)}
    subject = {"mediaType": image.media_type, "digest": image.digest, "size": image.size}
    manifest = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "artifactType": kind,
        "config": empty,
        "layers": [layer],
        "subject": subject,
    }
    written = json.dumps(manifest, separators=(",", ":")).encode()
    digest = api.put_manifest(digest_of(written), IMAGE, written)
    if all(one.digest != digest for one in api.referrers(image.digest)):
        _listed(api, image.digest, {"mediaType": IMAGE, "digest": digest, "size": len(written), "artifactType": kind})
    return digest


def _listed(api: RegistryApi, digest: str, entry: Mapping[str, Any]) -> None:
    """Add it to the index that stands in for a list of referrers."""
    tag = digest.replace(":", "-")
    found = api.manifest(tag)
    entries = list(found.json.get("manifests") or ()) if found is not None else []
    entries = [one for one in entries if one.get("digest") != entry["digest"]]
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*entries, entry]}
    api.put_manifest(tag, INDEX, json.dumps(index, separators=(",", ":")).encode())
