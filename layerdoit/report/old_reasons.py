"""Reasons that an earlier layerdoit noted as sentences, read for their kind. Nothing writes such sentences any more."""

from __future__ import annotations

import re
from typing import Final

from layerdoit.layers.reasons import Kind, Reason

_KINDS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("not_built_before", re.compile("not built before")),
    ("removed", re.compile("image was removed")),
    ("inputs_changed", re.compile("its inputs changed")),
    ("from_scratch", re.compile(".* builds it from nothing")),
)
_FILES: Final = re.compile(r"\d+ (file|asset)s? changed: (.+)")
_LAYER: Final = re.compile(r"the (\w+) layer changed")
_ENVIRONMENT: Final = re.compile(r"(env \S+): .*", re.DOTALL)
_SETTING: Final = re.compile(r"(config (?!profile )|Dockerfile\.).*", re.DOTALL)


def read(reason: Reason) -> Reason:
    """What a noted sentence says, as far as a report needs it; any other reason as it is."""
    if reason.kind != "noted":
        return reason
    sentence = reason.names[0]
    kind = next((kind for kind, words in _KINDS if words.fullmatch(sentence)), None)
    return _changed(sentence) if kind is None else Reason(kind)


def _changed(sentence: str) -> Reason:
    if found := _FILES.fullmatch(sentence):
        # It named five of them.
        return Reason("changed", tuple(f"{found[1]} {path}" for path in found[2].split(", ")), found[1])
    if found := _LAYER.fullmatch(sentence):
        return Reason("changed", (found[1],), "layer")
    if found := _ENVIRONMENT.fullmatch(sentence):
        return Reason("changed", (found[1],), "environment")
    # Anything else changed what the dependencies are, or is a setting of the image.
    return Reason("changed", (sentence,), "setting" if _SETTING.fullmatch(sentence) else "dependency")
