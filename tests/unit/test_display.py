"""The block on a real pseudo-terminal, and the plain lines elsewhere."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from layerdoit.core.doing import Doing
from layerdoit.engine import display
from layerdoit.engine.board import Row
from layerdoit.engine.display import HEARTBEAT, Told
from tests.support import screen
from tests.support.screen import Screen

ROOT = Path(__file__).parents[2]
HEAD = """\
import os, signal, sys, time
from layerdoit.core import console, doing, painter
from layerdoit.core.doing import Doing
from layerdoit.core.signals import as_errors
from layerdoit.engine.board import Board, Row, Usual
from layerdoit.engine.display import Display

def wait():
    # What the test does next, it says.
    sys.stdin.readline()

def compiling(done, *jobs):
    doing.tell(Doing("compiling", done, 90, "crates", done / 90, jobs))

rows = Board((Row("base", "reused"), Row("deps"), Row("app")))
print("before")
"""
WORKING = """\
with Display(rows).shown() as display, display.work("deps", "preparing"):
    compiling(45, "tokio", "regex-automata")
    wait()
    {more}
print("after")
"""


def shown(
    more: str = "pass", body: str = WORKING, columns: int = 80, rows: int = 24, **env: str
) -> AbstractContextManager[Screen]:
    program = [sys.executable, "-c", HEAD + body.format(more=more)]
    return screen.running(program, cwd=str(ROOT), columns=columns, rows=rows, **env)


def compiles(found: Screen) -> bool:
    return "compiling  █" in found.text


def seconds(found: Screen) -> int:
    # In a narrow window it stands alone.
    told = re.search(r"(?:50 % · |compiling  )(\d+) s", found.text)
    return int(told[1]) if told else -1


def test_a_row_for_each_layer_with_all_jobs() -> None:
    wanted = [
        "before",
        "base    reused",
        "deps    compiling  ████████████░░░░░░░░░░░░  45 of 90 crates · 50 % · N s",
        "          tokio, regex-automata",
        "app     waits",
    ]
    with shown() as found:
        # A terminal hands on what is painted line by line: no row tells that the next one is there.
        found.until(lambda: [re.sub(r"\d+ s", "N s", line) for line in found.lines] == wanted)


def test_the_clock_ticks_whatever_happens() -> None:
    with shown() as found:
        found.until(lambda: seconds(found) >= 2)
        assert "tokio" in found.text


def test_at_the_end_the_block_is_gone() -> None:
    with shown() as found:
        found.until(lambda: compiles(found))
        found.type("\n")
        assert found.end() == 0
        assert found.lines == ["before", "after"]
        assert found.shows_cursor


def test_what_is_printed_meanwhile_stands_above_the_block() -> None:
    more = 'console.say("said"); console.warn("warned\\nin two lines"); compiling(60, "hyper"); wait()'
    with shown(more) as found:
        found.until(lambda: compiles(found))
        found.type("\n")
        found.until(lambda: "hyper" in found.text)
        lines = [line for line in found.lines if line]
        assert lines[:5] == ["before", "said", "layerdoit: warned", "in two lines", "base    reused"]
        assert [line.split()[0] for line in lines[5:]] == ["deps", "hyper", "app"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_screen_is_clean_after_a_signal(signum: signal.Signals) -> None:
    body = "with as_errors():\n" + "".join(f"    {line}\n" for line in WORKING.splitlines())
    with shown(body=body) as found:
        found.until(lambda: compiles(found))
        found.process.send_signal(signum)
        assert found.end() != 0
        assert not any(line.startswith(("base", "deps", "app")) for line in found.lines)
        assert "Interrupted" in found.text
        assert found.shows_cursor


def test_a_killed_program_leaves_a_cursor_that_is_seen() -> None:
    with shown() as found:
        found.until(lambda: compiles(found))
        found.process.kill()
        found.end()
        assert found.shows_cursor
        assert b"?25l" not in found.raw


@pytest.mark.parametrize(("columns", "rows"), [(60, 24), (160, 50), (40, 3)])
def test_a_resized_window_shows_the_block_once(columns: int, rows: int) -> None:
    with shown(columns=100, rows=20) as found:
        found.until(lambda: compiles(found))
        found.resize(columns, rows)
        before = len(found.raw)
        found.until(lambda: b"deps" in found.raw[before:] and "deps    compiling" in found.text)
        found.until(lambda: seconds(found) >= 1)
        assert len([line for line in found.lines if line.startswith("deps    ")]) == 1
        assert all(len(line) < columns for line in found.lines if not line.startswith("before"))
        found.type("\n")
        assert found.end() == 0
        assert "deps" not in found.text


def test_no_colour_where_the_user_wants_none() -> None:
    for no_colour, coloured in (("", True), ("1", False)):
        with shown(NO_COLOR=no_colour) as found:
            found.until(lambda: compiles(found))
            assert (b"\x1b[36mcompiling" in found.raw) is coloured
            assert bool(re.search(rb"\x1b\[\d*m", found.raw)) is coloured


def test_a_dumb_terminal_has_plain_lines() -> None:
    with shown(TERM="dumb") as found:
        found.until(lambda: "before" in found.text)
        found.type("\n")
        assert found.end() == 0
        assert b"\x1b" not in found.raw


def test_a_terminal_without_utf_8_has_an_ascii_bar() -> None:
    with shown(PYTHONIOENCODING="ascii:replace", LC_ALL="C") as found:
        found.until(lambda: "compiling  ####" in found.text)


def test_where_the_terminal_is_gone_work_goes_on(tmp_path: Path) -> None:
    """Its window was closed, and nohup kept the program."""
    go, done = tmp_path / "go", tmp_path / "done"
    body = f"""\
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with Display(rows).shown() as display, display.work("deps", "preparing"):
    compiling(45, "tokio")
    while not os.path.exists({str(go)!r}):
        time.sleep(0.01)
    compiling(46, "tokio")
open({str(done)!r}, "w").close()
"""
    with shown(body=body) as found:
        found.until(lambda: compiles(found))
        found.hang_up()
        go.touch()
        found.process.wait(60)
    assert done.exists()


# --- plain lines -----------------------------------------------------------------------------------------------------


def test_plain_lines_of_which_the_last_is_in_view_come_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "_longest", [HEARTBEAT])
    display.tell_every(1.0)
    row = Row("deps").begun("preparing", 100.0)
    assert Told().due(row) == 101.0
    told = Told(101.0, "deps", 100.0, "preparing")
    assert told.due(row) == 102.0
    assert told.due(row.told(Doing("compiling"), 101.5)) == 102.5


def test_a_quick_build_has_no_plain_line_and_a_long_one_a_heartbeat() -> None:
    row = Row("deps").begun("preparing", 100.0)
    assert Told().due(row) == 110.0
    told = Told(110.0, "deps", 100.0, "preparing")
    assert told.due(row) == 110.0 + HEARTBEAT
    # Another step is told once it lasts.
    assert told.due(row.told(Doing("compiling"), 111.0)) == 121.0
    # Another layer has its own.
    assert told.due(Row("app").begun("preparing", 112.0)) == 122.0


def test_elsewhere_lines_are_plain_and_have_a_time(tmp_path: Path) -> None:
    # Its clock stands still: how long this machine takes from the beginning to the line is no matter.
    body = """\
import types
import layerdoit.engine.display as module
module._FIRST = 0.0
module.time = types.SimpleNamespace(monotonic=lambda: 5.0, strftime=time.strftime)
with Display(rows, "shop:").shown() as display, display.work("deps", "preparing"):
    compiling(45, "tokio")
    wait()
print("after")
"""
    with subprocess.Popen(
        [sys.executable, "-c", HEAD + body],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GITHUB_ACTIONS": "true"},
    ) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        assert process.stderr.readline() == "::group::shop:deps: preparing\n"
        lines = [process.stderr.readline()]
        while "compiling" not in lines[-1]:
            lines.append(process.stderr.readline())
        process.stdin.write("\n")
        process.stdin.flush()
        rest = process.stderr.read()
    time_and_row = r"\d\d:\d\d:\d\d shop:deps: compiling · 45 of 90 crates · 50 % · 0 s · tokio\n"
    assert re.fullmatch(time_and_row, lines[-1])
    assert rest.endswith("::endgroup::\n")
    assert "\x1b" not in "".join([*lines, rest])


def test_side_by_side_nothing_moves_or_folds_and_each_line_says_whose_it_is() -> None:
    body = """\
import threading
import layerdoit.engine.display as module
module._FIRST = 0.0
def work():
    console.speak_for("shop")
    with Display(rows, "shop:").shown() as display, display.work("deps", "preparing"):
        compiling(45, "tokio")
        wait()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    with shown(body=body, GITHUB_ACTIONS="true") as found:
        found.until(lambda: re.search(r"^\d\d:\d\d:\d\d shop:deps: compiling", found.text, re.MULTILINE))
        found.type("\n")
        assert found.end() == 0
        assert b"\x1b" not in found.raw
        assert "::" not in found.text
