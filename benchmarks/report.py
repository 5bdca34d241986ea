"""Tables and verdicts from results.

`python -m benchmarks.report` writes docs/benchmarks.md from benchmarks/results/*.json. With `--check` it only says, by
its exit code, whether that page is up to date.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
RIVALS = ("plain", "mount", "chef")
COLUMNS = (*RIVALS, "layerdoit", "native")

# Budgets: ratios to others of the same run, and seconds.
BEST_PEER = 1.05
COLD = 1.05
EDIT_OVER_NATIVE = 0.6
BACK = 0.5
SWAP = 0.7
NOOP: Mapping[int, tuple[float, float | None]] = {2000: (1.0, 0.2), 10000: (0.5, None)}


@dataclass(frozen=True)
class Cell:
    """One build: who, what, how long, what was compiled, and whether what came out is right."""

    run: int
    scenario: str
    peer: str
    seconds: float
    compiled: int
    crates: Sequence[str] = ()
    layers: Sequence[str] = ()
    stale: Sequence[str] = ()
    error: str = ""


@dataclass(frozen=True)
class Result:
    """A benchmark: `kind` is run, noop or swap; `meta` says where and when; `rows` is what was measured."""

    kind: str
    meta: Mapping[str, Any]
    cells: Sequence[Cell] = ()
    rows: Sequence[Mapping[str, Any]] = ()
    scenarios: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def to_json(result: Result) -> str:
    """A result as a file holds it."""
    return json.dumps(asdict(result), indent=1) + "\n"


def from_json(text: str) -> Result:
    """A result as it was written."""
    found = json.loads(text)
    cells = [Cell(**cell) for cell in found.pop("cells", [])]
    return Result(cells=cells, **found)


# --- cells -----------------------------------------------------------------------------------------------------------


def seconds_text(value: float) -> str:
    """As many digits as mean something."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def spread(values: Sequence[float]) -> str:
    """median (min–max, n=…)."""
    if len(values) == 1:
        return f"{seconds_text(values[0])} (n=1)"
    low, high = seconds_text(min(values)), seconds_text(max(values))
    return f"{seconds_text(statistics.median(values))} ({low}–{high}, n={len(values)})"


def of(cells: Iterable[Cell], scenario: str, peer: str) -> list[Cell]:
    """The cells of one place in the table."""
    return [cell for cell in cells if cell.scenario == scenario and cell.peer == peer]


def median(cells: Sequence[Cell]) -> float | None:
    """The median time of builds that all came out right; None when one did not, or there is none."""
    if not cells or any(cell.stale or cell.error for cell in cells):
        return None
    return statistics.median(cell.seconds for cell in cells)


def cell_text(cells: Sequence[Cell]) -> str:
    """Seconds / crates compiled; what went wrong comes first."""
    if not cells:
        return "–"
    failed = [cell for cell in cells if cell.error]
    if len(failed) == len(cells):
        return "**fails**"
    done = [cell for cell in cells if not cell.error]
    counts = sorted({cell.compiled for cell in done})
    crates = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    text = f"{spread([cell.seconds for cell in done])} / {crates}"
    stale = sum(bool(cell.stale) for cell in done)
    if stale:
        text = f"**STALE** {stale} of {len(done)}: {text}"
    return f"**fails** {len(failed)} of {len(cells)}: {text}" if failed else text


@dataclass(frozen=True)
class Verdict:
    """One budget of one row."""

    budget: str
    held: bool

    def __str__(self) -> str:
        return f"{'✓' if self.held else '✗'} {self.budget}"


def best_peer(cells: Sequence[Cell], scenario: str) -> tuple[str, float] | None:
    """The fastest of the three Dockerfiles that came out right."""
    found = [(time, peer) for peer in RIVALS if (time := median(of(cells, scenario, peer))) is not None]
    return (min(found)[1], min(found)[0]) if found else None


def verdicts(cells: Sequence[Cell], scenario: str) -> list[Verdict]:
    """The budgets of one row. A stale or failed build of ours holds none."""
    ours_cells = of(cells, scenario, "layerdoit")
    if not ours_cells:
        return []
    ours = median(ours_cells)
    if ours is None:
        return [Verdict("the right binary", False)]
    found = []
    if best := best_peer(cells, scenario):
        found.append(Verdict(f"≤ {best[0]} + 5 %", ours <= best[1] * BEST_PEER))
    plain, native = (median(of(cells, scenario, peer)) for peer in ("plain", "native"))
    if scenario == "cold" and plain is not None:
        found.append(Verdict("≤ 1.05 × plain", ours <= plain * COLD))
    if scenario == "nothing" and plain is not None:
        found.append(Verdict("≤ cached docker build", ours <= plain))
    if scenario in ("leaf", "deep") and native is not None:
        found.append(Verdict("≤ native + 0.6 s", ours <= native + EDIT_OVER_NATIVE))
    if scenario == "back":
        found.append(Verdict("≤ 0.5 s", ours <= BACK))
        found.append(Verdict("no build", not any(cell.layers or cell.compiled for cell in ours_cells)))
    return found


def ratio_text(cells: Sequence[Cell], scenario: str) -> str:
    """layerdoit / the best peer of the row."""
    ours, best = median(of(cells, scenario, "layerdoit")), best_peer(cells, scenario)
    return "–" if ours is None or best is None else f"{ours / best[1]:.2f} ({best[0]})"


# --- tables ----------------------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def run_table(result: Result) -> str:
    """Scenarios down, peers across."""
    cells = result.cells
    present = {cell.peer for cell in cells}
    columns = [peer for peer in COLUMNS if peer in present]
    rows = [
        [
            words,
            *(cell_text(of(cells, scenario, peer)) for peer in columns),
            ratio_text(cells, scenario),
            "<br>".join(map(str, verdicts(cells, scenario))) or "–",
        ]
        for scenario, words in result.scenarios.items()
        if any(cell.scenario == scenario for cell in cells)
    ]
    return table(["change", *columns, "layerdoit / best peer", "budget"], rows)


def problems(result: Result) -> list[str]:
    """Every build that failed or came out wrong, once."""
    found = []
    for cell in result.cells:
        every = [*cell.stale, *([f"failed: {cell.error}"] if cell.error else [])]
        found += [f"run {cell.run}, {cell.scenario}, {cell.peer}: {words}" for words in every]
    return list(dict.fromkeys(found))


def noop_table(result: Result) -> str:
    """Paired runs with nothing to do."""
    rows = []
    for row in result.rows:
        ours, theirs = row["doit"], row["docker"]
        ratio = statistics.median(ours) / statistics.median(theirs)
        rows.append(
            [
                f"{row['files']:,}",
                f"{statistics.median(ours):.3f} (min {min(ours):.3f}, n={len(ours)})",
                f"{statistics.median(theirs):.3f} (min {min(theirs):.3f}, n={len(theirs)})",
                f"{ratio:.2f}",
                f"{min(ours) / min(theirs):.2f}",
                "<br>".join(map(str, noop_verdicts(int(row["files"]), statistics.median(ours), ratio))) or "–",
            ]
        )
    return table(
        ["source files", "doit", "cached docker buildx build", "ratio of medians", "ratio of minima", "budget"], rows
    )


def noop_verdicts(files: int, ours: float, ratio: float) -> list[Verdict]:
    """The budgets of a run with nothing to do."""
    if files not in NOOP:
        return []
    most, seconds = NOOP[files]
    found = [Verdict(f"≤ {most} ×", ratio <= most)]
    if seconds is not None:
        found.append(Verdict(f"≤ {seconds} s", ours <= seconds))
    return found


def swap_table(result: Result) -> str:
    """The phases of replacing a container."""
    names = list(dict.fromkeys(name for row in result.rows for name in row["phases"]))
    rows = [[name, spread([row["phases"].get(name, 0.0) for row in result.rows])] for name in names]
    totals = [sum(row["phases"].values()) for row in result.rows]
    held = Verdict(f"≤ {SWAP} s with the application's own start-up", statistics.median(totals) <= SWAP)
    rows.append(["**all**", f"{spread(totals)} {held}"])
    return table(["phase", "seconds"], rows)


TABLES = {"run": run_table, "noop": noop_table, "swap": swap_table}
_META = (
    "project",
    "profile",
    "size",
    "machine",
    "engine",
    "buildx",
    "cargo",
    "cargo-chef",
    "layerdoit",
    "date",
    "runs",
    "load",
)


def header(result: Result) -> str:
    """Where, with what and when it was measured."""
    return "; ".join(f"{name} {result.meta[name]}" for name in _META if result.meta.get(name)) + "\n"


def section(result: Result) -> str:
    """One result: header, table, what went wrong, notes."""
    wrong = problems(result)
    parts = [header(result), TABLES[result.kind](result)]
    if wrong:
        parts.append("Went wrong:\n\n" + "\n".join(f"- {words}" for words in wrong) + "\n")
    if result.notes:
        parts.append("\n".join(f"- {note}" for note in result.notes) + "\n")
    return "\n".join(parts)


# --- the page --------------------------------------------------------------------------------------------------------

_TITLES = {
    "run": "{project}, {profile}",
    "noop": "Nothing to do",
    "swap": "Replacing a container: {project}, {profile}",
}
PROSE = """\
<!-- written by `python -m benchmarks.report` from benchmarks/results/*.json; edit the source, not this page -->
# Benchmarks

Every table comes from one run on one engine, the peers side by side: after each edit all of them build the same
tree, in an order that rotates. All start from the same builder and runtime images, and are called with the same
packages, profile and features.

| peer | is |
|---|---|
| plain | a Dockerfile: `COPY . .`, `cargo build` |
| mount | the same with cache mounts for cargo's registry and for `target` |
| chef | cargo-chef: `prepare`, `cook`, `build`; the tool is in the image it starts from, and not counted |
| layerdoit | `doit image` |
| native | `cargo build` on the host, target folder of its own, crates fetched: no image, for comparison |

Cells are **seconds / crates compiled**: the median (minimum–maximum, number of builds), and the `Compiling` lines of
cargo. *Cold* means that the base images are there and nothing else: every run has names, layers and mounts of its own.
Edits add up, until the last row returns to the first state as a branch switch does. Each edit carries a mark that is
looked up in the binaries of each image after each build: a build whose binaries hold an older state is **STALE**, and
never the best peer. Budgets: every row at most the best of the three Dockerfiles plus 5 %; an edit at most cargo on
the host plus 0.6 s; the way back at most 0.5 s without a build.

Run them yourself: `python -m benchmarks.run --project PATH`, `python -m benchmarks.noop`, `python -m benchmarks.swap`.
"""
NONE_YET = "\nNo results are kept yet.\n"


def page(results: Sequence[Result]) -> str:
    """docs/benchmarks.md."""
    if not results:
        return PROSE + NONE_YET
    sections = []
    for result in results:
        title = _TITLES[result.kind].format(**{"project": "", "profile": "", **result.meta})
        sections.append(f"\n## {title}\n\n{section(result)}")
    return PROSE + "".join(sections)


def stored(folder: Path = RESULTS) -> list[Result]:
    """The results that are kept, in the order of their kinds and file names."""
    found = [from_json(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda result: list(TABLES).index(result.kind))


def main(argv: Sequence[str]) -> int:
    """Write the page, or check it."""
    text = page(stored())
    if "--check" in argv:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
