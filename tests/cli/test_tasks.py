"""The tasks in a dodo.py, and `doit layers`: names, defaults, variables, what they say."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest

from tests.support.scratch import DODO, Crate, docker, message, same_project, without_reader

DOCUMENTED = [
    "app",
    "base",
    "cache_clear:hard",
    "cache_clear:medium",
    "cache_clear:nuke",
    "cache_clear:soft",
    "cache_gc",
    "cache_load",
    "cache_pin",
    "cache_refresh",
    "cache_save",
    "cache_status",
    "cache_warm",
    "check",
    "connect",
    "cycle_clean",
    "cycle_fast",
    "cycle_nuclear",
    "deploy",
    "deploy_unlock",
    "deps",
    "destroy",
    "environments",
    "exec",
    "from_source",
    "image",
    "logs",
    "publish",
    "publish_base",
    "push",
    "registry_gc",
    "registry_status",
    "releases",
    "rollback",
    "status",
    "watch",
]
BUILDING = ["base", "deps", "app", "image"]


def names(listing: str) -> list[str]:
    return [line.split()[0] for line in listing.splitlines()]


# --- names and defaults ----------------------------------------------------------------------------------------------


def test_list_names_the_documented_tasks(plain: Crate) -> None:
    assert names(plain.doit("list").ok().out) == DOCUMENTED
    assert names(plain.doit("list", "--all", "--quiet").ok().out) == DOCUMENTED


def test_list_status_and_info_are_true(crate: Crate) -> None:
    crate.doit().ok()
    states = dict(line.split()[1::-1] for line in crate.doit("list", "-s").ok().out.splitlines())
    assert {name: states[name] for name in BUILDING} == dict.fromkeys(BUILDING, "U")
    assert states["cycle_fast"] == states["destroy"] == "R"

    # Nobody has built this: a state that was built before is up to date, whatever came between.
    crate.edit("src/main.rs", "first text", "text of nobody else")
    states = dict(line.split()[1::-1] for line in crate.doit("list", "-s").ok().out.splitlines())
    assert {name: states[name] for name in BUILDING} == {"base": "U", "deps": "U", "app": "R", "image": "R"}


def test_info_names_what_a_layer_is_made_from(plain: Crate) -> None:
    def file_deps(task: str) -> set[str]:
        shown = plain.doit("info", "--no-status", task).ok().out
        listed = re.search(r"file_dep +: \n((?: - .*\n)+)", shown)
        assert listed, shown
        return {line.removeprefix(" - ").replace(f"{plain.folder}/", "") for line in listed[1].splitlines()}

    plain.write("rust-toolchain.toml", '[toolchain]\nchannel = "1.80.0"\n')
    plain.write("assets/page.html", "page")
    base, deps, app = (file_deps(task) for task in ("base", "deps", "app"))
    assert {"rust-toolchain.toml", "layerdoit.yaml"} < base
    assert {"Cargo.toml", "Cargo.lock"} < deps
    assert {"src/main.rs", "assets/page.html", "Cargo.toml"} < app
    assert [path.rsplit("/")[-1] for found in (base, deps, app) for path in found if "/dockerfiles/" in path] == [
        "Dockerfile.base",
        "Dockerfile.deps",
        "Dockerfile.app",
    ]
    assert "src/main.rs" not in base | deps


def test_info_says_why_in_words(own: Crate) -> None:
    shown = own.doit("info", "app")
    assert shown.code == 1
    assert "app exists (if not, `doit layers plan` says why)" in shown.out
    assert "object at 0x" not in shown.out


@pytest.mark.parametrize(
    "dodo",
    [
        "",
        "DOIT_CONFIG = {'verbosity': 1, 'backend': 'sqlite3', 'dep_file': '.doit.own'}\n",
        "import doit\nDOIT_CONFIG = {'reporter': 'executed-only'}\n",
    ],
)
def test_the_default_is_the_image_and_nothing_with_effects(crate: Crate, dodo: str) -> None:
    crate.write("dodo.py", "from layerdoit import task_layerdoit\n" + dodo)
    crate.doit("cycle_fast").ok()
    before = crate.images(), crate.containers()
    done = crate.doit("-v", "2").ok()
    assert "build" not in done.out
    assert set(done.ran()) <= set(BUILDING)
    assert (crate.images(), crate.containers()) == before
    if "reporter" not in dodo:
        assert done.ran() == BUILDING


def test_a_users_own_tasks_run_by_default_too(crate: Crate) -> None:
    crate.write(
        "dodo.py",
        """
from layerdoit import task_layerdoit

def task_greet():
    return {"actions": ["echo good morning > greeting"], "targets": ["greeting"], "verbosity": 2}

def task_checks():
    for name in ("one", "two"):
        yield {"name": name, "actions": [f"echo checked {name}"], "verbosity": 2}

def task__hidden():
    return {"actions": ["echo hidden"], "verbosity": 2}
""",
    )
    done = crate.doit("-v", "2").ok()
    assert sorted(done.ran()) == sorted([*BUILDING, "greet", "checks:one", "checks:two"])
    assert "checked two" in done.out
    assert "hidden" in done.out
    assert (crate.folder / "greeting").read_text() == "good morning\n"
    assert crate.doit("greet").ok().ran() == ["greet"]
    assert crate.containers() == {}


def test_default_tasks_of_the_dodo_count(crate: Crate) -> None:
    crate.write("dodo.py", "from layerdoit import task_layerdoit\nDOIT_CONFIG = {'default_tasks': ['status']}\n")
    done = crate.doit("-v", "2").ok()
    assert done.ran() == ["status"]
    assert "nothing is deployed" in done.out


def test_the_tags_are_on_the_image_of_the_tree(crate: Crate) -> None:
    crate.doit().ok()
    first = crate.images()[f"{crate.name}:latest"]
    crate.edit("src/main.rs", "first text", "tagged text")
    crate.doit().ok()
    assert crate.images()[f"{crate.name}:latest"] != first
    crate.edit("src/main.rs", "tagged text", "first text")
    crate.doit().ok()
    assert crate.images()[f"{crate.name}:latest"] == first

    # Somebody took the tag away, or gave it to another image: nothing is built, and it comes back.
    docker("image", "rm", f"{crate.name}:latest")
    assert crate.doit("list", "-s", "image").ok().out.startswith("R image")
    done = crate.doit().ok()
    assert f"image   {crate.name}:latest" in done.out
    assert "s: compiled" not in done.out
    assert crate.images()[f"{crate.name}:latest"] == first
    assert crate.doit("list", "-s", "image").ok().out.startswith("U image")


def test_commands_beside_run_keep_their_meaning(crate: Crate) -> None:
    crate.doit().ok()
    assert "forgetting image" in crate.doit("forget").ok().out
    crate.doit("clean", "--dry-run").ok()
    crate.doit("reset-dep").ok()
    assert "image" in crate.doit("help", "image").ok().out
    assert crate.containers() == {}


def test_a_group_of_clearing_levels_does_not_run_as_a_whole(crate: Crate) -> None:
    before = crate.images()
    for words in (["cache_clear"], ["run", "cache_clear"], ["image", "cache_clear"]):
        refused = crate.doit(*words)
        assert refused.code == 2
        assert refused.err == (
            "layerdoit: error: cache_clear needs a level\n"
            "next: choose one of cache_clear:soft, cache_clear:medium, cache_clear:hard, cache_clear:nuke\n"
        )
    assert crate.images() == before


# --- several projects ------------------------------------------------------------------------------------------------

TWO = """
import layerdoit
task_api = layerdoit.tasks("services/api", prefix="api")
task_web = layerdoit.tasks("services/web", prefix="web")
"""


@pytest.fixture
def two(crate: Crate) -> Crate:
    """A dodo over two projects in folders of their own; the second one differs by a line."""
    for service in ("api", "web"):
        for path in ("Cargo.toml", "Cargo.lock", "src/main.rs", "layerdoit.yaml"):
            crate.write(f"services/{service}/{path}", (crate.folder / path).read_text())
        same_project(crate.folder / "services" / service, crate.folder)
    for path in ("Cargo.toml", "Cargo.lock", "layerdoit.yaml"):
        (crate.folder / path).unlink()
    shutil.rmtree(crate.folder / "src")
    shutil.rmtree(crate.folder / ".layerdoit")
    crate.edit("services/web/src/main.rs", "first text", "text of web")
    crate.edit(
        "services/web/layerdoit.yaml", "deploy:\n", f"image:\n  tags: [web]\ndeploy:\n  name: {crate.name}-web\n"
    )
    crate.write("dodo.py", TWO)
    return crate


def test_two_projects_in_one_dodo(two: Crate) -> None:
    listed = names(two.doit("list").ok().out)
    assert listed == sorted(
        ["api", "watch", "web", *(f"{prefix}:{name}" for prefix in ("api", "web") for name in DOCUMENTED)]
    )
    assert two.doit("-v", "2", "api").ok().ran() == [f"api:{name}" for name in BUILDING]
    assert not (two.folder / ".layerdoit").exists()
    both = two.doit("-v", "2").ok()
    assert sorted(both.ran()) == sorted(f"{prefix}:{name}" for prefix in ("api", "web") for name in BUILDING)
    assert "nothing is deployed; doit web:cycle_fast deploys it\n" in two.doit("web:status").ok().out
    assert two.doit("web:logs").err.endswith(" is not deployed\nnext: doit web:cycle_fast\n")
    assert f"{two.name}:web" in two.images()

    two.doit("api:cycle_fast", "web:cycle_fast").ok()
    assert set(two.containers()) == {two.name, f"{two.name}-web"}
    two.doit("web:destroy").ok()
    assert set(two.containers()) == {two.name}
    assert two.doit("web:cache_clear").code == 2
    assert two.doit("-v", "2", "web:cache_clear:soft", "--dry-run").ok().ran() == ["web:cache_clear:soft"]


def test_parallel_runs(two: Crate) -> None:
    for number, how in enumerate((["-n", "2"], ["-n", "2", "-P", "thread"])):
        for service in ("api", "web"):
            two.edit(f"services/{service}/src/main.rs", '";\nfn', f' and {number} in parallel";\nfn')
        done = two.doit(*how).ok()
        # The lines of two processes may run into each other, so words are counted and not lines.
        assert done.out.count("1 crate compiled") == 2, done.out
        assert "Traceback" not in done.text
        two.doit(*how, "api:cycle_fast", "web:cycle_fast").ok()
        assert two.serves() == f"first text{''.join(f' and {n} in parallel' for n in range(number + 1))}"


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_process_that_did_not_build_deploys_what_others_built(crate: Crate, start: str) -> None:
    """However the processes of `doit -n` start, they work on one run: one image, one row of history."""
    crate.write("dodo.py", f"import multiprocessing as mp\nmp.set_start_method('{start}', force=True)\n{DODO}")
    before = recorded(crate)
    crate.edit("src/main.rs", "first text", f"text of many, {start}")
    assert crate.doit("-n", "5", "cycle_fast").ok().out.count("1 crate compiled") == 1
    assert crate.serves() == f"text of many, {start}"
    (run,) = recorded(crate)[len(before) :]
    assert run["task"] == "cycle_fast"
    assert run["layers"]["app"]["action"] == "build"
    assert "swap" in run["phases"] or "start" in run["phases"]


def recorded(crate: Crate) -> list[dict[str, Any]]:
    """The runs in the history, the oldest first."""
    return list(json.loads(crate.doit("layers", "history", "--json").ok().out)["runs"])


def test_a_folder_that_is_not_there_is_named(plain: Crate) -> None:
    plain.write("dodo.py", 'import layerdoit\ntask_api = layerdoit.tasks("services/apu", prefix="api")\n')
    refused = plain.doit("list")
    assert refused.code == 2
    assert f'layerdoit: error: layerdoit.tasks: there is no folder "{plain.folder}/services/apu"\nnext: ' in refused.err
    assert not (plain.folder / "services").exists()


# --- help and variables ----------------------------------------------------------------------------------------------


def test_help_of_tasks_and_command(plain: Crate) -> None:
    assert "swap" in plain.doit("help", "cycle_fast").ok().out
    assert "--tail" in plain.doit("help", "logs").ok().out
    assert "--dry-run" in plain.doit("help", "cache_clear:nuke").ok().out
    shown = plain.doit("help", "layers").ok().out
    for word in ("plan", "version", "doit layers VERB --help"):
        assert word in shown
    assert "layers" in plain.doit("help").ok().out


def test_an_unknown_variable_is_refused_with_the_nearest(plain: Crate) -> None:
    for words in (["PROFIL=release"], ["list", "PROFIL=release"], ["status", "PROFIL=release"]):
        refused = plain.doit(*words)
        assert refused.code == 2
        assert refused.out == ""
        assert refused.err.startswith(
            'layerdoit: error: unknown variable "PROFIL"\nnext: did you mean "PROFILE"? valid variables: CONFIG, '
        )
    assert plain.doit("layers", "plan", "PROFIL=release").code == 2


def test_a_variable_of_the_dodo_itself_is_accepted(plain: Crate) -> None:
    plain.write(
        "dodo.py",
        "from doit import get_var\nfrom helper import greeting\nfrom layerdoit import task_layerdoit\n"
        "def task_say():\n    said = f\"{get_var('WHOM', 'world')} {greeting()}\"\n"
        "    return {'actions': [f'echo {said}'], 'verbosity': 2}\n",
    )
    plain.write("helper.py", "from doit import get_var\ndef greeting():\n    return get_var( 'HOW', 'morning')\n")
    assert "moon evening" in plain.doit("say", "WHOM=moon", "HOW=evening").ok().out
    refused = plain.doit("say", "WHOMM=moon")
    assert refused.code == 2
    assert 'did you mean "WHOM"?' in refused.err
    assert "HOW" in refused.err


@pytest.mark.parametrize(
    ("word", "message", "step"),
    [
        ("PROFILE=relase", 'PROFILE=relase: profile: there is no "relase"', 'did you mean "release"? valid values: '),
        ("FEATURES=tsl", 'FEATURES=tsl: features: there is no "tsl"', 'did you mean "tls"? valid values: default, tls'),
        ("PORT=http", "PORT=http: deploy.port: expected ", None),
        ("ON_MISSING=pul", "ON_MISSING=pul: base.on_missing[0]: expected one of ", 'did you mean "pull"?'),
    ],
)  # fmt: skip
def test_a_misspelt_value_is_refused(crate: Crate, word: str, message: str, step: str | None) -> None:
    crate.write("Cargo.toml", (crate.folder / "Cargo.toml").read_text() + "[features]\ntls = []\n")
    before = crate.images()
    refused = crate.doit(word)
    assert refused.code != 0
    assert message in refused.err
    assert step is None or f"next: {step}" in refused.err
    assert crate.images() == before


def test_profiles_of_the_manifest_are_valid(crate: Crate) -> None:
    crate.write("Cargo.toml", (crate.folder / "Cargo.toml").read_text() + '[profile.quick]\ninherits = "dev"\n')
    for profile in ("quick", "bench"):
        crate.doit("layers", "plan", f"PROFILE={profile}").ok()


def test_variables_reach_the_plan(crate: Crate) -> None:
    def keys(*words: str) -> list[str]:
        layers = json.loads(crate.doit("layers", "plan", "--json", *words).ok().out)["layers"]
        return [layer["key"] for layer in layers]

    crate.write("over.yaml", "profile: release\n")
    here = keys()
    assert keys("PROFILE=dev") == here
    assert keys("PROFILE=release")[0] == here[0]
    assert keys("PROFILE=release")[1:] != here[1:]
    assert keys("CONFIG=over.yaml")[1] == keys("PROFILE=release")[1]


def test_config_names_a_file_that_is_not_there(plain: Crate) -> None:
    refused = plain.doit("cycle_fast", "CONFIG=missing.yaml")
    assert refused.code == 2
    assert (
        'layerdoit: error: CONFIG: there is no file "missing.yaml"\n'
        "next: name a file with the same keys as layerdoit.yaml"
    ) in refused.err


# --- options of tasks ------------------------------------------------------------------------------------------------


def test_json_of_status_tasks(crate: Crate) -> None:
    crate.doit("cycle_fast").ok()
    told = json.loads(crate.doit("status", "--json").ok().out)
    assert told["deployment"]["health"] == "healthy"
    assert told["deployment"]["current"] is True
    assert [layer["action"] for layer in told["layers"]] == ["reuse"] * 3
    assert isinstance(json.loads(crate.doit("cache_status", "--json").ok().out), dict)
    assert json.loads(crate.doit("run", "status", "--json").ok().out) == told
    assert crate.doit("-v", "2", "status").ok().out.startswith(".  status\n")


def test_json_of_pins(own: Crate) -> None:
    own.doit().ok()
    assert json.loads(own.doit("cache_pin", "--list", "--json").ok().out) == {"project": own.name, "pinned": []}
    own.doit("cache_pin").ok()
    (pinned,) = json.loads(own.doit("cache_pin", "--list", "--json").ok().out)["pinned"]
    assert (pinned["layer"], pinned["tags"][-1]) == ("app", f"{own.name}:app-{pinned['key'][:12]}")
    assert message(own.doit("cache_pin", "--json"))[1] == "doit cache_pin --list --json"
    own.doit("cache_pin", "--remove").ok()


@pytest.mark.parametrize(
    "env", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0", "LC_ALL": "C"}], ids=["asked for", "by the locale"]
)
def test_output_in_ascii_is_no_obstacle(crate: Crate, env: dict[str, str]) -> None:
    before = crate.images()[f"{crate.name}:latest"]
    crate.edit("src/main.rs", "first text", f"text {len(env)}")
    assert "Traceback" not in crate.doit(env=env).ok().text
    assert crate.images()[f"{crate.name}:latest"] != before
    for words in (["layers", "plan"], ["layers", "doctor"], ["list"], ["status"], ["layers", "history"]):
        assert "Traceback" not in crate.doit(*words, env=env).ok().text
    crate.write("b\u00fccher.txt", "")
    if "LC_ALL" in env:
        what, step = message(crate.doit(env=env))
        assert "cher.txt: Python takes file names to be ascii" in what
        assert "LC_ALL=C.UTF-8" in step
    else:
        assert "Traceback" not in crate.doit(env=env).ok().text


@pytest.mark.parametrize("words", [["status"], ["cache_status"], ["layers", "plan"], ["list"]])
def test_output_that_nobody_reads_ends_quietly(crate: Crate, words: list[str]) -> None:
    # What doit itself had not yet written when it ended does not change how it ended.
    assert without_reader(crate, *words) == (0 if words == ["list"] else 141, "")


def test_clearing_shows_asks_and_clears(own: Crate) -> None:
    own.doit().ok()
    before = own.images()
    shown = own.doit("cache_clear:hard", "--dry-run").ok()
    assert f"{own.name}:deps-" in shown.out
    refused = own.doit("cache_clear:hard")
    assert refused.code == 1
    assert refused.err.count("layerdoit: error: ") == 1
    assert "next: doit cache_clear:hard --yes" in refused.err
    assert "TaskFailed" not in refused.text
    assert own.images() == before
    own.doit("cache_clear:hard", "YES=1").ok()
    assert {tag.split(":")[1].split("-")[0] for tag in own.images()} == {"base", "runtime"}
    own.doit("cache_clear:nuke", "--yes").ok()
    assert own.images() == {}
