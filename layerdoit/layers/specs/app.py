"""The app layer's inputs: the workspace's own sources, assets, and the image's own settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from layerdoit.layers.key import Spec, digest

# A longer list (about 700 files) is made by folder: the label of the image has to hold sources and assets.
LISTED_BYTES = 40_000
_BESIDE_PATH = 24
SHORT = 8
VERSION = "version "
"""The version of a local package: in the listing, and not in the key."""


def alike(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Two listings, with the versions only where both have some: those of earlier images have none."""
    both = all(any(name.startswith(VERSION) for name in listing) for listing in (old, new))
    if both:
        return old, new
    kept = ({name: value for name, value in one.items() if not name.startswith(VERSION)} for one in (old, new))
    return next(kept), next(kept)


@dataclass(frozen=True)
class AppFacts:
    """What the app image is made of.

    `sources` and `assets` are content digests; `files` lists both (path -> digest) where it is needed.
    `versions`: of local packages, for people only: manifests are among the sources.
    `settings` is everything else in the image's configuration, `variables` those of cargo that deps are not keyed by.
    """

    dockerfile: str
    sources: str
    assets: str
    bins: str
    settings: Mapping[str, str]
    variables: Mapping[str, str]
    files: Callable[[], tuple[Mapping[str, str], Mapping[str, str]]]
    versions: Callable[[], Mapping[str, str]] = dict


def spec(facts: AppFacts, deps_key: str | None, runtime_key: str, repository: str) -> Spec:
    """The app layer on top of a deps and a runtime image. `deps_key`: None for a program that is only packed."""
    recipe = {"Dockerfile.pack": facts.dockerfile} if deps_key is None else {"Dockerfile.app": facts.dockerfile}
    common = {
        **({} if deps_key is None else {"deps": deps_key}),
        "runtime": runtime_key,
        **recipe,
        "binaries": facts.bins,
        **facts.variables,
        **{f"image {name}": value for name, value in facts.settings.items()},
    }

    def listed() -> Mapping[str, str]:
        sources, assets = facts.files()
        versions = {f"{VERSION}{name}": version for name, version in facts.versions().items()}
        return {**common, **versions, **listing("file", sources), **listing("asset", assets)}

    return Spec("app", {**common, "sources": facts.sources, "assets": facts.assets}, repository, listed)


def listing(kind: str, files: Mapping[str, str]) -> dict[str, str]:
    """The files as a label can hold them: each by its name, or by folder where they are many."""
    size = sum(len(ascii(path)) + _BESIDE_PATH for path in files)
    return by_file(kind, files) if size <= LISTED_BYTES else by_folder(kind, files)


def by_file(kind: str, files: Mapping[str, str]) -> dict[str, str]:
    """A listing that names each file. `files`: path -> kind and digest."""
    return {f"{kind} {path}": content[:SHORT] for path, content in files.items()}


def by_folder(kind: str, files: Mapping[str, str]) -> dict[str, str]:
    """A listing with one entry per folder, two levels deep, for many files."""
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    for path, content in files.items():
        folders["/".join(path.split("/")[:-1][:2]) or "."][path] = content
    return {
        f"{kind}s in {folder}/": digest(word for path in sorted(inside) for word in (path, inside[path]))[:SHORT]
        for folder, inside in folders.items()
    }
