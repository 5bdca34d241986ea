"""What the turns of a watch tell of failures, and of runs that went on beside them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.cargo import own_warnings
from layerdoit.config import Config
from layerdoit.core.ending import Ending
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.watch import cycle
from layerdoit.watch.cycle import DeployFailed, Failed
from layerdoit.watch.events import Event
from layerdoit.watch.telling import Telling
from tests.unit import test_diagnostics as compiler


def failed(stage: str, error: LayerdoitError) -> Event:
    told: list[Event] = []
    Telling("", told.append, coloured=False).fail(stage, error, serves=True)
    return told[0]


def test_a_message_says_what_is_to_be_done_while_a_watch_goes_on() -> None:
    assert failed("configuration", ConfigError("port: many is no number")).text == (
        "port: many is no number\nnext: correct it and save"
    )
    said = failed("build", DeployFailed("ended\nnext: fix the problem that its log shows, then run doit cycle_fast"))
    assert said.text == "ended\nnext: fix the problem that its log shows, and save"


def test_the_compiler_s_words_come_first() -> None:
    assert failed("compile", LayerdoitError("app did not build\nerror[E0308]")).text == "error[E0308]"
    assert failed("build", LayerdoitError("app did not build\nno cargo")).text == "app did not build\nno cargo"


def test_what_is_built_and_not_deployed_is_not_said_to_be_not_built() -> None:
    assert failed("build", DeployFailed("the port is taken")).facts["stage"] == "deploy"
    assert failed("build", Failed("app did not build")).facts["stage"] == "build"
    assert failed("image", DeployFailed("the port is taken")).facts["stage"] == "image"


def test_warnings_of_cargo_itself_have_its_name() -> None:
    told: list[Event] = []
    found = own_warnings.diagnostics(["warning: unused manifest key: foo", "warning: api@1.0.0: look out"])
    shown = tuple(one._replace(compiled=True) for one in found)
    telling = Telling("shop", told.append, coloured=True)
    telling._warn(shown)
    assert [event.facts for event in told] == [{"by": "cargo"}, {"by": "cargo", "crate": "api"}]


def test_warnings_come_before_the_error_as_data() -> None:
    told: list[Event] = []
    telling = Telling("shop", told.append, coloured=True)
    session: Any = SimpleNamespace(project=SimpleNamespace(config=Config()))
    old = compiler.said("old", "core"), compiler.artifact("core", fresh=True)
    error = compiler.failed(compiler.said("unused"), compiler.said("wrong", level="error"), *old)
    telling.before_error(error, session)
    telling.fail("compile", error, serves=True)
    assert [(event.kind, event.facts.get("by"), event.facts.get("crate")) for event in told] == [
        ("warning", "rustc", "api"),
        ("warning", None, None),
        ("failed", None, None),
    ]
    assert told[0].text == f"{compiler.RED}warning{compiler.OFF}: unused"
    assert told[1].text.startswith("1 warning (core) more")
    assert "unused" not in told[2].text


def test_another_error_has_no_warnings() -> None:
    told: list[Event] = []
    session: Any = None
    Telling("", told.append, coloured=True).before_error(LayerdoitError("no"), session)
    assert told == []


@pytest.mark.parametrize(("said", "kind"), [("", Failed), ("layerdoit-watch: built", DeployFailed)])
def test_a_run_tells_whether_it_came_to_deploy(
    said: str, kind: type[Failed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{said}'\necho 'layerdoit: error: no' >&2\nexit 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    heard: list[str] = []
    wish = cycle.Wish("cycle", None)  # type: ignore[arg-type]
    with pytest.raises(kind, match="no") as caught:
        cycle.run(wish, lambda _, line: heard.append(line), Ending(), coloured=False)
    assert type(caught.value) is kind
    assert "layerdoit-watch: built" not in heard
