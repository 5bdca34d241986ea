"""Which crates a cook has from this machine's cargo: those that it may need, and that its parent lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from layerdoit.cargo import downloaded
from layerdoit.engine import image_labels
from layerdoit.engine.api import endpoint, is_socket
from layerdoit.engine.images import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.components.recipe import Request

_LABEL = "crates"


class Crates(NamedTuple):
    """External crates of Cargo.lock, as `name version`.

    `compiled`: how many a full cook compiles, as far as Cargo.lock tells; `had`: what the deps image will have; `new`:
    what it needs and its parent lacks.
    """

    compiled: int
    had: set[str]
    new: set[str]

    @property
    def labels(self) -> dict[str, str]:
        """The label that says what the image has."""
        return {_LABEL: image_labels.locked_text(self.had)}


def of(request: Request) -> Crates:
    """Those of a cook."""
    from layerdoit.cargo import compiled_crates, native

    inputs, parent = request.inputs, request.step.parent
    tree, project = inputs.tree, inputs.project
    asked = (project.workspace, tree.lock, inputs.selection, project.options)
    compiled = compiled_crates.built(*asked, native.table().elsewhere)
    locked = image_labels.listed_text(tree.locked)
    # What tests need besides what is compiled is not known.
    needed = locked if inputs.question.kind == "check" else {f"{name} {version}" for name, version, _ in compiled}
    if parent is None:
        # cargo asks for more than it compiles.
        return Crates(len(compiled), needed, locked)
    labels = request.engine.images.labels([parent.tag]).get(parent.tag, {})
    had = image_labels.listed_text(labels.get(PREFIX + _LABEL, ""))
    unknown = set(image_labels.lacking(tree.locked, labels))
    return Crates(len(compiled), needed | (had & locked), (needed - had) | unknown)


def stage(request: Request, new: set[str], folder: Path) -> None:
    """Put what cargo has downloaded of new crates into a new folder. An engine elsewhere may have the better line."""
    if request.engine.is_local and is_socket(endpoint()):
        locked = request.inputs.tree.lock.external
        downloaded.give((one for one in locked if f"{one.name} {one.version}" in new), folder)
