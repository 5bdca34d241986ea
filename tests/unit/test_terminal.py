"""Colours, widths, and what fits into a line."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.core import terminal
from layerdoit.core.errors import ConfigError
from layerdoit.front import variables


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def nothing_wanted() -> Iterator[None]:
    yield
    terminal.want_colour("auto")


@pytest.mark.parametrize(
    ("environment", "on_terminal", "elsewhere"),
    [
        ({"TERM": "xterm"}, True, False),
        ({}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False),
        ({"TERM": "xterm", "CLICOLOR": "0"}, False, False),
        ({"TERM": "xterm", "CLICOLOR_FORCE": "1"}, True, True),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
        ({"TERM": "xterm", "FORCE_COLOR": "0", "CLICOLOR_FORCE": "0"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colours_are_as_the_environment_says(
    environment: Mapping[str, str], on_terminal: bool, elsewhere: bool
) -> None:
    assert terminal.colour(Terminal(), environment) is on_terminal
    assert terminal.colour(io.StringIO(), environment) is elsewhere


def test_what_was_typed_goes_before_the_environment() -> None:
    terminal.want_colour("always")
    assert terminal.colour(io.StringIO(), {"NO_COLOR": "1"})
    terminal.want_colour("never")
    assert not terminal.colour(Terminal(), {"TERM": "xterm", "FORCE_COLOR": "1"})


def test_lines_move_only_where_they_can() -> None:
    closed = io.StringIO()
    closed.close()
    streams = (Terminal(), io.StringIO(), closed)
    assert [terminal.moves(stream, {"TERM": "xterm"}) for stream in streams] == [True, False, False]
    assert not terminal.moves(Terminal(), {"TERM": "dumb"})


@pytest.mark.parametrize(
    ("text", "columns"),
    [("", 0), ("abc", 3), ("\x1b[32mdone\x1b[0m", 4), ("日本", 4), ("e\u0301", 1), ("a\u200bb", 2), ("█░·…", 4)],
)
def test_widths(text: str, columns: int) -> None:
    assert terminal.width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "left"),
    [
        ("compiling the crates", 20, "compiling the crates"),
        ("compiling the crates", 19, "compiling the…"),
        ("compiling the crates", 14, "compiling the…"),
        ("compiling the crates", 13, "compiling…"),
        ("compiling", 5, "comp…"),
        ("日本語日本語", 6, "日本…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_a_line_is_cut_between_words(text: str, columns: int, left: str) -> None:
    assert terminal.cut(text, columns) == left


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.integers(0, 40))
def test_what_was_cut_fits(text: str, columns: int) -> None:
    assert terminal.width(terminal.cut(text, columns)) <= columns


@given(st.text())
def test_plain_text_moves_no_cursor(text: str) -> None:
    found = terminal.plain(f"{text}\x1b[2J\r\x1b]0;title\x07")
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in found)


def test_a_variable_says_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = {"COLOR": "never", "PROFILE": "release"}
    monkeypatch.setattr(variables, "typed_variables", lambda: typed)
    # It says nothing of the project.
    assert variables.variables() == {"PROFILE": "release"}
    assert not terminal.colour(Terminal(), {"FORCE_COLOR": "1"})
    typed["COLOR"] = "sometimes"
    with pytest.raises(ConfigError, match="auto, always, never"):
        variables.variables()


@pytest.mark.parametrize(
    ("text", "tamed"),
    [
        ("plain\ttext", "plain\ttext"),
        ("\x1b[1m\x1b[38;5;9merror\x1b[0m: a", "\x1b[1m\x1b[38;5;9merror\x1b[0m: a"),
        ("\x1b[31mleft on", "\x1b[31mleft on\x1b[0m"),
        ("\x1b[2J\x1b[1;1Hhome\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "homelink"),
        ("50 %\r60 %\x1b", "50 % 60 % "),
    ],
)
def test_of_another_program_only_colours_are_obeyed(text: str, tamed: str) -> None:
    assert terminal.tame(text) == tamed
