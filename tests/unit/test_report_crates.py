"""The slowest crates of cooks: from cargo's report in the container to the report; and what was saved."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core.resources import dockerfile_dir
from layerdoit.history import LayerRecord, crates
from layerdoit.history.benchmarks import Recorded
from layerdoit.history.crates import Crate
from layerdoit.history.export import layer_as_json
from layerdoit.layers.reasons import Reason
from layerdoit.report import figures, html, markdown, text_form
from layerdoit.report.sections import sections
from layerdoit.report.slow_crates import CrateFigures, slowest

VARIANT = "dev/host"

# --- in the container ------------------------------------------------------------------------------------------------

# As cargo 1.95 writes it, and with what 1.60 to 1.90 have in place of `sections`.
UNIT = """\
  {{
    "i": 1,
    "name": "{name}",
    "version": "{version}",
    "mode": "todo",
    "target": "{target}",
    "features": [
      "name"
    ],
    "start": 0.5,
    "duration": {duration},
    {more}
    "unblocked_rmeta_units": []
  }}"""
OLD = '"rmeta_time": 0.3,\n    "unlocked_units": [\n      3\n    ],'
NEW = """\
"sections": [
      [
        "codegen",
        {
          "start": 9.1,
          "end": 9.2
        }
      ]
    ],"""
PAGE = """\
<td>serde v1.0.1</td>
"name": "not data",
const UNIT_DATA = [
{units}
];
const CONCURRENCY_DATA = [
  {{
    "duration": 99.0
  }}
];
"""


def told(page: Path) -> list[str]:
    """What `tell_timings` of cook.sh says of a report; the function alone, nothing of the script runs."""
    script = (dockerfile_dir() / "cook.sh").read_text(encoding="utf-8")
    begin = script.index("tell_timings() {\n")
    function = script[begin : script.index("\n}\n", begin) + 3]
    call = [shutil.which("sh") or "sh", "-euc", f'{function}tell_timings "$1"', "sh", str(page)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return sorted(done.stderr.splitlines())


@pytest.mark.parametrize("more", [OLD, NEW], ids=["1.60", "1.95"])
def test_the_cook_adds_up_the_units_of_each_crate(tmp_path: Path, more: str) -> None:
    found = [
        ("ring", "0.17.8", " build-script", "1.25"),
        ("ring", "0.17.8", " build-script (run)", "20.5"),
        ("ring", "0.17.8", "", "2"),
        ("syn", "1.0.0", "", "3.00"),
        ("syn", "2.0.0", "", "4.01"),
        ("app", "0.0.0", ' app \\"bin\\"', "0.1"),
        ("fresh", "1.0.0", "", "0.0"),
    ]
    units = [UNIT.format(name=n, version=v, target=t, duration=d, more=more) for n, v, t, d in found]
    page = tmp_path / "cargo-timing.html"
    page.write_text(PAGE.format(units=",\n".join(units)))
    assert told(page) == [
        "layerdoit: crate app 0.0.0 0.10",
        "layerdoit: crate ring 0.17.8 23.75",
        "layerdoit: crate syn 1.0.0 3.00",
        "layerdoit: crate syn 2.0.0 4.01",
    ]


def test_a_cook_without_a_report_says_nothing(tmp_path: Path) -> None:
    assert told(tmp_path / "cargo-timing.html") == []
    (tmp_path / "empty.html").write_text("<p>another form</p>\n")
    assert told(tmp_path / "empty.html") == []


# --- into the history ------------------------------------------------------------------------------------------------


def test_external_crates_count_and_stubs_do_not() -> None:
    lines = [("app", "0.0.0", 9.0), ("syn", "1.0.0", 1.0), ("syn", "2.0.0", 3.0), ("serde", "1.0.0", 0.0)]
    external = {("syn", "1.0.0"), ("syn", "2.0.0"), ("ring", "0.17.8"), ("serde", "1.0.0")}
    assert crates.read(lines, external) == (
        Crate("syn", "2.0.0", 3.0, 0.75),
        Crate("syn", "1.0.0", 1.0, 0.25),
        Crate("serde", "1.0.0", 0.0, 0.0),
    )
    assert crates.read([("serde", "1.0.0", 0.0)], external) == (Crate("serde", "1.0.0", 0.0, 0.0),)
    assert crates.read([], external) == ()


def test_only_the_slowest_are_kept_and_their_share_is_of_all() -> None:
    lines = [(f"c{number}", "1.0.0", float(number)) for number in range(1, 101)]
    found = crates.read(lines, {(f"c{number}", "1.0.0") for number in range(1, 101)})
    assert len(found) == crates.KEPT
    assert [found[0].crate, found[-1].crate] == ["c100", "c61"]
    assert found[0].share == pytest.approx(100 / 5050)


# --- in the report ---------------------------------------------------------------------------------------------------


BUMP = Reason("changed", ("package serde",), "package", "1.0.0 aa", "1.0.1 bb")


def cook(*found: Crate, seconds: float = 30.0) -> dict[str, Any]:
    return run(LayerRecord("deps", "k", "build", seconds=seconds, reasons=(BUMP,)), crates=found)


def run(*layers: LayerRecord, crates: tuple[Crate, ...] = (), seconds: float = 30.0) -> dict[str, Any]:
    about = {"at": 1000.0, "task": "image", "variant": VARIANT, "git_commit": None, "outcome": "ok", "seconds": seconds}
    named = {layer.layer: layer_as_json(layer) for layer in layers}
    return {**about, "layers": named, "phases": {}, "crates": [vars(one) for one in crates]}


def edit(seconds: float, **app: Any) -> dict[str, Any]:
    given = {"seconds": seconds, "compiled": 1, "reasons": (Reason("changed", ("file src/main.rs",), "file"),), **app}
    return run(LayerRecord("deps", "k", "reuse"), LayerRecord("app", "k", "build", **given), seconds=seconds)


def test_the_latest_cook_of_a_crate_counts() -> None:
    first = (Crate("ring", "0.17.8", 23.0, 0.5), Crate("syn", "1.0.0", 4.0, 0.1), Crate("syn", "2.0.0", 5.0, 0.1))
    second = (Crate("syn", "2.0.1", 6.0, 0.9),)
    found = slowest([first, (), second])
    assert found.cooks == 2
    assert found.crates == (CrateFigures("ring", "0.17.8", 23.0, 0.5, 1), CrateFigures("syn", "2.0.1", 6.0, 0.9, 2))


def test_every_view_names_the_slowest_crates() -> None:
    report = figures.make("shop", VARIANT, [cook(Crate("ring", "0.17.8", 23.0, 0.5)), edit(1.0)])
    out = io.StringIO()
    text_form.show(report, (), out)
    assert "Slowest crates of cooks" in out.getvalue()
    assert "ring   0.17.8   23 s    50%      1" in " ".join(out.getvalue().split("\n"))
    page = html.page(report, ())
    assert "<title>ring 0.17.8: 23 s, 50% of the cook</title>" in page
    assert "| ring | 0.17.8 | 23 s | 50% | 1 |" in markdown.page(report, ())
    told = json.loads(json.dumps(figures.as_json(report)))["slowest_crates"]
    assert told == {
        "cooks": 1,
        "crates": [{"crate": "ring", "version": "0.17.8", "seconds": 23.0, "share": 0.5, "cooks": 1}],
    }


def test_without_timings_nothing_is_said_of_crates() -> None:
    report = figures.make("shop", VARIANT, [edit(1.0)])
    assert "crates" not in [section.name for section in sections(report)]
    assert figures.as_json(report)["slowest_crates"] == {"cooks": 0, "crates": []}


# --- saved -----------------------------------------------------------------------------------------------------------


PLAIN = {("leaf", "plain"): (30.0, 5), ("leaf", "layerdoit"): (1.0, 5), ("asset", "plain"): (0.5, 3)}
EDITS = [edit(1.0), edit(2.0), edit(9.0), edit(2.5, compiled=0), edit(1.0, compiled=0), edit(4.0, compiled=7)]


def test_saved_is_runs_times_the_difference_of_medians() -> None:
    found = figures.make("shop", VARIANT, EDITS, Recorded(5e8, PLAIN)).saved
    assert found is not None
    assert {one.kind: (one.runs, one.median, one.plain, one.n_plain) for one in found.kinds} == {
        "leaf": (3, 2.0, 30.0, 5),
        "files": (2, 1.75, 0.5, 3),
    }
    assert [one.seconds for one in found.kinds] == [-2.5, 84.0]
    assert (found.seconds, found.runs, found.left_out) == (81.5, 5, {"library": 1})


def test_every_view_says_what_was_saved_and_what_not_counted() -> None:
    report = figures.make("shop", VARIANT, EDITS, Recorded(5e8, PLAIN))
    (section,) = [one for one in sections(report) if one.name == "saved"]
    assert section.rows == [
        ("files", "2", "0.50 s (n=3)", "1.8 s (n=2)", "-2.5 s"),
        ("leaf", "3", "30 s (n=5)", "2.0 s (n=3)", "1 min 24 s"),
        ("together", "5", "", "", "1 min 22 s"),
    ]
    assert "measured 1985-11-05" in section.note
    assert section.note.endswith("not counted, because no counterpart was measured: library 1")
    told = json.loads(json.dumps(figures.as_json(report)))["saved"]
    assert told["seconds"] == 81.5
    assert told["left_out"] == {"library": 1}
    assert told["kinds"]["leaf"] == {"seconds": 84.0, "runs": 3, "median": 2.0, "plain_median": 30.0, "plain_n": 5}


@pytest.mark.parametrize(
    "recorded", [None, Recorded(5e8, {("leaf", "layerdoit"): (1.0, 5)})], ids=["none", "not plain"]
)
def test_without_a_plain_build_no_number_is_made_up(recorded: Recorded | None) -> None:
    report = figures.make("shop", VARIANT, EDITS, recorded)
    assert figures.as_json(report)["saved"] is None
    out = io.StringIO()
    text_form.show(report, (), out)
    line = "no plain build is recorded; `doit layers bench --against plain` measures one"
    assert f"Saved compared with a plain build: {line}\n" in out.getvalue()
    assert "<code>doit layers bench --against plain,mount</code> measures other ways" in html.page(report, ())
    assert "measures one\n\n\n### " in markdown.page(report, ())


def test_a_plain_build_of_other_changes_only_is_said_so() -> None:
    report = figures.make("shop", VARIANT, [edit(1.0)], Recorded(5e8, {("cold", "plain"): (60.0, 1)}))
    (section,) = [one for one in sections(report) if one.name == "saved"]
    assert section.rows == ()
    assert section.note.endswith("not counted, because no counterpart was measured: leaf 1")
