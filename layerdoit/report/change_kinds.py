"""What kind of change a recorded run answered, by what was done to its layers and the reasons noted for it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Final, Literal

from layerdoit.history import LayerRecord
from layerdoit.layers.key import IMAGES
from layerdoit.layers.reasons import FILES, Reason
from layerdoit.layers.reasons import Kind as ReasonKind
from layerdoit.layers.wording import path_of
from layerdoit.report import old_reasons

Kind = Literal["nothing", "files", "leaf", "library", "manifest", "dependency", "toolchain", "pulled", "other"]

MEANING: Final[Mapping[Kind, str]] = {
    "nothing": "every image existed; a container was started, or tags were set",
    "files": "files changed, and no crate had to be compiled",
    "leaf": "files changed, and one crate was compiled",
    "library": "files changed, and several crates were compiled",
    "manifest": "a Cargo.toml or Cargo.lock changed, but no dependency",
    "dependency": "a dependency, feature or cargo profile changed: deps was built",
    "toolchain": "toolchain, system packages or base image changed",
    "pulled": "missing images were pulled from the registry, nothing was built",
    "other": "anything else: first builds, removed images, settings, or not known",
}

PLAIN_WORDS: Final[Mapping[Kind, str]] = {
    "nothing": "A run that builds nothing",
    "files": "An edit of assets",
    "leaf": "An edit of one crate",
    "library": "An edit of a library",
    "manifest": "An edit of a manifest",
    "dependency": "A change of dependencies",
    "toolchain": "A new toolchain or base image",
    "pulled": "A pull from the registry",
    "other": "Anything else",
}
"""For readers who do not know the kinds."""

_MANIFESTS: Final = ("Cargo.toml", "Cargo.lock")
# What is no change of the project: the image was missing, or was to be made again.
_NO_CHANGE: Final[frozenset[ReasonKind]] = frozenset({"not_built_before", "removed", "from_scratch", "inputs_changed"})
# Settings of how dependencies are built, not of what they are.
_HOW: Final = ("config ", "Dockerfile.")


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
    reasons = [reason for layer in done.values() for reason in _reasons(layer)]
    if any(name in IMAGES["base"] for name in done) or any(map(_moves_base, reasons)):
        return "toolchain"
    if "deps" in done:
        return "dependency" if any(map(_of_dependency, _reasons(done["deps"]))) else "other"
    return _of_app(layers["app"])


def _reasons(layer: LayerRecord) -> list[Reason]:
    # Why a crate compiles again is no change of its own.
    return [old_reasons.read(reason) for reason in layer.reasons if reason.kind != "rereads"]


def _without_change(layer: LayerRecord) -> bool:
    return not layer.reasons or any(reason.kind in _NO_CHANGE for reason in _reasons(layer))


def _moves_base(reason: Reason) -> bool:
    return reason.input == "layer" and any(name in IMAGES["base"] for name in reason.names)


def _of_dependency(reason: Reason) -> bool:
    """Whether dependencies are others, not only built otherwise."""
    if reason.input == "setting":
        return any(not name.startswith(_HOW) for name in reason.names)
    return reason.input != "environment"


def _of_app(app: LayerRecord) -> Kind:
    """Of a run that built the app layer only."""
    reasons = _reasons(app)
    # With a setting or another deps image among the reasons, the time is not that of an edit.
    if app.cold or app.compiled is None or any(reason.input not in FILES for reason in reasons):
        return "other"
    if any(posixpath.basename(path_of(name)) in _MANIFESTS for reason in reasons for name in reason.names):
        return "manifest"
    if any(reason.left_out for reason in reasons):
        # A manifest may be among those.
        return "other"
    return "files" if app.compiled == 0 else "leaf" if app.compiled == 1 else "library"
