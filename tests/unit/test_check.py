"""`doit check`: how the scripts' `cargo build` is turned into tests and clippy, and how the result is read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from layerdoit.components.rust_failures import NotBuilt
from layerdoit.core.errors import BuildError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.engine.buildx import StepFailed
from layerdoit.flows import check
from layerdoit.flows.session import Session
from layerdoit.layers.outcome import Outcome
from layerdoit.project import question
from layerdoit.project.project import Project
from layerdoit.project.run import Run

NOTES = """\
layerdoit: tests
running 4 tests

test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests lib
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
layerdoit: clippy
warning: unneeded `return` statement
 --> src/lib.rs:1:1
warning: `lib` (lib) generated 1 warning
layerdoit: compiled=2 units=3 external=0
layerdoit: linked lib
""".splitlines()


def printed(*notes: str) -> check.Printed:
    said = check.printed(notes)
    assert said is not None
    return said


def after(note: str, more: str) -> list[str]:
    """The notes, with more lines after one of them."""
    at = NOTES.index(note) + 1
    return [*NOTES[:at], *more.splitlines(), *NOTES[at:]]


def test_what_was_printed() -> None:
    said = printed(*NOTES)
    assert check.summary(said) == "4 tests passed, 1 ignored; clippy: 1 warning"
    assert said.tests[0] == "running 4 tests"
    assert said.clippy == (
        "warning: unneeded `return` statement",
        " --> src/lib.rs:1:1",
        "warning: `lib` (lib) generated 1 warning",
    )


def test_a_build_without_tests_printed_nothing() -> None:
    assert check.printed([]) is None
    assert check.printed(["layerdoit: compiled=2 units=3 external=0"]) is None
    assert printed("layerdoit: tests") == check.Printed((), ())


def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notes: list[str], cause: str = "") -> BuildError:
    """The error of a check whose app did not build, after these notes."""

    def ensure(_session: Session, layer: str) -> list[Outcome]:
        if layer == "app":
            failed = StepFailed("app", "RUN x", 101, (), tuple(notes), tmp_path / "a.log", "")
            raise NotBuilt("app did not build", failed, hint="the hint", cause=cause)
        return []

    monkeypatch.setattr(check, "ensure", ensure)
    with pytest.raises(BuildError) as caught:
        check.run(Session(Run(), Project.open(tmp_path, {}), question.check))
    return caught.value


def test_a_toolchain_without_clippy_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise what is called checked would not be."""
    notes = [line.replace("layerdoit: clippy", "layerdoit: no-clippy") for line in NOTES]
    error = failing(tmp_path, monkeypatch, notes)
    assert "clippy did not run" in error.what
    assert 'components = ["clippy"]' in str(error.hint)


def test_a_failed_check_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = failing(tmp_path, monkeypatch, after("layerdoit: tests", "test deep::one ... FAILED"))
    assert (error.what, error.hint) == ("the check failed: 1 test failed (deep::one)", "the hint")
    assert failing(tmp_path, monkeypatch, []).what == "app did not build"
    error = failing(tmp_path, monkeypatch, after("layerdoit: tests", "test one ... FAILED"), "x is not sent to builds")
    assert error.what == "the check failed: 1 test failed (one): x is not sent to builds"


def test_a_failed_check_names_its_tests() -> None:
    failed = "test deep::one ... FAILED\ntest src/lib.rs - two (line 3) ... FAILED\ntest three ... ok\n"
    said = printed(*after("layerdoit: tests", failed))
    assert check.failures(said) == "2 tests failed (deep::one, src/lib.rs - two (line 3))"
    clippy = "error: this loop never loops\nerror: could not compile `lib` due to 1 previous error\n"
    assert check.failures(printed(*after("layerdoit: clippy", clippy))) == "clippy: 1 error"


FAKE = """\
#!/bin/sh
echo "$*" >>"$CALLS"
case "$*" in *--message-format*) echo '{"executable":"/build/target/debug/app","fresh":false}' ;; esac
case "$1" in "$FAILING") exit 101 ;; esac
"""


@pytest.mark.parametrize(
    ("failing", "code", "calls"),
    [
        ("", 0, 3),
        # clippy runs although a test failed
        ("test", 101, 1),
        ("clippy", 101, 3),
        ("no clippy", 1, 2),
    ],
)
def test_cargo_build_in_a_check(tmp_path: Path, failing: str, code: int, calls: int) -> None:
    for name in ("cargo", *(["cargo-clippy"] if failing != "no clippy" else [])):
        (tmp_path / name).write_text(FAKE)
        (tmp_path / name).chmod(0o755)
    text = (dockerfile_dir() / "check.sh").read_text().replace("-d /control", f"-d {tmp_path}")
    words = "--locked --message-format=json-render-diagnostics --features 'a b' -p it\\'s"
    script = f'set -eu\n{text}\nstatus=0\neval "cargo build {words}" >{tmp_path}/messages || status=$?\nexit $status\n'
    # The host's own toolchain may have clippy.
    environment = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin", "CALLS": str(tmp_path / "calls")}
    done = subprocess.run(
        ["sh", "-c", script], env={**environment, "FAILING": failing}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    called = (tmp_path / "calls").read_text().splitlines()
    assert len(called) == calls
    assert called[0] == "test --no-run --locked --message-format=json-render-diagnostics --features a b -p it's"
    if calls > 1:
        assert called[1] == "test --no-fail-fast --locked --features a b -p it's"
    if calls > 2:
        assert called[2] == "clippy --all-targets --locked --features a b -p it's"
    assert (tmp_path / "messages").read_text() == '{"executable":null,"fresh":false}\n'


def test_other_calls_of_cargo_are_cargos(tmp_path: Path) -> None:
    (tmp_path / "cargo").write_text('#!/bin/sh\necho "cargo $*"\n')
    (tmp_path / "cargo").chmod(0o755)
    script = f". {dockerfile_dir() / 'check.sh'}\ncargo --version --x 'a b'"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "cargo --version --x a b\n"
