"""The figures of benchmarks and their views, and the tables and budgets of docs/benchmarks.md."""

from __future__ import annotations

import http.server
import json
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from benchmarks import report
from benchmarks.answers import Address, Lost
from benchmarks.watch_tables import watch_table
from layerdoit.bench import conclusion, results, views
from layerdoit.bench.results import Cell, Result
from layerdoit.core.errors import LayerdoitError

# --- tables and verdicts ---------------------------------------------------------------------------------------------


def cells(scenario: str = "leaf", stale: str = "", **times: float) -> list[Cell]:
    return [Cell(1, scenario, peer, value, 1, stale=["old"] if peer == stale else []) for peer, value in times.items()]


def held(found: list[Cell], scenario: str = "leaf") -> dict[str, bool]:
    return {verdict.budget: verdict.held for verdict in report.verdicts(found, scenario)}


def test_the_best_peer_plus_five_percent_and_native_plus_600_ms() -> None:
    found = held(cells(plain=9, mount=2.0, chef=5, layerdoit=2.1, native=1.5))
    assert found == {"≤ mount + 5 %": True, "≤ native + 0.6 s": True}
    found = held(cells(plain=9, mount=2.0, chef=5, layerdoit=2.11, native=1.5))
    assert found == {"≤ mount + 5 %": False, "≤ native + 0.6 s": False}


def test_a_stale_peer_is_never_the_best_and_a_stale_build_of_ours_holds_nothing() -> None:
    stale = cells(stale="mount", mount=0.7, chef=5.0, layerdoit=4.0)
    assert held(stale) == {"≤ chef + 5 %": True}
    assert conclusion.beside_text(stale, "leaf") == "1.2 × faster (chef)"
    assert "STALE 1 of 1" in results.cell_text(results.of(stale, "leaf", "mount"))
    ours = cells(stale="layerdoit", mount=0.7, layerdoit=0.1)
    assert held(ours) == {"the right binary": False}
    assert conclusion.beside_text(ours, "leaf") == "-"


def test_the_way_back_builds_nothing() -> None:
    back = [Cell(1, "back", "layerdoit", 0.3, 0), Cell(1, "back", "plain", 0.3, 0)]
    assert all(held(back, "back").values())
    built = [Cell(1, "back", "layerdoit", 0.3, 0, layers=["app"]), Cell(1, "back", "plain", 0.3, 0)]
    assert held(built, "back")["no build"] is False


def test_cold_is_compared_with_plain_and_nothing_with_a_cached_build() -> None:
    assert held(cells("cold", plain=10, mount=20, layerdoit=10.6), "cold")["≤ 1.05 × plain"] is False
    assert held(cells("nothing", plain=0.2, layerdoit=0.19), "nothing")["≤ cached docker build"] is True


def test_median_minimum_maximum_and_number() -> None:
    three = [Cell(n, "leaf", "plain", seconds, 3 + n) for n, seconds in enumerate((5.0, 3.0, 4.0))]
    assert results.cell_text(three) == "4.00 (3.00-5.00, n=3) / 3-5"
    assert results.cell_text(three[:1]) == "5.00 (n=1) / 3"
    assert results.cell_text([Cell(1, "leaf", "chef", 1, 0, error="x")]) == "fails"
    assert results.cell_text([]) == "-"


@pytest.mark.parametrize(("imported", "held"), [(0.1, "✓"), (0.05, "✗")])
def test_a_run_with_nothing_to_do_is_held_to_the_import_of_doit(imported: float, held: str) -> None:
    rows = [{"files": 2000, "doit": [0.1, 0.12], "docker": [0.2, 0.2], "import": [imported]}]
    assert f"{held} ≤ 1.8 × the import ({0.11 / imported:.2f})" in report.noop_table(Result("noop", {}, rows=rows))


def test_noop_budgets() -> None:
    assert [verdict.held for verdict in report.noop_verdicts(2000, 0.19, 0.9)] == [True, True]
    assert [verdict.held for verdict in report.noop_verdicts(2000, 0.21, 1.1)] == [False, False]
    assert [verdict.held for verdict in report.noop_verdicts(10000, 0.5, 0.51)] == [False]
    assert report.noop_verdicts(200, 1, 1) == []


def test_a_result_survives_its_file_and_makes_a_page(tmp_path: Path) -> None:
    meta = {"project": "demo", "profile": "dev", "machine": "2 cores"}
    table = Result("run", meta, cells(mount=2.0, layerdoit=1.0), scenarios={"leaf": "one line"}, notes=["a note"])
    noop = Result("noop", {}, rows=[{"files": 2000, "doit": [0.1, 0.12], "docker": [0.2, 0.2]}])
    swap = Result("swap", meta, rows=[{"phases": {"start": 0.3, "swap": 0.2}}])
    for name, result in (("a", swap), ("b", noop), ("c", table)):
        (tmp_path / f"{name}.json").write_text(results.to_json(result))
    found = report.stored(tmp_path)
    assert [results.to_json(one) for one in found] == [results.to_json(one) for one in (table, noop, swap)]
    page = report.page(found)
    assert "## demo, dev" in page
    assert "| one line | 2.00 (n=1) / 1 | 1.00 (n=1) / 1 | 2.0 × faster (mount) | ✓ ≤ mount + 5 % |" in page
    times = "0.110 (min 0.100, n=2) | 0.200 (min 0.200, n=2) | 0.55 | 0.50"
    assert f"| 2,000 | {times} |  | ✓ ≤ 1.0 ×<br>✓ ≤ 0.2 s |" in page
    assert "| **all** | 0.50 (n=1) ✓" in page


def test_deployments_are_held_against_the_platform_s_own_commands() -> None:
    rows = [
        {"way": "docker, `doit rollback`", "peer": "", "ours": [0.8, 0.9, 1.2], "theirs": []},
        {"way": "kubernetes", "peer": "kubectl", "ours": [1.7], "theirs": [1.0]},
        {"way": "compose, beside", "peer": "up", "ours": [1.0, 2.0, 3.0], "theirs": [1.0, 2.0, 2.0]},
    ]
    told = report.deploys_table(Result("deploys", {}, rows=rows)).splitlines()
    assert told[2].endswith("| ✓ ≤ 1 s |")
    assert told[3].endswith("| +0.70 s | ✗ ≤ kubectl + 0.5 s |")
    assert told[4].endswith("| 1.00 × | ✓ ≤ 1.1 × |")


def test_the_page_in_docs_is_up_to_date() -> None:
    assert report.main(["--check"]) == 0, "python -m benchmarks.report writes it"


# --- views -----------------------------------------------------------------------------------------------------------

RESULT = Result(
    "run",
    {"project": "demo", "profile": "dev", "machine": "2 cores", "load": "0.3 at the start", "runs": 2},
    [
        Cell(1, "leaf", "plain", 9.0, 10),
        Cell(2, "leaf", "plain", 11.0, 10),
        Cell(1, "leaf", "layerdoit", 2.0, 1),
        Cell(2, "leaf", "layerdoit", 1.0, 1),
        Cell(1, "leaf", "mount", 0.5, 0, stale=["leaf: holds first-1, not edited-1"]),
        Cell(1, "back", "chef", 0.0, 0, error="<script>"),
    ],
    scenarios={"leaf": "one line", "back": "back"},
    notes=["a | note"],
)


def test_the_conclusion_names_the_edit_the_factor_and_the_best_dockerfile(capsys: pytest.CaptureFixture[str]) -> None:
    text = "One line: 6.7 × faster than the best Dockerfile (plain), 1.5 s (n=2) against 10 s (n=2)."
    views.show(RESULT)
    more = "Not compared where an image of theirs was stale or failed: mount, chef."
    assert capsys.readouterr().out.endswith(f"\n{text}\n{more}\n")
    assert f"**{text} {more}**" in views.summary(RESULT)
    assert "<strong>6.7 × faster</strong> than the best Dockerfile (plain)" in views.page(RESULT)


def result(**scenarios: list[Cell]) -> Result:
    every = [cell for found in scenarios.values() for cell in found]
    return Result("run", {"project": "demo"}, every, scenarios={name: f"the {name}" for name in scenarios})


def test_what_is_slower_is_said_too() -> None:
    bump, back = cells("bump", mount=1.0, layerdoit=1.03), cells("back", plain=0.2, mount=0.3, layerdoit=0.3)
    found = result(back=back, leaf=cells(plain=9.0, mount=4.4, layerdoit=2.0), bump=bump)
    first, others = conclusion.lines(found)
    assert first == "The leaf: 2.2 × faster than the best Dockerfile (mount), 2.0 s (n=1) against 4.4 s (n=1)."
    assert others == "Of 3 kinds of change: faster in 1, as fast in 1, slower in 1: the back (1.5 × slower)."
    assert conclusion.lines(result(leaf=cells(mount=1.0, layerdoit=1.02))) == [
        "The leaf: as fast as the best Dockerfile (mount), 1.0 s (n=1) against 1.0 s (n=1)."
    ]


def test_nothing_is_concluded_from_a_stale_image_or_without_a_dockerfile() -> None:
    good = cells("deep", mount=9.0, layerdoit=1.0)
    assert conclusion.lines(result(leaf=cells(stale="layerdoit", mount=4.0, layerdoit=0.1), deep=good)) == [
        "Not every image of layerdoit came out right: the leaf."
    ]
    assert 'class="fact"' not in views.page(result(leaf=cells(stale="layerdoit", mount=4.0, layerdoit=0.1), deep=good))
    alone = result(leaf=cells(layerdoit=1.0, native=0.5))
    assert conclusion.lines(alone) == ["Nothing to compare: no Dockerfile was measured beside layerdoit."]
    assert "<strong>" not in views.page(alone)


def test_one_build_that_took_long_hides_no_bar() -> None:
    slow = [Cell(run, "leaf", "mount", seconds, 1) for run, seconds in enumerate((1.0, 1.0, 50.0))]
    page = views.page(result(leaf=[*slow, *cells(layerdoit=0.5)]))
    assert 'width="50.00%"' in page
    assert "n=3, up to 50 s" in page


def test_json_has_the_cells_and_the_figures_of_what_came_out_right() -> None:
    told = json.loads(results.to_json(RESULT))
    assert told["figures"] == {
        "leaf": {
            "plain": {"median": 10.0, "low": 9.0, "high": 11.0, "n": 2},
            "layerdoit": {"median": 1.5, "low": 1.0, "high": 2.0, "n": 2},
        }
    }
    assert len(told["cells"]) == 6
    assert results.to_json(results.from_json(results.to_json(RESULT))) == results.to_json(RESULT)


def test_the_terminal_shows_spread_load_and_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    views.show(RESULT)
    said = capsys.readouterr().out
    for text in ("10.0 (9.00-11.0, n=2) / 10", "6.7 ×", "load 0.3 at the start", "STALE 1 of 1", "a | note"):
        assert text in said
    assert "run 1, leaf, mount: leaf: holds first-1, not edited-1" in said


def test_markdown_is_a_table() -> None:
    text = views.summary(RESULT)
    assert text.startswith("## Benchmark of demo\n")
    assert "| one line | 10.0 (9.00-11.0, n=2) / 10 |" in text
    assert "a \\| note" in text
    assert "\\<script\\>" in text


def test_the_page_needs_nothing_and_draws_every_figure() -> None:
    page = views.page(RESULT)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "one line, plain: median 10 s, 9.0 s to 11 s, n=2" in page
    assert page.count("<rect") == 2, "what was stale is no figure"
    assert "one line, mount: stale 1 of 1" in page
    assert "back, chef: fails 1 of 1" in page
    assert "http" not in page.replace("http-equiv", "")


SERVICES = (
    {"way": "second", "ours": [0.8, 0.9], "theirs": [2.0, 2.1]},
    {"way": "library", "ours": [3.0], "theirs": [2.0]},
    {"way": "cold", "ours": [40.0], "rust": [38.0], "node": [9.0], "idle": [0.125]},
    {"way": "style", "ours": [1.0], "theirs": [2.0]},
    {"way": "nothing", "ours": [0.2], "theirs": []},
)


def test_services_beside_one_and_beside_the_slower_alone() -> None:
    rows = report.services_table(Result("services", {}, rows=SERVICES)).splitlines()[2:]
    second, library, cold, style, nothing = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    assert second[-2:] == ["+0.85 s", "✓ ≤ 1 s more than one"]
    assert library[-2:] == ["1.50 ×", "✗ ≤ 1.2 × one service"]
    assert (cold[2], cold[-2], cold[-1]) == ("Rust alone", "1.05 ×", "✓ ≤ 1.1 × the slower alone")
    assert "12 % was idle" in cold[0]
    assert style[-1] == "✓ ≤ 0.5 × docker build"
    assert nothing[-1] == "✓ ≤ 0.25 s"


def test_a_platform_beside_the_machine_s_own_and_beside_qemu() -> None:
    rows = [
        {"way": "cold", "native": [10.0], "cross": [12.0], "qemu": [90.0]},
        {"way": "edit", "native": [1.0, 1.2], "cross": [2.0, 2.2]},
    ]
    cold, edit = report.platforms_table(Result("platforms", {}, rows=rows)).splitlines()[2:]
    assert "1.20 × native, QEMU 7.5 ×" in cold
    assert "✗" not in cold
    assert "1.91 × native" in edit
    assert "✗" in edit


# --- a watch beside other ways ---------------------------------------------------------------------------------------


def watch_rows(watch: float, lost: int = 0, cpu: float = 0.001) -> list[dict[str, Any]]:
    seconds = {
        "the application starts": 0.1,
        "the application ends, once it is told to": 0.05,
        "doit watch": watch,
        "cargo build": 0.7,
        "doit cycle_fast": 2.0,
        "watchexec -r cargo run, on the host": 0.95,
    }
    return [
        {"seconds": seconds},
        {"way": "doit watch", "lost": [lost, lost, lost + 9], "asked": 300, "rate": 50},
        {"way": "watchexec -r cargo run, on the host", "lost": [5, 6, 7], "asked": 300, "rate": 50},
        {"idle": {"files": 10000, "seconds": 60.0, "cpu": cpu, "megabytes": 90.0, "watch_megabytes": 60.0}},
    ]


def watch_told(**given: Any) -> str:
    return watch_table(Result("watch", {}, rows=watch_rows(**given)))


def test_a_watch_is_held_to_cargo_and_start_up_to_the_peers_and_to_idleness() -> None:
    told = watch_told(watch=0.94)
    assert "✗" not in told
    assert "| doit watch − cargo build − start | 0.14 (n=1) |  | ✓ ≤ 0.2 s |" in told
    assert "| doit watch − cargo build − the application's own end and start | 0.09 (n=1) |  |  |" in told
    assert "| doit cycle_fast | 2.00 (n=1) | 2.1 × | ✓ watch is not slower |" in told
    assert "| doit watch | 0 (0-9, n=3) | 9 of 300 | ✓ ≤ a restart on the host |" in told
    assert "0.10 % of a core over 60 s | 90 MB; of that 60 MB without docker's client |" in told


def test_a_watch_that_is_slower_loses_more_or_is_busy_holds_no_budget() -> None:
    told = watch_told(watch=1.01, lost=7, cpu=0.02)
    assert [line.rpartition("✗ ")[2].removesuffix(" |") for line in told.splitlines() if "✗" in line] == [
        "watch is not slower",
        "≤ 0.2 s",
        "≤ a restart on the host",
        "≤ 1 % of a core<br>✓ ≤ 100 MB",
    ]
    without = watch_table(Result("watch", {}, rows=[{"seconds": {"doit watch": 1.0}}], notes=["left out"]))
    assert without.count("|\n") == 3


class _Answering(http.server.BaseHTTPRequestHandler):
    texts: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        self.send_response(500 if text == "broken" else 200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """A test is quiet."""


def test_an_answer_is_waited_for_and_requests_without_one_are_counted() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = Address(server.server_address[1], "/")
        _Answering.texts = ["old", "broken", "new"]
        begun = time.perf_counter()
        assert begun < address.until(lambda body: body == "new", lambda: "") <= time.perf_counter()
        _Answering.texts = ["new", "broken", "broken", "new"]
        lost = Lost(address, 500)
        with lost.counted():
            while lost.asked < 6:
                address.until(lambda body: body == "new", lambda: "")
        assert (lost.lost <= 2, lost.asked >= 6) == (True, True)
        server.shutdown()
    with pytest.raises(LayerdoitError, match="it ended"):
        address.until(lambda _: True, lambda: "it ended")
    with Lost(address, 500).counted() as nobody:
        while not nobody.asked:
            assert address.body() is None
    assert nobody.lost == nobody.asked
