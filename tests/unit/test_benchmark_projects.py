"""The table of real projects."""

from __future__ import annotations

from benchmarks.projects import table

BUILT = {
    "project": "app-1.0",
    "with": ["TOOLCHAIN=1.95.0"],
    "cold": 61.4,
    "crates": 40,
    "nothing": [0.31, 0.24],
    "edit": [3.96, 2.5],
    "recompiled": [0, 2, None],
    "wrote": ["base:", "  packages:", "    - cmake  # perhaps, x 1.0", "    - perl  # y 2.0", "features: [a]"],
}


def test_a_line_for_each_project() -> None:
    lines = list(table([BUILT, {**BUILT, "project": "bad", "with": [], "problem": "error: no\nnext: yes"}]))
    settings = "base.packages: `cmake` (perhaps), `perl`; features: `a`"
    assert lines[2] == f"| app-1.0 `TOOLCHAIN=1.95.0` | 40 | 61 | 0.24 | 2.5 | 2 | {settings} |"
    assert lines[3] == "| bad | | not built | | | | error: no |"
    assert [line.count("|") for line in lines] == [8] * 4
