"""What the compiler says: read from cargo's messages, and told by the setting `warnings`."""

from __future__ import annotations

import base64
import gzip
import json
import posixpath
from typing import Any

import pytest

from layerdoit.cargo import diagnostics
from layerdoit.cargo.diagnostics import Diagnostic
from layerdoit.components import compiler_paths, compiler_words, script_protocol
from layerdoit.components.rust_failures import NotBuilt, explain
from layerdoit.components.script_protocol import Exit
from layerdoit.config import Config
from layerdoit.core.terminal import plain_lines
from tests.unit.test_rust_failures import step

RED = "\x1b[1m\x1b[91m"
OFF = "\x1b[0m"


def said(text: str, crate: str = "api", *, level: str = "warning", line: int = 1, file: str = "src/lib.rs") -> str:
    span = {"file_name": file, "line_start": line, "column_start": 4}
    message = {"message": text, "level": level, "rendered": f"{RED}{level}{OFF}: {text}\n\n", "spans": [span]}
    return json.dumps({"reason": "compiler-message", **unit(crate), "message": message})


def unit(crate: str) -> dict[str, Any]:
    target = {"kind": ["lib"], "name": crate}
    return {"package_id": f"path+file:///build/src/{crate}#0.1.0", "target": target}


def artifact(crate: str, *, fresh: bool) -> str:
    return json.dumps({"reason": "compiler-artifact", **unit(crate), "fresh": fresh})


def test_a_warning_of_a_fresh_crate_is_an_old_one() -> None:
    lines = [said("one"), said("two", "core"), artifact("api", fresh=False), artifact("core", fresh=True)]
    found = diagnostics.read(lines)
    assert [(one.crate, one.compiled) for one in found] == [("api", True), ("core", False)]
    assert plain_lines(found[0].text) == "warning: one"


def test_where_cargo_ran_twice_the_first_run_has_compiled() -> None:
    lines = [artifact("api", fresh=False), said("one"), artifact("api", fresh=True)]
    assert [one.compiled for one in diagnostics.read(lines)] == [True]


def test_what_two_targets_say_of_one_place_is_said_once() -> None:
    lines = [said("one", file="src/bin/../m.rs"), said("one", "tool", file="src/m.rs"), said("one", line=9)]
    assert len(diagnostics.read(lines)) == 2


def test_sums_and_broken_lines_are_left_out() -> None:
    sums = [said("2 warnings emitted"), said("1 warning emitted"), said("aborting due to 2 errors", level="error")]
    assert diagnostics.read([*sums, said("For more information", level="failure-note"), '{"reason":"compi', "x"]) == ()


@pytest.mark.parametrize(
    ("package_id", "name"),
    [
        ("path+file:///build/src/crates/api#0.1.0", "api"),
        ("path+file:///build/src/crates/x#the-api@0.1.0", "the-api"),
        ("the-api 0.1.0 (path+file:///build/src/crates/x)", "the-api"),
    ],
)
def test_ids_of_new_and_old_cargo(package_id: str, name: str) -> None:
    (found,) = diagnostics.read([json.dumps({**json.loads(said("one")), "package_id": package_id})])
    assert found.crate == name


# --- what is told ----------------------------------------------------------------------------------------------------

NEW = Diagnostic("warning", "new", "api", True)
OLD = Diagnostic("warning", "old", "core", False)


def shown(found: compiler_words.Told) -> tuple[str, ...]:
    return tuple(one.text for one in found.shown)


@pytest.mark.parametrize(
    ("given", "how", "texts", "line"),
    [
        ([], "show", (), ""),
        ([NEW], "show", ("new",), "1 warning (api)"),
        ([OLD], "show", (), "1 warning (core) (-v shows it)"),
        (
            [NEW, NEW._replace(text="two"), OLD],
            "show",
            ("new", "two"),
            "2 warnings (api 2); 1 warning (core) more, in crates that were not compiled again (-v shows them)",
        ),
        ([NEW, OLD], "count", (), "2 warnings (api, core) (-v shows them)"),
        ([NEW._replace(level="error")], "show", (), ""),
        ([NEW] * 8, "show", ("new",) * 8, "8 warnings (api 8); WARNINGS=count only counts them"),
    ],
)
def test_what_is_told(given: list[Diagnostic], how: str, texts: tuple[str, ...], line: str) -> None:
    found = compiler_words.told(given, how)
    assert (shown(found), found.line) == (texts, line)


def test_all_is_shown_where_all_is_asked_for() -> None:
    assert shown(compiler_words.told([NEW, OLD], "count", verbose=True)) == ("new", "old")


def test_where_nothing_shows_more_the_log_is_named() -> None:
    assert compiler_words.told([OLD], "show", log="the.log").line == "1 warning (core) (the.log has it)"


# --- a failed build --------------------------------------------------------------------------------------------------


def note(*lines: str) -> str:
    return "diagnostics " + base64.b64encode(gzip.compress("\n".join(lines).encode())).decode()


GAVE_UP = "   Compiling api v0.1.0\nerror: could not compile `api` (lib) due to 1 previous error"


def failed(*lines: str, code: int = 101, config: Config | None = None) -> NotBuilt:
    error = explain(step(code, note(*lines), tail=GAVE_UP), config or Config(), lambda: None)
    assert isinstance(error, NotBuilt)
    return error


def test_errors_stand_before_what_cargo_says_of_them() -> None:
    error = failed(said("of no interest"), said("wrong type", level="error"))
    assert error.what.splitlines()[1:] == ["error: wrong type", "", *GAVE_UP.splitlines()[1:]]
    assert str(error) == error.shown(coloured=False)
    assert f"{RED}error{OFF}: wrong type" in error.shown(coloured=True)


WRONG = Diagnostic("error", "wrong", "api", True)
LOG_HAS = ", in the whole log, which the error names"


@pytest.mark.parametrize(
    ("given", "how", "verbose", "texts", "line"),
    [
        ([WRONG, NEW], "show", False, ("new",), ""),
        ([WRONG, NEW], "deny", False, ("new",), ""),
        ([WRONG, NEW, OLD], "show", False, ("new",), f"1 warning (core) more{LOG_HAS}"),
        ([WRONG, NEW, OLD], "count", False, (), f"2 warnings (api, core){LOG_HAS}"),
        ([WRONG, NEW, OLD], "count", True, ("new", "old"), ""),
        ([WRONG], "show", False, (), ""),
    ],
)
def test_what_is_told_beside_errors(
    given: list[Diagnostic], how: str, verbose: bool, texts: tuple[str, ...], line: str
) -> None:
    found = compiler_words.beside_errors(given, how, verbose=verbose)
    assert (shown(found), found.line) == (texts, line)


def test_many_warnings_bury_no_error() -> None:
    others = [Diagnostic("warning", f"other {number}", "core", True) for number in range(500)]
    given = [WRONG, *others, NEW]
    found = compiler_words.beside_errors(given, "show")
    assert shown(found) == (*(one.text for one in others[: compiler_words.MOST - 1]), "new"), "in their order"
    assert found.line == f"481 warnings (core 481) more{LOG_HAS}"
    assert len(compiler_words.beside_errors(given, "show", verbose=True).shown) == 501


def test_a_failed_build_has_its_warnings_as_data() -> None:
    error = failed(said("unused"), said("wrong type", level="error"))
    assert [(one.level, one.crate, plain_lines(one.text)) for one in error.said] == [
        ("warning", "api", "warning: unused"),
        ("error", "api", "error: wrong type"),
    ]
    assert "unused" not in error.what
    error.placed = lambda text: text.replace("unused", "elsewhere")
    assert "elsewhere" in error.said[0].text


def test_what_was_shown_already_is_not_told_again() -> None:
    assert failed(said("unused"), code=Exit.WARNINGS).said == ()
    checked = explain(step(101, "tests", note(said("unused")), tail=GAVE_UP), Config(), lambda: None)
    assert isinstance(checked, NotBuilt)
    assert checked.said == ()


def test_a_log_has_all_of_it() -> None:
    assert compiler_words.as_text([NEW._replace(text=f"{RED}new{OFF}"), WRONG]) == "new\n\nwrong\n\n"


def test_denied_warnings_name_the_line_that_denies_them() -> None:
    denying = Config(warnings="deny", where={"warnings": "layerdoit.yaml:3"})
    error = failed(said("unused"), artifact("api", fresh=False), code=Exit.WARNINGS, config=denying)
    assert error.where == "layerdoit.yaml:3"
    assert error.what == "app did not build: 1 warning, and `warnings: deny`\nwarning: unused"


@pytest.mark.parametrize(
    ("path", "root", "shown"),
    [
        ("src/main.rs", ".", "src/main.rs"),
        ("src/main.rs", "services/api", "services/api/src/main.rs"),
        ("src/bin/../m.rs", "services/api", "services/api/src/m.rs"),
        ("/build/src/libs/common/src/lib.rs", "services/api", "libs/common/src/lib.rs"),
        ("/build/src/libs/common/src/lib.rs", ".", "../../libs/common/src/lib.rs"),
        ("/rustc/1234/library/core/src/mod.rs", "services/api", "/rustc/1234/library/core/src/mod.rs"),
    ],
)
def test_a_path_can_be_opened_from_where_the_command_was_typed(path: str, root: str, shown: str) -> None:
    text = f"error: x\n  --> {path}:3:29\n   |\n3 | a --> b:1:2 |\n   {RED}::: {OFF}{path}:4:1"
    found = compiler_paths.relocated(text, root, lambda given: f"../../{given}")
    assert found == f"error: x\n  --> {shown}:3:29\n   |\n3 | a --> b:1:2 |\n   {RED}::: {OFF}{shown}:4:1"


IN_BUILD = {
    "error: failed to parse manifest at `/build/src/ws/a b/Cargo.toml`": "… at `../ws/a b/Cargo.toml`",
    "warning: /build/src/ws/api/Cargo.toml: unused manifest key: x": "warning: ../ws/api/Cargo.toml: unused …",
    "   Compiling api v0.1.0 (/build/src/ws/a b)": "… api v0.1.0 (../ws/a b)",
    "required by package `api v0.1.0 (/build/src/libs/x)`": "… `api v0.1.0 (../libs/x)`",
    "in the workspace `/build/src/ws`, or (/build/src)": "… `../ws`, or (..)",
    "`cc -I/usr/x --at=/build/src/ws/api/c.h /build/src/ws/d.c, y`": "`cc … --at=../ws/api/c.h ../ws/d.c, y`",
    "what is in path+file:///build/src/ws#x or /a/build/src/x or /build/srcs stays": None,
    "Running `/build/target/debug/build/api/build-script-build`": None,
    "error: a\n  --> /build/src/ws/x.rs:1:2\nerror: b at /build/src/ws/y.rs:3:4": "…> ../ws/x.rs:1:2 … ../ws/y.rs:3:4",
}


@pytest.mark.parametrize("text", IN_BUILD)
def test_a_path_in_the_build_is_one_of_here(text: str) -> None:
    shown = compiler_paths.relocated(text, "../ws", lambda path: posixpath.relpath(path, "ws"))
    told = IN_BUILD[text]
    if told is None:
        assert shown == text
        return
    assert "/build/src" not in shown
    assert all(part.strip() in shown for part in told.split("…"))


def test_versions_of_stubs_are_those_of_their_packages() -> None:
    text = "package `the-api v0.0.0` depends on `core v0.0.0-rc.1`, `other v0.0.0` and `own-the-api v0.0.0`"
    stubs = compiler_paths.Stubs({}, versions={"the-api": "1.4.0", "core": "2.0.0"})
    assert compiler_paths.relocated(text, ".", str, stubs) == text.replace("`the-api v0.0.0`", "`the-api v1.4.0`")


def test_a_stub_stands_for_a_package() -> None:
    stubs = compiler_paths.Stubs({"the-api": "crates/api"}, {"Cargo.toml", ".stub/the-api/Cargo.toml"})
    text = (
        "error: x\n --> .stub/the-api/Cargo.toml:3:1\n --> Cargo.toml:9:1\n --> libs/real/Cargo.toml:4:1\n"
        "by `the-api v0.0.0 (/build/src/ws/.stub/the-api)`, by (/build/src/ws/.stub/other)"
    )
    assert compiler_paths.relocated(text, ".", lambda path: posixpath.relpath(path, "ws"), stubs) == (
        "error: x\n --> crates/api/Cargo.toml\n --> Cargo.toml\n --> libs/real/Cargo.toml:4:1\n"
        "by `the-api v0.0.0 (crates/api)`, by (.stub/other)"
    )


def test_colours_and_places_go_together() -> None:
    arrow = "error: x\n --> {}src/lib.rs:1:4"
    line = json.loads(said("x", level="error"))
    line["message"]["rendered"] = f"{RED}error{OFF}: x\n {RED}--> {OFF}src/lib.rs:1:4\n"
    error = failed(json.dumps(line))
    error.place(lambda text: compiler_paths.relocated(text, "ws", str))
    assert arrow.format("ws/") in error.what
    assert arrow.format("ws/") in str(error)
    coloured = error.shown(coloured=True)
    assert f"{RED}error{OFF}: x\n {RED}--> {OFF}ws/src/lib.rs:1:4" in coloured
    assert "ws/ws" not in coloured


def test_notes_that_are_cut_say_nothing() -> None:
    assert script_protocol.diagnostics(["layerdoit: diagnostics H4sI", "layerdoit: linked a"]) == ()
