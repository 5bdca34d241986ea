"""What is going on: how events change it, what is left, and how it is drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.core.doing import Doing
from layerdoit.core.terminal import Size, plain, width
from layerdoit.engine import board_view
from layerdoit.engine.board import Board, Row, Usual

JOBS = ("tokio", "regex-automata", "openssl-sys(build)", "serde_derive", "aws-lc-sys(build.rs)", "hyper")


def compiling(done: int = 47, total: int = 90, jobs: tuple[str, ...] = JOBS) -> Doing:
    return Doing("compiling", done, total, "crates", done / total, jobs)


def a_board(usual: Usual | None = None) -> Board:
    """At 125 s: the base was there, dependencies compile since 43 s, two of their jobs since longer."""
    row = Row("deps").begun("preparing", 82.0).told(compiling(jobs=JOBS[:2]), 90.0).told(compiling(), 124.0)
    return Board((Row("base", "reused"), row._replace(usual=usual), Row("app")))


def drawn(board: Board, columns: int, rows: int = 24, **look: bool) -> str:
    return "\n".join(board_view.block(board, Size(columns, rows), 125.0, board_view.Look(**look)))


# --- the model -------------------------------------------------------------------------------------------------------


def test_jobs_that_go_on_keep_their_time() -> None:
    assert [(job.name, job.since) for job in a_board().row("deps").jobs][:3] == [
        ("tokio", 90.0),
        ("regex-automata", 90.0),
        ("openssl-sys(build)", 124.0),
    ]


def test_the_step_has_its_time_and_the_layer_its_own() -> None:
    row = Row("deps").begun("preparing", 1.0).told(Doing("compiling"), 5.0).told(Doing("compiling", 1, 2), 6.0)
    assert (row.since, row.doing_since, row.what) == (1.0, 5.0, "compiling")
    ended = row.ended(9.0)
    assert (ended.state, ended.until, ended.jobs, ended.doing) == ("done", 9.0, (), Doing(""))


def test_several_rows_may_be_worked_on() -> None:
    board = Board((Row("base"), Row("deps")))
    assert board.working == ()
    board = board.with_row(board.row("deps").begun("preparing", 1.0)).with_row(Row("deploy").begun("replacing", 2.0))
    assert [row.name for row in board.rows] == ["base", "deps", "deploy"]
    assert [row.name for row in board.working] == ["deps", "deploy"]


@pytest.mark.parametrize(
    ("usual", "spent", "share", "left"),
    [
        (None, 10.0, 0.5, None),
        (60.0, 20.0, None, 40.0),
        (60.0, 70.0, None, None),  # longer than ever: no figure is honest
        (60.0, 70.0, 0.05, None),
        (60.0, 30.0, 0.5, 30.0),
        (60.0, 60.0, 0.5, 30.0),  # half by history (0 s), half by its own pace (60 s)
        (60.0, 90.0, 0.9, 9.0),
        (60.0, 90.0, 1.0, 0.0),
    ],
)
def test_what_is_left_is_history_at_first_and_its_own_pace_in_the_end(
    usual: float | None, spent: float, share: float | None, left: float | None
) -> None:
    row = Row("deps").begun("preparing", 100.0).told(Doing("compiling", unit="crates", share=share), 100.0)
    row = row._replace(usual=None if usual is None else Usual(usual, 6))
    assert row.left(100.0 + spent) == (None if left is None else pytest.approx(left))


def test_how_far_a_transfer_is_says_nothing_of_the_rest() -> None:
    row = Row("deps").begun("preparing", 100.0).told(Doing("sending", 9, 10, "bytes", 0.9), 100.0)
    assert row._replace(usual=Usual(60.0, 6)).left(110.0) == 50.0


# --- the block -------------------------------------------------------------------------------------------------------


def test_a_window_of_160() -> None:
    assert drawn(a_board(Usual(80.0, 6)), 160).splitlines() == [
        "base    reused",
        "deps    compiling  ████████████░░░░░░░░░░░░  47 of 90 crates · 52 % · 43 s · about 40 s left, n=6",
        "          tokio 35 s, regex-automata 35 s, openssl-sys(build), serde_derive, aws-lc-sys(build.rs), hyper",
        "app     waits",
    ]


def test_a_window_of_80() -> None:
    assert drawn(a_board(Usual(80.0, 6)), 80).splitlines() == [
        "base    reused",
        "deps    compiling  █████░░░░░  47 of 90 crates · 52 % · 43 s",
        "          tokio 35 s, regex-automata 35 s, openssl-sys(build), serde_derive,",
        "          aws-lc-sys(build.rs), hyper",
        "app     waits",
    ]


def test_a_window_of_60() -> None:
    assert drawn(a_board(), 60).splitlines() == [
        "base    reused",
        "deps    compiling  █████░░░░░  47 of 90 crates · 52 % · 43 s",
        "          tokio 35 s, regex-automata 35 s,",
        "          openssl-sys(build), serde_derive,",
        "          aws-lc-sys(build.rs), hyper",
        "app     waits",
    ]


def test_a_window_of_40() -> None:
    assert drawn(a_board(), 40).splitlines()[:2] == ["base    reused", "deps    compiling  43 s"]
    assert drawn(a_board(), 24).splitlines()[:3] == [
        "base    reused",
        "deps    compiling  43 s",
        "          tokio 35 s,",
    ]
    assert drawn(a_board(), 12).splitlines()[:2] == ["base…", "deps…"]


def test_a_low_window_loses_what_is_least_dear() -> None:
    assert drawn(a_board(), 80, 3).splitlines() == [
        "deps    compiling  ████████████░░░░░░░░░░░░  47 of 90 crates · 52 % · 43 s",
        "          tokio 35 s, regex-automata 35 s, openssl-sys(build) and 3 more",
        "app     waits",
    ]
    assert drawn(a_board(), 80, 1) == "deps    compiling  ████████████░░░░░░░░░░░░  47 of 90 crates · 52 % · 43 s"
    assert drawn(a_board(), 80, 0) == ""


def test_states_have_colours_and_nothing_else_has() -> None:
    board = a_board().with_row(Row("base").begun("", 1.0).ended(4.2))
    lines = drawn(board, 80, colour=True).splitlines()
    assert lines[0] == "base    \x1b[32mdone in 3.2 s\x1b[0m"
    assert lines[1].startswith("deps    \x1b[36mcompiling\x1b[0m  █")
    assert lines[-1] == "app     \x1b[2mwaits\x1b[0m"
    assert "\n".join(map(plain, lines)) == drawn(board, 80)


def test_where_the_terminal_lacks_characters_the_bar_is_ascii() -> None:
    assert "#####-----" in drawn(a_board(), 80, unicode=False)


def test_bytes_have_the_unit_of_the_whole() -> None:
    row = Row("base").begun("pulling", 100.0).told(Doing("pulling", 120_000_000, 320_000_000, "bytes", 0.375), 101.0)
    assert drawn(Board((row,)), 100) == "base    pulling  █████████░░░░░░░░░░░░░░░  120 of 320 MB · 37 % · 25 s"


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
doings = st.builds(
    Doing,
    texts,
    st.none() | st.integers(0, 9999),
    st.none() | st.integers(1, 9999),
    st.sampled_from(["", "crates", "bytes"]),
    st.none() | st.floats(0, 1),
    st.lists(texts, max_size=12).map(tuple),
)
rows = st.builds(
    lambda name, state, doing, usual: Row(name, state, "preparing", 5.0, 9.0, usual=usual).told(doing, 7.0),
    texts,
    st.sampled_from(["waits", "reused", "works", "done"]),
    doings,
    st.none() | st.builds(Usual, st.floats(0, 5000), st.integers(3, 50)),
)


@given(st.lists(rows, max_size=6), st.integers(0, 200), st.integers(0, 30), st.floats(9, 9000), st.booleans())
def test_no_line_is_wider_and_no_block_taller_than_the_window(
    found: list[Row], columns: int, high: int, now: float, colour: bool
) -> None:
    lines = board_view.block(Board(tuple(found)), Size(columns, high), now, board_view.Look(colour))
    assert len(lines) <= high
    assert all(width(line) <= columns for line in lines)


@given(st.lists(rows.filter(lambda row: row.state != "works"), max_size=6), st.integers(40, 200), st.integers(1, 9))
def test_what_works_is_always_in_sight_with_its_time(found: list[Row], columns: int, high: int) -> None:
    board = Board((*found, Row("app").begun("preparing", 0.0)))
    lines = board_view.block(board, Size(columns, high), 10.0, board_view.Look())
    assert "app     preparing  10 s" in lines


# --- plain lines -----------------------------------------------------------------------------------------------------


def test_a_plain_line_tells_everything() -> None:
    assert board_view.plain(a_board(Usual(80.0, 6)).row("deps"), 125.0) == (
        "deps: compiling · 47 of 90 crates · 52 % · 43 s · about 40 s left, n=6 · "
        "tokio, regex-automata, openssl-sys(build), serde_derive, aws-lc-sys(build.rs), hyper"
    )
