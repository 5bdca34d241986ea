"""Reading buildx's events, and showing them."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest

from layerdoit.engine.progress import Display, Reader


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def reader(stream: io.StringIO | None = None) -> tuple[Reader, list[str]]:
    log: list[str] = []
    return Reader(Display("deps", 10, stream or io.StringIO()), log.append), log


def output(text: str, vertex: str = "v") -> dict[str, Any]:
    return {"logs": [{"vertex": vertex, "data": base64.b64encode(text.encode()).decode()}]}


@pytest.mark.parametrize("indent", [None, 2])
def test_events_on_one_line_or_over_many(indent: int | None) -> None:
    read, log = reader()
    for line in json.dumps({**output("hello\n"), "vertexes": []}, indent=indent).splitlines():
        read.feed(line)
    assert log == ["hello"]


def test_notes_of_the_scripts_become_counts() -> None:
    read, _ = reader()
    read.feed(json.dumps(output("layerdoit: compiled=3 units=9 external=1\nlayerdoit: not-fresh anyhow@1.0\n")))
    assert read.report.counts() == {"compiled": 3, "units": 9, "external": 1}
    assert read.report.noted("not-fresh") == ["anyhow@1.0"]


def test_lines_are_put_together_from_pieces() -> None:
    read, log = reader()
    read.feed(json.dumps(output("   Compil")))
    read.feed(json.dumps(output("ing serde v1.0\n")))
    assert log == ["   Compiling serde v1.0"]
    assert read.report.crates == 1


def test_a_failed_step_keeps_its_last_lines() -> None:
    read, _ = reader()
    read.feed(json.dumps({"vertexes": [{"digest": "v", "name": "RUN x", "started": "t"}]}))
    read.feed(json.dumps(output("error[E0308]: mismatched types\n  --> src/main.rs:1:1\n")))
    read.feed(json.dumps({"vertexes": [{"digest": "v", "name": "RUN x", "error": "exit code: 101"}]}))
    read.feed("ERROR: failed to solve: exit code: 101")
    assert read.report.failed_step == "RUN x"
    assert read.report.tail[0].startswith("error[E0308]")
    assert read.report.errors == ["ERROR: failed to solve: exit code: 101"]


def test_a_terminal_shows_one_line_that_moves_and_goes() -> None:
    stream = Terminal()
    read, _ = reader(stream)
    read.feed(json.dumps(output("   Compiling serde v1.0\n")))
    assert "deps: crate 1/10 · serde" in stream.getvalue()
    display = Display("app", None, stream)
    display.update("loading", 0, "")
    display.clear()
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_elsewhere_lines_are_plain() -> None:
    stream = io.StringIO()
    read, _ = reader(stream)
    read.feed(json.dumps(output("   Compiling serde v1.0\n")))
    assert stream.getvalue().startswith("deps: ")
    assert "\x1b" not in stream.getvalue()
