"""Which project `doit layers` is about: a folder, a prefix, the one around or below this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import layerdoit
from layerdoit.cargo import manifest
from layerdoit.core import console
from layerdoit.core.errors import ConfigError, WorkspaceError
from layerdoit.front import projects, tasks
from layerdoit.front.command import Layers
from layerdoit.front.project_registry import Embedded
from layerdoit.front.verbs import init
from layerdoit.init.found import project_root

DODO = """
import helper_of_this_dodo
import layerdoit
task_api = layerdoit.tasks("services/api", prefix="api")
task_web = layerdoit.tasks("services/web", prefix="web")
"""


@pytest.fixture
def mono(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "helper_of_this_dodo.py").write_text("")
    for name in ("services/api", "services/web", "lone"):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "Cargo.toml").write_text(f'[package]\nname = "{Path(name).name}"\nversion = "0.1.0"\n')
    (tmp_path / "docs").mkdir()
    (tmp_path / "dodo.py").write_text(DODO)
    return tmp_path


def refused(root: str, here: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        projects.find(root, here)
    return str(caught.value)


def test_the_project_around_a_folder_or_its_only_one_below(mono: Path) -> None:
    api = Embedded(mono / "services/api", "api")
    for folder in ("services/api", "services/api/src"):
        assert projects.find("", mono / folder) == api
    (mono / "dodo.py").write_text(DODO.replace("task_web", "# "))
    for folder in (".", "services"):
        assert projects.find("", mono / folder) == api
    assert Path.cwd() == mono, "a dodo.py is run in its folder, and left"


def test_of_several_one_is_asked_for(mono: Path) -> None:
    for folder in (mono, mono / "services"):
        said = refused("", folder)
        assert said == f"{folder}: this folder has 2 projects: api, web\nnext: say which: --root api"
    assert refused("", mono / "docs").startswith(
        f"{mono}/docs: there is no project in this folder; dodo.py has api, web"
    )


def test_root_names_a_folder_or_a_prefix(mono: Path) -> None:
    assert projects.find("services/web", mono) == Embedded(mono / "services/web", "")
    assert projects.find("web", mono) == Embedded(mono / "services/web", "web")
    assert projects.find("web", mono / "docs") == Embedded(mono / "services/web", "web")
    assert projects.find(str(mono / "lone"), mono / "docs") == Embedded(mono / "lone", "")
    said = refused("wep", mono)
    assert said.startswith(
        '--root: there is no folder "wep", and no project with this prefix\nnext: did you mean "web"?'
    )
    (mono / "dodo.py").unlink()
    assert "next: give the folder of a Rust project" in refused("web", mono)


def test_a_project_that_no_dodo_embeds_is_found_by_its_manifest(mono: Path) -> None:
    assert projects.find("", mono / "lone/src") == Embedded(mono / "lone", "")
    member = mono / "lone/crates/one"
    member.mkdir(parents=True)
    (member / "Cargo.toml").write_text('[package]\nname = "one"\nversion = "0.1.0"\n')
    (mono / "lone/Cargo.toml").write_text('[workspace]\nmembers = ["crates/*"]\n')
    assert projects.find("", member) == Embedded(mono / "lone", "")


def test_the_project_beside_the_dodo(mono: Path) -> None:
    (mono / "Cargo.toml").write_text('[package]\nname = "own"\nversion = "0.1.0"\n')
    (mono / "dodo.py").write_text("from layerdoit import task_layerdoit\n")
    assert projects.find("", mono) == Embedded(mono, "")
    assert projects.find("", mono / "docs") == Embedded(mono, "")


def test_another_name_of_the_dodo(mono: Path) -> None:
    os.rename(mono / "dodo.py", mono / "tasks.py")
    assert projects.find("api", mono, "tasks.py").prefix == "api"


def test_a_dodo_that_does_not_run(mono: Path) -> None:
    (mono / "dodo.py").write_text("import layerdoit\n1 / 0\n")
    said = refused("api", mono)
    assert said.startswith(f"{mono}/dodo.py: it cannot be run: ZeroDivisionError: division by zero\nnext: ")


def test_a_verb_is_about_it(mono: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["api:plan"], ["plan", "--root", "api"]):
        assert Layers(config={}).parse_execute(words) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"layerdoit: error: {mono}/services/api: there is no Cargo.lock"), said


def test_tasks_are_named_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    tasks.speak_for("api")
    console.warn("error: cache_clear:nuke needs confirmation\nnext: doit cache_clear:nuke --yes")
    console.say(
        "cycle_nuclear of project x\n`doit cache_gc --keep 5`, doit layers plan, doit api:image, doit cyclefast"
    )
    console.say('{"hint": "doit image"}')
    console.pass_on("doit image")
    tasks.speak_for("")
    console.say("doit image")
    out, err = capsys.readouterr()
    assert err == "layerdoit: error: api:cache_clear:nuke needs confirmation\nnext: doit api:cache_clear:nuke --yes\n"
    assert out.splitlines() == [
        "api:cycle_nuclear of project x",
        "`doit api:cache_gc --keep 5`, doit layers plan, doit api:image, doit cyclefast",
        '{"hint": "doit image"}',
        "doit image",
        "doit image",
    ]
    assert tasks.as_typed("doit base:image, doit base: it", "base") == "doit base:image, doit base:base: it"


def test_a_task_as_a_verb_is_shown_under_the_prefixes(mono: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = Layers(config={})
    command.opt_vals, command.config_vals = {}, {}
    assert command.parse_execute(["status"]) == 2
    assert "did you mean `doit api:status` or `doit web:status`?" in capsys.readouterr().err
    assert command.parse_execute(["plan", "api"]) == 2
    assert "next: the project is named by an option: doit layers plan --root api" in capsys.readouterr().err


def test_a_name_that_the_package_does_not_have() -> None:
    with pytest.raises(AttributeError, match="Did you mean: 'tasks'"):
        layerdoit.task  # noqa: B018
    with pytest.raises(AttributeError, match=r"'zzz'$"):
        layerdoit.zzz  # noqa: B018


def test_files_are_named_from_where_doit_runs(mono: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks.speak_for("api", mono / "services/api")
    console.say("layerdoit.yaml:8; `cargo generate-lockfile`")
    tasks.speak_for("", mono)
    console.say("layerdoit.yaml:8; `cargo update --workspace`, /a/layerdoit.yaml")
    assert capsys.readouterr().out.splitlines() == [
        "services/api/layerdoit.yaml:8; `cargo generate-lockfile --manifest-path services/api/Cargo.toml`",
        "layerdoit.yaml:8; `cargo update --workspace`, /a/layerdoit.yaml",
    ]


OWN = """
def task_own():
    return {"actions": ["echo done"], "verbosity": 2, "task_dep": DEP}
"""


def test_a_broken_project_stops_no_other(mono: Path) -> None:
    (mono / "services/api/layerdoit.yaml").write_text("prot: 1\n")
    said = 'services/api/layerdoit.yaml:1: unknown key "prot"'

    def doit(dep: str, *words: str) -> subprocess.CompletedProcess[str]:
        (mono / "dodo.py").write_text(DODO + OWN.replace("DEP", dep))
        return subprocess.run([sys.executable, "-m", "doit", *words], capture_output=True, text=True, check=False)

    fine = doit("[]", "own")
    assert (fine.returncode, fine.stderr, fine.stdout) == (0, "", ".  own\ndone\n")
    for dep in ("api:image", "api"):
        needed = doit(f'["{dep}"]', "own")
        assert said in needed.stderr
        assert needed.returncode == 2
    for words in ([], ["api:status"], ["api"], ["api:*"], ["list"]):
        stopped = doit("[]", *words)
        assert said in stopped.stderr, words
        assert stopped.returncode == 2


@pytest.mark.parametrize(
    ("dodo", "said"),
    [
        (
            'task_a = layerdoit.tasks("services/api", prefix="x")\ntask_b = layerdoit.tasks("lone", prefix="x")',
            'dodo.py:3: the tasks of dodo.py:2 and of this line have the prefix "x"\nnext: give each a prefix',
        ),
        (
            'task_a = layerdoit.tasks("services/api")\ntask_b = layerdoit.tasks("services/web")',
            "dodo.py:3: the tasks of dodo.py:2 and of this line have no prefix\n",
        ),
        (
            'from layerdoit import task_layerdoit\ntask_b = layerdoit.tasks("services/web")',
            "dodo.py:3: the tasks of task_layerdoit and of this line have no prefix\n",
        ),
        (
            'task_b = layerdoit.tasks("services/web")\nfrom layerdoit import task_layerdoit',
            "dodo.py:2: the tasks of task_layerdoit and of this line have no prefix\n",
        ),
    ],
)
def test_two_projects_with_the_same_names_of_tasks(mono: Path, dodo: str, said: str) -> None:
    (mono / "dodo.py").write_text(f"import layerdoit\n{dodo}\n")
    (mono / "Cargo.toml").write_text('[package]\nname = "top"\nversion = "0.1.0"\n')
    done = subprocess.run([sys.executable, "-m", "doit", "list"], capture_output=True, text=True, check=False)
    assert done.stderr.startswith(f"layerdoit: error: {said}")
    assert done.returncode == 2


def test_tasks_that_doit_does_not_see_are_told(mono: Path) -> None:
    (mono / "dodo.py").write_text('import layerdoit\napi = layerdoit.tasks("services/api", prefix="api")\n')
    done = subprocess.run([sys.executable, "-m", "doit"], capture_output=True, text=True, check=False)
    assert done.stderr.startswith("layerdoit: dodo.py:2: doit does not see these tasks")
    assert "next: task_api = layerdoit.tasks(" in done.stderr
    loop = 'for _ in "ab":\n  task_api = layerdoit.tasks("services/api", prefix="api")\n'
    own = 'def task_own():\n  return {"actions": None}\n'
    (mono / "dodo.py").write_text(f"import layerdoit\n{loop}{own}")
    done = subprocess.run([sys.executable, "-m", "doit", "own"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_init_leaves_out_libraries_and_offers_the_lines(mono: Path) -> None:
    (mono / "services/common/src").mkdir(parents=True)
    (mono / "services/common/Cargo.toml").write_text('[package]\nname = "common"\nversion = "0.1.0"\n')
    (mono / "lone/Cargo.toml").unlink()
    for name in ("api", "web"):
        (mono / "services" / name / "src/main.rs").write_text("fn main() {}\n")
    lines = (
        '    import layerdoit\n    task_api = layerdoit.tasks("services/api", prefix="api")\n'
        '    task_web = layerdoit.tasks("services/web", prefix="web")'
    )
    with pytest.raises(WorkspaceError) as raised:
        project_root(mono)
    assert raised.value.what == "there are 2 Rust projects here: services/api, services/web"
    assert (raised.value.hint or "").endswith(lines)
    with pytest.raises(WorkspaceError) as missing:
        manifest.load(mono)
    assert missing.value.hint == f"have dodo.py name the folder of each project:\n{lines}"


@pytest.mark.parametrize("root", ["api", "services/api"])
def test_init_knows_what_the_dodo_has(mono: Path, root: str, capsys: pytest.CaptureFixture[str]) -> None:
    (mono / "services/api/src/main.rs").write_text("fn main() {}\n")
    (mono / "services/api/Cargo.lock").write_text('version = 3\n[[package]]\nname = "api"\nversion = "0.1.0"\n')
    assert init.run({"root": root, "json": False, "yes": True, "dry_run": False}, []) == 0
    out = capsys.readouterr().out
    assert "dodo.py has the tasks, under the prefix api" in out
    assert out.endswith("next: doit api\n")
    assert (mono / "services/api/layerdoit.yaml").is_file()
    assert not (mono / "services/api/dodo.py").exists()
