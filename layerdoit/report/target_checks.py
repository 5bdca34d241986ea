"""The targets of layerdoit.yaml against the figures: what was measured, of how many runs, and whether it is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from layerdoit.config.targets import NAMES, Target, target
from layerdoit.core.units import size_text
from layerdoit.report.change_kinds import Kind
from layerdoit.report.figures import Report
from layerdoit.report.formats import seconds_text

KINDS: Final[Mapping[str, Kind]] = {
    "no_op": "nothing",
    "files_edit": "files",
    "leaf_edit": "leaf",
    "library_edit": "library",
    "manifest_edit": "manifest",
    "dependency_change": "dependency",
    "toolchain_change": "toolchain",
}


@dataclass(frozen=True)
class Checked:
    """A target and what was measured: `value` in its unit, of `n` runs; None where there is no data."""

    target: Target
    written: str
    value: float | None
    n: int

    @property
    def met(self) -> bool:
        """Without data it is not."""
        return self.value is not None and self.target.met(self.value)

    @property
    def result(self) -> str:
        """One word, or three."""
        return "met" if self.met else "no data" if self.value is None else "missed"

    @property
    def measured(self) -> str:
        """The number as people read it."""
        if self.value is None:
            return "nothing measured"
        unit = NAMES[self.target.name]
        if unit == "share":
            return f"{self.value:.1%}"
        return seconds_text(self.value) if unit == "seconds" else size_text(self.value)

    def line(self) -> str:
        """One sentence."""
        of = f" (n={self.n})" if self.n else ""
        return f"{self.target.name}: {self.measured}{of}, wanted {self.written.strip()}: {self.result}"

    def as_json(self) -> dict[str, Any]:
        """The documented form."""
        return {
            "name": self.target.name,
            "wanted": self.written.strip(),
            "value": self.value,
            "unit": NAMES[self.target.name],
            "n": self.n,
            "result": self.result,
        }


def check(report: Report, given: Mapping[str, str]) -> tuple[Checked, ...]:
    """Each of the configuration's targets, in its order."""
    return tuple(_checked(report, name, written) for name, written in given.items())


def failed(found: Sequence[Checked]) -> list[Checked]:
    """Those that are missed, or of which nothing is known."""
    return [one for one in found if not one.met]


def _checked(report: Report, name: str, written: str) -> Checked:
    wanted = target(name, written)
    assert wanted is not None  # noqa: S101 - the configuration has checked it
    return Checked(wanted, written, *_measured(report, name))


def _measured(report: Report, name: str) -> tuple[float | None, int]:
    if name.endswith("_hit_rate"):
        layer = next(found for found in report.layers if found.layer == name.removesuffix("_hit_rate"))
        return layer.hit_rate, layer.n
    if name.endswith("_size"):
        size = next((found for found in report.sizes if found.image == name.removesuffix("_size")), None)
        return (None, 0) if size is None else (size.newest, size.all.n)
    plain = name.removesuffix("_p90")
    kind = next((found for found in report.kinds if found.kind == KINDS[plain]), None)
    if kind is None:
        return None, 0
    return (kind.ready.median if plain == name else kind.ready.p90), kind.ready.n
