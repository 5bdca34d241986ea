"""What kind of change a recorded run answered, by what was done to its layers and the reasons noted for it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from layerdoit.history import LayerRecord
from layerdoit.layers.key import IMAGES

Kind = Literal["nothing", "files", "leaf", "library", "manifest", "dependency", "toolchain", "pulled", "other"]

MEANING: Final[Mapping[Kind, str]] = {
    "nothing": "every image was there; a container was started, or tags were set",
    "files": "files changed, and no crate had to be compiled",
    "leaf": "files changed, and one crate was compiled",
    "library": "files changed, and several crates were compiled",
    "manifest": "a Cargo.toml or Cargo.lock changed, but no dependency",
    "dependency": "a dependency, feature or cargo profile changed: deps was built",
    "toolchain": "toolchain, system packages or base image changed",
    "pulled": "what was not there was pulled from the registry, nothing was built",
    "other": "anything else: first builds, removed images, settings, or not known",
}

_MANIFESTS: Final = ("Cargo.toml", "Cargo.lock")
_FILES: Final = re.compile(r"\d+ (?:file|asset)s? changed: (.+)")
# What is no change of the project: the image was missing, or was to be made again.
_NO_CHANGE: Final = re.compile(r"not built before|image was removed|.* builds it from nothing|its inputs changed")
# Changes of how dependencies are built, not of what they are.
_NO_DEPENDENCY: Final = re.compile(r"(?:env \S+: |config (?!profile )|Dockerfile\.|the \w+ layer changed).*", re.DOTALL)
_BASE_MOVED: Final = ("the base layer changed", "the runtime layer changed")


def kind_of(layers: Mapping[str, LayerRecord]) -> Kind:
    """The kind of a run that went well, from its layers by name. What is not certain is `other`."""
    if "app" not in layers:
        return "other"
    done = {name: layer for name, layer in layers.items() if layer.action != "reuse"}
    if not done:
        return "nothing"
    if all(layer.action == "pull" for layer in done.values()):
        return "pulled"
    if any(layer.action == "pull" or _without_change(layer) for layer in done.values()):
        return "other"
    reasons = [reason for layer in done.values() for reason in layer.reasons]
    if any(name in IMAGES["base"] for name in done) or any(reason in _BASE_MOVED for reason in reasons):
        return "toolchain"
    if "deps" in done:
        changed = [reason for reason in done["deps"].reasons if not _NO_DEPENDENCY.fullmatch(reason)]
        return "dependency" if changed else "other"
    return _of_app(layers["app"])


def _without_change(layer: LayerRecord) -> bool:
    return not layer.reasons or any(_NO_CHANGE.fullmatch(reason) for reason in layer.reasons)


def _of_app(app: LayerRecord) -> Kind:
    """Of a run that built the app layer only."""
    named = [_FILES.fullmatch(reason) for reason in app.reasons]
    files = [found[1] for found in named if found]
    # With a setting or another deps image among the reasons, the time is not that of an edit.
    if len(files) < len(named) or app.cold or app.compiled is None:
        return "other"
    if any(posixpath.basename(path) in _MANIFESTS for path in _paths(files)):
        return "manifest"
    return "files" if app.compiled == 0 else "leaf" if app.compiled == 1 else "library"


def _paths(lists: Iterable[str]) -> list[str]:
    return [path for text in lists for path in text.split(", ")]
