"""`layerdoit.tasks(…, config=…)`: what a call lays over layerdoit.yaml, and what several calls for one folder share."""

from __future__ import annotations

import inspect
import itertools
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from layerdoit.core.errors import ConfigError
from layerdoit.deploy.settings import settings_of
from layerdoit.flows.session import Session
from layerdoit.front import projects, tasks
from layerdoit.project.project import Project
from layerdoit.project.run import Run

LOCK = """\
version = 3

[[package]]
name = "api"
version = "0.1.0"

[[package]]
name = "worker"
version = "0.1.0"
"""
OWN = "project: shop\nbins: [api]\ndeploy: {port: 8080}\n"
WORKER = '{"bins": ["worker"], "deploy": {"port": None}}'


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Cargo.toml").write_text('[workspace]\nmembers = ["api", "worker"]\nresolver = "2"\n')
    (tmp_path / "Cargo.lock").write_text(LOCK)
    for name in ("api", "worker"):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src/main.rs").write_text("fn main() {}\n")
        (tmp_path / name / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\n')
    (tmp_path / "layerdoit.yaml").write_text(OWN)
    return tmp_path


_numbers = itertools.count()


def written(folder: Path, *calls: str) -> None:
    """A dodo.py with these calls, each in a line of its own, the first one in line 2."""
    lines = [f"task_{next(_numbers)} = layerdoit.tasks({call})" for call in calls]
    (folder / "dodo.py").write_text("\n".join(["import layerdoit", *lines, ""]))


def opened(folder: Path, prefix: str, variables: Mapping[str, str] = {}) -> Project:
    """The project of a call, as its tasks have it."""
    (found,) = [one for one in projects.of_dodo(folder) if one.prefix == prefix]
    project = Project.open(found.folder, variables, call=found.call)
    project.refuse_clashes()
    return project


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "what", "step"),
    [
        ('{"bin": ["worker"]}', 'dodo.py:3: unknown key "bin"', 'did you mean "bins"?'),
        ('{"deploy": {"port": "x"}}', "dodo.py:3: deploy.port: expected ", ""),
        ('{"bins": "worker"}', "dodo.py:3: bins: expected a list of binary names", "[worker]"),
        ('"worker.yaml"', 'dodo.py:3: config: there is no file "worker.yaml"', "relative to the dodo.py"),
        ("5", "dodo.py:3: config: expected a path or a mapping, got int", 'config="worker.yaml"'),
        ('{"deploy": {"env": {"A": object()}}}', "dodo.py:3: config: a object is no value of a setting", "texts"),
        ('{"environments": {"prod": {}}}', "dodo.py:3: the rules of environments belong in layerdoit.yaml", "move"),
        ('{"deploy": {"publish": 8080, "port": None}}', "dodo.py:3: deploy.publish needs deploy.port", "set deploy."),
    ],
)
def test_what_is_wrong_is_told_with_the_line_of_the_call(shop: Path, config: str, what: str, step: str) -> None:
    written(shop, "", f'prefix="w", config={config}')
    with pytest.raises(ConfigError) as caught:
        opened(shop, "w")
    assert str(caught.value).startswith(what), str(caught.value)
    assert step in (caught.value.hint or "")


def test_a_file_is_told_with_its_own_lines(shop: Path) -> None:
    (shop / "worker.yaml").write_text("bins: [worker]\nprofil: dev\n")
    written(shop, "", 'prefix="w", config="worker.yaml"')
    with pytest.raises(ConfigError, match=re.escape('worker.yaml:2: unknown key "profil"')):
        opened(shop, "w")


@pytest.mark.parametrize(
    ("one", "other", "what", "where"),
    [
        (
            '{"deploy": {"name": "shop"}}',
            None,
            "deploy.name: w and the tasks without prefix would both have it: shop",
            3,
        ),
        ('{"image": {"repository": "shop"}}', None, "image.repository: w and the tasks without prefix would bo", 3),
        ('{"deploy": {"publish": 80}}', '{"deploy": {"publish": 80}}', "deploy.publish: w and v would both have it", 4),
    ],
)
def test_two_calls_have_names_and_ports_of_their_own(
    shop: Path, one: str, other: str | None, what: str, where: int
) -> None:
    more = [f'prefix="v", config={other}'] if other else []
    written(shop, "", f'prefix="w", config={one}', *more)
    with pytest.raises(ConfigError) as caught:
        opened(shop, "w")
    assert what in str(caught.value), str(caught.value)
    assert f"dodo.py:{where}: " in str(caught.value)
    assert "give one of them another one: config={" in (caught.value.hint or "")


# --- what it does ----------------------------------------------------------------------------------------------------


def test_calls_of_one_folder_share_all_but_their_image(shop: Path) -> None:
    written(shop, "", f'prefix="w", config={WORKER}')
    main, worker = opened(shop, ""), opened(shop, "w")
    assert main.selection == worker.selection
    assert [name for _, name in main.selection.bins] == ["api", "worker"]
    assert (main.bins, worker.bins) == ((("api", "api"),), (("worker", "worker"),))
    assert (main.repository, worker.repository) == ("shop", "shop-w")
    assert (main.layers_repository, worker.layers_repository) == ("shop", "shop")
    assert main.app_variant != worker.app_variant
    assert (main.variant(), main.name) == (worker.variant(), worker.name)
    ours, theirs = settings_of(main), settings_of(worker)
    assert (ours.name, theirs.name, theirs.part) == ("shop", "shop-w", "w")
    assert (ours.source, theirs.source) == ("layerdoit.yaml", "dodo.py w")
    (shop / "layerdoit.yaml").write_text(OWN + "image: {repository: mine}\n")
    written(shop, "", f'prefix="w", config={WORKER[:-1]}, "image": {{"repository": "theirs"}}}}')
    assert (opened(shop, "w").repository, opened(shop, "w").layers_repository) == ("theirs", "mine")


def test_the_only_call_is_the_project(shop: Path) -> None:
    written(shop, f'prefix="w", config={WORKER}')
    only = opened(shop, "w")
    assert (only.repository, settings_of(only).name, only.app_variant) == ("shop", "shop", only.variant())
    assert [name for _, name in only.selection.bins] == ["worker"]


def test_the_tasks_of_the_import_are_a_call_as_well(shop: Path) -> None:
    written(shop, f'prefix="w", config={WORKER}')
    (shop / "dodo.py").write_text("from layerdoit import task_layerdoit\n" + (shop / "dodo.py").read_text())
    for prefix in ("", "w"):
        assert [name for _, name in opened(shop, prefix).selection.bins] == ["api", "worker"]


def test_a_call_without_settings_is_what_it_was(shop: Path) -> None:
    written(shop, 'prefix="a"', 'prefix="b"')
    assert [one.call for one in projects.of_dodo(shop)] == [None, None]
    assert opened(shop, "b").repository == "shop"


def test_layers_of_settings_and_their_order(shop: Path) -> None:
    """layerdoit.yaml, the call, the environment, CONFIG, variables."""
    more = '"deploy": {"name": "ww", "env": {"A": "call", "B": "call", "C": "call"}}, "image": {"tags": ["one"]}'
    written(shop, "", f'prefix="w", config={{"bins": ["worker"], {more}}}')
    (shop / "layerdoit.yaml").write_text(OWN.replace("port: 8080", "port: 8080, env: {A: own, Z: own}"))
    (shop / "layerdoit.staging.yaml").write_text("deploy: {env: {B: staging, C: staging}}\n")
    (shop / "above.yaml").write_text("deploy: {env: {C: above}}\n")
    config = opened(shop, "w", {"ENV": "staging", "CONFIG": "above.yaml", "PORT": "9"}).config
    assert dict(config.deploy.env) == {"A": "call", "B": "staging", "C": "above", "Z": "own"}
    assert (config.deploy.name, config.deploy.port, config.image.tags) == ("ww-staging", 9, ("staging",))
    assert settings_of(opened(shop, "w", {"CONFIG": "above.yaml"})).source == "above.yaml over dodo.py w"
    assert settings_of(opened(shop, "w", {"ENV": "staging"})).source == "dodo.py w ENV=staging"


def test_another_process_and_another_reading_have_it_too(shop: Path) -> None:
    written(shop, "", f'prefix="w", config={WORKER}')
    session = Session(Run(), opened(shop, "w"))
    other = pickle.loads(pickle.dumps(session))
    assert other.project.config.bins == ("worker",)
    assert other.project.again().part == "w"
    assert session.variant(PROFILE="release").project.config.bins == ("worker",)


def test_a_copy_of_the_tree_has_a_file_of_its_own(shop: Path, tmp_path: Path) -> None:
    (shop / "worker.yaml").write_text("bins: [worker]\n")
    written(shop, "", 'prefix="w", config="worker.yaml"')
    call = opened(shop, "w").call
    assert call is not None
    assert call.in_folder(shop, Path("/copy")).file == Path("/copy/worker.yaml")
    assert call.name == "worker.yaml"


def test_verbs_have_the_settings_of_the_call(shop: Path) -> None:
    written(shop, "", f'prefix="w", config={WORKER}')
    found = projects.find("w", shop)
    params = {"root": str(found.folder), projects.CALL: found.call}
    assert projects.opened(params).config.bins == ("worker",)
    plain = projects.find("", shop)
    assert (plain.prefix, plain.call is not None and len(plain.call.others)) == ("", 1)


def test_tasks_of_services_go_to_another_process(shop: Path) -> None:
    """As `doit -n` sends them where processes are not forked."""
    (shop / "layerdoit.yaml").write_text("services:\n  api: {bins: [api]}\n  worker: {bins: [worker]}\n")
    made = {one["basename"]: one for one in tasks.tasks(shop)()}
    for name in ("cycle_fast", "cycle_fast:api", "exec", "exec:worker", "destroy"):
        ((action, arguments),) = made[name]["actions"]
        again, there = pickle.loads(pickle.dumps((action, arguments)))
        assert there[0].project.service == name.partition(":")[2]
        assert inspect.signature(again) == inspect.signature(action)
