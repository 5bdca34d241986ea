"""What a watch says of each event: in words, as plain lines, as JSON."""

from __future__ import annotations

import json
import time
from typing import Any, get_args

import pytest

from layerdoit.core import console
from layerdoit.engine.board_view import Look
from layerdoit.watch.event_words import STAGES, sentence
from layerdoit.watch.events import Event, Kind
from layerdoit.watch.json_lines import JsonLines, json_line
from layerdoit.watch.lines import Lines
from layerdoit.watch.panel import Panel, told
from layerdoit.watch.scrolled import printed

AT = time.mktime((2026, 1, 2, 12, 3, 4, 0, 0, -1))
URL = "http://127.0.0.1:8080"
RUSTC = "\x1b[1m\x1b[31merror\x1b[0m: mismatched types\n --> src/main.rs:12:18"


def event(kind: Kind, project: str = "api", text: str = "", **facts: Any) -> Event:
    return Event(kind, project, text, facts, AT)


def lines(
    *events: Event, projects: tuple[str, ...] = ("api", "web"), brief: bool = False, colour: bool = False
) -> list[str]:
    panel, found = Panel.of(projects), []
    for one in events:
        before, panel = panel, told(panel, one)
        said = printed(one, before, panel, Look(colour), brief=brief)
        found += [] if said is None else [said.text]
    return found


WORDS: dict[str, Event] = {
    "getting ready for edits: all is compiled once more, where they will be": event("preparing"),
    "watching 214 files in 1 folder": event("watching", files=214, folders=1),
    "watching 2 files in 1 folder, each of which is looked at again and again": event(
        "watching", files=2, folders=1, polling=True
    ),
    "changed: a.rs, b.rs, c.rs and 2 more": event("changed", paths=["a.rs", "b.rs", "c.rs", "d.rs"], count=5),
    "compiling": event("compiling", done=0, total=3),
    "building deps · compiling · Cargo.lock changed": event(
        "building", layer="deps", words="compiling", why="Cargo.lock changed"
    ),
    "building": event("building"),
    "building · the watch begins": event("building", text="the watch begins", why="the watch begins"),
    "deps: compiling · 3 of 9 crates": event("building", words="deps: compiling · 3 of 9 crates"),
    f"serving {URL}, 1.2 s after the change (1 crate compiled)": event(
        "serving", how="compiled", url=URL, seconds=1.24, crates=1
    ),
    f"serving {URL} (deps, app built)": event("serving", how="built", url=URL, layers=["deps", "app"]),
    "serving, 0.3 s after the change (assets copied in)": event("serving", how="assets", seconds=0.31, url=None),
    "serving, 2 min 05 s after the change (started again)": event("serving", how="restarted", seconds=125.0),
    f"serving {URL} as before": event("serving", how="unchanged", url=URL),
    "serving shop-worker (deployed)": event("serving", how="built", deployment="shop-worker", of=2),
    f"serving {URL} (deployed)": event("serving", how="built", deployment="shop-api", of=2, url=URL),
    "serving as before: the change makes no difference": event("serving", how="unchanged", seconds=0.1),
    "does not compile; the old one serves on": event("failed", stage="compile", serves=True),
    "is not healthy; the old one serves on": event("failed", stage="health", serves=True),
    "does not start": event("failed", stage="start", serves=False),
    "the configuration has an error; the last one without an error stays in force": event(
        "failed", stage="configuration", serves=True
    ),
    "the configuration has an error; the next change tries again": event("failed", stage="configuration", serves=False),
    "its image could not be built; what was compiled serves on without it": event("failed", stage="image", serves=True),
    "could not be built; the next change tries again": event("failed", stage="build"),
    "could not be deployed; the old one serves on": event("failed", stage="deploy", serves=True),
    "its assets could not be copied in": event("failed", stage="assets"),
    "has ended": event("failed", stage="ended", serves=False),
    "its image is being built": event("following", key="0" * 64),
    "serving shop:app-1, built and put in place in 2.9 s": event("followed", image="shop:app-1", seconds=2.9),
    "tests run": event("tests", state="began"),
    "31 tests passed in 1.0 s": event("tests", state="passed", passed=31, seconds=1.0),
    "1 test failed in 4.0 s": event("tests", state="failed", failed=1, passed=30, seconds=4.0),
    "tests failed": event("tests", state="failed"),
    "given up for a newer change": event("cancelled"),
    f"the watch has ended; {URL} serves on": event("stopped", serves=True, url=URL),
    "the watch has ended; what serves stays": event("stopped", serves=True),
    "the watch has ended": event("stopped", serves=False, url=URL),
}


@pytest.mark.parametrize("said", WORDS)
def test_words_for_each_event(said: str) -> None:
    assert sentence(WORDS[said]) == said
    assert lines(WORDS[said])[0] == f"12:03:04 api  {said}"


def test_each_kind_and_each_stage_has_words() -> None:
    assert {one.kind for one in WORDS.values()} == set(get_args(Kind)) - {"log", "warning"}
    assert {one.facts["stage"] for one in WORDS.values() if one.kind == "failed"} == set(STAGES)


def test_whose_a_line_is() -> None:
    assert lines(event("cancelled", ""), projects=("",)) == ["12:03:04 given up for a newer change"]
    assert lines(event("cancelled", ""), projects=("api",)) == ["12:03:04 api  given up for a newer change"]
    assert lines(event("warning", "", "the disk is nearly full")) == ["12:03:04 warning: the disk is nearly full"]
    assert lines(event("log", "api", "one\ntwo"), projects=("api", "worker")) == ["api    | one\napi    | two"]
    assert lines(event("log", "", "GET /"), projects=("",)) == ["GET /"]


def test_whose_a_line_is_of_several_services() -> None:
    def served(project: str, *services: str) -> list[Event]:
        return [event("serving", project, how="built", service=one, of=2) for one in services]

    log = event("log", "", "one\ntwo", deployment="shop-api", service="api")
    assert lines(*served("", "api", "worker"), log, projects=("",))[2:] == ["api    | one\napi    | two"]
    # A dodo.py may call its only project something.
    called = event("log", "shop", "one", service="worker")
    assert lines(*served("shop", "api", "worker"), called, projects=("shop",))[2:] == ["worker | one"]
    both = [event("log", "shop", "GET /", service="api"), event("log", "docs", "GET /")]
    assert lines(*served("shop", "api", "worker"), *both, projects=("shop", "docs"))[2:] == [
        "shop:api    | GET /",
        "docs        | GET /",
    ]


def test_progress_within_a_step_is_no_new_line() -> None:
    steps = [event("building", why="w", layer="deps"), event("building", layer="deps", done=1, total=2)]
    steps += [event("building", layer="app"), event("compiling"), event("compiling", done=1), event("cancelled")]
    assert [line.partition("  ")[2] for line in lines(*steps, event("compiling"))] == [
        "building deps · w",
        "building app · w",
        "compiling",
        "given up for a newer change",
        "compiling",
    ]


def test_why_a_turn_began_is_said_once() -> None:
    steps = [event("building", text="w", why="w"), event("building", words="deps    build shop:deps-1 in 9 s")]
    assert [line.partition("  ")[2] for line in lines(*steps, event("building", words="deploy  shop started"))] == [
        "building · w",
        "deps    build shop:deps-1 in 9 s",
        "deploy  shop started",
    ]


def test_an_error_stands_in_full_below_its_line_in_the_compiler_s_colours() -> None:
    serving = event("serving", how="built", url=URL)
    failed = event("failed", "api", f"{RUSTC}\n\n", stage="compile")
    head = "12:03:04 api  does not compile; the old one serves on"
    assert lines(serving, failed)[1] == f"{head}\nerror: mismatched types\n --> src/main.rs:12:18\n"
    shown = lines(serving, failed, colour=True)[1]
    assert RUSTC in shown
    assert "\x1b[31mdoes not compile\x1b[0m; the old" in shown
    for by in ("rustc", "cargo"):
        assert lines(event("warning", "api", RUSTC, by=by), colour=True) == [f"{RUSTC}\n"]


def test_nothing_that_a_service_writes_moves_the_terminal() -> None:
    text = "\x1b[2J\x1b[32mfine\r\x1b]0;title\x07\x1b[1A\a and\ttab"
    assert lines(event("log", "", text), projects=("",), colour=True) == ["\x1b[32mfine   and\ttab\x1b[0m"]
    assert "\x1b" not in lines(event("log", "", text), projects=("",))[0]


def test_beside_a_block_only_what_stays_is_printed() -> None:
    every = [*WORDS.values(), event("log", "api", "a line"), event("warning", "", "beware")]
    kinds = {one.kind for one in every if lines(one, brief=True)}
    assert kinds == {"serving", "failed", "followed", "tests", "stopped", "log", "warning"}
    assert lines(event("tests", state="began"), brief=True) == []
    # The block has the address in view, unless it is a new one.
    first, second = event("serving", how="built", url=URL), event("serving", how="compiled", url=URL, seconds=1.0)
    assert lines(first, second, brief=True) == [
        f"12:03:04 api  serving {URL} (deployed)",
        "12:03:04 api  serving, 1.0 s after the change (compiled)",
    ]


def test_log_lines_may_be_hidden() -> None:
    panel = Panel.of(["api"], logs=False)
    assert printed(event("log", "api", "GET /"), panel, panel, Look(), brief=True) is None


def test_json_has_the_facts_and_no_colours() -> None:
    failed = Event("failed", "api", RUSTC, {"stage": "compile", "seconds": 0.6, "event": "x"}, 1767355384.1234)
    assert json.loads(json_line(failed)) == {
        "event": "failed",
        "project": "api",
        "at": "2026-01-02T12:03:04.123Z",
        "stage": "compile",
        "seconds": 0.6,
        "text": "error: mismatched types\n --> src/main.rs:12:18",
    }
    assert "text" not in json.loads(json_line(event("following", key="k")))
    assert "\n" not in json_line(failed)


def test_json_leaves_out_what_is_not_known_and_no_empty_line_of_a_service() -> None:
    assert json.loads(json_line(event("compiling", done=None, total=3))).keys() == {"event", "project", "at", "total"}
    assert json.loads(json_line(event("log", text="", deployment="api")))["text"] == ""


def test_each_event_is_an_object_in_a_line_and_flushed(capsys: pytest.CaptureFixture[str]) -> None:
    out = JsonLines()
    for one in WORDS.values():
        out.tell(one)
    out.close()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["event"] for one in told] == [one.kind for one in WORDS.values()]


def test_ours_name_tasks_as_they_are_typed_and_the_compiler_s_stay(capsys: pytest.CaptureFixture[str]) -> None:
    console.speak_for("", lambda text: text.replace("doit", "doit shop:"))
    out = Lines(["api", "web"], logs=True, as_typed={"web": lambda text: text.replace("doit", "doit web:")})
    console.speak_for("")
    out.tell(event("failed", "api", "next: doit image", stage="build"))
    out.tell(event("failed", "api", "call doit image", stage="compile"))
    out.tell(event("failed", "web", "next: doit deps", stage="build"))
    said = capsys.readouterr().out
    assert "next: doit shop: image" in said
    assert "call doit image" in said
    assert "next: doit web: deps" in said


def test_a_reader_that_is_gone_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_text: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(console, "pass_on", gone)
    for out in (Lines(["api"], logs=True), JsonLines()):
        with pytest.raises(BrokenPipeError):
            out.tell(event("cancelled"))
        out.tell(event("stopped"))
        out.close()
