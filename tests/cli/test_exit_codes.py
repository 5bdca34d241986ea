"""Each row of the table of exit codes (docs/tasks.md), by a command that ends so."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from layerdoit.front.exit_codes import TABLE
from tests.support.scratch import Crate, without_reader
from tests.support.waiting import until

SLEEPING = """
from layerdoit import task_layerdoit
def wait():
    import pathlib, time
    pathlib.Path("begun").touch()
    time.sleep(60)
def task_wait():
    return {"actions": [wait]}
"""


def test_every_row_has_a_test() -> None:
    assert [row.code for row in TABLE] == [0, 1, 2, 2, 2, 3, 129, 130, 141, 143]


def test_done_failed_and_used_wrongly(plain: Crate) -> None:
    assert plain.doit("list").code == 0
    assert plain.doit("layers", "plan", "--help").code == 0
    plain.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    for words in (["image"], ["status"], ["logs"], ["layers", "plan"], ["layers", "doctor"]):
        failed = plain.doit(*words)
        assert failed.code == 1, (words, failed.text)
    for words in (["imgae"], ["image", "--nope"], ["PROFIL=x"], ["layers", "paln"], ["layers", "plan", "--nope"],
                  ["logs", "--tail", "x"], ["cache_pin", "--json"], ["list", "PROFIL=x"]):  # fmt: skip
        wrong = plain.doit(*words)
        assert wrong.code == 2, (words, wrong.text)
        assert wrong.err.startswith("layerdoit: error: "), words
    assert plain.doit("layers", "plan", "--exit-code", "--nope").code == 1


@pytest.mark.parametrize("task", ["list", "status", "image"])
def test_a_broken_file_is_wrong_usage(plain: Crate, task: str) -> None:
    plain.write("layerdoit.yaml", "proifle: dev\n")
    assert plain.doit(task).code == 2
    assert plain.doit("layers", "plan").code == 2


def test_changes_are_told_by_a_code(own: Crate) -> None:
    own.doit().ok()
    assert own.doit("layers", "plan", "--exit-code").code == 0
    own.edit("src/main.rs", "first text", "other text")
    assert own.doit("layers", "plan", "--exit-code").code == 2


def test_what_is_found_wrong_by_an_action_is_wrong_usage(own: Crate) -> None:
    own.write("layerdoit.yaml", (own.folder / "layerdoit.yaml").read_text() + "bins: [helo]\n")
    wrong = own.doit("image")
    assert (wrong.code, wrong.err.count("layerdoit: error: ")) == (2, 1)
    assert own.doit("-n", "2", "image").code == 2


def test_a_dodo_that_cannot_be_read_is_doits(plain: Crate) -> None:
    plain.write("dodo.py", "from layerdoit import task_layerdoit\ndef task_x():\n    return 3\n")
    assert plain.doit("list").code == 3


def test_what_needs_a_failed_task_is_left_out(plain: Crate) -> None:
    plain.env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    assert plain.doit("--continue", "image").code == 2


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_told_by_the_code(plain: Crate, signum: signal.Signals) -> None:
    plain.write("dodo.py", SLEEPING)
    command = ["env", f"--default-signal={signum.name[3:]}", sys.executable, "-m", "doit", "wait"]
    with subprocess.Popen(
        command, cwd=plain.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        until((plain.folder / "begun").exists)
        child.send_signal(signum)
        _, said = child.communicate()
    assert (child.returncode, said) == (128 + signum, "")


def test_a_reader_that_is_gone(plain: Crate) -> None:
    assert without_reader(plain, "layers")[0] == 141
