"""How a watch ends."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.core.errors import Interrupted
from layerdoit.project.project import Project
from layerdoit.watch import loop, screen
from layerdoit.watch.events import Event


def test_a_watch_that_a_signal_ends_does_not_say_that_nothing_was_kept() -> None:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(Interrupted, match=r"^the watch was ended by signal 15$") as caught:
        loop.run([], json=True)
    assert caught.value.exit_code == 128 + signal.SIGTERM


class Ended:
    """The turns of a project whose last task has been done."""

    label, is_ahead = "", False

    def __init__(self, project: Project, *, outlasts: bool = False) -> None:
        self.project = project
        self.outlasts_its_tree = outlasts

    def last(self, task: str) -> Any:
        return SimpleNamespace(wish=SimpleNamespace(task=task), has_ended=True, seconds=1.0, result=lambda: "")

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: self


def quitted(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch, *, outlasts: bool = False) -> list[Event]:
    """What a watch tells after `q`."""
    (folder / "layerdoit.yaml").write_text(f"project: shop\n{text}\n")
    told: list[Event] = []

    def shown(_labels: object, _json: object, key: Any, *, logs: bool) -> Any:
        assert logs
        key("q")
        return SimpleNamespace(tell=told.append, close=lambda: None)

    monkeypatch.setattr(screen, "shown", shown)
    monkeypatch.setattr(loop, "Turns", lambda project, *_, **__: Ended(project, outlasts=outlasts))
    loop._Watch([loop.Part(Project.open(folder, {}), "", "")], json=False).run()
    return told


@pytest.mark.parametrize(("text", "facts"), [("watch: {stop: true}", {"serves": False}), ("", {})])
def test_what_was_removed_is_not_said_to_serve_on(
    text: str, facts: dict[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = quitted(tmp_path, text, monkeypatch)
    assert (told[-1].kind, told[-1].facts) == ("stopped", facts)


@pytest.mark.parametrize("stop", [True, False])
def test_after_a_change_that_failed_what_serves_is_left_as_it_is(
    stop: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = quitted(tmp_path, "watch: {stop: true}" if stop else "", monkeypatch, outlasts=True)
    assert [one.kind for one in told] == (["stopped"] if stop else ["warning", "stopped"])
    assert stop or "doit cycle_fast tries it once more" in told[0].text
