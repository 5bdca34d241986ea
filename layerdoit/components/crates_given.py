"""Which crates a cook has from this machine's cargo: those that it may need, and that its parent lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerdoit.cargo import downloaded
from layerdoit.engine import image_labels
from layerdoit.engine.api import endpoint, is_socket
from layerdoit.engine.images import PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from layerdoit.cargo.compiled_crates import Ident
    from layerdoit.components.recipe import Request
    from layerdoit.project.inputs import Inputs


def stage(request: Request, folder: Path) -> None:
    """Put them into a new folder. An engine elsewhere may have the better line."""
    tree, parent = request.inputs.tree, _parent(request)
    if not request.engine.is_local or not is_socket(endpoint()):
        return
    if parent is None:
        # cargo asks for more than it compiles.
        new = image_labels.listed_text(tree.locked)
    else:
        new = _needed(request.inputs) - image_labels.listed_text(parent.get(PREFIX + "crates", ""))
        new |= set(image_labels.lacking(tree.locked, parent))
    downloaded.give((one for one in tree.lock.external if f"{one.name} {one.version}" in new), folder)


def label(request: Request) -> str:
    """The label of a deps image that lists those crates of Cargo.lock that it has, as `name version`."""
    had = image_labels.listed_text((_parent(request) or {}).get(PREFIX + "crates", ""))
    locked = image_labels.listed_text(request.inputs.tree.locked)
    return image_labels.locked_text(_needed(request.inputs) | (had & locked))


def compiled(inputs: Inputs) -> Collection[Ident]:
    """The external crates that a full cook compiles, as far as Cargo.lock tells."""
    from layerdoit.cargo import compiled_crates, native

    asked = (inputs.project.workspace, inputs.tree.lock, inputs.selection, inputs.project.options)
    return compiled_crates.built(*asked, native.table().elsewhere)


def _needed(inputs: Inputs) -> set[str]:
    """What is compiled. Of what tests need besides, that is not known: all that is locked."""
    if inputs.question.kind == "check":
        return image_labels.listed_text(inputs.tree.locked)
    return {f"{name} {version}" for name, version, _ in compiled(inputs)}


def _parent(request: Request) -> dict[str, str] | None:
    """The labels of the image that it is cooked from."""
    parent = request.step.parent
    return None if parent is None else dict(request.engine.images.labels([parent.tag]).get(parent.tag, {}))
