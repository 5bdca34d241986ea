"""Play what a watch of two projects might tell, to look at its screen: `python -m tools.watch_demo [--json] [SPEED]`.

The larger SPEED, the faster; `q` ends it.
"""

from __future__ import annotations

import contextlib
import queue
import sys
from collections.abc import Iterator
from typing import Any

from layerdoit.core.console import replace_unprintable
from layerdoit.core.signals import as_errors
from layerdoit.watch.events import Event, Kind
from layerdoit.watch.screen import shown

ERROR = """\
\x1b[0m\x1b[1m\x1b[38;5;9merror[E0308]\x1b[0m\x1b[0m\x1b[1m: mismatched types\x1b[0m
 \x1b[0m\x1b[1m\x1b[38;5;12m--> \x1b[0m\x1b[0mcrates/api/src/main.rs:12:18\x1b[0m
\x1b[0m   \x1b[1m\x1b[38;5;12m|\x1b[0m
\x1b[0m\x1b[1m\x1b[38;5;12m12\x1b[0m \x1b[1m\x1b[38;5;12m|\x1b[0m     let port: u16 = "8080";
\x1b[0m   \x1b[1m\x1b[38;5;12m|\x1b[0m               ---   \x1b[1m\x1b[38;5;9m^^^^^^ expected `u16`, found `&str`\x1b[0m
"""
WARNING = "\x1b[1m\x1b[33mwarning\x1b[0m\x1b[1m: unused variable: `n`\x1b[0m\n --> crates/web/src/main.rs:3:9"
API, WEB = "http://127.0.0.1:8080", "http://127.0.0.1:8081"


def play() -> Iterator[tuple[float, Event]]:
    """Events, each with the seconds before it."""
    yield _told(0.1, "watching", "", files=214, folders=12)
    yield _told(0.3, "building", "web", why="the watch begins", layer="deps", words="compiling", done=0, total=44)
    yield _told(0.2, "serving", "api", how="unchanged", url=API, image="shop/api:app-a33117e97b53")
    for done in range(0, 45, 4):
        facts: dict[str, Any] = {"layer": "deps", "words": "compiling", "done": done, "total": 44, "unit": "crates"}
        yield _told(0.2, "building", "web", **facts)
    yield _told(0.2, "serving", "web", how="built", url=WEB, layers=["deps", "app"], image="shop/web:app-0123456789ab")
    for turn in range(3):
        yield _told(1.0, "changed", "api", paths=["crates/api/src/main.rs", "crates/core/src/lib.rs"], count=2 + turn)
        for done in range(4):
            yield _told(0.3, "compiling", "api", done=done, total=4, crates=["api"])
        yield _told(0.1, "serving", "api", how="compiled", url=API, seconds=1.24 + turn, crates=2)
        for number in range(4):
            yield _told(0.1, "log", "api", f"GET /books/{number} 200 \x1b[32mfine\x1b[0m")
            yield _told(0.1, "log", "web", f"GET / 200 from 10.0.0.{number}")
    yield _told(0.5, "warning", "web", WARNING, by="rustc")
    yield _told(1.0, "changed", "api", paths=["crates/api/src/main.rs"], count=1)
    yield _told(0.1, "compiling", "api")
    yield _told(0.6, "failed", "api", ERROR, stage="compile", seconds=0.6)
    yield _told(1.0, "tests", "web", state="began")
    yield _told(1.0, "tests", "web", state="passed", seconds=1.0, passed=31)
    yield _told(0.5, "changed", "api", paths=["crates/api/src/main.rs"], count=1)
    yield _told(0.1, "compiling", "api")
    yield _told(0.9, "serving", "api", how="compiled", url=API, seconds=0.94, crates=1)
    yield _told(2.0, "following", "api", key="0" * 64)
    yield _told(2.0, "followed", "api", image="shop/api:app-b33117e97b53", seconds=2.0)
    yield _told(1.0, "warning", "", "the limit of inotify is reached: files are looked at every second")


def _told(before: float, kind: Kind, project: str, text: str = "", **facts: Any) -> tuple[float, Event]:
    return before, Event(kind, project, text, facts)


def main(words: list[str]) -> None:
    """Play it once, and wait for `q`."""
    replace_unprintable()
    json = "--json" in words
    speed = next((float(word) for word in words if word != "--json"), 1.0)
    keys = queue.SimpleQueue[str]()
    with as_errors(), contextlib.closing(shown(["api", "web"], json, keys.put)) as screen:
        for before, event in play():
            if _pressed(keys, before / speed) == "q":
                break
            screen.tell(Event(event.kind, event.project, event.text, event.facts))
        else:
            while sys.stdin.isatty() and not json and _pressed(keys, 0.2) != "q":
                pass
        screen.tell(Event("stopped"))


def _pressed(keys: queue.SimpleQueue[str], seconds: float) -> str:
    with contextlib.suppress(queue.Empty):
        return keys.get(timeout=seconds)
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
