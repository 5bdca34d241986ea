"""What doit's command line answers to help, to near words and to wrong ones; no engine is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from doit import cmd_run, doit_cmd
from doit.doit_cmd import DoitMain

from layerdoit import config, history
from layerdoit.front import guesses
from layerdoit.front.doit_commands import Run
from layerdoit.front.loading import Ended
from layerdoit.front.task_table import TASKS
from layerdoit.front.verbs import VERBS
from tests.support.scratch import make_crate

Capture = pytest.CaptureFixture[str]
TWO = """
import layerdoit
task_api = layerdoit.tasks("api", prefix="api")
task_web = layerdoit.tasks("web", prefix="web")
"""
FOREIGN = """
def say(x):
    pass

def task_own():
    return {"actions": [say], "params": [{"name": "x", "default": "", "long": "xx"}]}
"""


class Main(DoitMain):  # type: ignore[misc]  # doit carries no types
    """doit with our command, also where the package was installed before it had one."""

    def get_cmds(self) -> Any:
        found = super().get_cmds()
        found["run"] = Run
        return found


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    # What doit keeps in the module for its process.
    monkeypatch.setattr(doit_cmd, "_CMDLINE_VARS", None)


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    return make_crate(tmp_path, "hello").folder


def typed(*words: str) -> int:
    """The exit code of a command line, in a process that was not asked anything before."""
    cmd_run.opt_outfile["default"] = sys.stdout
    sys.modules.pop("dodo", None)
    try:
        return int(Main(extra_config={"GLOBAL": {"backend": "json"}}).run(list(words)))
    except Ended as ended:
        return int(str(ended.code))


def refused(capsys: Capture, *words: str) -> tuple[str, str]:
    """What is said, and the hint, of a command line that is wrong."""
    assert typed(*words) == 2, words
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("layerdoit: error: ")
    what, _, hint = err.removeprefix("layerdoit: error: ").rstrip("\n").partition("\nnext: ")
    assert "CmdOption" not in err
    return what, hint


# --- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_help_shows_options_variables_an_example_and_when(task: Any, crate: Path, capsys: Capture) -> None:
    assert crate.is_dir()
    assert typed("help", task.name) == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0].startswith(f"usage: doit {task.name} ")
    assert task.doc in shown
    assert f"when: {task.when}" in lines
    assert f"example: doit {task.example}" in lines
    for option in task.params:
        assert any(line.startswith("  ") and f"--{option['long']}" in line and option["help"] in line for line in lines)
    for variable in config.VARIABLES:
        assert any(line.startswith(f"  {variable.name}=") and variable.doc in line for line in lines)
    if task.name != "cache_clear:soft":  # one is enough of what costs a loading each
        return
    for words in ([task.name, "--help"], [task.name, "-h"], ["-v", "2", task.name, "--yes", "--help"]):
        assert typed(*words) == 0
        assert capsys.readouterr().out == shown


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_example_is_of_the_task_and_valid(task: Any) -> None:
    from layerdoit.front import option_parsing

    words = task.example.split()
    assert words[0] == task.name
    variables = {word.partition("=")[0] for word in words if "=" in word}
    assert variables <= {variable.name for variable in config.VARIABLES}
    option_parsing.parse(task.params, [word for word in words[1:] if "=" not in word], {})


def test_help_says_how_long_it_took_here(crate: Path, capsys: Capture) -> None:
    def ran(token: str, task: str, seconds: float, outcome: history.Ended = "ok", variant: str = "dev/host") -> None:
        run = history.RunRecord(token, 1.0, task, variant, "host", "1", seconds, outcome)
        history.save(crate / ".layerdoit", run)

    assert typed("help", "cycle_fast") == 0
    assert "here: " not in capsys.readouterr().out
    ran("a", "cycle_fast", 3.0)
    ran("b", "cycle_fast", 90.0, "failed")
    ran("c", "cycle_fast", 80.0, variant="release/host")
    ran("d", "check", 70.0)
    assert typed("cycle_fast", "--help") == 0
    assert "here: 3.0 s, the one time that there was something to do" in capsys.readouterr().out
    ran("e", "cycle_fast", 5.0)
    ran("f", "cycle_fast", 9.0)
    assert typed("help", "cycle_fast") == 0
    assert "here: 5.0 s (3.0 s to 9.0 s; median of the n=3 times" in capsys.readouterr().out
    ran("g", "", 2.0)
    assert typed("help", "image") == 0
    assert "here: 2.0 s" in capsys.readouterr().out, "`doit` alone is the image"


def test_help_under_a_prefix_names_it(tmp_path: Path, capsys: Capture) -> None:
    two(tmp_path)
    assert typed("api:logs", "--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: doit api:logs [--follow] ")
    assert "example: doit api:logs --follow" in shown


@pytest.mark.parametrize("words", [["-h"], ["run", "--help"]])
def test_all_tasks_a_line_each(words: list[str], crate: Path, capsys: Capture) -> None:
    assert crate.is_dir()
    assert typed(*words) == 0
    shown = capsys.readouterr().out
    assert all(f"  {task.name} " in shown and task.line in shown for task in TASKS)


# --- words -----------------------------------------------------------------------------------------------------------


def two(folder: Path) -> None:
    for name in ("api", "web"):
        make_crate(folder / name, name)
    (folder / "dodo.py").write_text(TWO)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("cycle_fsat", "doit cycle_fast"),
        ("cyclefast", "doit cycle_fast"),
        ("stauts", "doit status"),
        ("cache_clear:medum", "doit cache_clear:medium"),
        ("cache_staus", "doit cache_status"),
        ("lst", "doit list"),
        ("explan", "doit layers explain"),
        ("PROFILE", "doit PROFILE=<value>"),
        *((verb, f"doit layers {verb}") for verb in VERBS),
        *((word, f"doit {task}") for word, task in guesses.ALIASES.items()),
    ],
)
def test_a_near_word_is_offered(word: str, meant: str) -> None:
    error = guesses.unknown_word(word, [task.name for task in TASKS], ["list", "info", "run", "help"])
    assert (error.what, error.hint) == (f'there is no task "{word}"', f"did you mean `{meant}`?")
    assert error.exit_code == 2


def test_words_under_prefixes() -> None:
    tasks = [f"{prefix}:{task.name}" for prefix in ("api", "web") for task in TASKS] + ["api", "web", "own"]

    def hint(word: str) -> str | None:
        return guesses.unknown_word(word, tasks).hint

    assert hint("api:cycle_fsat") == "did you mean `doit api:cycle_fast`?"
    assert hint("web:cache_clear:nuk") == "did you mean `doit web:cache_clear:nuke`?"
    assert hint("api:up") == "did you mean `doit api:cycle_fast`?"
    assert hint("status") == "did you mean `doit api:status` or `doit web:status`?"
    assert hint("up") == "did you mean `doit api:cycle_fast` or `doit web:cycle_fast`?"
    assert hint("api:cache_clear:xyz") == "choose one of " + ", ".join(
        f"api:cache_clear:{level}" for level in ("soft", "medium", "hard", "nuke")
    )
    assert hint("oun") == "did you mean `doit own`?"


def test_tasks_names_win_over_aliases() -> None:
    """A user's own task `tests` is nearer to `testt` than ours."""
    assert guesses.unknown_word("tets", [*(task.name for task in TASKS), "tests"]).hint == "did you mean `doit tests`?"


@pytest.mark.parametrize("before", ["", "status", "-v 2", "help", "info", "list", "forget"])
def test_wherever_tasks_are_named(before: str, crate: Path, capsys: Capture) -> None:
    assert crate.is_dir()
    assert refused(capsys, *before.split(), "cycle_fsat") == (
        'there is no task "cycle_fsat"',
        "did you mean `doit cycle_fast`?",
    )


def test_a_level_that_is_missing(crate: Path, capsys: Capture) -> None:
    assert crate.is_dir()
    levels = "cache_clear:soft, cache_clear:medium, cache_clear:hard, cache_clear:nuke"
    assert refused(capsys, "cache_clear") == ("cache_clear needs a level", f"choose one of {levels}")
    assert refused(capsys, "cache_clear", "hard") == (
        "cache_clear needs a level",
        "did you mean `doit cache_clear:hard`?",
    )
    assert refused(capsys, "help", "cache_clear") == ('there is no task "cache_clear"', f"choose one of {levels}")


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "what", "hint"),
    [
        (["logs", "--tial", "5"], "doit logs takes no --tial", "did you mean --tail? usage: doit logs "),
        (["logs", "--tail", "x"], "doit logs: --tail takes a whole number, not 'x'", "usage: doit logs "),
        (["logs", "--tail"], "doit logs: option --tail requires argument", "usage: doit logs "),
        (["status", "logs", "--zzz"], "doit logs takes no --zzz", "usage: doit logs "),
        (["cycle_fast", "--release"], "doit cycle_fast takes no --release", "did you mean PROFILE=release? "),
        (
            ["image", "--profile=release"],
            "doit image takes no --profile",
            "a variable is given without dashes: PROFILE=<value> ",
        ),
        (["status", "-n", "2"], "doit status takes no -n", "doit's own options come before the task: doit -n <task> "),
        (["--json"], "doit takes no --json", "options of a task come after it, such as `doit status --json`"),
        (["--yes", "cache_gc"], "doit takes no --yes", "options of a task come after it, such as "),
        (["--contniue"], "doit takes no --contniue", "did you mean --continue? "),
        (["-n"], "doit: option -n requires argument", "`doit help run` "),
        (["-v", "2", "--zzz"], "doit takes no --zzz", "`doit help run` "),
    ],
)
def test_a_wrong_option(words: list[str], what: str, hint: str, crate: Path, capsys: Capture) -> None:
    assert crate.is_dir()
    said = refused(capsys, *words)
    assert said[0] == what
    assert said[1].startswith(hint), said


@pytest.mark.parametrize(
    "words", [["-v", "own"], ["--verbose", "own"], ["own", "-v"], ["own", "--verbose"], ["-v", "2", "own"]]
)
def test_v_needs_no_number_and_no_place(words: list[str], crate: Path, capsys: Capture) -> None:
    (crate / "dodo.py").write_text(
        "from layerdoit import task_layerdoit\n"
        "def say():\n    print('it says')\n"
        "def task_own():\n    return {'actions': [say], 'meta': {'layerdoit': 'status'}}\n"
    )
    assert typed(*words) == 0
    assert capsys.readouterr().out == ".  own\nit says\n"
    assert typed("own") == 0
    assert capsys.readouterr().out == ".  own\n"


# --- what is not ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["ownn"], ["own", "--yy"], ["--nope"], ["-v"], ["-h"]])
def test_another_dodo_is_answered_by_doit(words: list[str], tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "dodo.py").write_text(FOREIGN)
    assert typed(*words) == 3
    assert capsys.readouterr().err.startswith("ERROR: ")


def test_a_users_own_task_beside_ours_keeps_doits_words(crate: Path, capsys: Capture) -> None:
    (crate / "dodo.py").write_text(f"from layerdoit import task_layerdoit\n{FOREIGN}")
    assert typed("own", "--yy") == 3
    assert capsys.readouterr().err.startswith("ERROR: ")
    assert typed("own", "--xx", "1") == 0


def test_targets_patterns_and_late_tasks_are_no_unknown_words(crate: Path, capsys: Capture) -> None:
    (crate / "dodo.py").write_text(
        "from layerdoit import task_layerdoit\n"
        "def say():\n    pass\n"
        "def task_own():\n    return {'actions': [say], 'targets': ['made']}\n"
    )
    assert typed("made") == 0
    assert typed("ow*") == 0
    assert "unknown" not in capsys.readouterr().err


# --- without a dodo --------------------------------------------------------------------------------------------------


def test_where_no_dodo_lies(crate: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    what = "there is no dodo.py in this folder"
    monkeypatch.chdir(crate / "src")
    assert refused(capsys, "cycle_fast") == (what, f"`doit -k cycle_fast` takes that of {crate}")
    assert refused(capsys, "init") == (what, "did you mean `doit layers init`?")
    assert refused(capsys, "doctr") == (what, "did you mean `doit layers doctor`?")
    (crate / "dodo.py").unlink()
    for words in ([], ["image"]):
        assert refused(capsys, *words) == (what, "`doit layers init` looks at the Rust project here and writes one")
    assert typed("-f", "other.py") == 3
    assert capsys.readouterr().err.startswith("ERROR: Could not find dodo file")


def test_elsewhere_doit_says_it(tmp_path: Path, capsys: Capture) -> None:
    assert tmp_path.is_dir()
    assert typed("image") == 3
    assert capsys.readouterr().err.startswith("ERROR: Could not find dodo file")
