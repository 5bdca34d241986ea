"""Tables and verdicts from results.

`python -m benchmarks.report` writes docs/benchmarks.md from benchmarks/results/*.json. With `--check` it only says, by
its exit code, whether that page is up to date.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import harness
from benchmarks.page_words import NONE_YET, PROSE, TITLES
from benchmarks.tables import Verdict, table
from benchmarks.watch_tables import watch_table
from layerdoit.bench.conclusion import beside_text
from layerdoit.bench.results import (
    COLUMNS,
    Cell,
    Result,
    best_peer,
    cell_text,
    from_json,
    header,
    median,
    of,
    problems,
    spread,
    to_json,
)
from layerdoit.bench.scratch import Scratch

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"

# Budgets: ratios to others of the same run, and seconds.
BEST_PEER = 1.05
COLD = 1.05
EDIT_OVER_NATIVE = 0.6
BACK = 0.5
SWAP = 0.7
ROLLBACK = 1.0
OVER_KUBECTL = 0.5
OVER_COMPOSE = 1.1
SECOND = 1.0
BOTH_OVER_ONE = 1.2
TOGETHER = 1.1
STYLE = 0.5
NOTHING = 0.25
OTHER_BUILDER = 1.3
CROSS = 1.3
FASTER = 5
CLONE = 1.2
SHARED_EDIT = 1.1
FAMILY = 0.35
AGAIN = 1.0
NOOP_IMPORT = (2000, 1.8)
"""At so many files, so many times what importing doit takes."""
NOOP: Mapping[int, tuple[float, float | None]] = {2000: (1.0, 0.2), 10000: (0.5, None)}


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


# --- tables ----------------------------------------------------------------------------------------------------------


def run_table(result: Result) -> str:
    """Scenarios down, peers across."""
    cells = result.cells
    present = {cell.peer for cell in cells}
    columns = [peer for peer in COLUMNS if peer in present]
    rows = [
        [
            words,
            *(cell_text(of(cells, scenario, peer)) for peer in columns),
            beside_text(cells, scenario),
            "<br>".join(map(str, verdicts(cells, scenario))) or "–",
        ]
        for scenario, words in result.scenarios.items()
        if any(cell.scenario == scenario for cell in cells)
    ]
    return table(["change", *columns, "layerdoit beside the best Dockerfile", "budget"], rows)


def noop_table(result: Result) -> str:
    """Paired runs with nothing to do."""
    rows = []
    for row in result.rows:
        ours, theirs = row["doit"], row["docker"]
        ratio = statistics.median(ours) / statistics.median(theirs)
        imported: Sequence[float] = row.get("import", ())
        held = noop_verdicts(int(row["files"]), statistics.median(ours), ratio)
        files, most = NOOP_IMPORT
        if imported and row["files"] == files:
            times = statistics.median(ours) / statistics.median(imported)
            held.append(Verdict(f"≤ {most} × the import ({times:.2f})", times <= most))
        rows.append(
            [
                f"{row['files']:,}",
                f"{statistics.median(ours):.3f} (min {min(ours):.3f}, n={len(ours)})",
                f"{statistics.median(theirs):.3f} (min {min(theirs):.3f}, n={len(theirs)})",
                f"{ratio:.2f}",
                f"{min(ours) / min(theirs):.2f}",
                f"{statistics.median(imported):.3f} (min {min(imported):.3f}, n={len(imported)})" if imported else "",
                "<br>".join(map(str, held)) or "–",
            ]
        )
    return table(
        [
            *("source files", "doit", "cached docker buildx build", "ratio of medians", "ratio of minima"),
            *("`python -c 'import doit'`", "budget"),
        ],
        rows,
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


def edit_table(result: Result) -> str:
    """What an edit costs each way, and what `doit image` costs beyond what cargo does."""
    ways = list(result.rows[0]["seconds"])
    rows = [[way, spread([row["seconds"][way] for row in result.rows])] for way in ways]
    *parts, ours = ways
    beyond = [row["seconds"][ours] - row["seconds"][parts[0]] for row in result.rows]
    least = [sum(row["seconds"][part] for part in parts[1:]) for row in result.rows]
    held = Verdict(f"≤ {EDIT_OVER_NATIVE} s", statistics.median(beyond) <= EDIT_OVER_NATIVE)
    rows.append([f"{ours} − {parts[0]}", f"{spread(beyond)} {held}"])
    rows.append([" + ".join(parts[1:]), spread(least)])
    return table(["way", "seconds"], rows)


def deploys_table(result: Result) -> str:
    """What deployments cost, beside the platform's own command for the same change."""
    rows = []
    for row in result.rows:
        ours, theirs = row["ours"], row["theirs"]
        mine = statistics.median(ours)
        if not theirs:
            held, ratio = Verdict(f"≤ {ROLLBACK:g} s", mine <= ROLLBACK), ""
        elif row["way"] == "kubernetes":
            over = mine - statistics.median(theirs)
            held, ratio = Verdict(f"≤ kubectl + {OVER_KUBECTL} s", over <= OVER_KUBECTL), f"{over:+.2f} s"
        else:
            times = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            held, ratio = Verdict(f"≤ {OVER_COMPOSE} ×", times <= OVER_COMPOSE), f"{times:.2f} ×"
        rows.append([row["way"], spread(ours), row["peer"], spread(theirs) if theirs else "", ratio, str(held)])
    return table(["deployment", "layerdoit, s", "beside", "s", "median", "budget"], rows)


# How rows of a benchmark of services are called, and what stands beside them.
_SERVICES = {
    "second": ("the second service's image, after the first's", "the first, after an edit in the library of both"),
    "library": ("an edit in that library: both services swapped", "the same in a project with one of them"),
    "cold": ("two Rust services and the page, only the base images there", ""),
    "style": ("a colour changed: the page's image", "a plain Dockerfile, cached up to `npm ci`"),
    "nothing": ("nothing to do, all three services", ""),
}


def services_table(result: Result) -> str:
    """Services of one workspace, and the front end beside them."""
    rows = []
    for row in result.rows:
        words, beside = _SERVICES[row["way"]]
        theirs, ratio, held = _services_verdict(row)
        if row["way"] == "cold":
            alone = {"Rust": row["rust"], "the page": row["node"]}
            beside = max(alone, key=lambda name: statistics.median(alone[name])) + " alone"
            idle = f"{100 * statistics.median(row['idle']):.0f} %"
            words += f"; of the processors' time, {idle} was idle"
        rows.append([words, spread(row["ours"]), beside, spread(theirs) if theirs else "", ratio, str(held)])
    return table(["what", "layerdoit, s", "beside", "s", "median", "budget"], rows)


def _services_verdict(row: Mapping[str, Any]) -> tuple[Sequence[float], str, Verdict]:
    """What it is compared with, in figures and in words, and whether the budget was held."""
    ours = statistics.median(row["ours"])
    if row["way"] == "second":
        return row["theirs"], f"+{ours:.2f} s", Verdict(f"≤ {SECOND:g} s more than one", ours <= SECOND)
    if row["way"] == "nothing":
        return (), "", Verdict(f"≤ {NOTHING} s", ours <= NOTHING)
    theirs = max(row["rust"], row["node"], key=statistics.median) if row["way"] == "cold" else row["theirs"]
    times = ours / statistics.median(theirs)
    most, than = {
        "library": (BOTH_OVER_ONE, "one service"),
        "cold": (TOGETHER, "the slower alone"),
        "style": (STYLE, "docker build"),
    }[row["way"]]
    return theirs, f"{times:.2f} ×", Verdict(f"≤ {most} × {than}", times <= most)


_PLATFORMS = {"cold": "cold: all dependencies and the workspace", "edit": "an edit in the binary crate"}


def platforms_table(result: Result) -> str:
    """An image of another platform, by each way, beside the machine's own."""
    rows = []
    for row in result.rows:
        native, cross, qemu = (row.get(name) or [] for name in ("native", "cross", "qemu"))
        times = statistics.median(cross) / statistics.median(native)
        verdicts = [str(Verdict(f"≤ {CROSS} × native", times <= CROSS))]
        ratios = [f"{times:.2f} × native"]
        if qemu:
            faster = statistics.median(qemu) / statistics.median(cross)
            verdicts.append(str(Verdict(f"QEMU ≥ {FASTER} ×", faster >= FASTER)))
            ratios.append(f"QEMU {faster:.1f} ×")
        spreads = [spread(native), spread(cross), spread(qemu) if qemu else ""]
        rows.append([_PLATFORMS[row["way"]], *spreads, ", ".join(ratios), "; ".join(verdicts)])
    return table(["what", "native amd64, s", "arm64, cross, s", "arm64, QEMU, s", "cross beside", "budget"], rows)


_SHARING = {
    "clone": ("`doit image` in a new clone, the app pushed", "`docker pull` of the same image"),
    "warm": ("`doit cache_warm` in the clone", "`docker pull` of base and deps, the app being there"),
    "warm edit": ("then the first edit there", "the same edit on the first machine"),
    "first": ("the first edit without that, which pulls deps and runtime", "the same edit on the first machine"),
    "next": ("the next edits", "the same edits on the first machine"),
    "plan": ("`doit layers plan` where the registry has nothing", "the same without a registry"),
}


def sharing_table(result: Result) -> str:
    """A second machine beside the first, and a registry beside none."""
    rows = []
    for row in result.rows:
        words, beside = _SHARING[row["way"]]
        ours, theirs = statistics.median(row["ours"]), statistics.median(row["theirs"])
        ratio, held = f"{ours / theirs:.2f} ×", ""
        if row["way"] == "clone":
            words += f"; {row['compiled']} crates compiled"
            held = str(Verdict(f"≤ {CLONE} ×, 0 crates", ours <= CLONE * theirs and row["compiled"] == 0))
        elif row["way"] in ("warm edit", "next"):
            held = str(Verdict(f"≤ {SHARED_EDIT} ×", ours <= SHARED_EDIT * theirs))
        elif row["way"] == "plan":
            ratio = f"{ours - theirs:+.3f} s; a round trip: {row['trip']:.3f} s"
            held = str(Verdict("≤ a round trip", ours - theirs <= row["trip"]))
        rows.append([words, spread(row["ours"]), beside, spread(row["theirs"]), ratio, held])
    return table(["what", "layerdoit, s", "beside", "s", "median", "budget"], rows)


def family_table(result: Result) -> str:
    """What is not compiled again, beside compiling it."""
    rows = []
    for row in result.rows:
        ours, beside, ratio, held = spread(row["ours"]), "", "", ""
        theirs: Sequence[float] = row.get("theirs", ())
        if theirs:
            ratio = f"{statistics.median(row['ours']) / statistics.median(theirs):.2f} ×"
        if row["way"] == "family":
            what = (
                f"dependencies of a second service, one more and two less; {row['taken']} of {row['units']} units taken"
            )
            beside = "without donors"
            held = str(Verdict(f"≤ {FAMILY} ×", statistics.median(row["ours"]) <= FAMILY * statistics.median(theirs)))
        elif row["way"] == "public":
            taken = f"{row['taken']} of {row['units']} units taken, {row['again']} compiled again"
            what = f"dependencies of {row['project']} after {', '.join(row['others'])}; {taken}"
            held = str(Verdict("none again", row["again"] == 0))
        else:
            crates, others = row["crates"]
            what = f"{row['project']}, {row['profile']}: one crate bumped; {crates} crates compiled"
            beside = f"a target mount; {others} crates"
            held = str(Verdict("≤ a target mount", statistics.median(row["ours"]) <= statistics.median(theirs)))
        rows.append([what, ours, beside, spread(theirs) if theirs else "", ratio, held])
    return table(["what", "layerdoit, s", "beside", "s", "median", "budget"], rows)


_PUBLISHING = {
    "first": "`doit publish`, the first time: pushed, pulled, checked",
    "again": "`doit publish` again",
    "push": "`doit push` again",
    "nothing": "`doit` with nothing to do, for comparison",
}


def publishing_table(result: Result) -> str:
    """Publishing, and that again it is a question only."""
    rows = []
    for row in result.rows:
        again = row["what"] in ("again", "push")
        verdict = str(Verdict(f"≤ {AGAIN} s", statistics.median(row["seconds"]) <= AGAIN)) if again else ""
        rows.append([_PUBLISHING[row["what"]], spread(row["seconds"]), verdict])
    return table(["what", "s", "budget"], rows)


_BUILDERS = {"cold": "cold: all dependencies and the workspace", "edit": "an edit in the binary crate"}


def builders_table(result: Result) -> str:
    """A builder that does not see the engine's images, beside the engine's own."""
    rows = []
    for row in result.rows:
        times = statistics.median(row["other"]) / statistics.median(row["own"])
        verdict = str(Verdict(f"≤ {OTHER_BUILDER} × own", times <= OTHER_BUILDER)) if row["way"] == "edit" else ""
        rows.append([_BUILDERS[row["way"]], spread(row["own"]), spread(row["other"]), f"{times:.2f} ×", verdict])
    return table(["what", "the engine's own, s", "a remote one here, s", "median", "budget"], rows)


TABLES = {
    "run": run_table,
    "watch": watch_table,
    "edit": edit_table,
    "noop": noop_table,
    "swap": swap_table,
    "deploys": deploys_table,
    "services": services_table,
    "platforms": platforms_table,
    "sharing": sharing_table,
    "family": family_table,
    "publishing": publishing_table,
    "builders": builders_table,
}


def section(result: Result) -> str:
    """One result: header, table, what went wrong, notes."""
    wrong = problems(result)
    parts = [header(result) + "\n", TABLES[result.kind](result)]
    if wrong:
        parts.append("Went wrong:\n\n" + "\n".join(f"- {words}" for words in wrong) + "\n")
    if result.notes:
        parts.append("\n".join(f"- {note}" for note in result.notes) + "\n")
    return "\n".join(parts)


# --- the page --------------------------------------------------------------------------------------------------------


def tell(result: Result, path: Path | None) -> None:
    """A result for the person who measured, and to the file that was asked for."""
    harness.tell(section(result))
    harness.write(path, to_json(result))


def measured(
    kind: str, options: argparse.Namespace, runs: int, rows: Callable[[Scratch], Iterable[Mapping[str, Any]]]
) -> int:
    """Measure, clean, tell; the exit code. Rows that were measured before an error are told as well."""
    found: list[Mapping[str, Any]] = []
    result = Result(kind, harness.meta(options, runs))
    code = harness.measured(options, lambda _, scratch: found.extend(rows(scratch)))
    if found:
        tell(replace(result, rows=found), options.json)
    return code


def page(results: Sequence[Result]) -> str:
    """docs/benchmarks.md."""
    if not results:
        return PROSE + NONE_YET
    sections = []
    for result in results:
        title = TITLES[result.kind].format(**{"project": "", "profile": "", **result.meta})
        sections.append(f"\n## {title}\n\n{section(result)}")
    return PROSE + "".join(sections)


def stored(folder: Path = RESULTS) -> list[Result]:
    """The results that are kept, in the order of their kinds and file names."""
    found = [from_json(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    # Others have pages of their own.
    shown = [result for result in found if result.kind in TABLES]
    return sorted(shown, key=lambda result: list(TABLES).index(result.kind))


def main(argv: Sequence[str]) -> int:
    """Write the page, or check it."""
    text = page(stored())
    if "--check" in argv:
        return int(not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
