"""The kinds of value that settings have. Each turns a YAML node into a typed value, or says what is wrong with it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from layerdoit.core import units
from layerdoit.core.frozen import Frozen
from layerdoit.core.prose import suggestion

T = TypeVar("T")
Scalar = str | int | float | bool | None
_UNSPEAKABLE = re.compile(r"[\0\ud800-\udfff]")


class Node(NamedTuple):
    """A YAML value and the line of its key. `text` is the scalar as written: `1.80` is a toolchain, not 1.8."""

    line: int
    value: Scalar | tuple[Node, ...] | Mapping[str, Node]
    text: str = ""


class Invalid(Exception):
    """A value of the wrong kind. `inside`: where within the value (`[1]`, `.RUSTFLAGS`)."""

    def __init__(self, node: Node, problem: str, *, inside: str = "", hint: str | None = None) -> None:
        super().__init__(problem)
        self.node = node
        self.problem = problem
        self.inside = inside
        self.hint = hint

    def within(self, part: str) -> Invalid:
        return Invalid(self.node, self.problem, inside=part + self.inside, hint=self.hint)


class Kind(NamedTuple):
    """What a setting accepts, in words, as a function, and as JSON schema (for editors; the function decides)."""

    expected: str
    parse: Callable[[Node], Any]
    many: bool = False  # a list: a command line variable gives it separated by commas
    optional: bool = False
    json: Mapping[str, Any] = {}


def described(node: Node) -> str:
    """What error messages call a value."""
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {node.text}"
    if isinstance(value, int | float):
        return f"the number {node.text}"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    return "a mapping" if isinstance(value, Mapping) else "a list"


def wrong(node: Node, expected: str, *, hint: str | None = None) -> Invalid:
    return Invalid(node, f"expected {expected}, got {described(node)}", hint=hint)


def text(
    expected: str = "text",
    pattern: str | None = None,
    *,
    switches: bool = False,
    numbers: bool = True,
    hint: str | None = None,
) -> Kind:
    """Text that matches all of `pattern`; with `numbers` and `switches` also 1.10, `true` and `no`, as written."""

    def parse(node: Node) -> str:
        value = node.value
        unwritten = value is None or isinstance(value, tuple | Mapping)
        if unwritten or (isinstance(value, bool) and not switches) or (type(value) in (int, float) and not numbers):
            raise wrong(node, expected, hint=hint)
        written = value if isinstance(value, str) else node.text
        if _UNSPEAKABLE.search(written):
            raise Invalid(node, "no file, variable or command can hold the character NUL or half a surrogate pair")
        if pattern and not re.fullmatch(pattern, written):
            raise wrong(node, expected, hint=hint)
        return written

    types = ["string", *["number"] * numbers, *["boolean"] * switches]
    return Kind(expected, parse, json={"type": types, **({"pattern": rf"^(?:{pattern})$"} if pattern else {})})


def boolean() -> Kind:
    def parse(node: Node) -> bool:
        if not isinstance(node.value, bool):
            raise wrong(node, "true or false")
        return node.value

    return Kind("true or false", parse, json={"type": "boolean"})


def switch_or(*words: str) -> Kind:
    """A boolean, or one of some words; as text: `true`, `false` or the word."""
    expected = f"true, false or {' or '.join(words)}"

    def parse(node: Node) -> str:
        if isinstance(node.value, bool):
            return str(node.value).lower()
        if node.value not in words:
            hint = suggestion(node.value, words, "valid values") if isinstance(node.value, str) else None
            raise wrong(node, expected, hint=hint)
        return str(node.value)

    return Kind(expected, parse, json={"enum": [True, False, *words]})


def integer(expected: str, low: int, high: int) -> Kind:
    def parse(node: Node) -> int:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise wrong(node, expected)
        return value

    return Kind(expected, parse, json={"type": "integer", "minimum": low, "maximum": high})


def seconds(low: float) -> Kind:
    expected = f"a number of seconds from {low:g} to 86400"

    def parse(node: Node) -> float:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 86400:
            raise wrong(node, expected)
        return float(value)

    return Kind(expected, parse, json={"type": "number", "minimum": low, "maximum": 86400})


def span() -> Kind:
    """A duration with its unit, in seconds."""

    def parse(node: Node) -> float:
        found = units.seconds_of(node.text if node.text != "0" else "0s")
        if found is None:
            raise wrong(node, units.SPAN)
        return found

    return Kind(units.SPAN, parse, json={"type": ["string", "number"]})


def size() -> Kind:
    """A size with its unit, in bytes."""

    def parse(node: Node) -> int:
        found = units.bytes_of(node.value) if isinstance(node.value, str) else None
        if found is None:
            raise wrong(node, units.SIZE)
        return found

    return Kind(units.SIZE, parse, json={"type": "string"})


def choice(*words: str) -> Kind:
    expected = f"one of {', '.join(words)}"

    def parse(node: Node) -> str:
        if node.value not in words:
            hint = suggestion(node.value, words, "valid values") if isinstance(node.value, str) else None
            raise wrong(node, expected, hint=hint)
        return str(node.value)

    return Kind(expected, parse, json={"enum": list(words)})


def optional(kind: Kind) -> Kind:
    """null, or a value of `kind`."""
    either = {"anyOf": [kind.json, {"type": "null"}]}
    return Kind(kind.expected, lambda node: None if node.value is None else kind.parse(node), kind.many, True, either)


def many(kind: Kind, plural: str, *, unique: bool = True, at_least: int = 0) -> Kind:
    """A list. `unique` rejects duplicate items."""
    expected = f"a list of {plural}"

    def parse(node: Node) -> tuple[Any, ...]:
        if not isinstance(node.value, tuple):
            raise wrong(node, expected, hint=f"write it as a list: [{node.text}]" if node.text else None)
        items: list[Any] = []
        for index, item in enumerate(node.value):
            try:
                parsed = kind.parse(item)
            except Invalid as invalid:
                raise invalid.within(f"[{index}]") from None
            if unique and parsed in items:
                raise Invalid(item, f"{described(item)} is listed twice", inside=f"[{index}]")
            items.append(parsed)
        if len(items) < at_least:
            raise Invalid(node, f"expected {expected} with at least {at_least} item, got an empty list")
        return tuple(items)

    listed = {"type": "array", "items": kind.json, "uniqueItems": unique, "minItems": at_least}
    return Kind(expected, parse, many=True, json=listed)


def table(key: Kind, value: Kind, expected: str) -> Kind:
    """A mapping; `key` checks each key, as a text node."""

    def parse(node: Node) -> dict[str, Any]:
        if node.value is None:
            return {}
        if not isinstance(node.value, Mapping):
            raise wrong(node, expected)
        parsed: dict[str, Any] = {}
        for name, item in node.value.items():
            try:
                parsed[key.parse(Node(item.line, name, name))] = value.parse(item)
            except Invalid as invalid:
                raise invalid.within(f".{name}") from None
        return parsed

    mapping = {"type": ["object", "null"], "additionalProperties": value.json, "propertyNames": key.json}
    return Kind(expected, parse, json=mapping)


class Settings(Frozen):
    """Base of the sections."""


def setting(kind: Kind, default: T, doc: str) -> T:
    """A dataclass field with its kind and its line of documentation."""
    metadata = {"kind": kind, "doc": doc}
    field: T
    if isinstance(default, dict):
        field = dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)  # type: ignore[assignment]
    else:
        field = dataclasses.field(default=default, metadata=metadata)
    return field


def section(kind: type[T], doc: str, or_kind: Kind | None = None) -> T:
    """A dataclass field that holds a nested section; or, with `or_kind`, a single value in its place."""
    metadata = {"section": kind, "doc": doc, **({"or": or_kind} if or_kind else {})}
    field: T = dataclasses.field(default_factory=kind, metadata=metadata)
    return field


def sections(key: Kind, kind: type[T], doc: str) -> Mapping[str, T]:
    """A dataclass field that maps names, which `key` checks, to sections of one kind."""
    metadata = {"sections": kind, "key": key, "doc": doc}
    field: Mapping[str, T] = dataclasses.field(default_factory=dict, metadata=metadata)
    return field


def repository_name(name: str) -> str:
    """Turn a folder or package name into a component of a Docker repository name, the same on every machine."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9._]+", "-", plain)
    single = re.sub(
        r"[._-]{2,}", lambda run: "-" if "-" in run[0] or "." in run[0] or len(run[0]) > 2 else run[0], words
    )
    short = single.strip("._-")[:100].rstrip("._-")
    if short:
        return short
    import hashlib

    return f"project-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
