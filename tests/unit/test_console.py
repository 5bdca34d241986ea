"""Output in an encoding that lacks a character."""

from __future__ import annotations

import io
import sys

import pytest

from layerdoit.core import console


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", b"a ? b ? ?"), ("latin-1", b"a \xb7 b ? ?"), ("utf-8", "a \u00b7 b \u2026 ?".encode())],
)
def test_what_cannot_be_printed_is_replaced(
    monkeypatch: pytest.MonkeyPatch, errors: str, encoding: str, shown: bytes
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding, errors=errors))
    console.replace_unprintable()
    console.say("a \u00b7 b \u2026 \udce9")
    assert written.getvalue() == shown + b"\n"


def test_a_stream_of_somebody_else_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    console.replace_unprintable()
    console.say("\u2026")
