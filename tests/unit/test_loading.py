"""What we know of doit's inside: a test for each trick, run with the oldest and the newest doit that we allow."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from doit import cmd_run, plugin
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

from layerdoit.core import signals
from layerdoit.front import doit_commands, loading, option_parsing
from layerdoit.front.loading import BROKEN_PIPE, Ended, Loading, Piped, Vouched

Doit = Callable[..., int]
Creator = Callable[[], Iterator[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """doit writes its database where it runs."""
    monkeypatch.chdir(tmp_path)


def doit(creator: Creator, *words: str, **more: Any) -> int:
    """The exit code of doit's own command line over a dodo of one creator."""
    cmd_run.opt_outfile["default"] = sys.stdout  # that of this test; doit remembers the one that it was imported with
    loader = ModuleTaskLoader({"task_some": creator, **more})
    # Of its databases only this one has nothing to close, which doit does not do after an error.
    return int(DoitMain(loader, extra_config={"GLOBAL": {"backend": "json"}}).run(list(words)))


def one(name: str, **more: Any) -> dict[str, Any]:
    return {"basename": name, "actions": [(did, [name])], "verbosity": 2, **more}


def did(name: str) -> None:
    print(f"did {name}")


def some(found: list[Loading | None], adapt: Callable[[Loading], None] = lambda _: None) -> Creator:
    """Two tasks, of which one is on request; what loads them is noted."""

    def create() -> Iterator[dict[str, Any]]:
        run = loading.loading()
        found.append(run)
        if run is not None:
            adapt(run)
        yield one("plain", meta={"on_request": False})
        yield one("group:level", meta={"on_request": True})

    return create


# --- the command that loads the dodo ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "command", "named"),
    [
        (["run", "plain"], "run", ["plain"]),
        (["plain", "group:level"], "run", ["plain", "group:level"]),
        ([], "run", []),
        (["list", "plain"], "list", []),
        (["info", "plain"], "info", []),
    ],
)
def test_the_command_is_found_on_the_stack(words: list[str], command: str, named: list[str]) -> None:
    found: list[Loading | None] = []
    doit(some(found), *words)
    (run,) = found
    assert run is not None
    assert (run.command.name, run.to_run) == (command, named)


def test_without_doits_command_line_there_is_none() -> None:
    assert loading.loading() is None


def test_tasks_on_request_do_not_run_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    create = some([], Loading.leave_out_on_request)
    assert doit(create) == 0
    assert capsys.readouterr().out == ".  plain\ndid plain\n"
    assert doit(create, "group:level") == 0
    assert capsys.readouterr().out == ".  group:level\ndid group:level\n"
    assert doit(create, DOIT_CONFIG={"default_tasks": ["group:level"]}) == 0
    assert capsys.readouterr().out == ".  group:level\ndid group:level\n"


def test_doit_lists_a_task_whose_name_has_a_colon(capsys: pytest.CaptureFixture[str]) -> None:
    """Sub-tasks it hides."""
    assert doit(some([]), "list", "--quiet") == 0
    assert capsys.readouterr().out.split() == ["group:level", "plain"]


def test_a_task_has_the_output_to_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert doit(some([], Loading.leave_output_to_task), "plain") == 0
    assert capsys.readouterr().out == "did plain\n"
    assert doit(some([], Loading.leave_output_to_task), "--reporter", "executed-only", "plain") == 0
    assert capsys.readouterr().out == ".  plain\ndid plain\n", "what the user chose"


class Said(NamedTuple):
    owner: str

    def __call__(self) -> str:
        return f"nothing to do for {self.owner}"


@pytest.mark.parametrize(
    ("current", "words", "out"),
    [
        (["a", "b"], [], "nothing to do for ours\n"),
        (["a"], [], "did b\n"),
        (["a", "b"], ["-r", "executed-only"], ""),
        ([], ["-v", "2"], ".  a\ndid a\n.  b\ndid b\n"),
        (["a", "b"], ["-v", "2"], "-- a\n-- b\n"),
    ],
)
def test_tasks_of_ours_say_themselves_what_they_do(
    capsys: pytest.CaptureFixture[str], current: list[str], words: list[str], out: str
) -> None:
    def create() -> Iterator[dict[str, Any]]:
        run = loading.loading()
        assert run is not None
        if not run.verbose:
            run.leave_lines_to_tasks()
        for name in ("a", "b"):
            yield {**one(name), "uptodate": [name in current], "meta": {"ready": Said("ours")}}

    assert doit(create, *words, DOIT_CONFIG={"verbosity": 2}) == 0
    assert capsys.readouterr().out == out


def test_lines_of_other_tasks_stay(capsys: pytest.CaptureFixture[str]) -> None:
    assert doit(some([], Loading.leave_lines_to_tasks), "plain") == 0
    assert capsys.readouterr().out == ".  plain\ndid plain\n"


# --- variables -------------------------------------------------------------------------------------------------------


def test_all_variables_of_the_command_line() -> None:
    doit(some([]), "list", "PROFILE=release", "OF_THE_DODO=a=b")
    assert loading.typed_variables() == {"PROFILE": "release", "OF_THE_DODO": "a=b"}
    doit(some([]), "list")
    assert loading.typed_variables() == {}


def test_in_a_process_that_doit_has_not_prepared_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is not forked."""
    from doit import doit_cmd

    monkeypatch.setattr(doit_cmd, "_CMDLINE_VARS", None)
    assert loading.typed_variables() == {}


def test_variables_that_the_dodo_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dodo.py").write_text("get_var('WHOM', 'world')\n")
    (tmp_path / "helper_of_dodo.py").write_text('from doit import get_var\nHOW = get_var( "HOW")\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "helper_of_dodo", raising=False)
    assert loading.dodo_variables() == {"WHOM"}
    __import__("helper_of_dodo")
    assert loading.dodo_variables() == {"WHOM", "HOW"}


# --- files of a task -------------------------------------------------------------------------------------------------


def test_vouched_files_are_those_that_doit_knows_and_it_looks_at_none() -> None:
    vouched = Vouched()
    for known in ({"a", "b"}, set[str](), {"c"}):
        # The order in which doit compares.
        assert not (known != vouched)  # noqa: SIM202
        assert known == vouched
    assert vouched != ["a"]
    assert list(vouched) == []


@pytest.mark.parametrize("vouches", [True, False])
def test_doit_takes_vouched_files_for_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], vouches: bool
) -> None:
    def current(task: Any) -> bool:
        if vouches:
            loading.vouch(task)
        return True

    def create() -> Iterator[dict[str, Any]]:
        yield one("made", file_dep=["source"], uptodate=[current])

    (tmp_path / "source").write_text("first")
    assert doit(create) == 0
    (tmp_path / "source").write_text("second, and longer")
    # To doit, a file of the same time is the same, and both were written within a few milliseconds.
    os.utime(tmp_path / "source", (1, 1))
    capsys.readouterr()
    assert doit(create) == 0
    assert capsys.readouterr().out == ("-- made\n" if vouches else ".  made\ndid made\n")


# --- ways to end -----------------------------------------------------------------------------------------------------


def typed(folder: Path, dodo: str, *words: str, stdout: int = subprocess.PIPE) -> tuple[int, str | None, str]:
    """Exit code and both outputs of doit in a process of its own."""
    (folder / "dodo.py").write_text(dodo)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    argv = [sys.executable, "-m", "doit", *words]
    done = subprocess.run(argv, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


ENDING = """
from layerdoit.front.loading import Ended
def end():
    raise Ended(143)
def task_ending():
    return {"actions": [end], "verbosity": 2}
"""


@pytest.mark.parametrize("how", [[], ["-n", "2"], ["-n", "2", "-P", "thread"]])
def test_an_exit_code_goes_through_doit_without_a_word(tmp_path: Path, how: list[str]) -> None:
    assert typed(tmp_path, ENDING, *how) == (143, ".  ending\n", "")


def test_an_exit_code_survives_doits_way_between_processes() -> None:
    """`doit -n` sends an exception's class and text, and makes it anew from them."""
    ended = Ended(143)
    assert type(ended)(str(ended)).code == 143


def test_handlers_of_others_stay() -> None:
    own = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = {signum: signal.getsignal(signum) for signum in signals.CAUGHT}
    try:
        loading.exit_when_signalled()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with pytest.raises(SystemExit, match="143"):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for signum, handler in {**before, signal.SIGHUP: own}.items():
            signal.signal(signum, handler)


LONG = 400_000
"""More than a pipe takes while nobody reads, and than Python keeps before it writes: 128 kB from 3.14 on."""
DODO = f"""
from layerdoit.front import loading
def task_some():
    loading.loading().end_quietly_without_reader()
    yield {{"basename": "first", "actions": None, "doc": "x" * {LONG}}}
    yield {{"basename": "second", "actions": None}}
"""


@pytest.mark.parametrize(
    ("length", "code"),
    [
        pytest.param(LONG, BROKEN_PIPE, id="while doit prints"),
        # What doit leaves in Python's buffer is lost at exit, when its own exit code stands.
        pytest.param(10, 0, id="at exit"),
    ],
)
def test_doits_own_output_ends_quietly_without_a_reader(tmp_path: Path, length: int, code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended, _, said = typed(tmp_path, DODO.replace(str(LONG), str(length)), "list", stdout=writer)
    os.close(writer)
    assert (ended, said) == (code, "")


def test_help_ends_quietly_without_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "x"\nversion = "0.1.0"\n')
    for words in (["help", "a:logs"], ["a:logs", "--help"], ["-h"]):
        reader, writer = os.pipe()
        os.close(reader)
        dodo = "import layerdoit\ntask_a = layerdoit.tasks(prefix='a')\n"
        ended, _, said = typed(tmp_path, dodo, *words, stdout=writer)
        os.close(writer)
        assert (ended, said) == (BROKEN_PIPE, ""), words


def test_a_signal_while_python_ends_shows_no_exception(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = """
import os, signal, threading
from layerdoit.front import loading
loading.exit_when_signalled()
def late():
    threading.main_thread().join()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=late).start()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


SAYING = """
from layerdoit.core.console import say
from layerdoit.front import loading
from layerdoit.front.tasks import Guarded
def talk():
    for _ in range(20_000):
        say("a line")
def task_talking():
    run = loading.loading()
    run.end_quietly_without_reader()
    return {"actions": [(Guarded(talk), [])], "verbosity": 2, "io": {"capture": False}}
"""


@pytest.mark.parametrize("how", [[], ["-n", "2"], ["-n", "2", "-P", "thread"]])
def test_a_task_ends_quietly_without_a_reader(tmp_path: Path, how: list[str]) -> None:
    """The reader takes a line and goes, as `head -1` does."""
    (tmp_path / "dodo.py").write_text(SAYING)
    argv = [sys.executable, "-m", "doit", *how]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as task:
        assert task.stdout is not None
        assert task.stderr is not None
        task.stdout.readline()
        task.stdout.close()
        assert task.stderr.read() == ""
    assert task.returncode == BROKEN_PIPE


def test_verbosity_of_doit_does_not_silence_a_task_that_prints_itself(capsys: pytest.CaptureFixture[str]) -> None:
    def create() -> Iterator[dict[str, Any]]:
        yield one("plain", io={"capture": False})

    assert doit(create, "-v", "0") == 0
    assert capsys.readouterr().out == ".  plain\ndid plain\n"


def test_what_is_piped_is_doits_stream_in_everything_else(capsys: pytest.CaptureFixture[str]) -> None:
    piped = Piped(sys.stdout)
    piped.write("text")
    piped.flush()
    assert capsys.readouterr().out == "text"
    assert piped.isatty() is False


# --- options of a command --------------------------------------------------------------------------------------------

OPTIONS = (
    {"name": "json", "long": "json", "short": "", "type": bool, "default": False, "help": "print JSON"},
    {"name": "last", "long": "last", "short": "", "type": str, "default": "", "help": "how many"},
    {"name": "quiet", "long": "quiet", "short": "q", "type": bool, "default": False, "help": "say less"},
)


@pytest.mark.parametrize("words", [["a", "--json", "b", "--last", "2"], ["--last=2", "--json", "a", "b"]])
def test_options_may_stand_between_words(words: list[str]) -> None:
    params, rest = option_parsing.parse(OPTIONS, words, {})
    assert (params["json"], params["last"], params["quiet"], rest) == (True, "2", False, ["a", "b"])


def test_defaults_come_from_doits_configuration() -> None:
    params, _ = option_parsing.parse(OPTIONS, ["-q"], {"last": "3", "of_something_else": "x"})
    assert (params["last"], params["quiet"]) == ("3", True)
    params, _ = option_parsing.parse(OPTIONS, ["--last", "4"], {"last": "3"})
    assert params["last"] == "4"


@pytest.mark.parametrize(
    ("words", "problem", "unknown"),
    [
        (["--jsno"], "option --jsno not recognized", "--jsno"),
        (["a", "--html=x"], "option --html not recognized", "--html"),
        (["a", "--last"], "option --last requires argument", ""),
        (["--json=x"], "option --json must not have an argument", ""),
        (["-x"], "option -x not recognized", "-x"),
    ],
)
def test_a_wrong_option_is_told_in_a_few_words(words: list[str], problem: str, unknown: str) -> None:
    """Not the inside of doit's parser."""
    with pytest.raises(option_parsing.WrongOption, match=f"^{re.escape(problem)}$") as wrong:
        option_parsing.parse(OPTIONS, words, {})
    assert wrong.value.unknown == unknown


def test_what_is_installed_is_read_once_for_all_kinds_of_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    read, asked = plugin.entry_points_impl(), list[dict[str, Any]]()

    def reading(**words: Any) -> Any:
        asked.append(words)
        return read(**words)

    def asks() -> Any:
        return reading

    monkeypatch.setattr(plugin, "entry_points_impl", asks)
    command = doit_commands.Run(task_loader=ModuleTaskLoader({}))
    assert asked == [{}]
    assert plugin.entry_points_impl is asks
    assert "json" in command._backends
