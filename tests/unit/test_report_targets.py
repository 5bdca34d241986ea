"""Targets: what they may say, what is wrong with others, and how they are compared with what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit import config
from layerdoit.config.targets import NAMES, Target, target
from layerdoit.core.errors import ConfigError
from layerdoit.history import LayerRecord, RunRecord, save
from layerdoit.history.export import as_json
from layerdoit.layers.reasons import Reason
from layerdoit.report import figures, target_checks
from layerdoit.report.change_kinds import MEANING


def load(folder: Path, text: str) -> config.Config:
    (folder / "layerdoit.yaml").write_text(text)
    return config.load(folder, variables={})


def test_they_are_read(tmp_path: Path) -> None:
    assert load(tmp_path, "project: shop\n").targets == {}
    found = load(tmp_path, 'targets: {deps_hit_rate: ">80%", leaf_edit: "<5s", no_op: "< 0.5s", app_size: "<=200MB"}')
    assert found.targets == {"deps_hit_rate": ">80%", "leaf_edit": "<5s", "no_op": "< 0.5s", "app_size": "<=200MB"}


@pytest.mark.parametrize(
    ("name", "written", "wanted"),
    [
        ("deps_hit_rate", ">80%", Target("deps_hit_rate", ">", 0.8)),
        ("deps_hit_rate", " >= 99.5 % ", Target("deps_hit_rate", ">=", 0.995)),
        ("deps_hit_rate", ">101%", None),
        ("deps_hit_rate", ">0.8", None),
        ("deps_hit_rate", ">5s", None),
        ("leaf_edit", "<5s", Target("leaf_edit", "<", 5.0)),
        ("leaf_edit_p90", "<=2m", Target("leaf_edit_p90", "<=", 120.0)),
        ("no_op", "<500ms", Target("no_op", "<", 0.5)),
        ("no_op", "<5", None),
        ("no_op", "<5%", None),
        ("no_op", "5s", None),
        ("no_op", "=5s", None),
        ("no_op", "<-5s", None),
        ("no_op", "<<5s", None),
        ("app_size", "<200MB", Target("app_size", "<", 200e6)),
        ("app_size", "<200s", None),
    ],
)
def test_comparisons(name: str, written: str, wanted: Target | None) -> None:
    assert target(name, written) == wanted


@pytest.mark.parametrize(
    ("written", "below", "equal", "above"),
    [("<5s", 1, 0, 0), ("<=5s", 1, 1, 0), (">5s", 0, 0, 1), (">=5s", 0, 1, 1)],
)
def test_limits_are_exact(written: str, below: int, equal: int, above: int) -> None:
    found = target("no_op", written)
    assert found is not None
    assert [found.met(value) for value in (4.9, 5.0, 5.1)] == [below, equal, above]


def test_an_unknown_name_is_answered_with_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, 'project: shop\ntargets:\n  leaf_edits: "<5s"\n')
    assert caught.value.what == "targets.leaf_edits: there is no such measurement"
    assert caught.value.where == "layerdoit.yaml:3"
    assert caught.value.hint == f'did you mean "leaf_edit"? measurements: {", ".join(NAMES)}'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            'deps_hit_rate: "<5s"',
            'targets.deps_hit_rate: expected a comparison with a percentage, such as >80%, got "<5s"',
        ),
        ("deps_hit_rate: 80", "targets.deps_hit_rate: expected a comparison with a percentage, such as >80%, got"),
        ("leaf_edit: 5", "targets.leaf_edit: expected a comparison with a duration, such as <500ms, <5s or"),
        ("app_size: [1]", "targets.app_size: expected a comparison, such as >80%, <5s or <200MB, got a list"),
        ("no_op:", "targets.no_op: expected a comparison, such as >80%, <5s or <200MB, got nothing"),
    ],
)
def test_a_bad_comparison_is_answered_with_what_is_right(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"targets:\n  {text}\n")
    assert caught.value.what.startswith(what)
    assert caught.value.where == "layerdoit.yaml:2"


def test_every_name_is_measured() -> None:
    report = figures.make("shop", "dev/host", [])
    for name, unit in NAMES.items():
        limit = {"share": ">1%", "seconds": "<1s", "bytes": "<1MB"}[unit]
        (found,) = target_checks.check(report, {name: limit})
        assert (found.value, found.n, found.met, found.result) == (None, 0, False, "no data")
    plain = {name.removesuffix("_p90") for name, unit in NAMES.items() if unit == "seconds"}
    assert plain == set(target_checks.KINDS)
    assert set(target_checks.KINDS.values()) == set(MEANING) - {"pulled", "other"}


def test_they_are_compared(tmp_path: Path) -> None:
    for number in range(10):
        app = LayerRecord(
            "app", "k", "build", False, 1.0, compiled=1, size=1000, reasons=(Reason("changed", ("file a.rs",), "file"),)
        )
        deps = LayerRecord(
            "deps",
            "k",
            "build" if number == 0 else "reuse",
            reasons=(Reason("changed", ("package serde",), "package", "1.0 a", "1.1 b"),),
        )
        save(tmp_path, RunRecord(f"{number}", 1.0, "image", "dev/host", "", "", number + 1.0), [deps, app])
    report = figures.make("shop", "dev/host", as_json(tmp_path))
    wanted = {"deps_hit_rate": ">=90%", "leaf_edit": "<6s", "leaf_edit_p90": "<5s", "app_size": "<1kB", "no_op": "<1s"}
    found = target_checks.check(report, wanted)
    assert [one.line() for one in found] == [
        "deps_hit_rate: 90.0% (n=10), wanted >=90%: met",
        "leaf_edit: 6.0 s (n=9), wanted <6s: missed",
        "leaf_edit_p90: 10 s (n=9), wanted <5s: missed",
        "app_size: 1 kB (n=10), wanted <1kB: missed",
        "no_op: nothing measured, wanted <1s: no data",
    ]
    assert [one.target.name for one in target_checks.failed(found)] == [
        "leaf_edit",
        "leaf_edit_p90",
        "app_size",
        "no_op",
    ]
    assert found[0].as_json() == {
        "name": "deps_hit_rate",
        "wanted": ">=90%",
        "value": 0.9,
        "unit": "share",
        "n": 10,
        "result": "met",
    }
