"""What a benchmark measured, as the history keeps it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from layerdoit.history import benchmarks, store
from layerdoit.history.benchmarks import Recorded

VARIANT = "dev/host"


def test_what_was_recorded_is_what_is_read(tmp_path: Path) -> None:
    found = Recorded(1000.0, {("leaf", "plain"): (9.5, 3), ("leaf", "layerdoit"): (1.5, 3), ("cold", "plain"): (60, 1)})
    benchmarks.record(tmp_path, VARIANT, found)
    assert benchmarks.latest(tmp_path, VARIANT) == found
    assert benchmarks.latest(tmp_path, "release/host") is None


def test_a_later_benchmark_of_less_keeps_the_other_figures_and_their_age(tmp_path: Path) -> None:
    benchmarks.record(tmp_path, VARIANT, Recorded(1000.0, {("leaf", "plain"): (9.0, 3), ("cold", "plain"): (60.0, 3)}))
    benchmarks.record(tmp_path, VARIANT, Recorded(2000.0, {("leaf", "plain"): (8.0, 1)}))
    assert benchmarks.latest(tmp_path, VARIANT) == Recorded(
        1000.0, {("leaf", "plain"): (8.0, 1), ("cold", "plain"): (60.0, 3)}, {("leaf", "plain"): 2000.0}
    )


def test_nothing_measured_writes_nothing(tmp_path: Path) -> None:
    benchmarks.record(tmp_path, VARIANT, Recorded(1.0, {}))
    assert benchmarks.latest(tmp_path, VARIANT) is None
    assert list(tmp_path.iterdir()) == []


def test_a_history_from_before_benchmarks_keeps_its_runs(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / store.FILE)) as connection:
        connection.executescript(store._TABLES + store._CRATES + "PRAGMA user_version=2;")
        connection.execute(
            "INSERT INTO runs (token, at, task, variant, host, version, outcome, seconds)"
            " VALUES ('t', 1.0, '', 'dev/host', '', '', 'ok', 1.0)"
        )
        connection.commit()
    benchmarks.record(tmp_path, VARIANT, Recorded(1.0, {("leaf", "plain"): (2.0, 1)}))
    assert benchmarks.latest(tmp_path, VARIANT) == Recorded(1.0, {("leaf", "plain"): (2.0, 1)})
    with closing(sqlite3.connect(tmp_path / store.FILE)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)
