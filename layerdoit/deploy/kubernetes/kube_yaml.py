"""YAML as kubectl reads it, each text with its line: a message can say where in a manifest something stands.

PyYAML takes `2024-01-01` for a date and `22:22` for the number 1342; to kubectl both are texts.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_NOT_THERE: Final = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")


class Located(str):
    """A text of a manifest that knows its line."""

    __slots__ = ("line",)
    line: int


class _Loader(yaml.SafeLoader):
    pass


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_THERE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _integer(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    digits = text.lstrip("+-").lower()
    base = 8 if re.fullmatch(r"0o?[0-7]+", digits) else 0
    return int(digits.replace("0o", ""), base) * (-1 if text.startswith("-") else 1)


def _fraction(loader: Any, node: Any) -> float:
    return float(loader.construct_scalar(node))


def _text(loader: Any, node: Any) -> Located:
    found = Located(loader.construct_scalar(node))
    found.line = node.start_mark.line + 1
    return found


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", _fraction)
_Loader.add_constructor("tag:yaml.org,2002:str", _text)


def documents(text: str) -> list[Any]:
    """The documents of a file, without empty ones; raises yaml.YAMLError."""
    return [one for one in yaml.load_all(text, _Loader) if one is not None]


def line_of(value: object) -> int | None:
    """The line of a text that was read; None for what is no text."""
    return getattr(value, "line", None)
