"""The labels by which an image of a layer is known as ours, and what of a project it is."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from layerdoit.engine.images import PREFIX
from layerdoit.engine.ownership import LABEL

if TYPE_CHECKING:
    from layerdoit.layers.key import Spec
    from layerdoit.project.project import Project

# A label travels as one argument of a command: the kernel takes 128 KiB.
MAX_LABEL: Final = 100_000


def labels(project: Project, spec: Spec, parent: str, variant: str, **more: str) -> dict[str, str]:
    """The labels of a layer's image. `parent`: the key, or the name, of the image that it is made from."""
    values = {
        "project": project.name,
        LABEL: project.owner.text,
        "layer": spec.layer,
        "key": spec.key,
        "inputs": _inputs(spec),
        "parent": parent,
        "variant": variant,
        "built": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **more,
    }
    return {PREFIX + name: value for name, value in values.items()}


def _inputs(spec: Spec) -> str:
    """All inputs as JSON; where they are too long for a label, only the packages, cut off."""
    inputs = json.dumps(spec.label_inputs, sort_keys=True, separators=(",", ":"))
    if len(inputs.encode()) <= MAX_LABEL:
        return inputs
    brief = {name: value[:40] for name, value in spec.label_inputs.items() if name.startswith("package ")}
    return json.dumps(brief, sort_keys=True, separators=(",", ":"))[:MAX_LABEL]
