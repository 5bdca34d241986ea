"""What is deployed: an image, by its digest, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """An app image that can be deployed.

    `reference`: what to run: `repository@sha256:…` in a registry, where the provider needs one, else the keyed tag on
    the engine. `key`: the app layer's full key; it names everything that went into the image. `digest`: `sha256:…`, of
    the manifest in the registry, else the image's id on the engine; '' for an image that is not built yet.
    `environment`, `commit`: '' where there is none; the commit's full name. `id`: what users call the release.
    """

    reference: str
    key: str
    digest: str = ""
    environment: str = ""
    commit: str = ""
    id: str = ""
