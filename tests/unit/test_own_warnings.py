"""Which lines of a build are warnings of cargo itself, and what is told of them. The texts are those of cargo 1.95."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import pytest

from layerdoit.cargo import own_warnings
from layerdoit.cargo.diagnostics import Diagnostic
from layerdoit.components import cargo_words, compiler_paths, compiler_words, rust
from layerdoit.core.terminal import plain_lines
from layerdoit.engine.progress import Reader

ROOT = "/build/src"
KEY = f"warning: {ROOT}/common/Cargo.toml: unused manifest key: package.foo"
CONFIG = f"warning: unused config key `build.whatever` in `{ROOT}/.cargo/config.toml`"
PROFILES = f"""\
warning: profiles for the non root package will be ignored, specify profiles at the workspace root:
package:   {ROOT}/common/Cargo.toml
workspace: {ROOT}/Cargo.toml"""
RESOLVER = """\
warning: virtual workspace defaulting to `resolver = "1"` despite one or more workspace members being on edition 2021 \
which implies `resolver = "2"`
  |
  = note: to keep the current resolver, specify `workspace.resolver = "1"` in the workspace root's manifest
  = note: to use the edition 2021 resolver, specify `workspace.resolver = "2"` in the workspace root's manifest
  = note: for more details see https://doc.rust-lang.org/cargo/reference/resolver.html#resolver-versions"""
DEFAULTS = (
    f"warning: {ROOT}/app/Cargo.toml: `default-features` is ignored for common, since `default-features` was not"
    " specified for `workspace.dependencies.common`, this could become a hard error in the future"
)
TARGETS = f"""\
warning: {ROOT}/app/Cargo.toml: file `{ROOT}/app/src/main.rs` found to be present in multiple build targets:
  * `bin` target `a`
  * `bin` target `b`"""
LICENSE = """\
warning: only one of `license` or `license-file` is necessary
`license` should be used if the package license can be expressed with a standard SPDX expression.
`license-file` should be used if the package uses a non-standard license.
See https://doc.rust-lang.org/cargo/reference/manifest.html#the-license-and-license-file-fields for more information."""
PATCH = f"""\
warning: patch `common v0.1.0 ({ROOT}/common)` was not used in the crate graph
help: Check that the patched package version and available features are compatible
      with the dependency requirements. If the patch has a different version from
      what is locked in the Cargo.lock file, run `cargo update` to use the new
      version. This may also occur with an optional dependency that is not enabled."""
PACKAGE = "warning: profile package spec `nothere` in profile `dev` did not match any packages"
SCRIPT = "warning: app@0.1.0: look out"
OWN = (
    CONFIG,
    PROFILES,
    RESOLVER,
    DEFAULTS,
    TARGETS,
    KEY,
    LICENSE,
    "warning: unused manifest key: badtable",
    PATCH,
    PACKAGE,
)
COMPILING = f"   Compiling app v0.1.0 ({ROOT}/app)"
FINISHED = "    Finished `dev` profile [unoptimized + debuginfo] target(s) in 0.83s"
COUNTS = "layerdoit: compiled=2 units=2 external=0 cold=1"


def of(*texts: str) -> list[str]:
    return "\n".join(texts).split("\n")


def found(lines: Sequence[str]) -> list[str]:
    return [plain_lines(one.text) for one in own_warnings.diagnostics(lines)]


def kept(*runs: tuple[str, Sequence[str]]) -> list[str]:
    """The notes of a build whose steps print lines, one after the other."""
    reader = Reader(lambda _line: None, rust.LISTENER)
    for step, lines in runs:
        data = base64.b64encode("".join(f"{line}\n" for line in lines).encode()).decode()
        reader.feed(json.dumps({"logs": [{"vertex": step, "stream": 2, "data": data}]}))
    return reader.report.notes


def test_each_whole_and_once() -> None:
    run = of(*OWN, COMPILING, SCRIPT, FINISHED)
    assert found(run) == [*OWN, SCRIPT]
    # Cargo may run twice in a build.
    assert found([*run, *run]) == [*OWN, SCRIPT]


@pytest.mark.parametrize(
    "line",
    [
        "warning: `common` (lib) generated 1 warning",
        'warning: `app` (bin "a") generated 2 warnings (run `cargo fix --bin "a" -p app` to apply 1 suggestion)',
        "warning: build failed, waiting for other jobs to finish...",
        "warning: the following packages contain code that will be rejected by a future version of Rust: old v0.1.0",
        "warning: what a macro prints while it compiles",
        "warning: unused variable: `x`",
        "warning: unused config key `build.whatever` in `/cargo/config.toml`",
        "/usr/bin/ld: warning: libfoo.so, needed by libbar.so, not found",
        "warning: 3@ home: of a macro",
    ],
)
def test_nothing_else_is_taken_for_one(line: str) -> None:
    assert found([line, FINISHED]) == []
    assert found([KEY, line, "more of it", FINISHED]) == [KEY]
    assert found([COMPILING, line, KEY, FINISHED]) == [], "cargo has read manifests before"


def test_what_a_fresh_crate_s_macro_prints_is_no_part_of_a_warning() -> None:
    assert found([KEY, "hello from a macro", "  indented", FINISHED]) == [KEY]


def test_only_those_of_the_step_that_runs_cargo_are_kept() -> None:
    other = ["warning: unused manifest key: of another tool"]
    cargo = [*of(KEY, TARGETS), "    Blocking waiting for file lock on build directory", COMPILING, SCRIPT, FINISHED]
    notes = kept(("front end", other), ("app", cargo[:2]), ("front end", other), ("app", [*cargo[2:], COUNTS]))
    assert notes == [*of(KEY, TARGETS), COMPILING, SCRIPT, COUNTS]
    assert [(plain_lines(one.text), one.crate, one.compiled) for one in cargo_words.said(notes)] == [
        (KEY, "", True),
        (TARGETS, "", True),
        (SCRIPT, "app", True),
    ]


def test_what_is_shown_as_it_comes_is_not_kept_too(capsys: pytest.CaptureFixture[str]) -> None:
    notes = kept(("app", ["layerdoit: clippy", KEY, COUNTS]))
    assert notes == ["layerdoit: clippy", KEY, COUNTS]
    assert KEY in capsys.readouterr().err


def test_a_build_script_that_did_not_run_again_is_counted() -> None:
    said = cargo_words.said(kept(("app", [KEY, SCRIPT, FINISHED, COUNTS])))
    told = compiler_words.told(said, "show")
    assert [plain_lines(one.text) for one in told.shown] == [KEY]
    more = "1 warning (app) more, in crates that were not compiled again (-v shows them)"
    assert told.line == f"1 warning (cargo); {more}"


def test_they_are_counted_with_those_of_the_compiler() -> None:
    rustc = Diagnostic("warning", "unused", "api", compiled=True)
    said = (*own_warnings.diagnostics(of(KEY, CONFIG)), rustc)
    assert compiler_words.told(said, "count").line == "3 warnings (cargo 2, api) (-v shows them)"
    assert not compiler_words.told(said, "count").shown
    assert compiler_words.told(said, "show").line == "3 warnings (cargo 2, api)"


def test_what_cargo_read_before_an_edit_is_not_told_again() -> None:
    notes = kept(("workshop", [KEY, COMPILING, SCRIPT, FINISHED, COUNTS]))
    assert [one.crate for one in cargo_words.said(notes)] == ["", "app"]
    assert [one.crate for one in cargo_words.said(notes, steady=True)] == ["app"]


def test_their_colour_and_their_paths() -> None:
    text = own_warnings.diagnostics(of(TARGETS))[0].text
    assert text.startswith("\x1b[1m\x1b[33mwarning\x1b[0m: /build")
    assert compiler_paths.relocated(plain_lines(text), "shop", str) == TARGETS.replace(ROOT, "shop")
    assert compiler_paths.relocated(PROFILES, "shop", str) == PROFILES.replace(ROOT, "shop")
    assert compiler_paths.relocated(PATCH, "shop", str) == PATCH.replace(ROOT, "shop")
