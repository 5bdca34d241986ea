"""The end of a cycle: what is compared with what, and when something is far from usual."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from layerdoit.flows import summary
from layerdoit.flows.summary import Phase
from layerdoit.history import Figures, LayerRecord, RunRecord, save
from layerdoit.layers.key import Spec
from layerdoit.layers.outcome import Outcome
from layerdoit.layers.plan import Step
from layerdoit.layers.reasons import Reason


def usual(median: float, n: int = 31, p90: float | None = None) -> Figures:
    return Figures(median, median, median, median if p90 is None else p90, n)


def hit(layer: str) -> LayerRecord:
    return LayerRecord(layer, "k", "reuse")


def built(layer: str, seconds: float, export: float | None = None, **more: int) -> LayerRecord:
    return LayerRecord(layer, "k", "build", seconds=seconds, export=export, **more)  # type: ignore[arg-type]


DEPLOY = [Phase("start", 0.3, usual(0.3)), Phase("healthy", 0.1, usual(0.1)), Phase("swap", 0.2, usual(0.3, 20))]


def test_an_edit_that_was_deployed() -> None:
    layers = [hit("base"), hit("runtime"), hit("deps"), built("app", 1.6, 0.25, compiled=1, fresh=10, sent=12_000)]
    phases = [*DEPLOY[::-1], Phase("plan", 0.125, usual(0.1))]
    found = summary.rows(layers, phases, {"app": usual(1.4)}, {"app": usual(0.3)})
    assert summary.line(found) == "cycle   2.3 s, median 2.5 s of 20: plan 0.1 s, app 1.4 s, export 0.2 s, deploy 0.6 s"
    assert summary.lines(layers, found) == [
        "cycle   2.3 s: base reused, deps reused, app built",
        "  plan    0.1 s, median 0.1 s of 31",
        "  app     1.4 s, median 1.4 s of 31: 1 crate compiled, 10 fresh, 12 kB sent",
        "  export  0.2 s, median 0.3 s of 31",
        "  deploy  0.6 s, median 0.7 s of 20: start 0.3 s, healthy 0.1 s, swap 0.2 s",
    ]


def test_everything_at_once_is_eight_lines_at_most() -> None:
    made = [
        built("base", 60.0, 5.0, size=10**9),
        LayerRecord("runtime", "k", "pull", seconds=4.0, size=10**8),
        built("deps", 100.0, 10.0, compiled=90, external=90, size=2 * 10**9),
        built("app", 10.0, 1.0, compiled=5, size=10**8),
    ]
    figures: dict[str, Figures | None] = {layer.layer: usual(layer.seconds, n) for n, layer in enumerate(made, 5)}
    found = summary.rows(made, [Phase("plan", 0.25), *DEPLOY], figures, {**figures, "deps": None})
    line = summary.line(found)
    assert line.startswith("cycle   2 min 55 s: plan 0.2 s, base 59 s, deps 1 min 30 s, "), "nothing to compare with"
    assert summary.lines(made, found) == [
        "cycle   2 min 55 s: base built, deps built, app built",
        "  plan    0.2 s",
        "  base    59 s, median 1 min 04 s of 5",
        "  deps    1 min 30 s, median 1 min 40 s of 7: 90 crates compiled",
        "  app     9.0 s, median 10 s of 8: 5 crates compiled",
        "  export  16 s: base 1 GB, deps 2 GB, app 100 MB",
        "  deploy  0.6 s, median 0.7 s of 20: start 0.3 s, healthy 0.1 s, swap 0.2 s",
    ]


def test_a_runtime_image_alone_is_a_base_that_was_built() -> None:
    layers = [hit("base"), built("runtime", 2.0), hit("deps"), hit("app")]
    found = summary.rows(layers, [], {"runtime": None}, {})
    assert summary.lines(layers, found) == ["cycle   2.0 s: base built, deps reused, app reused", "  base    2.0 s"]


# --- far from usual --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "figures", "far"),
    [
        (9.1, usual(1.4), True),
        (9.1, usual(1.4, n=4), False),  # four runs say nothing
        (2.9, usual(1.5), False),  # less than twice
        (0.9, usual(0.2), False),  # less than a second more
        (9.1, usual(1.4, p90=8.0), False),  # one run in ten is like that
        (13.0, usual(1.4, p90=8.0), True),
    ],
)
def test_what_is_far(seconds: float, figures: Figures, far: bool) -> None:
    assert summary.is_far(seconds, figures) is far


def outcome(layer: str = "app", **counts: int) -> Outcome:
    step = Step(Spec(layer, {}, "shop"), "build", (Reason("changed", ("env RUSTFLAGS",), "environment", None, "-g"),))  # type: ignore[arg-type]
    return Outcome(step, 9.1, "compiled", counts)


@pytest.mark.parametrize(
    ("made", "compiled", "says"),
    [
        (outcome(compiled=20, external=14), usual(2), "14 external crates compiled again (env RUSTFLAGS: now -g)"),
        (outcome(compiled=2, external=1), usual(2), "1 external crate compiled again (env RUSTFLAGS: now -g)"),
        (outcome(compiled=14), usual(1), "14 crates compiled, median 1 (env RUSTFLAGS: now -g)"),
        (outcome(compiled=2), usual(2), ""),
        (outcome("base"), None, ""),
        (outcome("deps", compiled=90, external=90), usual(90), ""),
    ],
)
def test_no_cause_is_invented(made: Outcome, compiled: Figures | None, says: str) -> None:
    assert summary.why(made, compiled) == says


@pytest.mark.parametrize(
    ("load", "cores", "says"),
    [(6.0, 2, "the machine was busy (load 6.0 on 2 cores)"), (3.9, 2, ""), (2.0, 1, "the machine was"), (6, 16, "")],
)
def test_a_machine_that_has_much_else_to_do_is_a_reason(load: float, cores: int, says: str) -> None:
    """A build alone keeps its cores busy; that is none."""
    found = summary.busy(load, cores)
    assert found.startswith(says)
    assert bool(found) == bool(says)


def test_the_words_have_the_figures() -> None:
    assert summary.regression("app", 9.1, usual(1.4)) == "app took 9.1 s, median 1.4 s over 31 runs"


def test_a_build_that_took_far_longer_is_remarked(tmp_path: Path) -> None:
    one = summary.Past(tmp_path, "dev/host", "ff")
    for number in range(5):
        before = RunRecord(f"t{number}", 1.0, "", "dev/host", "", "", 1.0)
        save(tmp_path, before, [built("app", 1.4, compiled=1), built("deps", 9.0, compiled=9)])
    made = outcome(compiled=14)
    note = "app took 9.1 s, median 1.4 s over 5 runs; 14 crates compiled, median 1 (env RUSTFLAGS: now -g)"
    assert summary.notes(one, made) == [note]
    # Its own record is no part of what is usual.
    save(tmp_path, RunRecord("ff", 1.0, "", "dev/host", "", "", 9.1), [built("app", 9.1, compiled=14)])
    assert summary.notes(one, made) == [note]
    assert summary.notes(one, outcome("deps", compiled=9)) == []
    assert summary.notes(one, replace(made, cold=True)) == [], "no build from scratch is known"
    assert summary.notes(one, replace(made, step=made.step._replace(action="reuse"))) == []


def test_the_summary_of_a_run_is_read_from_its_history(tmp_path: Path) -> None:
    one = summary.Past(tmp_path, "dev/host", "ff")
    assert summary.of_cycle(one, verbose=True) == []
    for token, seconds in (("one", 1.0), ("two", 3.0), ("ff", 9.0)):
        run = RunRecord(token, 1.0, "", "dev/host", "", "", 1.0)
        save(tmp_path, run, [hit("deps"), built("app", seconds, 0.5, compiled=1)], {"swap": seconds / 10})
    assert summary.of_cycle(one, verbose=True) == [
        "cycle   9.9 s: deps reused, app built",
        "  app     8.5 s, median 1.5 s of 2: 1 crate compiled",
        "  export  0.5 s, median 0.5 s of 2",
        "  deploy  0.9 s, median 0.2 s of 2: swap 0.9 s",
    ]
