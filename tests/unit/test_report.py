"""Figures of the recorded runs: kinds of change, hits, medians, trend; and what is shown of them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit import history
from layerdoit.history import Figures, LayerRecord, RunRecord
from layerdoit.history.export import as_json
from layerdoit.layers.reasons import MOST_NAMES, Reason, difference, from_json
from layerdoit.layers.reasons import as_json as as_data
from layerdoit.report import figures, markdown, text_form
from layerdoit.report.change_kinds import Kind, kind_of
from layerdoit.report.figures import Report, make
from layerdoit.report.formats import heading, one_line, seconds_text, when_text
from layerdoit.report.kind_figures import Trend
from layerdoit.report.sections import sections

VARIANT = "dev/host"
EDIT = "1 file changed: src/main.rs"


def hit(layer: str) -> LayerRecord:
    return LayerRecord(layer, "k", "reuse", reasons=(Reason("up_to_date"),))


def layer(name: str, *reasons: str | Reason, **given: Any) -> LayerRecord:
    """`reasons`: sentences as an earlier layerdoit noted them, or data."""
    why = [Reason("noted", (reason,)) if isinstance(reason, str) else reason for reason in reasons or (EDIT,)]
    values = {"action": "build", "seconds": 1.0, "compiled": 1, "reasons": why, **given}
    return LayerRecord(name, "k", **values)


HITS = (hit("base"), hit("runtime"), hit("deps"))


def by_name(*layers: LayerRecord) -> dict[str, LayerRecord]:
    return {one.layer: one for one in layers}


class Past:
    """A history in a folder, run by run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0

    def run(self, *layers: LayerRecord, seconds: float = 1.0, phases: Mapping[str, float] | None = None) -> None:
        self.save(
            RunRecord(f"t{self.number}", 1000.0 * self.number, "cycle_fast", VARIANT, "h", "1", seconds), layers, phases
        )

    def save(
        self, run: RunRecord, layers: tuple[LayerRecord, ...] = (), phases: Mapping[str, float] | None = None
    ) -> None:
        history.save(self.folder, run, layers, phases)
        self.number += 1

    def report(self) -> Report:
        return make("shop", VARIANT, as_json(self.folder))


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


# --- kinds -----------------------------------------------------------------------------------------------------------

SERDE = "serde 1.0.1 → 1.0.2"
OLD_KINDS: dict[str, tuple[Kind, tuple[LayerRecord, ...]]] = {
    "all there": ("nothing", (*HITS, hit("app"))),
    "an asset": ("files", (*HITS, layer("app", "1 asset changed: assets/a.css", compiled=0))),
    "a leaf": ("leaf", (*HITS, layer("app", EDIT))),
    "a leaf and an asset": ("leaf", (*HITS, layer("app", EDIT, "1 asset changed: a.css"))),
    "a library": ("library", (*HITS, layer("app", "2 files changed: a/src/lib.rs, b.rs", compiled=4))),
    "a manifest": ("manifest", (*HITS, layer("app", "2 files changed: a/Cargo.toml, src/main.rs"))),
    "no manifest": ("leaf", (*HITS, layer("app", "1 file changed: src/Cargo.toml.rs"))),
    "a dependency": (
        "dependency",
        (*HITS[:2], layer("deps", SERDE), layer("app", "the deps layer changed", "1 file changed: Cargo.lock")),
    ),
    "an index": ("dependency", (*HITS[:2], layer("deps", "its index lacks, of Cargo.lock: a 1.0"), layer("app"))),
    "a cargo profile": (
        "dependency",
        (*HITS[:2], layer("deps", "config profile dev: lto false → true"), layer("app", "the deps layer changed")),
    ),
    "flags": ("other", (*HITS[:2], layer("deps", "env RUSTFLAGS: now -g"), layer("app", "the deps layer changed"))),
    "our Dockerfile": ("other", (*HITS[:2], layer("deps", "Dockerfile.deps changed"), hit("app"))),
    "a toolchain": (
        "toolchain",
        (
            layer("base", "toolchain: 1.94.0 → 1.95.0"),
            hit("runtime"),
            layer("deps", "the base layer changed"),
            layer("app", "the deps layer changed"),
        ),
    ),
    "a toolchain whose base is here": (
        "toolchain",
        (*HITS[:2], layer("deps", "the base layer changed", SERDE), layer("app", "the deps layer changed")),
    ),
    "another branch": ("other", (*HITS, layer("app", "the deps layer changed", EDIT))),
    "a setting": ("other", (*HITS, layer("app", "image cmd: [] → [1]"))),
    "a first build": ("other", (*HITS, layer("app", "not built before", cold=True))),
    "a mount that is gone": ("other", (*HITS, layer("app", EDIT, cold=True, compiled=9))),
    "a removed image": ("other", (*HITS[:2], layer("deps", "image was removed"), hit("app"))),
    "a refresh": ("other", (*HITS[:2], layer("deps", "cache_refresh builds it from nothing"), hit("app"))),
    "no reasons": ("other", (*HITS, LayerRecord("app", "k", "build", compiled=1))),
    "no counts": ("other", (*HITS, layer("app", compiled=None))),
    "a registry": ("pulled", (*HITS, layer("app", "the registry has it", EDIT, action="pull"))),
    "half a registry": ("other", (*HITS[:2], layer("deps", "the registry has it", action="pull"), layer("app"))),
    "no app": ("other", (*HITS[:2], layer("deps", SERDE))),
    "no layers": ("other", ()),
}


@pytest.mark.parametrize("name", OLD_KINDS)
def test_kinds_of_change_by_what_an_earlier_layerdoit_noted(name: str) -> None:
    kind, layers = OLD_KINDS[name]
    assert kind_of(by_name(*layers)) == kind


def changed(*names: str) -> tuple[Reason, ...]:
    """As a plan finds it where these inputs have other values."""
    return difference(dict.fromkeys(names, "1"), dict.fromkeys(names, "2"))


NEW_DEPS = changed("deps")
KINDS: dict[str, tuple[Kind, tuple[LayerRecord, ...]]] = {
    "all there": ("nothing", (*HITS, hit("app"))),
    "an asset": ("files", (*HITS, layer("app", *changed("asset a.css"), compiled=0))),
    "a leaf": ("leaf", (*HITS, layer("app", *changed("file src/main.rs")))),
    "a leaf and an asset": ("leaf", (*HITS, layer("app", *changed("file a.rs", "asset a.css")))),
    "a folder": ("leaf", (*HITS, layer("app", *changed("files in src/")))),
    "a library": ("library", (*HITS, layer("app", *changed("file a/src/lib.rs", "file b.rs"), compiled=4))),
    "a manifest": ("manifest", (*HITS, layer("app", *changed("file a/Cargo.toml", "file src/main.rs")))),
    "no manifest": ("leaf", (*HITS, layer("app", *changed("file src/Cargo.toml.rs")))),
    "a name like a list": ("leaf", (*HITS, layer("app", *changed("file src/a, Cargo.toml, b.rs")))),
    "a dependency": (
        "dependency",
        (*HITS[:2], layer("deps", *changed("package serde")), layer("app", *changed("deps", "file Cargo.lock"))),
    ),
    "a feature": ("dependency", (*HITS[:2], layer("deps", *changed("option features")), layer("app", *NEW_DEPS))),
    "an index": ("dependency", (*HITS[:2], layer("deps", Reason("lacking", ("a 1.0",))), layer("app"))),
    "a cargo profile": (
        "dependency",
        (*HITS[:2], layer("deps", *changed("config profile dev")), layer("app", *NEW_DEPS)),
    ),
    "flags": ("other", (*HITS[:2], layer("deps", *changed("env RUSTFLAGS")), layer("app", *NEW_DEPS))),
    "cargo's configuration": ("other", (*HITS[:2], layer("deps", *changed("config build")), layer("app", *NEW_DEPS))),
    "our Dockerfile": ("other", (*HITS[:2], layer("deps", *changed("Dockerfile.deps")), hit("app"))),
    "a toolchain": (
        "toolchain",
        (
            layer("base", *changed("toolchain")),
            hit("runtime"),
            layer("deps", *changed("base")),
            layer("app", *NEW_DEPS),
        ),
    ),
    "a toolchain whose base is here": (
        "toolchain",
        (*HITS[:2], layer("deps", *changed("base", "package serde")), layer("app", *NEW_DEPS)),
    ),
    "a runtime image that is here": ("toolchain", (*HITS, layer("app", *changed("runtime")))),
    "another branch": ("other", (*HITS, layer("app", *changed("deps", "file a.rs")))),
    "a setting": ("other", (*HITS, layer("app", *changed("image cmd", "file a.rs")))),
    "a first build": ("other", (*HITS, layer("app", Reason("not_built_before"), cold=True))),
    "a mount that is gone": ("other", (*HITS, layer("app", *changed("file a.rs"), cold=True, compiled=9))),
    "a removed image": ("other", (*HITS[:2], layer("deps", Reason("removed")), hit("app"))),
    "a refresh": ("other", (*HITS[:2], layer("deps", Reason("from_scratch", ("cache_refresh",))), hit("app"))),
    "unknown inputs": ("other", (*HITS, layer("app", Reason("inputs_changed")))),
    "no counts": ("other", (*HITS, layer("app", *changed("file a.rs"), compiled=None))),
    "a registry": ("pulled", (*HITS, layer("app", Reason("in_registry"), *changed("file a.rs"), action="pull"))),
    "half a registry": ("other", (*HITS[:2], layer("deps", Reason("in_registry"), action="pull"), layer("app"))),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_change(name: str) -> None:
    kind, layers = KINDS[name]
    assert kind_of(by_name(*layers)) == kind


FILES = st.sampled_from(["Cargo.toml", "Cargo.lock", "lib.rs", "main.rs", "a, Cargo.toml", "Cargo.toml.rs", "…"])
PATHS = st.builds("/".join, st.tuples(st.sampled_from(["a", "b", "z/src"]), st.integers(0, 99).map(str), FILES))


@given(st.sets(PATHS, min_size=1, max_size=60), st.integers(0, 3))
def test_the_names_say_whether_a_manifest_changed_however_many_there_are(paths: set[str], compiled: int) -> None:
    found = from_json(as_data(changed(*(f"file {path}" for path in paths))))
    manifest = any(path.rpartition("/")[2] in ("Cargo.toml", "Cargo.lock") for path in paths)
    edit = {0: "files", 1: "leaf"}.get(compiled, "library")
    assert kind_of(by_name(*HITS, layer("app", *found, compiled=compiled))) == ("manifest" if manifest else edit)


@pytest.mark.parametrize(("number", "kind"), [(MOST_NAMES, "leaf"), (MOST_NAMES + 1, "other")])
def test_more_names_than_are_kept_may_hide_a_manifest(past: Past, number: int, kind: Kind) -> None:
    past.run(*HITS, layer("app", *changed(*(f"file {index}.rs" for index in range(number)))))
    assert [run.kind for run in past.report().runs] == [kind]


# --- figures ---------------------------------------------------------------------------------------------------------


def test_nothing_is_said_of_nothing(past: Past) -> None:
    report = past.report()
    assert heading(report) == "shop, dev/host: no runs yet"
    assert list(sections(report)) == []
    told = figures.as_json(report)
    assert told["runs"] == 0
    assert told["from"] is None
    assert told["kinds"] == told["phases"] == told["sizes"] == {}
    assert told["layers"]["deps"]["hit_rate"] is None
    assert told["layers"]["deps"]["n"] == 0


def test_hits_count_what_a_run_came_to(past: Past) -> None:
    past.run(*HITS, hit("app"))
    past.run(*HITS, layer("app"))
    past.run(hit("base"), layer("runtime", "user changed"), layer("deps", action="pull"), layer("app"))
    past.save(RunRecord("f", 1.0, "image", VARIANT, "h", "1", 1.0, "failed", "app"), (layer("app", outcome="failed"),))
    base, deps, app = past.report().layers
    assert (base.counts, base.n) == ({"reused": 2, "pulled": 0, "built": 1, "failed": 0}, 3)
    assert (deps.counts, deps.hit_rate) == ({"reused": 2, "pulled": 1, "built": 0, "failed": 0}, 1.0)
    assert (app.counts, app.hit_rate) == ({"reused": 1, "pulled": 0, "built": 2, "failed": 1}, 0.25)
    assert deps.pull == Figures(1.0, 1.0, 1.0, 1.0, 1)
    assert past.report().outcomes == {"ok": 3, "failed": 1}


def test_a_failed_pull_is_no_hit(past: Past) -> None:
    past.run(*HITS, layer("app", action="pull", outcome="failed"))
    assert past.report().layers[2].hit_rate == 0


def test_times_of_a_kind_are_without_the_container(past: Past) -> None:
    for seconds in (1.0, 2.0, 3.0):
        past.run(*HITS, layer("app"), seconds=seconds + 0.75, phases={"plan": 0.1, "start": 0.5, "swap": 0.25})
    past.run(*HITS, layer("app"), seconds=4.0)
    past.save(
        RunRecord("f", 1.0, "image", VARIANT, "h", "1", 99.0, "failed", "app"), (*HITS, layer("app", outcome="failed"))
    )
    (found,) = past.report().kinds
    assert found.kind == "leaf"
    assert found.ready == Figures(2.5, 1.0, 4.0, 4.0, 4)
    assert found.whole == Figures(2.75, 1.75, 3.75, 3.75, 3), "only of runs that started a container"
    assert past.report().phases["plan"].n == 3


def test_times_of_a_layer_from_nothing_and_not(past: Past) -> None:
    past.run(layer("base", "not built before", cold=True, seconds=60.0), layer("runtime", cold=True, seconds=5.0))
    past.run(*HITS, layer("app", seconds=2.0))
    past.run(*HITS, layer("app", seconds=9.0, cold=True))
    base, _, app = past.report().layers
    assert base.cold is not None
    assert base.cold.median == 65.0, "both of its images"
    assert base.warm is None
    assert (app.warm, app.cold) == (Figures(2.0, 2.0, 2.0, 2.0, 1), Figures(9.0, 9.0, 9.0, 9.0, 1))


def test_other_variants_are_counted_and_no_more(past: Past) -> None:
    past.run(*HITS, layer("app"))
    past.save(RunRecord("r", 5.0, "image", "release/host", "h", "1", 100.0), (*HITS, layer("app", seconds=90.0)))
    report = past.report()
    assert (len(report.runs), report.elsewhere, len(report.slowest)) == (1, 1, 1)
    assert heading(report).endswith("; 1 of other profiles or targets not counted")


def test_the_trend_compares_halves(past: Past) -> None:
    for seconds in (4.0, 5.0, 6.0, 1.0, 2.0):
        past.run(*HITS, layer("app"), seconds=seconds)
    assert past.report().kinds[0].trend is None, "too few"
    past.run(*HITS, layer("app"), seconds=3.0)
    assert past.report().kinds[0].trend == Trend(5.0, 2.0, 3, 3)
    assert past.report().layers[1].trend == Trend(1.0, 1.0, 3, 3)


def test_sizes_and_slowest(past: Past) -> None:
    past.run(*HITS, layer("app", size=300, seconds=3.0))
    past.run(*HITS, layer("app", size=100, seconds=5.0))
    past.run(*HITS, layer("app", size=200, seconds=4.0))
    past.run(*HITS, layer("app", seconds=50.0, outcome="failed"))
    report = past.report()
    (size,) = report.sizes
    assert (size.image, size.newest, size.all.low, size.all.high, size.all.n) == ("app", 200, 100, 300, 3)
    assert [build.seconds for build in report.slowest] == [5.0, 4.0, 3.0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (1.94, "1.9 s"), (152, "2 min 32 s"), (2818, "47 min"), (7560, "2.1 h"), (9e6, "2,500 h")],
)
def test_times_have_the_digits_that_mean_something(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


# --- views -----------------------------------------------------------------------------------------------------------


def test_json_is_json(past: Past) -> None:
    past.run(*HITS, layer("app", size=300), seconds=2.0, phases={"swap": 0.5})
    told = json.loads(json.dumps(figures.as_json(past.report())))
    assert told["kinds"]["leaf"]["seconds"] == {"median": 1.5, "low": 1.5, "high": 1.5, "p90": 1.5, "n": 1}
    assert told["layers"]["deps"]["hit_rate"] == 1.0
    assert told["layers"]["app"]["built"] == 1
    assert told["sizes"]["app"]["newest"] == 300
    assert told["slowest"][0]["reasons"] == [EDIT]
    assert told["slowest"][0]["causes"] == [{"kind": "noted", "names": [EDIT], "count": 1}]


def test_the_terminal_shows_text_as_it_is(past: Past) -> None:
    past.run(*HITS, layer("app", "1 file changed: [bold]x[/] \x1b[2J"))
    out = io.StringIO()
    text_form.show(past.report(), (), out)
    assert "1 file changed: [bold]x[/] [2J" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
    assert "one crate was compiled" in out.getvalue()


def test_markdown_of_a_summary(past: Past) -> None:
    past.run(*HITS, layer("app", "a | <b> `c`\n# no heading"))
    page = markdown.page(past.report(), ())
    assert page.startswith("## Image layers\n")
    assert r"a \| \<b\> \`c\` \# no heading" in page
    tables = [line for line in page.splitlines() if line.startswith("| layer |")]
    assert len(tables) == 3
    assert page.endswith("\n\n")


def test_words() -> None:
    assert one_line("a\n\tb\x1b[0m\u202ec") == "a b [0m c"
    assert when_text(None) == "-"
