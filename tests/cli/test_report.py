"""`doit layers report` and `doit layers history`, over rows that no build had to make."""

from __future__ import annotations

import csv
import io
import json

from layerdoit import history
from layerdoit.history import LayerRecord, RunRecord
from layerdoit.layers.reasons import Reason
from tests.support.scratch import Crate, message

EDIT = Reason("changed", ("file src/main.rs",), "file")
DEPS = LayerRecord("deps", "k", "reuse", reasons=(Reason("up_to_date"),))
APP = LayerRecord("app", "k", "build", False, 1.4, compiled=1, size=1000, reasons=(EDIT,))


def saved(crate: Crate, *, seconds: float = 2.0, number: int = 4) -> None:
    state = crate.folder / ".layerdoit"
    state.mkdir(exist_ok=True)
    for index in range(number):
        run = RunRecord(
            f"{index}", 1e9 + index, "cycle_fast", "dev/host", "h", "1", seconds, commit="abcdef0123456", dirty=True
        )
        history.save(state, run, [DEPS, APP], {"swap": 0.5})
    lost = LayerRecord("app", "k", "build", False, 0.3, outcome="failed", reasons=(EDIT,))
    failed = RunRecord("f", 1e9 + number, "image", "dev/host", "h", "1", 0.4, "failed", "app", "no such\ncrate")
    history.save(state, failed, [lost])


def test_no_runs_yet(plain: Crate) -> None:
    assert plain.doit("layers", "history").ok().out == "no runs yet\n"
    assert json.loads(plain.doit("layers", "history", "--json").ok().out) == {"runs": []}
    assert plain.doit("layers", "report").ok().out == "hello, dev/host: no runs yet\n"
    assert json.loads(plain.doit("layers", "report", "--json").ok().out)["runs"] == 0


def test_history_line_by_line(plain: Crate) -> None:
    saved(plain)
    lines = plain.doit("layers", "history").ok().out.splitlines()
    assert len(lines) == 5
    assert lines[0].endswith("cycle_fast    dev/host  deps reuse, app build 1.4 s  ok  abcdef012 with changes")
    assert lines[4].endswith("image         dev/host  app build 0.30 s  failed in app  -")
    assert plain.doit("layers", "history", "--last", "2").ok().out.splitlines() == lines[3:]


def test_history_for_programs(plain: Crate) -> None:
    saved(plain)
    runs = json.loads(plain.doit("layers", "history", "--json", "--last", "2").ok().out)["runs"]
    assert [run["outcome"] for run in runs] == ["ok", "failed"]
    assert runs[0]["layers"]["app"]["seconds"] == 1.4
    rows = list(csv.DictReader(io.StringIO(plain.doit("layers", "history", "--csv").ok().out)))
    assert [row["layer"] for row in rows] == ["app", "deps"] * 4 + ["app"]


def test_wrong_options(plain: Crate) -> None:
    what, _ = message(plain.doit("layers", "history", "--json", "--csv"))
    assert what == "--json and --csv exclude each other"
    what, _ = message(plain.doit("layers", "report", "--last", "0"))
    assert what == '--last expects a number of runs, at least 1, got "0"'
    assert "history takes no --html" in plain.doit("layers", "history", "--html", "x").text


def test_report_in_every_form(plain: Crate) -> None:
    saved(plain)
    shown = plain.doit("layers", "report").ok().out
    assert "5 recorded runs (4 ok, 1 failed)" in shown
    assert "leaf" in shown
    told = json.loads(plain.doit("layers", "report", "--json", "--html", "r.html", "--summary", "s.md").ok().out)
    assert told["kinds"]["leaf"]["seconds"]["median"] == 1.5
    assert told["targets"] == []
    assert "<svg" in (plain.folder / "r.html").read_text()
    once = (plain.folder / "s.md").read_text()
    assert once.startswith("## Image layers")
    assert plain.doit("layers", "report", "--summary", "s.md").ok().out == ""
    assert (plain.folder / "s.md").read_text() == once * 2


def test_check_says_the_numbers(plain: Crate) -> None:
    saved(plain)
    config = (plain.folder / "layerdoit.yaml").read_text()
    assert plain.doit("layers", "report", "--check").ok().out.startswith("no targets")
    plain.write("layerdoit.yaml", f'{config}targets: {{deps_hit_rate: ">80%", leaf_edit: "<5s"}}\n')
    assert plain.doit("layers", "report", "--check").ok().out.splitlines() == [
        "deps_hit_rate: 100.0% (n=4), wanted >80%: met",
        "leaf_edit: 1.5 s (n=4), wanted <5s: met",
    ]
    plain.write("layerdoit.yaml", f'{config}targets: {{leaf_edit: "<1s", no_op: "<0.5s", deps_hit_rate: ">80%"}}\n')
    missed = plain.doit("layers", "report", "--check")
    assert missed.code == 1
    assert missed.out.splitlines() == [
        "leaf_edit: 1.5 s (n=4), wanted <1s: missed",
        "no_op: nothing measured, wanted <0.5s: no data",
        "deps_hit_rate: 100.0% (n=4), wanted >80%: met",
        "2 of 3 targets not met: leaf_edit, no_op",
    ]
    told = plain.doit("layers", "report", "--check", "--json")
    assert told.code == 1
    assert [one["result"] for one in json.loads(told.out)["targets"]] == ["missed", "no data", "met"]
    assert plain.doit("layers", "report").code == 0


def test_a_wrong_target_names_the_right_ones(plain: Crate) -> None:
    plain.write("layerdoit.yaml", 'project: hello\ntargets:\n  leaf: "<5s"\n')
    result = plain.doit("layers", "report", "--check")
    assert result.code == 2
    what, step = message(result)
    assert what == "layerdoit.yaml:3: targets.leaf: there is no such measurement"
    assert "leaf_edit" in step
