"""Targets that a project may set for its own measurements: names, and comparisons such as `>80%` or `<5s`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

from layerdoit.config.kinds import Invalid, Kind, Node, described, table, text
from layerdoit.core import units
from layerdoit.core.prose import suggestion

Unit = Literal["share", "seconds", "bytes"]

_TIMES: Final = (
    *("no_op", "files_edit", "leaf_edit", "library_edit", "manifest_edit"),
    *("dependency_change", "toolchain_change"),
)
NAMES: Final[Mapping[str, Unit]] = {
    **dict.fromkeys(("base_hit_rate", "deps_hit_rate", "app_hit_rate"), "share"),
    **dict.fromkeys(_TIMES, "seconds"),
    **dict.fromkeys((f"{name}_p90" for name in _TIMES), "seconds"),
    **dict.fromkeys(("base_size", "runtime_size", "deps_size", "app_size"), "bytes"),
}
_RIGHT: Final[Mapping[Unit, str]] = {
    "share": "a comparison with a percentage, such as >80%",
    "seconds": "a comparison with a duration, such as <500ms, <5s or <=2m",
    "bytes": "a comparison with a size, such as <200MB",
}
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Target(NamedTuple):
    """One target. `limit` is in the unit of the name: a share from 0 to 1, seconds, bytes."""

    name: str
    comparison: str
    limit: float

    def met(self, value: float) -> bool:
        """Whether a measurement meets the target."""
        return _COMPARE[self.comparison](value, self.limit)


def target(name: str, written: str) -> Target | None:
    """Parse the comparison for a name of `NAMES`; None if it does not have that name's unit."""
    found = re.fullmatch(r"\s*([<>]=?)\s*(\S.*?)\s*", written)
    limit = None if found is None else _value(NAMES[name], found[2])
    return None if found is None or limit is None else Target(name, found[1], limit)


def _value(unit: Unit, written: str) -> float | None:
    if unit == "bytes":
        return units.bytes_of(written)
    plain = re.fullmatch(r"(\d+(?:\.\d+)?) ?(%|ms)", written)
    if unit == "share":
        share = float(plain[1]) / 100 if plain and plain[2] == "%" else None
        return share if share is not None and share <= 1 else None
    return float(plain[1]) / 1000 if plain and plain[2] == "ms" else units.seconds_of(written)


def targets() -> Kind:
    """The kind of the setting: a mapping of names to comparisons, kept as written."""
    expected = "a mapping of measurements to comparisons such as <5s"
    plain = table(_name(), text("a comparison, such as >80%, <5s or <200MB"), expected)

    def parse(node: Node) -> dict[str, str]:
        given: dict[str, str] = plain.parse(node)
        for name, written in given.items():
            if target(name, written) is None:
                assert isinstance(node.value, Mapping)  # noqa: S101 - `plain` has checked it
                item = node.value[name]
                problem = f"expected {_RIGHT[NAMES[name]]}, got {described(item)}"
                raise Invalid(item, problem, inside=f".{name}")
        return given

    return Kind(expected, parse, json=plain.json)


def _name() -> Kind:
    expected = "the name of a measurement"

    def parse(node: Node) -> str:
        if node.value not in NAMES:
            raise Invalid(node, "there is no such measurement", hint=suggestion(node.text, list(NAMES), "measurements"))
        return node.text

    return Kind(expected, parse, json={"enum": list(NAMES)})
