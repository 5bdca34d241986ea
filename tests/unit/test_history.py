"""The history: what is written is what is read, by many at once, after kills, from older and broken files."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from layerdoit import history
from layerdoit.history import LayerRecord, RunRecord, store
from layerdoit.history.crates import Crate
from layerdoit.history.export import as_json
from layerdoit.history.medians import figures
from layerdoit.layers.reasons import Reason, difference

VARIANT = "dev/host"


def run(token: str, *, variant: str = VARIANT, outcome: history.Ended = "ok", seconds: float = 1.0) -> RunRecord:
    return RunRecord(token, 1000.0, "cycle_fast", variant, "host", "1.0", seconds, outcome, commit="abc", dirty=False)


def app(seconds: float, *, compiled: int | None = 2, cold: bool = False, action: str = "build") -> LayerRecord:
    return LayerRecord(
        "app", "key", action, cold, seconds, "compiled", 0.25, compiled, 10, 0, 500, 20, (Reason("removed"),)
    )


def saved(folder: Path, *records: LayerRecord, variant: str = VARIANT) -> None:
    for number, record in enumerate(records):
        history.save(folder, run(f"{variant} {os.urandom(4).hex()} {number}", variant=variant), [record])


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / store.FILE)) as connection:
        return connection.execute(query).fetchall()


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_run_with_its_layers_and_phases(tmp_path: Path) -> None:
    hit = LayerRecord("deps", "other", "reuse", reasons=(Reason("up_to_date"),))
    history.save(tmp_path, run("t"), [hit, app(1.5)], {"plan": 0.1})
    assert rows(tmp_path, "SELECT token, at, task, variant, host, version, git_commit, dirty, outcome FROM runs") == [
        ("t", 1000.0, "cycle_fast", VARIANT, "host", "1.0", "abc", 0, "ok")
    ]
    there = '[{"kind": "up_to_date", "names": [], "count": 0}]'
    assert rows(tmp_path, "SELECT * FROM layers ORDER BY layer") == [
        (
            1,
            "app",
            "key",
            "build",
            0,
            1.5,
            "compiled",
            0.25,
            2,
            10,
            0,
            500,
            20,
            '[{"kind": "removed", "names": [], "count": 0}]',
            "ok",
            None,
        ),
        (1, "deps", "other", "reuse", 0, 0.0, "", None, None, None, None, None, None, there, "ok", None),
    ]
    assert rows(tmp_path, "SELECT * FROM phases") == [(1, "plan", 0.1)]


def test_the_parts_of_a_run_come_together(tmp_path: Path) -> None:
    history.save(tmp_path, run("t", outcome="failed"), [app(1.5)], {"plan": 0.1})
    history.save(tmp_path, run("t", seconds=5), [LayerRecord("app", "key", "reuse")], {"plan": 0.2, "swap": 0.3})
    assert rows(tmp_path, "SELECT outcome, seconds FROM runs") == [("ok", 5.0)]
    assert rows(tmp_path, "SELECT action, seconds FROM layers") == [("build", 1.5)], "a hit does not hide the build"
    assert rows(tmp_path, "SELECT phase, seconds FROM phases ORDER BY phase") == [("plan", 0.2), ("swap", 0.3)]


def test_its_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT", 3)
    files = difference({}, {f"file src/{number}.rs": "1" for number in range(10_000)})
    packages = difference({}, {f"package p{number}": "1 " + "x" * 100_000 for number in range(10_000)})
    long = LayerRecord("app", "key", "build", reasons=(*files, *packages))
    for number in range(6):
        history.save(tmp_path, run(f"t{number}"), [long], {"plan": 1.0}, [Crate("serde", "1.0.0", 2.5, 0.5)])
    assert rows(tmp_path, "SELECT token FROM runs") == [("t3",), ("t4",), ("t5",)]
    assert rows(tmp_path, "SELECT COUNT(*), MAX(LENGTH(reasons)) < 50000 FROM layers") == [(3, 1)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM phases") == [(3,)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM crates") == [(3,)]


# How long they wait for one another is no matter here: a disk that others use may take seconds for each.
WRITER = """
import sys
from pathlib import Path
from layerdoit import history
from layerdoit.history import store
store.PATIENCE = 50.0
for number in range(int(sys.argv[2])):
    run = history.RunRecord(f"{sys.argv[3]}-{number}", 1.0, "", "dev/host", "", "", 1.0)
    history.save(Path(sys.argv[1]), run, [history.LayerRecord("app", "k", "build")], {"plan": 1.0})
    print(number, flush=True)
"""


def writer(folder: Path, number: int, name: str, before: str = "") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", before + WRITER, str(folder), str(number), name]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_many_write_at_once(tmp_path: Path) -> None:
    children = [writer(tmp_path, 20, str(number)) for number in range(4)]
    assert [child.communicate(timeout=60)[1] for child in children] == [""] * 4
    assert rows(tmp_path, "SELECT COUNT(*) FROM runs") == [(80,)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM layers") == [(80,)]


def test_a_kill_leaves_whole_runs(tmp_path: Path) -> None:
    for number in range(5):
        child = writer(tmp_path, 10_000, str(number))
        assert child.stdout is not None
        for _ in range(3 + number):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=60)
    history.save(tmp_path, run("last"), [app(1.0)], {"plan": 1.0})
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    tables = ("runs", "layers", "phases")
    counts = [rows(tmp_path, f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables]  # noqa: S608 - constants
    assert len(set(counts)) == 1, "a run has its layer and its phase, or is not there"
    assert isinstance(counts[0], int)
    assert counts[0] >= 25


# --- older, later, broken --------------------------------------------------------------------------------------------

FIRST = """
CREATE TABLE layers (id INTEGER PRIMARY KEY, at REAL NOT NULL, variant TEXT NOT NULL, layer TEXT NOT NULL,
    key TEXT NOT NULL, action TEXT NOT NULL, seconds REAL NOT NULL, compiled INTEGER, external INTEGER,
    reasons TEXT NOT NULL);
INSERT INTO layers VALUES (1, 5.0, 'dev/host', 'app', 'k', 'build', 3.0, 4, 0, '["not built before"]');
INSERT INTO layers VALUES (2, 6.0, 'dev/host', 'app', 'l', 'build', 1.0, 1, 0, '["1 file changed: a.rs"]');
INSERT INTO layers VALUES (3, 7.0, 'dev/host', 'base', 'm', 'build', 60.0, NULL, NULL, '["Rust 1.80 → 1.81"]');
"""


def test_the_first_form_is_taken_over(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / store.FILE)) as connection:
        connection.executescript(FIRST)
    assert history.expected(tmp_path, VARIANT, {"app"}) == history.Expected(3.0, 1)
    assert history.expected(tmp_path, VARIANT, {"base", "app"}) == history.Expected(63.0, 1)
    saved(tmp_path, app(2.0))
    assert rows(tmp_path, "SELECT run, layer, key, cold, seconds FROM layers WHERE run < 4") == [
        (1, "app", "k", 1, 3.0),
        (2, "app", "l", 0, 1.0),
        (3, "base", "m", 1, 60.0),
    ]
    assert rows(tmp_path, "PRAGMA user_version") == [(store.VERSION,)]
    assert rows(tmp_path, "SELECT name FROM sqlite_master WHERE name LIKE 'old%'") == []


def tables(folder: Path) -> list[tuple[object, ...]]:
    return rows(folder, "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")


def test_what_a_version_lacks_is_added(tmp_path: Path) -> None:
    """What later versions add is added to a file of the first version that has one: it becomes as a new file is."""
    with closing(sqlite3.connect(tmp_path / store.FILE)) as connection:
        connection.executescript(store._TABLES + "PRAGMA user_version=1;")
        connection.execute(
            "INSERT INTO runs (token, at, task, variant, host, version, outcome, seconds)"
            " VALUES ('early', 5.0, '', 'dev/host', '', '', 'ok', 3.0)"
        )
        connection.commit()
    crate = Crate("serde", "1.0.0", 2.5, 0.5)
    history.save(tmp_path, run("later"), crates=[crate])
    assert rows(tmp_path, "SELECT crate, version, seconds, share FROM crates") == [("serde", "1.0.0", 2.5, 0.5)]
    assert rows(tmp_path, "SELECT COUNT(*) FROM runs") == [(2,)]
    assert rows(tmp_path, "PRAGMA user_version") == [(store.VERSION,)]
    (tmp_path / "new").mkdir()
    saved(tmp_path / "new", app(1.0))
    assert tables(tmp_path) == tables(tmp_path / "new")


# As layerdoit wrote it while reasons were sentences.
SENTENCES = r"""
CREATE TABLE runs (id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, at REAL NOT NULL, task TEXT NOT NULL,
    variant TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL, git_commit TEXT, dirty INTEGER,
    outcome TEXT NOT NULL, failed_in TEXT, error TEXT, seconds REAL NOT NULL);
CREATE TABLE phases (run INTEGER NOT NULL, phase TEXT NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (run, phase))
    WITHOUT ROWID;
CREATE TABLE layers (run INTEGER NOT NULL, layer TEXT NOT NULL, key TEXT NOT NULL, action TEXT NOT NULL,
    cold INTEGER NOT NULL, seconds REAL NOT NULL, how TEXT NOT NULL DEFAULT '', export REAL, compiled INTEGER,
    fresh INTEGER, external INTEGER, size INTEGER, sent INTEGER, reasons TEXT NOT NULL, outcome TEXT NOT NULL,
    PRIMARY KEY (run, layer)) WITHOUT ROWID;
CREATE TABLE crates (run INTEGER NOT NULL, crate TEXT NOT NULL, version TEXT NOT NULL, seconds REAL NOT NULL,
    share REAL NOT NULL, PRIMARY KEY (run, crate, version)) WITHOUT ROWID;
CREATE TABLE benchmarks (variant TEXT NOT NULL, scenario TEXT NOT NULL, peer TEXT NOT NULL, at REAL NOT NULL,
    seconds REAL NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (variant, scenario, peer)) WITHOUT ROWID;
INSERT INTO runs VALUES (1, 't', 5.0, 'image', 'dev/host', 'h', '1', 'abc', 0, 'ok', NULL, NULL, 2.0);
INSERT INTO layers VALUES (1, 'deps', 'd', 'build', 0, 3.0, '', NULL, 4, 0, 0, 5, 6,
    '["serde 1.0.1 \u2192 1.0.2", "api: \"x\"; y"]', 'ok');
INSERT INTO layers VALUES (1, 'app', 'a', 'build', 0, 3.0, '', NULL, 4, 0, 0, 5, 6, '[]', 'ok');
INSERT INTO layers VALUES (1, 'base', 'b', 'reuse', 0, 0.0, '', NULL, NULL, NULL, NULL, NULL, NULL, '["cut', 'ok');
PRAGMA user_version=3;
"""


def test_reasons_that_were_sentences_are_still_shown(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / store.FILE)) as connection:
        connection.executescript(SENTENCES)
    (run,) = as_json(tmp_path)
    said = ["serde 1.0.1 → 1.0.2", 'api: "x"; y']
    assert {name: layer["reasons"] for name, layer in run["layers"].items()} == {"deps": said, "app": [], "base": []}
    assert run["layers"]["deps"]["causes"] == [{"kind": "noted", "names": [one], "count": 1} for one in said]
    assert (run["layers"]["deps"]["sent"], run["layers"]["deps"]["outcome"]) == (6, "ok")
    assert rows(tmp_path, "PRAGMA user_version") == [(store.VERSION,)]
    assert as_json(tmp_path) == [run], "it is done once"


@pytest.mark.parametrize("first", [True, False], ids=["first form", "none"])
def test_many_migrate_at_once(tmp_path: Path, first: bool) -> None:
    if first:
        with closing(sqlite3.connect(tmp_path / store.FILE)) as connection:
            connection.executescript(FIRST)
    children = [writer(tmp_path, 1, str(number)) for number in range(6)]
    assert [child.communicate(timeout=60)[1] for child in children] == [""] * 6
    assert rows(tmp_path, "SELECT COUNT(*) FROM runs") == [(9 if first else 6,)]


def test_what_a_later_version_wrote_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(tmp_path / store.FILE)) as connection:
        connection.executescript("CREATE TABLE runs (id); PRAGMA user_version=99")
    saved(tmp_path, app(1.0))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "of a later layerdoit" in said
    assert history.expected(tmp_path, VARIANT, {"app"}) == history.Expected(None, 0)
    assert rows(tmp_path, "SELECT * FROM runs") == []


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 500)


def malformed(path: Path) -> None:
    saved(path.parent, *[app(1.0)] * 50)
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"CREATE TABLE runs (id); PRAGMA user_version={store.VERSION}")


@pytest.mark.parametrize("harm", [garbage, malformed, other_tables])
def test_a_broken_file_is_set_aside_with_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: object
) -> None:
    assert callable(harm)
    harm(tmp_path / store.FILE)
    assert history.expected(tmp_path, VARIANT, {"app"}) == history.Expected(None, 0)
    assert capsys.readouterr().err == "", "who only reads says nothing"
    saved(tmp_path, app(1.0, cold=True), app(3.0, cold=True))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"it is {store.BROKEN} now, and a new history begins" in said
    assert (tmp_path / store.BROKEN).is_file()
    assert history.expected(tmp_path, VARIANT, {"app"}) == history.Expected(2.0, 2)


def test_a_broken_file_is_set_aside_once(tmp_path: Path) -> None:
    garbage(tmp_path / store.FILE)
    children = [writer(tmp_path, 5, str(number)) for number in range(4)]
    said = [child.communicate(timeout=60)[1] for child in children]
    assert "".join(said).count("\n") == 1, said
    assert rows(tmp_path, "SELECT COUNT(*) FROM runs") == [(20,)]


# Stops when it has opened the file, and once more before it commits.
PAUSED = """
import sqlite3, sys
from layerdoit.history import store
def paused(function, word):
    stops = [word]
    def wrapped(*arguments, **named):
        found = function(*arguments, **named)
        if stops:
            print(stops.pop(), flush=True)
            sys.stdin.readline()
        return found
    return wrapped
sqlite3.connect = paused(sqlite3.connect, "opened")
write = store.write
store.write = lambda folder, change: write(folder, paused(change, "written"))
"""


def test_who_has_a_broken_file_open_does_not_write_into_the_new_one(tmp_path: Path) -> None:
    garbage(tmp_path / store.FILE)
    new: list[sqlite3.Connection] = []

    def start_over(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO phases (run, phase, seconds) VALUES (0, 'plan', 1.0)")
        # What is written stays in the log as long as somebody reads it.
        new.append(sqlite3.connect(tmp_path / store.FILE, check_same_thread=False))
        new[0].execute("SELECT COUNT(*) FROM runs").fetchall()

    with writer(tmp_path, 1, "child", PAUSED) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "opened\n"
        other = threading.Thread(target=store.write, args=(tmp_path, start_over))
        other.start()
        # It is done, or waits for the child.
        other.join(timeout=0.5)
        child.stdin.write("go on\n")
        child.stdin.flush()
        assert child.stdout.readline() == "written\n"
        if new:
            new[0].close()
        child.communicate("go on\n", timeout=60)
    other.join(timeout=60)
    for reader in new:
        reader.close()
    assert rows(tmp_path, "SELECT COUNT(*) FROM phases") == [(2,)]


def test_a_file_that_cannot_be_written_costs_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / store.FILE).mkdir()
    saved(tmp_path, app(1.0))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "this run was not recorded" in said


def test_a_file_that_others_hold_costs_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.01)
    saved(tmp_path, app(1.0))
    with closing(sqlite3.connect(tmp_path / store.FILE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        saved(tmp_path, app(1.0))
    assert "locked" in capsys.readouterr().err
    assert not (tmp_path / store.BROKEN).exists()


# --- figures ---------------------------------------------------------------------------------------------------------


def test_nothing_is_expected_without_history(tmp_path: Path) -> None:
    assert history.expected(tmp_path, VARIANT, {"app"}) == history.Expected(None, 0)
    assert history.expected(tmp_path, VARIANT, ()) == history.Expected(0, 0)
    assert not (tmp_path / store.FILE).exists(), "who only reads makes no file"


def test_expected_is_the_sum_of_medians_of_builds_from_nothing(tmp_path: Path) -> None:
    saved(tmp_path, *(app(seconds, cold=True) for seconds in (10, 12, 30)))
    saved(tmp_path, app(1), app(2), app(99, cold=True, action="reuse"))
    saved(tmp_path, app(500, cold=True), variant="release/host")
    assert history.expected(tmp_path, VARIANT, {"app"}) == history.Expected(12, 3)
    assert history.expected(tmp_path, VARIANT, {"app", "deps"}) == history.Expected(None, 0)
    saved(tmp_path, LayerRecord("deps", "k", "build", True, 60.0), LayerRecord("deps", "k", "build", False, 5.0))
    assert history.expected(tmp_path, VARIANT, {"app", "deps"}) == history.Expected(72, 1)


def test_base_is_the_same_for_every_variant(tmp_path: Path) -> None:
    saved(tmp_path, LayerRecord("base", "k", "pull", True, 8.0), variant="release/host")
    assert history.expected(tmp_path, VARIANT, {"base"}) == history.Expected(8, 1)


@pytest.mark.parametrize("ended", ["failed", "interrupted"])
def test_what_failed_is_no_measure(tmp_path: Path, ended: history.Ended) -> None:
    lost = LayerRecord("app", "k", "build", True, 9.0, outcome=ended)
    history.save(tmp_path, run("t", outcome=ended), [lost], {"swap": 9.0})
    assert history.expected(tmp_path, VARIANT, {"app"}).seconds is None
    assert history.of_phase(tmp_path, VARIANT, "swap") is None


def test_the_parts_of_a_layer(tmp_path: Path) -> None:
    saved(tmp_path, app(1.25, compiled=3), app(2.25, compiled=5))
    found = {part: history.of_layer(tmp_path, VARIANT, "app", cold=False, part=part) for part in PARTS}
    assert found == {
        "all": history.Figures(1.75, 1.25, 2.25, 2.25, 2),
        "work": history.Figures(1.5, 1.0, 2.0, 2.0, 2),
        "export": history.Figures(0.25, 0.25, 0.25, 0.25, 2),
        "compiled": history.Figures(4, 3, 5, 5, 2),
    }


PARTS: Sequence[history.Part] = ("all", "work", "export", "compiled")


def test_the_present_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    history.save(tmp_path, run("before"), [app(1.0)], {"swap": 1.0})
    history.save(tmp_path, run("now"), [app(9.0)], {"swap": 9.0})
    found = history.of_layer(tmp_path, VARIANT, "app", cold=False, besides="now")
    assert found == history.Figures(1, 1, 1, 1, 1)
    assert history.of_phase(tmp_path, VARIANT, "swap", besides="now") == history.Figures(1, 1, 1, 1, 1)
    assert history.of_phase(tmp_path, "release/host", "swap") is None


def test_only_recent_runs_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerdoit.history.medians.RECENT", 2)
    saved(tmp_path, app(50), app(1), app(3))
    assert history.of_layer(tmp_path, VARIANT, "app", cold=False) == history.Figures(2, 1, 3, 3, 2)


def test_figures_of_values() -> None:
    assert figures([]) is None
    assert figures([3]) == history.Figures(3, 3, 3, 3, 1)
    assert figures([9, *range(1, 9), 100]) == history.Figures(5.5, 1, 100, 9, 10)


def test_figures_of_several_things() -> None:
    one, other = history.Figures(1, 0, 2, 2, 5), history.Figures(10, 9, 12, 11, 3)
    assert history.together([one, other]) == history.Figures(11, 9, 14, 13, 3)
    assert history.together([one]) == one
    assert history.together([one, None]) is None
    assert history.together([]) is None


# --- start-up --------------------------------------------------------------------------------------------------------


def test_importing_it_costs_nothing_heavy() -> None:
    code = (
        "import sys; from layerdoit import history; sys.exit(bool({'sqlite3', 'statistics', 'csv'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
