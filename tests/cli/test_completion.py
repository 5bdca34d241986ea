"""Completion as the shells do it: their own programs read the scripts, and say what they would offer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from layerdoit import config
from layerdoit.front.completion import SHELLS
from layerdoit.front.task_table import TASKS
from layerdoit.front.verbs import VERBS, load
from tests.support.scratch import Crate

VARIABLES = {f"{variable.name}=" for variable in config.VARIABLES}
TASK_NAMES = {task.name for task in TASKS}
OWN = "def task_greet():\n    return {'actions': ['true']}\n"
ASK = {
    # What bash has in a terminal.
    "bash": """
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
__layerdoit
printf '%s\\n' "${COMPREPLY[@]}"
""",
    # What zsh's own functions are given.
    "zsh": """
words=(${(z)1}); [[ $1 == *' ' ]] && words+=('')
CURRENT=$#words
compset() { return 0 }
_files() { print -l -- files }
compadd() { while [[ $1 == -* && $1 != -- ]]; do [[ $1 == -S ]] && shift; shift; done; shift; print -l -- $@ }
_describe() { print -l -- ${${(P)@[-1]}//\\\\:/@} | cut -d: -f1 | tr @ : }
_doit
""",
    "fish": "complete -C $argv[1] | string replace -r '\\t.*' ''\n",
}
START = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f"], "fish": ["fish", "--no-config"]}
SETUP = {"zsh": "compdef() { : }\n"}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here")
    return name


class Offers:
    """What a shell offers for a line in a folder."""

    def __init__(self, shell: str, crate: Crate, scratch: Path) -> None:
        self.shell = shell
        self._crate = crate
        self._script = scratch / f"completion.{shell}"
        self._script.write_text(crate.doit("layers", "completion", shell).ok().out)
        (scratch / "bin").mkdir()
        (scratch / "bin/doit").write_text(f'#!/bin/sh\nexec {sys.executable} -m doit "$@"\n')
        (scratch / "bin/doit").chmod(0o755)
        self._path = f"{scratch / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def __call__(self, line: str, *, path: str | None = None) -> set[str]:
        program = f"{SETUP.get(self.shell, '')}source {self._script}\n{ASK[self.shell]}"
        ask = self._script.with_name("ask")
        ask.write_text(program)
        done = subprocess.run(
            [*START[self.shell], str(ask), line],
            cwd=self._crate.folder,
            env={**os.environ, "PATH": path or self._path, "HOME": str(self._script.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        typed = line.rpartition(" ")[2]
        # Some give the whole word, some what follows the colon or equals sign.
        end = typed.rfind("=") if self.shell == "zsh" else max(typed.rfind(":"), typed.rfind("="))
        before = typed[: end + 1]
        whole = {one if one.startswith(before) else before + one for one in done.stdout.split()}
        # zsh is given all words, and takes those that match.
        return {one for one in whole if one.startswith(typed)} if self.shell == "zsh" else whole


@pytest.fixture
def offers(shell: str, plain: Crate, tmp_path: Path) -> Offers:
    plain.write("dodo.py", f"from layerdoit import task_layerdoit\n{OWN}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Offers(shell, plain, scratch)


def test_tasks_levels_commands_and_variables(offers: Offers) -> None:
    offered = offers("doit ")
    assert offered >= TASK_NAMES | VARIABLES | {"greet", "layers", "list", "help"}
    assert offers("doit cyc") == {"cycle_fast", "cycle_clean", "cycle_nuclear"}
    assert offers("doit cache_clear:") == {f"cache_clear:{level}" for level in ("soft", "medium", "hard", "nuke")}
    assert offers("doit cache_clear:m") == {"cache_clear:medium"}
    assert offers("doit help log") == {"logs"}
    after = offers("doit image ")
    assert "greet" in after
    assert "layers" not in after


def test_verbs_and_their_words(offers: Offers) -> None:
    assert offers("doit layers ") == set(VERBS)
    assert offers("doit layers pl") == {"plan"}
    assert offers("doit layers explain ") >= {"base", "deps", "app"} | VARIABLES
    assert not offers("doit layers explain ") & set(VERBS)
    assert offers("doit layers completion ") >= {"bash", "zsh", "fish"}


def test_options_of_the_task_or_verb_before(offers: Offers) -> None:
    assert offers("doit logs --") == {"--follow", "--tail", "--since", "--help"}
    assert offers("doit image cache_gc --s") == {"--stale"}
    for name in ("plan", "bench"):
        own = {f"--{option['long']}" for option in load(name).options}
        assert offers(f"doit layers {name} --") == own | {"--root", "--quiet", "--help"}


def test_values_of_variables(offers: Offers) -> None:
    assert offers("doit PROFILE=r") == {"PROFILE=release"}
    assert offers("doit layers plan ON_MISSING=pu") == {"ON_MISSING=pull", "ON_MISSING=pull,build"}


def test_variants_of_the_project(offers: Offers, plain: Crate) -> None:
    assert offers("doit image VARIANT=d") <= {"VARIANT="}, "there are none"
    variants = "variants:\n  slim: {}\n  # for who looks into it\n  debug:\n    runtime_packages: [gdb]\n"
    plain.write("layerdoit.yaml", f"project: any\n{variants}base:\n  suite: trixie\n")
    assert offers("doit image VARIANT=d") == {"VARIANT=debug"}
    assert offers("doit layers plan VARIANT=") - {"VARIANT="} == {"VARIANT=slim", "VARIANT=debug"}


def test_under_a_prefix(offers: Offers, plain: Crate) -> None:
    plain.write("dodo.py", 'import layerdoit\ntask_api = layerdoit.tasks(".", prefix="api")\n')
    assert offers("doit cyc") == (set() if offers.shell != "fish" else offers("doit cyc"))  # fish looks inside words
    assert offers("doit api:cyc") == {"api:cycle_fast", "api:cycle_clean", "api:cycle_nuclear"}
    assert offers("doit api:cache_clear:h") == {"api:cache_clear:hard"}
    assert offers("doit api:logs --") == {"--follow", "--tail", "--since", "--help"}


def test_where_doit_cannot_list_the_tasks_are_known(offers: Offers, plain: Crate) -> None:
    plain.write("dodo.py", "from layerdoit import task_layerdoit\n1 / 0\n")
    assert offers("doit cyc") == {"cycle_fast", "cycle_clean", "cycle_nuclear"}


def test_a_failure_is_not_remembered(offers: Offers, plain: Crate) -> None:
    """In one shell: what doit could not say is asked again, and no names are offered that the dodo does not have."""
    plain.write("dodo.py", 'import layerdoit\ntask_api = layerdoit.tasks(".", prefix="api")\n')
    plain.write("layerdoit.yaml", "prot: 1\n")
    before = ASK[offers.shell]
    mend = {"fish": "complete -C $argv[1] >/dev/null\nrm layerdoit.yaml\n"}.get(
        offers.shell, f"{before.replace('print ', ': ')}\nrm layerdoit.yaml\n".replace("printf", ": printf")
    )
    assert offers("doit cyc") == set()
    ASK[offers.shell] = mend + before
    try:
        offered = offers("doit api:cyc")
    finally:
        ASK[offers.shell] = before
    assert offered >= {"api:cycle_fast", "api:cycle_clean", "api:cycle_nuclear"}


def test_root_takes_prefixes(offers: Offers, plain: Crate) -> None:
    plain.write("dodo.py", 'import layerdoit\ntask_api = layerdoit.tasks(".", prefix="api")\n')
    assert "api" in offers("doit layers plan --root ")


def test_without_a_dodo_there_are_the_verbs(offers: Offers, plain: Crate) -> None:
    (plain.folder / "dodo.py").unlink()
    assert offers("doit cyc") == set()
    assert offers("doit layers in") == {"init"}


def test_the_shell_is_asked_for(plain: Crate) -> None:
    for words, said in ((["completion"], "name one shell"), (["completion", "bsh"], 'did you mean "bash"?')):
        refused = plain.doit("layers", *words)
        assert refused.code == 2
        assert said in refused.err
