"""The last run's answer, believed while everything that it follows from is the same.

It spares a run with nothing to do the reading of manifests and Cargo.lock. Deleting it costs some milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, NamedTuple, cast

from layerdoit.core import files
from layerdoit.layers.key import Spec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from layerdoit.layers.key import Layer


class Answer(NamedTuple):
    """What the last run found out.

    `signature`: of all facts that the rest follows from, but the engine; `place`: `Engine.place`, where it was found
    out; `extra`: that of the workspace; `specs`: layer, key and repository of each image; `locked`: the label of the
    deps image that names the locked packages.
    """

    signature: str
    place: str
    extra: tuple[str, ...]
    specs: tuple[tuple[str, str, str], ...]
    locked: str

    def layers(self) -> tuple[Spec, ...]:
        """The specs with their keys, without the inputs that gave them."""
        return tuple(Spec.of_key(cast("Layer", layer), key, repository) for layer, key, repository in self.specs)


def file(folder: Path, settings: str) -> Path:
    """Where the answer for one set of settings is kept."""
    return folder / f"known-{hashlib.sha256(settings.encode()).hexdigest()[:12]}.json"


def read(path: Path) -> Answer | None:
    """The last run's answer; None when there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        specs = tuple((str(a), str(b), str(c)) for a, b, c in found["specs"])
        extra = tuple(map(str, found["extra"]))
        signature, place = str(found["signature"]), str(found["place"])
        return Answer(signature, place, extra, specs, str(found["locked"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(path: Path, answer: Answer) -> None:
    """Keep it for the next run."""
    files.write_json(path, answer._asdict())


def signature(parts: Sequence[str]) -> str:
    """One text for all facts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
