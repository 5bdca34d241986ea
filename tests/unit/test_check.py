"""`doit check`: how the scripts' `cargo build` is turned into tests and clippy, and how the result is read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from layerdoit.core.errors import BuildError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.core.state import State
from layerdoit.flows import check
from layerdoit.flows.session import Session
from layerdoit.layers.plan import Outcome
from layerdoit.project import question
from layerdoit.project.project import Project
from layerdoit.project.run import Run

PRINTED = """\
# step
layerdoit: tests
     Running unittests src/lib.rs
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests lib
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
layerdoit: clippy
    Checking lib v0.1.0 (/build/src/lib)
warning: unneeded `return` statement
 --> src/lib.rs:1:1
warning: `lib` (lib) generated 1 warning
    Finished `dev` profile in 0.1s
layerdoit: compiled=2 units=3 external=0
# done in 1.0 s
"""


def log(state: Path, text: str) -> None:
    (state / "logs").mkdir(exist_ok=True, parents=True)
    (state / "logs/1-app.log").write_text(text)


def test_what_was_printed(tmp_path: Path) -> None:
    log(tmp_path, PRINTED)
    said = check.printed(State(tmp_path).logs("app"))
    assert check.summary(said) == "4 tests passed, 1 ignored; clippy: 1 warning"
    assert check.clippy(said) == [
        "warning: unneeded `return` statement",
        " --> src/lib.rs:1:1",
        "warning: `lib` (lib) generated 1 warning",
    ]
    assert not any(line.startswith("#") for line in said)


def test_a_log_without_tests_says_nothing(tmp_path: Path) -> None:
    assert check.printed(State(tmp_path).logs("app")) == []
    log(tmp_path, "error[E0425]: cannot find function\n")
    assert check.printed(State(tmp_path).logs("app")) == []


def test_a_toolchain_without_clippy_fails_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise what is called checked would not be."""

    def failing(_session: Session, layer: str) -> list[Outcome]:
        if layer == "app":
            log(tmp_path / ".layerdoit", PRINTED.replace("layerdoit: clippy\n", "layerdoit: no-clippy\n"))
            raise BuildError("app did not build")
        return []

    monkeypatch.setattr(check, "ensure", failing)
    with pytest.raises(BuildError, match="clippy was not run") as failed:
        check.run(Session(Run(), Project.open(tmp_path, {}), question.check))
    assert 'components = ["clippy"]' in str(failed.value.hint)


def test_a_failed_check_names_its_tests(tmp_path: Path) -> None:
    failed = "test deep::one ... FAILED\ntest src/lib.rs - two (line 3) ... FAILED\ntest three ... ok\n"
    log(tmp_path, PRINTED.replace("layerdoit: tests\n", f"layerdoit: tests\n{failed}"))
    said = check.printed(State(tmp_path).logs("app"))
    assert check.failures(said) == "2 tests failed (deep::one, src/lib.rs - two (line 3))"
    clippy = "error: this loop never loops\nerror: could not compile `lib` due to 1 previous error\n"
    log(tmp_path, PRINTED.replace("layerdoit: clippy\n", f"layerdoit: clippy\n{clippy}"))
    assert check.failures(check.printed(State(tmp_path).logs("app"))) == "clippy: 1 error"


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
