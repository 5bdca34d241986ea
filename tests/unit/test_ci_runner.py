"""What runs the jobs in tests does as a CI service: expressions, files that carry variables, steps after a failure."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.ci_runner import Runner, StepFailed, value_of
from tests.support.files import write
from tests.support.git import git

WORKFLOW = """\
env: {WHO: "${{ vars.WHO || 'nobody' }}"}
jobs:
  one:
    steps:
      - uses: actions/checkout@v1
      - {name: first, run: "echo MORE=later >> $GITHUB_ENV; echo $PWD/bin >> $GITHUB_PATH; echo $WHO"}
      - {name: second, env: {NAME: "${{ matrix.name }}"}, run: "mine $MORE $NAME"}
      - {name: third, run: "exit 3"}
      - {name: fourth, run: "echo never"}
      - {name: last, if: "${{ always() }}", run: "echo done >> $GITHUB_STEP_SUMMARY"}
"""


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("vars.A || 'b'", "b"),
        ("vars.HAS || 'b'", "x"),
        ("vars.HAS && 'yes' || 'no'", "yes"),
        ("vars.A && 'yes' || 'no'", "no"),
        ("secrets.A", ""),
        ("'it''s'", "it's"),
    ],
)
def test_expressions(expression: str, value: str) -> None:
    assert value_of(expression, {"vars.HAS": "x"}) == value


def test_an_expression_that_is_not_known_is_no_empty_text() -> None:
    with pytest.raises(AssertionError):
        value_of("fromJSON(vars.A)", {})


def test_steps(tmp_path: Path) -> None:
    origin = write(tmp_path / "origin", {".github/workflows/w.yml": WORKFLOW, "bin/mine": '#!/bin/sh\necho "$@"\n'})
    (origin / "bin/mine").chmod(0o755)
    git(origin, "init", "--quiet", "--initial-branch=main")
    git(origin, "add", "--all")
    git(origin, "commit", "--quiet", "--message", "x")
    machine = tmp_path / "machine"
    machine.mkdir()
    runner = Runner(origin, machine, {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}, {"vars.WHO": "me"})
    with pytest.raises(StepFailed, match="third: exit code 3"):
        runner.github("w", "one", name="it")
    assert runner.said == {"first": "me\n", "second": "later it\n", "third": "", "last": ""}
    assert runner.summary == "done\n"
    assert (
        subprocess.run(["git", "-C", str(origin), "status", "--short"], capture_output=True, check=True).stdout == b""
    )
