"""Histories of a project that never was: months of plausible runs, always the same; for pages and their layout."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from layerdoit.history import LayerRecord
from layerdoit.history.benchmarks import Recorded
from layerdoit.history.export import layer_as_json
from layerdoit.layers.reasons import Reason, difference

VARIANT: Final = "dev/host"
TARGETS: Final = {
    "deps_hit_rate": ">80%",
    "leaf_edit": "<2s",
    "toolchain_change_p90": "<2m",
    "base_hit_rate": ">99%",
    "app_size": "<25MB",
}
CRATES: Final = (
    "aws-sdk-s3",
    "tokio",
    "sqlx-core",
    "regex-automata",
    "rustls",
    "serde_derive",
    "syn",
    "ring",
    "chrono",
)
LONG: Final = "einsehrlangerprojektnameohneeineinzigesleerzeichen_mit_ümläuten_日本語プロジェクト_مشروع"
LONG_CRATES: Final = tuple(
    f"crate_with_a_really_rather_long_name_without_hyphens_{number:03}_名前" for number in range(200)
)
BENCHMARK: Final = Recorded(
    1782800000.0,
    {
        ("leaf", "plain"): (131.0, 3),
        ("leaf", "mount"): (4.4, 5),
        ("leaf", "layerdoit"): (1.9, 5),
        ("nothing", "plain"): (0.2, 9),
        ("deep", "plain"): (128.0, 3),
        ("bump", "plain"): (134.0, 3),
    },
)
"""Medians of a benchmark that goes with them."""
_SIZES: Final = {"base": 1_240_000_000, "runtime": 84_000_000, "deps": 612_000_000, "app": 23_400_000}
_BEGIN: Final = 1772700000.0
_DAYS: Final = 260


def runs(number: int, crates: Sequence[str] = CRATES) -> list[dict[str, Any]]:
    """So many runs over months, the first build first."""
    dice = random.Random(4)  # noqa: S311 - the same numbers every time
    found = [_run(_BEGIN, dice, _first(), crates)]
    for index in range(1, number):
        at = _BEGIN + _DAYS * 86_400 * index / number + dice.uniform(0, 3600)
        slower = 1.3 - 0.45 * index / number
        found.append(_run(at, dice, _kind(dice, slower, index / number), crates if index % 17 == 0 else ()))
    return found[:number]


def _first() -> list[LayerRecord]:
    seconds = {"base": 48.0, "runtime": 9.0, "deps": 96.0, "app": 21.0}
    new = (Reason("not_built_before"),)
    return [
        LayerRecord(name, "k", "build", cold=True, seconds=spent, compiled=9, size=_SIZES[name], reasons=new)
        for name, spent in seconds.items()
    ]


def _kind(dice: random.Random, slower: float, share: float) -> list[LayerRecord]:
    hits = [_hit("base"), _hit("runtime"), _hit("deps")]
    size = round(_SIZES["app"] * (1 + share / 10))
    drawn = dice.random()
    if drawn < 0.6:
        return [*hits, _built("app", dice.lognormvariate(0.64, 0.2) * slower, "file src/main.rs", size)]
    if drawn < 0.75:
        return [*hits, _built("app", dice.lognormvariate(1.1, 0.3) * slower, "file a/src/lib.rs", size, 5)]
    if drawn < 0.8:
        return [*hits, _built("app", 0.7, "asset page.css", size, 0)]
    if drawn < 0.87:
        return [*hits, _hit("app")]
    if drawn < 0.92:
        deps = _built("deps", dice.uniform(4, 20), "package serde", _SIZES["deps"], 20)
        return [*hits[:2], deps, _built("app", 4.0, "deps", size, 9)]
    if drawn < 0.94:
        base = _built("base", 41.0, "toolchain", _SIZES["base"])
        return [base, hits[1], _built("deps", 88.0, "base", _SIZES["deps"], 215), _built("app", 22.0, "deps", size, 9)]
    if drawn < 0.97:
        return [*hits, LayerRecord("app", "k", "pull", seconds=1.1, size=size, reasons=(Reason("in_registry"),))]
    return [*hits, LayerRecord("app", "k", "build", seconds=2.0, outcome="failed")]


def _hit(name: str) -> LayerRecord:
    return LayerRecord(name, "k", "reuse", reasons=(Reason("up_to_date"),))


def _built(name: str, seconds: float, changed: str, size: int, compiled: int = 1) -> LayerRecord:
    why = difference({changed: "1"}, {changed: "2"})
    return LayerRecord(name, "k", "build", seconds=seconds, compiled=compiled, size=size, reasons=why)


def _run(at: float, dice: random.Random, layers: Sequence[LayerRecord], crates: Sequence[str]) -> dict[str, Any]:
    failed = any(layer.outcome == "failed" for layer in layers)
    phases = {"plan": 0.2, "start": dice.uniform(0.2, 0.5), "healthy": dice.uniform(0.1, 2), "swap": 0.25}
    rows = [{"crate": name, "version": "1.2.3", "seconds": 30 / (1 + n), "share": 0.2} for n, name in enumerate(crates)]
    return {
        "id": 1,
        "at": at,
        "task": "cycle_fast",
        "variant": VARIANT,
        "host": "h",
        "version": "1",
        "dirty": True,
        "git_commit": "0123456789abcdef",
        "failed_in": None,
        "error": None,
        "outcome": "failed" if failed else "ok",
        "seconds": sum(layer.seconds for layer in layers) + 0.2 + sum(phases.values()),
        "layers": {layer.layer: layer_as_json(layer) for layer in layers},
        "phases": phases,
        "crates": rows[:40],
    }
