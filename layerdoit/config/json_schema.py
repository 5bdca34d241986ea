"""The JSON schema of layerdoit.yaml, for editors, made from the table that the program itself reads.

Editors complete and describe every key with it. It accepts whatever the program accepts, and a little more: the
program's own messages are better.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from layerdoit.config import Config, reading


def schema() -> dict[str, Any]:
    """The schema of the whole file."""
    top = _section(Config, "layerdoit's settings for a Rust project.")
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "layerdoit.yaml", **top}


def text() -> str:
    """The schema as it is shipped."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _section(kind: type[Any], doc: str) -> dict[str, Any]:
    properties = {}
    for name, field in reading.settings(kind).items():
        inner, several = field.metadata.get("section"), field.metadata.get("sections")
        if inner is not None:
            properties[name] = _section(inner, field.metadata["doc"])
            if single := field.metadata.get("or"):
                either = [properties[name], single.json]
                properties[name] = {"anyOf": either, "description": field.metadata["doc"]}
        elif several is not None:
            properties[name] = {
                "type": ["object", "null"],
                "description": field.metadata["doc"],
                "propertyNames": field.metadata["key"].json,
                "additionalProperties": _section(several, str(several.__doc__)),
            }
        else:
            setting = field.metadata["kind"]
            properties[name] = {**setting.json, "description": field.metadata["doc"], **_default(kind, name)}
    return {
        "type": ["object", "null"],
        "description": doc,
        "properties": properties,
        "additionalProperties": False,
    }


def _default(kind: type[Any], name: str) -> dict[str, Any]:
    value = getattr(kind(), name)
    if isinstance(value, Mapping):
        value = dict(value)
    return {"default": list(value) if isinstance(value, tuple) else value}
