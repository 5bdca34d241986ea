"""`doit layers VERB` as typed: help, options, usage errors and their exit codes; no engine is asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from doit.doit_cmd import DoitMain

from layerdoit import config
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.front import verbs
from layerdoit.front.command import Layers
from layerdoit.front.verbs import VERBS, Verb, flag, load, text

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


VARIABLES = {variable.name for variable in config.VARIABLES}


def typed(*words: str, settings: Mapping[str, Any] | None = None) -> int:
    return Layers(config={"layers": dict(settings or {})}).parse_execute(list(words))


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> Callable[[Verb], None]:
    """Have `plan` be another verb."""

    def replace(verb: Verb) -> None:
        monkeypatch.setattr("layerdoit.front.command.load", lambda _: verb)

    return replace


# --- help ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_verbs_are_listed_a_line_each(words: list[str], capsys: Capture) -> None:
    assert typed(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "usage: doit layers VERB [options] [NAME=value ...]"
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(VERBS)
    for name in VERBS:
        assert any(line.split() == [name, *load(name).purpose.split()] for line in lines)


def test_doit_shows_the_same_help(capsys: Capture) -> None:
    assert DoitMain().run(["help", "layers"]) == 0
    shown = capsys.readouterr().out
    assert DoitMain().run(["layers"]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("words", [["--help"], ["-h", "--quiet"]])
def test_a_verb_shows_its_own_options_and_an_example(name: str, words: list[str], capsys: Capture) -> None:
    assert typed(name, *words) == 0
    lines = capsys.readouterr().out.splitlines()
    verb = load(name)
    assert lines[0].startswith(f"usage: doit layers {name} ")
    assert lines[1] == verb.purpose
    assert f"when: {verb.when}" in lines
    given = [line.split("--")[1].split()[0] for line in lines if line.startswith("  -")]
    assert given == [*(option["long"] for option in verb.options), "root", "quiet", "help"]
    assert lines[-1].startswith(f"example: doit layers {name} ")
    assert {line.split("=")[0].strip() for line in lines if re.match("  [A-Z_]+=", line)} == VARIABLES


@pytest.mark.parametrize("name", VERBS)
def test_the_example_is_valid(name: str, replaced: Callable[[Verb], None]) -> None:
    verb = load(name)
    seen: list[Sequence[str]] = []

    def run(_params: Any, words: Sequence[str]) -> int:
        seen.append(words)
        return 0

    replaced(Verb(verb.purpose, run, verb.options, verb.words, verb.example, of_project=False))
    # Variables are doit's to take away.
    words = [word for word in verb.example.split()[2:] if "=" not in word]
    assert typed(*words) == 0
    assert len(seen) == 1


@pytest.mark.parametrize("words", [["help"], ["help", "plan"], ["plan", "help"]])
def test_help_is_a_word_too(words: list[str], capsys: Capture) -> None:
    assert typed(*words) == 0
    assert capsys.readouterr().out.startswith(f"usage: doit layers {'plan' if 'plan' in words else 'VERB'} ")


def test_every_verb_has_json() -> None:
    silent = [name for name in VERBS if "json" not in {option["name"] for option in load(name).options}]
    assert silent == ["completion"], "which prints a program"


def test_shells_complete_the_options(capsys: Capture) -> None:
    DoitMain().run(["tabcompletion", "--shell", "zsh"])
    offered = capsys.readouterr().out.split("(layers)")[1].split(";;")[0]
    for name in VERBS:
        assert all(f"--{option['long']}[" in offered for option in load(name).options)


# --- wrong usage -----------------------------------------------------------------------------------------------------

PLAN = "usage: doit layers plan [--json] [--exit-code] [--root FOLDER] [--quiet]"


@pytest.mark.parametrize(
    ("words", "what", "step"),
    [
        (["exlain"], 'there is no verb "exlain"', f"did you mean `doit layers explain`? verbs: {', '.join(VERBS)}"),
        (
            ["exlain", "--help"],
            'there is no verb "exlain"',
            f"did you mean `doit layers explain`? verbs: {', '.join(VERBS)}",
        ),
        (["status"], 'there is no verb "status"', "did you mean `doit status`?"),
        (
            ["cycle_fsat"],
            'there is no verb "cycle_fsat"',
            f"did you mean `doit cycle_fast`? verbs: {', '.join(VERBS)}",
        ),
        (["cache"], 'there is no verb "cache"', "did you mean `doit cache_status`?"),
        (["xyz"], 'there is no verb "xyz"', f"verbs: {', '.join(VERBS)}"),
        (["--json"], "a verb is missing", f"choose one of {', '.join(VERBS)}; see doit layers --help"),
    ],
)
def test_a_verb_that_is_none(words: list[str], what: str, step: str, capsys: Capture) -> None:
    assert typed(*words) == 2
    assert capsys.readouterr() == ("", f"layerdoit: error: doit layers: {what}\nnext: {step}\n")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["plan", "--jsno"], " takes no --jsno\nnext: did you mean --json? "),
        (["--jsno", "plan"], " takes no --jsno\nnext: did you mean --json? "),
        (
            ["plan", "--profile", "release"],
            " takes no --profile\nnext: a variable is given without dashes: PROFILE=<value> ",
        ),
        (["plan", "--release"], " takes no --release\nnext: did you mean PROFILE=release? "),
        (["plan", "--measure"], " takes no --measure\nnext: "),
        (["plan", "extra"], ' takes no "extra"\nnext: '),
        (["plan", "--root"], ": option --root requires argument\nnext: "),
    ],
)
def test_wrong_words_are_told_the_usage_of_the_verb(words: list[str], what: str, capsys: Capture) -> None:
    assert typed(*words) == 2
    assert capsys.readouterr() == ("", f"layerdoit: error: doit layers plan{what}{PLAN}\n")


def test_a_usage_error_is_not_taken_for_changes(capsys: Capture) -> None:
    assert typed("plan", "--exit-code", "--jsno") == 1
    assert PLAN in capsys.readouterr().err


# --- running ---------------------------------------------------------------------------------------------------------


def shows(given: list[Any], code: int = 0) -> Verb:
    def run(params: Any, words: Sequence[str]) -> int:
        print("result")
        print("progress", file=sys.stderr)
        given.append((params["root"], params["last"], params["exit_code"], list(words)))
        return code

    return Verb(
        "show what is given",
        run,
        (text("last", "N", "so many"), flag("exit_code", "2 or 0")),
        "[LAYER]",
        of_project=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "app", "--last", "3", "--root=api", "--exit-code"],
        ["--root", "api", "plan", "--exit-code", "--last=3", "app"],
    ],
)
def test_options_come_before_and_after_words(words: list[str], replaced: Callable[[Verb], None]) -> None:
    given: list[Any] = []
    replaced(shows(given, code=2))
    assert typed(*words) == 2
    assert given == [("api", "3", True, ["app"])]


def test_doits_configuration_gives_defaults(replaced: Callable[[Verb], None]) -> None:
    given: list[Any] = []
    replaced(shows(given))
    typed("plan", settings={"root": "services/api", "last": "9"})
    typed("plan", "--last", "3", settings={"last": "9"})
    assert given == [("services/api", "9", False, []), ("", "3", False, [])]


@pytest.mark.parametrize(("option", "progress"), [((), "progress\n"), (("-q",), ""), (("--quiet",), "")])
def test_quiet_leaves_the_result(
    option: tuple[str, ...], progress: str, replaced: Callable[[Verb], None], capsys: Capture
) -> None:
    replaced(shows([]))
    assert typed("plan", *option) == 0
    assert capsys.readouterr() == ("result\n", progress)


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (LayerdoitError("it failed", hint="try again"), 1),
        (ConfigError("it is wrong", hint="try again"), 2),
        (OSError(5, "it failed"), 1),
    ],
)
def test_errors_are_told_though_it_is_quiet(
    cause: Exception, code: int, replaced: Callable[[Verb], None], capsys: Capture
) -> None:
    def run(_params: Any, _words: Sequence[str]) -> int:
        raise cause

    replaced(Verb("fail", run))
    assert typed("plan", "-q") == code
    assert capsys.readouterr().err.startswith("layerdoit: error: it ")


@pytest.mark.parametrize("count", [1, 20_000])
def test_without_a_reader_a_verb_ends_quietly(count: int) -> None:
    """While it prints, or when Python writes what it had kept."""
    code = (
        "import sys\nfrom layerdoit.front import command\nfrom layerdoit.front.verbs import Verb\n"
        f"def run(params, words):\n    for _ in range({count}):\n        print('a line')\n    return 0\n"
        "command.load = lambda name: Verb('print', run)\nsys.exit(command.Layers().parse_execute(['plan']))\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, env=environment, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_engine_that_hangs_up_is_an_error(replaced: Callable[[Verb], None], capsys: Capture) -> None:
    def run(_params: Any, _words: Sequence[str]) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    replaced(Verb("fail", run))
    assert typed("plan") == 1
    assert capsys.readouterr().err == "layerdoit: error: Broken pipe\nnext: correct it and run again\n"


# --- JSON, of those that need no engine and have no other test --------------------------------------------------------

MANIFEST = '[package]\nname = "hello"\nversion = "0.1.0"\nedition = "2021"\n'


def written(folder: Path) -> set[str]:
    """Names in a folder, but for the state file that a doit of an earlier test writes wherever it is collected."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".doit.db")}


def test_init_shows_json_and_writes_only_with_yes(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text("fn main() {}\n")
    (tmp_path / "Cargo.toml").write_text(MANIFEST)
    (tmp_path / "Cargo.lock").write_text('version = 3\n\n[[package]]\nname = "hello"\nversion = "0.1.0"\n')
    before = written(tmp_path)
    for words in ([], ["--yes", "--dry-run"]):
        assert typed("init", "--json", *words) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["packages"], told["binaries"], told["written"]) == (["hello"], ["hello"], False)
        assert [(one["path"], one["new"]) for one in told["files"]] == [("dodo.py", True), ("layerdoit.yaml", True)]
        assert written(tmp_path) == before
    assert typed("init", "--dry-run") == 0
    assert "new dodo.py" in capsys.readouterr().out
    assert written(tmp_path) == before
    assert typed("init", "--json", "--yes") == 0
    assert json.loads(capsys.readouterr().out)["written"] is True
    assert (tmp_path / "dodo.py").read_text() == "from layerdoit import task_layerdoit\n"
    assert typed("init", "--json", "--yes") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["files"], told["written"]) == ([], False)


def test_the_table_holds_every_module() -> None:
    folder = Path(str(verbs.__file__)).parent
    assert set(VERBS) == {path.stem for path in folder.glob("*.py")} - {"__init__"}
