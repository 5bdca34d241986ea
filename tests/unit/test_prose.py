"""Parts of sentences."""

from __future__ import annotations

import io
import sys

import pytest

from layerdoit.core.prose import confirm, listed, nearest, suggestion


@pytest.mark.parametrize(
    ("names", "limit", "total", "expected"),
    [
        ("", 5, None, ""),
        ("ab", 2, None, "a, b"),
        ("abcdefg", 3, None, "a, b, c and 4 more"),
        ("ab", 3, 9, "a, b and 7 more"),
        ("ab", 1, 1, "a and 1 more"),
    ],
)
def test_listed(names: str, limit: int, total: int | None, expected: str) -> None:
    assert listed(list(names), limit, total) == expected


def test_what_was_probably_meant() -> None:
    assert nearest("PROFLIE", ["target", "profile"]) == ["profile"]
    assert nearest("zzz", ["target", "profile"]) == []
    assert suggestion("proflie", ["target", "profile"], "valid keys") == (
        'did you mean "profile"? valid keys: target, profile'
    )
    assert suggestion("zzz", ["target"], "valid keys") == "valid keys: target"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "expected"), [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_only_yes_is_yes(
    typed: str, expected: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert confirm("sure?") is expected
    assert capsys.readouterr().out == "sure? [y/N] "


def test_nobody_is_asked_where_no_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert confirm("sure?") is None
