"""A document as YAML that people read: values in order, comments before them, and places for steps of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

OPENS: Final = "# >>> yours: "
CLOSES: Final = "# <<< yours"
_WIDTH: Final = 118

Value = Any
"""Text, number, boolean, None for nothing, or a mapping or list of such, among which stand `Note` and `Region`."""


@dataclass(frozen=True)
class Note:
    """A comment before what follows it. In a mapping it is a key without a value."""

    text: str


@dataclass(frozen=True)
class Region:
    """Lines between two markers that people write; in a mapping it is a key without a value."""

    name: str


@dataclass(frozen=True)
class Commented:
    """A plain value with a comment after it, in the same line."""

    value: str
    comment: str


def text(document: Mapping[Any, Value], own: Mapping[str, Sequence[str]]) -> str:
    """The document. `own`: lines that people wrote, as they stood, by the name of their region."""
    return "".join(f"{line}\n" for line in _mapping(document, 0, own))


def _mapping(found: Mapping[Any, Value], depth: int, own: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for index, (name, value) in enumerate(found.items()):
        # Blank lines between the parts of the file, as people write them.
        if depth == 0 and index and not _noted(found, index):
            yield ""
        if isinstance(name, Note | Region):
            yield from _aside(name, depth, own)
        else:
            yield from _entry(f"{'  ' * depth}{name}:", value, depth, own)


def _noted(found: Mapping[Any, Value], index: int) -> bool:
    return isinstance(list(found)[index - 1], Note)


def _entry(head: str, value: Value, depth: int, own: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, depth + 1, own)
    elif isinstance(value, list | tuple) and any(not _plain(one) for one in value):
        yield head
        yield from _items(value, depth + 1, own)
    elif isinstance(value, str) and "\n" in value:
        yield f"{head} |"
        yield from (f"{'  ' * (depth + 1)}{line}".rstrip() for line in value.rstrip("\n").split("\n"))
    else:
        yield f"{head}{' ' if value is not None else ''}{_flat(value)}"


def _items(found: Sequence[Value], depth: int, own: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for one in found:
        if isinstance(one, Note | Region):
            yield from _aside(one, depth, own)
        elif isinstance(one, Mapping):
            # A comment cannot follow the dash: it stands before the item.
            first, *rest = _mapping(one, depth + 1, own)
            yield f"{'  ' * depth}- {first.lstrip()}"
            yield from rest
        else:
            yield from _entry(f"{'  ' * depth}-", one, depth, own)


def _aside(one: Note | Region, depth: int, own: Mapping[str, Sequence[str]]) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(one, Note):
        yield from _wrapped(one.text, indent)
        return
    yield f"{indent}{OPENS}{one.name}"
    yield from own.get(one.name, ())
    yield f"{indent}{CLOSES}"


def _wrapped(comment: str, indent: str) -> Iterator[str]:
    import textwrap

    for line in comment.split("\n"):
        yield from textwrap.wrap(
            line, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_long_words=False
        )


def _plain(value: Value) -> bool:
    """Whether it fits in a list in one line."""
    return (
        not isinstance(value, Mapping | Note | Region | Commented) and "\n" not in str(value) and len(str(value)) < 40
    )


def _flat(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, Commented):
        return f"{value.value} # {value.comment}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_list, value))}]"
    if isinstance(value, Mapping):
        return "{}"
    return str(value) if isinstance(value, int) else _scalar(value)


def _in_list(value: Value) -> str:
    shown = _flat(value)
    return json.dumps(value) if isinstance(value, str) and set(shown) & set(",[]{}") and shown == value else shown


@cache
def _scalar(value: str) -> str:
    """A text without quotes where YAML takes it so."""
    import yaml

    try:
        same = yaml.safe_load(f"key: {value}") == {"key": value}
    except (yaml.YAMLError, ValueError):
        same = False
    return value if same and "\n" not in value else json.dumps(value, ensure_ascii=False)
