"""Read an image's labels from a registry without pulling it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from layerdoit.core import process
from layerdoit.core.errors import EngineError, ProcessError
from layerdoit.engine.buildx_program import buildx
from layerdoit.engine.registry_answers import refusal


def labels(reference: str) -> Mapping[str, str] | None:
    """The labels of an image in a registry; None if it has no such image. EngineError if it does not answer."""
    try:
        told = process.capture([*buildx(), "imagetools", "inspect", reference, "--format", "{{json .Image}}"])
    except ProcessError as error:
        found = refusal(str(error).strip().splitlines()[-1])
        if found.kind == "absent":
            return None
        raise EngineError(
            f"the registry gives no information on {reference}: {found}", hint=found.advice(reference, "pull")
        ) from error
    described = json.loads(told.stdout)
    # Of an index there is one for each platform; ours have the same labels in all.
    if "config" not in described:
        described = next((one for one in described.values() if isinstance(one, dict)), {})
    return dict((described.get("config") or {}).get("Labels") or {})
