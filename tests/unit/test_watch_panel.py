"""The block of a watch: how events change it, and how it is drawn."""

from __future__ import annotations

import time
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.core.terminal import Size, plain, width
from layerdoit.engine.board_view import Look
from layerdoit.watch.event_words import STAGES
from layerdoit.watch.events import Event, Kind
from layerdoit.watch.panel import Panel, told
from layerdoit.watch.panel_view import frame

AT = time.mktime((2026, 1, 2, 12, 3, 0, 0, 0, -1))
URL = "http://127.0.0.1:8080"


def event(kind: Kind, project: str = "api", at: float = 0.0, text: str = "", **facts: Any) -> Event:
    return Event(kind, project, text, facts, AT + at)


def after(*events: Event, projects: tuple[str, ...] = ("api", "web")) -> Panel:
    panel = Panel.of(projects)
    for one in events:
        panel = told(panel, one)
    return panel


def drawn(panel: Panel, columns: int = 79, rows: int = 23, now: float = 10.0, **look: bool) -> list[str]:
    return frame(panel, Size(columns, rows), AT + now, Look(**look))


def first(*events: Event, columns: int = 79) -> str:
    return drawn(after(*events), columns)[0]


SERVING = event("serving", how="built", url=URL, layers=["deps", "app"], image="shop:app-1")
EDITED = event("serving", at=4.0, how="compiled", url=URL, seconds=1.24, crates=1)


def test_all_services_of_a_project_tell_where_they_serve() -> None:
    api = event("serving", deployment="api", url="http://h:1", image="shop:app-1", how="built")
    web = event("serving", deployment="web", url="http://h:2", image="shop:app-1", how="built")
    assert "http://h:1 http://h:2 ·" in first(api, web)
    assert "http://h:1 http://h:3 ·" in first(
        api, web, event("serving", deployment="web", url="http://h:3", how="built")
    )
    # A service that is gone is deployed no more.
    assert "http://h:1 ·" in first(api, web, event("building", why="another base"), api)


def test_several_images_are_counted() -> None:
    api = event("serving", deployment="api", url="http://h:1", image="shop.api:app-1", how="built")
    web = event("serving", deployment="web", url="http://h:2", image="shop.web:app-1", how="built")
    assert "· 2 images ·" in first(api, web)
    # Of the other one, it is that of before.
    edited = event("serving", deployment="web", url="http://h:2", how="compiled")
    assert "· 2 images ·" in first(api, web, edited, event("followed", deployment="web", image="shop.web:app-2"))
    assert "· shop.api:app-1 ·" in first(api, web, event("building", why="another base"), api)


# --- the model and its words -----------------------------------------------------------------------------------------


def test_a_day_of_a_project_line_by_line() -> None:
    assert first() == "api     starts"
    assert first(event("building", why="the watch begins", layer="deps")) == (
        "api     building deps  10 s · the watch begins"
    )
    progress = event("building", at=2.0, layer="deps", words="compiling", done=11, total=44, unit="crates")
    assert first(event("building", why="Cargo.lock changed"), progress) == (
        "api     building deps  compiling 11 of 44 crates · 10 s · Cargo.lock changed"
    )
    ordinary = event("building", at=2.0, words="deps: compiling · 11 of 44 crates · 8 s")
    assert first(event("building", why="Cargo.lock changed"), ordinary) == (
        "api     building  deps: compiling · 11 of 44 crates · 8 s · Cargo.lock changed"
    )
    assert first(SERVING) == f"api     serving  {URL} · shop:app-1 · since 12:03:00"
    changed = event("changed", paths=["src/main.rs"], count=3)
    assert first(SERVING, changed) == f"api     changed  src/main.rs and 2 more · {URL}"
    compiling = event("compiling", at=1.0, done=3, total=6, crates=["api", "core", "db"])
    assert first(SERVING, changed, compiling) == (
        "api     compiling  █████░░░░░  3 of 6 crates · 9 s · http://127.0.0.1:8080"
    )
    assert first(SERVING, compiling, EDITED) == f"api     serving  {URL} · ahead of its image · since 12:03:04"
    assert first(SERVING, EDITED, event("following"), columns=99) == (
        f"api     serving  {URL} · its image is being built · since 12:03:04"
    )
    assert first(SERVING, EDITED, event("following"), event("followed", image="shop:app-2", seconds=3.0)) == (
        f"api     serving  {URL} · shop:app-2 · since 12:03:04"
    )
    assert first(SERVING, compiling, event("failed", at=2.0, stage="compile")) == (
        f"api     does not compile  {URL} serves the old one · 12:03:02"
    )
    assert first(event("failed", at=2.0, stage="start")) == "api     does not start  12:03:02"
    assert first(SERVING, event("stopped", "")) == f"api     stopped  {URL}"
    assert first(SERVING, event("stopped", "", serves=False)) == "api     stopped"


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (120, f"compiling  ████████████░░░░░░░░░░░░  3 of 6 crates · 9 s · {URL} · api, core and 1 more"),
        (79, f"compiling  █████░░░░░  3 of 6 crates · 9 s · {URL}"),
        (66, f"compiling  3 of 6 crates · 9 s · {URL}"),
        (39, "compiling  3 of 6 crates · 9 s"),
        (32, "compiling  3 of 6 crates"),
        (20, "compiling"),
        (12, "com…"),
    ],
)
def test_a_narrow_window_loses_the_cheapest_facts_first(columns: int, shown: str) -> None:
    compiling = event("compiling", at=1.0, done=3, total=6, crates=["api", "core", "db"])
    assert first(SERVING, compiling, columns=columns) == f"api     {shown}"


def test_an_address_is_cut_by_its_scheme_only() -> None:
    assert first(SERVING, columns=39) == f"api     serving  {URL}"
    assert first(SERVING, columns=37) == "api     serving  127.0.0.1:8080"
    assert first(SERVING, columns=30) == "api     serving"


def test_the_last_turns_and_the_tests_stand_below() -> None:
    panel = after(SERVING, EDITED, event("failed", stage="compile", seconds=0.4), event("tests", state="began"))
    assert drawn(panel)[1] == "         tests run · 0.4 s does not compile · 1.2 s 1 crate compiled"
    assert drawn(panel, columns=50)[1] == "         tests run · 0.4 s does not compile"
    failed = told(panel, event("tests", state="failed", at=5.0))
    assert drawn(failed, colour=True)[1].startswith("         \x1b[31mtests failed at 12:03:05\x1b[0m · 0.4 s")
    # What they said is about what there was.
    assert "tests" not in drawn(told(failed, event("changed", paths=["a"], count=1)))[1]


def test_the_only_project_needs_no_name() -> None:
    panel = after(event("serving", "", how="unchanged", url=URL, image="shop:app-1"), projects=("",))
    assert drawn(panel)[0] == f"serving  {URL} · shop:app-1 · since 12:03:00"
    # One that was typed is named also where an event names nobody.
    panel = after(event("compiling", ""), projects=("api",))
    assert drawn(panel)[0] == "api     compiling  10 s"


def test_nothing_started_anew_serves_since_it_did_and_is_what_it_was() -> None:
    unchanged = event("serving", at=9.0, how="unchanged", url=URL, seconds=0.1)
    assert first(SERVING, unchanged) == f"api     serving  {URL} · shop:app-1 · since 12:03:00"
    assert first(SERVING, EDITED, unchanged) == f"api     serving  {URL} · ahead of its image · since 12:03:04"


def test_progress_keeps_the_time_at_which_the_turn_began() -> None:
    panel = after(event("compiling", at=1.0), event("changed", at=2.0), event("compiling", at=3.0, done=1, total=2))
    assert panel.parts[0].since == AT + 1.0
    # A turn that is given up leaves its change; the next one has its own time.
    panel = told(told(panel, event("cancelled", at=4.0)), event("compiling", at=5.0))
    assert panel.parts[0].since == AT + 5.0


def test_an_image_that_fails_leaves_what_serves_ahead_of_it() -> None:
    part = after(SERVING, EDITED, event("following"), event("failed", stage="image")).parts[0]
    assert (part.follows, part.ahead, part.serves) == (False, True, True)


def test_an_edit_waits_for_the_workshop() -> None:
    panel = after(SERVING, event("preparing"))
    assert any("getting ready for edits" in line for line in drawn(panel))
    assert not any("getting ready" in line for line in drawn(told(panel, event("watching", files=3, folders=1))))


def test_what_is_about_all_of_several_is_no_state_of_one() -> None:
    panel = after(SERVING)
    assert told(panel, event("failed", "", stage="configuration")).parts == panel.parts
    first = told(panel, event("watching", "api", files=3, folders=1))
    both = told(told(first, event("watching", "web", files=4, folders=1)), event("watching", "api", files=5, folders=1))
    assert (first.files, both.files) == (3, 9)
    assert [part.name for part in told(panel, event("compiling", "new")).parts] == ["api", "web", "new"]


# --- the window ------------------------------------------------------------------------------------------------------


def test_the_keys_stand_at_the_end() -> None:
    keys = "r rebuild  l logs  t tests  q quit"
    panel = after(SERVING, event("watching", "", files=214, folders=12))
    assert drawn(panel)[-1] == f"{keys}   214 files watched"
    assert drawn(panel, columns=40)[-1] == keys
    assert drawn(panel, columns=20)[-1] == "r l t q"
    assert drawn(panel._replace(logs=False))[-1].startswith("r rebuild  l logs (hidden)  t tests")
    assert keys not in "".join(frame(panel, Size(79, 23), AT, Look(), keys=False))


def test_half_of_a_low_window_is_for_what_scrolls_by() -> None:
    panel = after(SERVING, EDITED, event("serving", "web", how="built", seconds=3.0, url=URL))
    assert [line[:7].strip() for line in drawn(panel, rows=23)] == ["api", "", "web", "", "r rebui"]
    assert [line[:7].strip() for line in drawn(panel, rows=9)] == ["api", "", "web", "r rebui"]
    assert [line[:7].strip() for line in drawn(panel, rows=5)] == ["api", "web", "r rebui"]
    assert len(drawn(panel, rows=1)) == 1


def test_of_more_projects_than_rows_the_ones_in_need_are_shown() -> None:
    names = tuple(f"p{number:02}" for number in range(30))
    serving = [event("serving", name, how="built", url=URL) for name in names]
    panel = after(*serving, event("failed", "p20", stage="health"), event("compiling", "p25"), projects=names)
    lines = drawn(panel, rows=9)
    assert [line.split()[0] for line in lines] == ["p00", "p01", "p20", "p25", "and", "r"]
    assert lines[-2] == "and 26 more: 26 serving"


def test_colours_are_for_states_only_and_signs_for_terminals_that_have_them() -> None:
    panel = after(SERVING, EDITED, event("compiling", done=1, total=4), event("failed", "web", stage="start"))
    lines = drawn(panel, colour=True)
    assert "\x1b[36mcompiling\x1b[0m" in lines[0]
    assert "\x1b[31mdoes not start\x1b[0m" in lines[2]
    assert list(map(plain, lines)) == drawn(panel)
    assert all(line.isascii() for line in drawn(panel, columns=50, unicode=False))


FACTS = {
    "watching": st.fixed_dictionaries({"files": st.integers(0, 10**6), "folders": st.integers(0, 10**5)}),
    "changed": st.fixed_dictionaries(
        {"paths": st.lists(st.text(max_size=40), max_size=4), "count": st.integers(1, 99)}
    ),
    "compiling": st.fixed_dictionaries(
        {},
        optional={"done": st.integers(0, 300), "total": st.integers(0, 300), "crates": st.lists(st.text(max_size=20))},
    ),
    "building": st.fixed_dictionaries(
        {},
        optional={"why": st.text(max_size=60), "layer": st.sampled_from(["base", "deps"]), "done": st.integers(0, 9)},
    ),
    "serving": st.fixed_dictionaries(
        {"how": st.sampled_from(["compiled", "restarted", "assets", "built", "unchanged"])},
        optional={
            "url": st.sampled_from([URL, None, "http://[::1]:65535"]),
            "seconds": st.floats(0, 1e5) | st.none(),
            "image": st.text(max_size=60),
        },
    ),
    "failed": st.fixed_dictionaries(
        {"stage": st.sampled_from(sorted(STAGES))}, optional={"serves": st.booleans(), "seconds": st.floats(0, 1e5)}
    ),
    "tests": st.fixed_dictionaries({"state": st.sampled_from(["began", "passed", "failed"])}),
}
EVENTS = st.sampled_from(get_args(Kind)).flatmap(
    lambda kind: st.builds(
        Event,
        st.just(kind),
        st.sampled_from(["", "api", "web", "worker:a-name-that-is-far-too-long", "名前"]),
        st.text(),
        FACTS.get(kind, st.just({})),
        st.floats(0, 2e9),
    )
)


@given(st.lists(EVENTS, max_size=12), st.integers(0, 130), st.integers(0, 40), st.booleans())
def test_whatever_happens_the_block_fits(events: list[Event], columns: int, rows: int, colour: bool) -> None:
    panel = after(*events)
    lines = frame(panel, Size(columns, rows), 1e9, Look(colour))
    assert all(width(line) <= columns for line in lines), lines
    assert len(lines) <= max(1, rows * 2 // 3) if rows and columns else not lines
    assert not any("\n" in line for line in lines)
    assert all(line.count("\x1b[") == line.count("\x1b[0m") * 2 for line in lines)
