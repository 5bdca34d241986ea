"""Workflows as texts: the same for everybody, valid, without injection; what people wrote and bots moved stays."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.ci import ci_facts, ci_jobs, commented_yaml, gitlab, kept_files, own_regions
from layerdoit.ci.ci_facts import CiFacts
from layerdoit.ci.commented_yaml import CLOSES, OPENS, Commented, Note, Region
from layerdoit.config import Config, load
from layerdoit.config.ci_section import Ci
from layerdoit.core.errors import ConfigError, LayerdoitError
from tests.support import messages
from tests.support.files import write

ROOT = Path(__file__).resolve().parents[2]
ALONE = CiFacts(Ci(), runners=ci_facts.RUNNERS["github"])
SHARED = dataclasses.replace(ALONE, registry="registry.example.com/team/shop", shares=("base", "deps", "app"))
PUBLISHED = dataclasses.replace(
    SHARED, published=SHARED.registry, retention=True, platforms=("linux/amd64", "linux/arm64")
)
BUILD = ".github/workflows/layers-build.yml"
FACTS: dict[str, CiFacts] = {
    "nothing but a crate": ALONE,
    "shared layers": SHARED,
    "pulled layers": dataclasses.replace(SHARED, shares=()),
    "the job's own token": dataclasses.replace(SHARED, ci=Ci(login="job")),
    "no login": dataclasses.replace(SHARED, ci=Ci(login="none")),
    "one of several projects": dataclasses.replace(SHARED, folder="apps", project="apps/shop", prefix="shop"),
    "all that a repository may have": dataclasses.replace(SHARED, submodules=True, lfs=True, history=True),
    "everything set": dataclasses.replace(
        SHARED,
        ci=Ci(
            branches=("main", "release/**"),
            install=("-r", "it's/requirements.txt"),
            timeout=90,
            base_cron="0 0 * * 1",
        ),
        runners={"amd64": "ubuntu-22.04"},
    ),
    "versions of two platforms": PUBLISHED,
    "versions, cross-compiled": dataclasses.replace(PUBLISHED, cross=True),
    "versions of one platform": dataclasses.replace(PUBLISHED, platforms=("linux/arm64",)),
    "versions in another registry": dataclasses.replace(PUBLISHED, published="images.example.com/shop", platforms=()),
    "versions without layers": dataclasses.replace(ALONE, published="images.example.com/shop"),
    "the job's own token, and another registry": dataclasses.replace(
        PUBLISHED, ci=Ci(login="job"), published="images.example.com/shop"
    ),
}


def texts(facts: CiFacts, system: str, top: Path = Path("/nowhere")) -> dict[str, str]:
    return {one.path: one.text for one in kept_files.look(top, system, facts)}


def looked(top: Path, facts: CiFacts = SHARED, system: str = "github") -> dict[str, kept_files.Kept]:
    return {one.path: one for one in kept_files.look(top, system, facts)}


def written(top: Path, facts: CiFacts = SHARED, system: str = "github") -> None:
    kept_files.write(top, kept_files.look(top, system, facts))


# --- YAML ------------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(st.text("ab :#'\"-{}[],&*!|>%@`\\~0é", max_size=12), st.booleans(), st.integers(-5, 99))
NAMES = st.text("abc", min_size=1, max_size=3)
NOTES = st.builds(Note, st.text("ab c", max_size=20))


def mappings(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Names and values, with a comment before the last."""
    plain = st.dictionaries(NAMES, inner, min_size=1, max_size=3)
    return st.builds(lambda note, first, last: {**first, note: None, **last}, NOTES, plain, plain)


def lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(st.one_of(SCALARS, mappings(inner)), min_size=1, max_size=3)
    return st.builds(lambda note, found: [note, *found], NOTES, items)


VALUES = st.recursive(SCALARS, lambda inner: st.one_of(lists(inner), mappings(inner)), max_leaves=8)


def data(value: Any) -> Any:
    """A document without comments and places."""
    if isinstance(value, dict):
        return {name: data(inner) for name, inner in value.items() if isinstance(name, str)}
    if isinstance(value, list):
        return [data(inner) for inner in value if not isinstance(inner, Note)]
    return value


@given(mappings(VALUES))
def test_any_document_comes_back(document: Mapping[str, Any]) -> None:
    text = commented_yaml.text(document, {})
    assert yaml.safe_load(text) == data(document), text


def test_a_document_as_people_read_it() -> None:
    document = {
        "name": "a: b",
        Note("why"): None,
        "jobs": {"one": {"uses": Commented("a/b@c", "v1"), "run": "x\n\ny", Region("mine"): None}, "none": {}},
        "list": [1, True, "off"],
        "steps": [Note("first"), {"name": "x", "with": {"a": None}}, Region("more"), "plain"],
    }
    assert commented_yaml.text(document, {"more": ["  - mine: 1", ""]}) == (
        'name: "a: b"\n\n# why\njobs:\n  one:\n    uses: a/b@c # v1\n    run: |\n      x\n\n      y\n'
        "    # >>> yours: mine\n    # <<< yours\n  none: {}\n\n"
        'list: [1, true, "off"]\n\n'
        "steps:\n  # first\n  - name: x\n    with:\n      a:\n"
        "  # >>> yours: more\n  - mine: 1\n\n  # <<< yours\n  - plain\n"
    )


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def actionlint() -> str:
    found = subprocess.run([ROOT / "scripts/ensure-actionlint"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def lint(actionlint: str, *files: Path) -> str:
    done = subprocess.run([actionlint, "-no-color", *map(str, files)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def against_schema(schema: str, *files: Path) -> str:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def laid_out(folder: Path, system: str) -> list[Path]:
    """All files of all kinds of projects, each kind in a folder of its own."""
    files = []
    for index, facts in enumerate(FACTS.values()):
        for path, text in texts(facts, system).items():
            file = folder / str(index) / path
            write(file.parent, {file.name: text})
            files.append(file)
    return files


def test_workflows_have_no_fault_that_actionlint_knows(tmp_path: Path, actionlint: str) -> None:
    files = laid_out(tmp_path, "github")
    assert len(files) > len(FACTS)
    assert lint(actionlint, *files) == ""


def test_actionlint_would_have_seen_an_injection(tmp_path: Path, actionlint: str) -> None:
    written(tmp_path)
    file = tmp_path / ".github/workflows/layers-build.yml"
    text = file.read_text()
    file.write_text(text.replace("run: doit check", "run: doit check ${{ github.event.pull_request.title }}"))
    assert text != file.read_text()
    assert "potentially untrusted" in lint(actionlint, file)


def test_workflows_are_as_their_schema_says(tmp_path: Path) -> None:
    files = laid_out(tmp_path, "github")
    assert against_schema("vendor.github-workflows", *files) == ""
    spoiled = files[0]
    spoiled.write_text(spoiled.read_text().replace("steps:", "stepz:"))
    assert "stepz" in against_schema("vendor.github-workflows", spoiled)


def test_jobs_are_as_the_schema_of_gitlab_says(tmp_path: Path) -> None:
    files = laid_out(tmp_path, "gitlab")
    assert against_schema("vendor.gitlab-ci", *files) == ""
    spoiled = files[0]
    spoiled.write_text(spoiled.read_text().replace("interruptible: true", "interruptible: often"))
    assert "interruptible" in against_schema("vendor.gitlab-ci", spoiled)


@pytest.mark.parametrize("case", FACTS)
def test_every_action_is_a_commit_and_no_step_holds_an_expression(case: str) -> None:
    for text in texts(FACTS[case], "github").values():
        workflow = yaml.safe_load(text)
        assert workflow["permissions"]["contents"] == "read"
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] > 0
            for step in job["steps"]:
                assert "${{" not in step.get("run", "")
                if "uses" in step:
                    assert own_regions._COMMIT.fullmatch(step["uses"].partition("@")[2])


def job(facts: CiFacts, workflow: str, name: str) -> Any:
    found = next(text for path, text in texts(facts, "github").items() if path.endswith(f"-{workflow}.yml"))
    return yaml.safe_load(found)["jobs"][name]


def steps(facts: CiFacts, workflow: str) -> dict[str, Any]:
    return {step["name"]: step for step in job(facts, workflow, workflow)["steps"]}


def test_without_a_registry_there_is_nothing_to_log_in_to_and_no_base_to_share() -> None:
    alone = FACTS["nothing but a crate"]
    assert list(texts(alone, "github")) == [".github/workflows/layers-build.yml"]
    assert list(steps(alone, "build")) == ["Check out", "Install layerdoit", "Test", "Build", "Summary"]
    assert steps(alone, "build")["Test"]["run"] == "doit check"


def test_a_token_is_read_from_standard_input_and_stands_nowhere_else() -> None:
    step = steps(SHARED, "build")["Log in to the registry"]
    assert step["env"]["REGISTRY_TOKEN"] == "${{ secrets.REGISTRY_TOKEN }}"
    assert '--username "$REGISTRY_USER" --password-stdin registry.example.com\n' in step["run"]
    assert "LOCAL_ONLY=yes" in step["run"]
    assert "exit 1" in steps(SHARED, "base")["Log in to the registry"]["run"]


@pytest.mark.parametrize("token", ["", "s3cret"])
@pytest.mark.parametrize(("workflow", "must"), [("build", False), ("base", True)])
def test_the_login_as_the_shell_runs_it(tmp_path: Path, workflow: str, must: bool, token: str) -> None:
    write(tmp_path, {"docker": '#!/bin/sh\necho "$@" >argv\ncat >stdin\n', "env": ""})
    (tmp_path / "docker").chmod(0o755)
    variables = {"REGISTRY_USER": "me", "REGISTRY_TOKEN": token, "GITHUB_ENV": str(tmp_path / "env")}
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
    script = steps(SHARED, workflow)["Log in to the registry"]["run"]
    argv = ["bash", "-e", "-c", script]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if must and not token else 0)
    assert (tmp_path / "env").read_text() == ("LOCAL_ONLY=yes\n" if not must and not token else "")
    if token:
        assert (tmp_path / "argv").read_text() == "login --username me --password-stdin registry.example.com\n"
        assert (tmp_path / "stdin").read_text() == token
    else:
        assert not (tmp_path / "argv").exists()
        assert "REGISTRY_TOKEN" in done.stdout + done.stderr


def test_the_token_of_the_job_needs_a_permission_and_no_secret() -> None:
    text = texts(FACTS["the job's own token"], "github")[".github/workflows/layers-build.yml"]
    assert yaml.safe_load(text)["permissions"] == {"contents": "read", "packages": "write"}
    assert "secrets.REGISTRY" not in text
    assert yaml.safe_load(texts(SHARED, "github")[".github/workflows/layers-build.yml"])["permissions"] == {
        "contents": "read"
    }


def test_one_of_several_projects() -> None:
    facts = FACTS["one of several projects"]
    found = texts(facts, "github")
    assert list(found) == [".github/workflows/layers-shop-base.yml", ".github/workflows/layers-shop-build.yml"]
    workflow = yaml.safe_load(found[".github/workflows/layers-shop-build.yml"])
    assert workflow["defaults"] == {"run": {"working-directory": "apps"}}
    assert steps(facts, "build")["Build"]["run"] == 'doit shop:image LOCAL_ONLY="$LOCAL_ONLY"'
    assert steps(facts, "build")["Summary"]["run"].startswith("doit layers report --root shop --summary ")


def test_what_the_checkout_gets() -> None:
    got = steps(FACTS["all that a repository may have"], "build")["Check out"]["with"]
    assert got == {"fetch-depth": 0, "submodules": "recursive", "lfs": True, "persist-credentials": False}
    assert steps(SHARED, "build")["Check out"]["with"] == {"persist-credentials": False}


def test_other_words_for_pip_are_one_text_of_an_expression() -> None:
    text = texts(FACTS["everything set"], "github")[".github/workflows/layers-build.yml"]
    asked = yaml.safe_load(text)["env"]["LAYERDOIT"].partition("|| '")[2].removesuffix("' }}").replace("''", "'")
    done = subprocess.run(["xargs", "printf", "%s\n"], input=asked, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-r", "it's/requirements.txt"]


def test_each_platform_has_its_own_machine_and_the_versions_wait_for_all() -> None:
    layers, publish = job(PUBLISHED, "publish", "layers"), job(PUBLISHED, "publish", "publish")
    machines = [("linux/amd64", "ubuntu-24.04"), ("linux/arm64", "ubuntu-24.04-arm")]
    assert [(one["platform"], one["runner"]) for one in layers["strategy"]["matrix"]["include"]] == machines
    assert (layers["runs-on"], publish["runs-on"]) == ("${{ matrix.runner }}", "ubuntu-24.04")
    assert publish["needs"] == ["layers"]
    assert steps(PUBLISHED, "publish")["Publish"]["run"].splitlines() == [
        """echo 'cross: never' >"$RUNNER_TEMP/layerdoit/ci.yaml\"""",
        'doit publish CONFIG="$RUNNER_TEMP/layerdoit/ci.yaml"',
    ]


def test_a_base_that_is_not_pushed_is_a_failed_job() -> None:
    run = steps(SHARED, "base")["Build and push the base"]["run"].splitlines()
    assert run[0].startswith("echo 'registry: {strict: true}' >")
    assert yaml.safe_load(run[0].split("'")[1]) == {"registry": {"strict": True}}
    assert run[1] == 'doit base ON_MISSING=build CONFIG="$RUNNER_TEMP/layerdoit/ci.yaml"'


@pytest.mark.parametrize("case", ["versions, cross-compiled", "versions without layers"])
def test_one_machine_publishes_alone(case: str) -> None:
    assert "needs" not in job(FACTS[case], "publish", "publish")
    assert steps(FACTS[case], "publish")["Publish"]["run"] == "doit publish"


def test_a_project_for_one_platform_runs_on_its_machine() -> None:
    facts = FACTS["versions of one platform"]
    assert job(facts, "build", "build")["runs-on"] == job(facts, "publish", "publish")["runs-on"] == "ubuntu-24.04-arm"


def test_another_registry_gets_another_token() -> None:
    facts = FACTS["the job's own token, and another registry"]
    found = [one["env"] for one in job(facts, "publish", "publish")["steps"] if "Log in" in one["name"]]
    assert found == [
        {"REGISTRY_USER": "${{ github.actor }}", "REGISTRY_TOKEN": "${{ github.token }}"},
        {"PUBLISH_USER": "${{ secrets.PUBLISH_USER }}", "PUBLISH_TOKEN": "${{ secrets.PUBLISH_TOKEN }}"},
    ]


def test_the_registry_is_cleaned_after_a_rehearsal_and_git_may_be_asked() -> None:
    found = steps(PUBLISHED, "registry")
    assert list(found)[3:5] == ["What would be removed", "Remove it"]
    assert found["Check out"]["with"] == {"persist-credentials": True}


def test_the_file_that_gitlab_reads_is_its_owner_s(tmp_path: Path) -> None:
    written(tmp_path, SHARED, "gitlab")
    entry = (tmp_path / ".gitlab-ci.yml").read_text()
    assert yaml.safe_load(entry) == {"include": [{"local": ".gitlab/layers.yml"}]}
    assert kept_files.not_included(tmp_path, "gitlab", SHARED) is None
    (tmp_path / ".gitlab-ci.yml").write_text("mine: 1\n")
    written(tmp_path, SHARED, "gitlab")
    assert (tmp_path / ".gitlab-ci.yml").read_text() == "mine: 1\n"
    assert kept_files.not_included(tmp_path, "gitlab", SHARED) == entry
    assert kept_files.not_included(tmp_path, "github", SHARED) is None


@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_no_workflow_at_all(tmp_path: Path, system: str) -> None:
    written(tmp_path, SHARED, system)
    (tmp_path / ".gitlab-ci.yml").unlink(missing_ok=True)
    none = dataclasses.replace(SHARED, ci=Ci(workflows=()))
    written(tmp_path, none, system)
    written(tmp_path, none, system)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert "ci.workflows names none" in next(ci_jobs.remarks(none))


def test_branches_as_gitlab_matches_them() -> None:
    found = gitlab._on_branches(dataclasses.replace(SHARED, ci=Ci(branches=("main", "v1.x", "release/**"))))
    pattern = found.partition("=~ /")[2].removesuffix("/").replace(r"\/", "/")
    for branch, matches in {"main": True, "v1.x": True, "v1ax": False, "release/1/a": True, "mainly": False}.items():
        assert bool(re.search(pattern, branch)) is matches, branch


@pytest.mark.parametrize(("moved", "stays"), [("30.0.1", True), ("28.5.2", False)])
def test_a_newer_image_of_the_jobs_stays(tmp_path: Path, moved: str, stays: bool) -> None:
    written(tmp_path, SHARED, "gitlab")
    file, ours = ".gitlab/layers.yml", own_regions.versions()["docker"]
    (tmp_path / file).write_text((tmp_path / file).read_text().replace(f"docker:{ours}", f"docker:{moved}"))
    assert looked(tmp_path, SHARED, "gitlab")[file].kind == ("same" if stays else "changed")
    written(tmp_path, SHARED, "gitlab")
    found = yaml.safe_load((tmp_path / file).read_text())[".layers"]
    version = moved if stays else ours
    assert (found["image"], found["services"][0]["name"]) == (f"docker:{version}", f"docker:{version}-dind")


def test_the_sample_of_the_guide_is_what_is_written() -> None:
    guide = ROOT / "docs/ci.md"
    wanted = texts(SHARED, "github")[BUILD]
    before, block, after = re.split(r"(?<=```yaml\n)(.*?)(?=```\n)", guide.read_text(), maxsplit=1, flags=re.DOTALL)
    if os.environ.get(messages.RECORD):
        guide.write_text(before + wanted + after)
    else:
        assert block == wanted, "LAYERDOIT_RECORD=1 writes it"


# --- facts -----------------------------------------------------------------------------------------------------------


def gathered(top: Path, below: str = ".", dodo: str = ".", prefix: str = "") -> CiFacts:
    root = (top / below).resolve()
    return ci_facts.gather("github", root, load(root, variables={}), top, (top / dodo).resolve(), prefix)


def test_facts_of_a_project_below(tmp_path: Path) -> None:
    config = (
        "dockerfiles: {base: Dockerfile.base}\nbuild: {git: commit}\ntoolchain: 1.95.0\nregistry: {repository: r/x}\n"
    )
    write(tmp_path, {"shop/layerdoit.yaml": config, "shop/Dockerfile.base": "", ".gitmodules": "", "dodo.py": ""})
    write(tmp_path, {".gitattributes": "*.bin filter=lfs\n", "shop/layerdoit.dev.yaml": ""})
    facts = gathered(tmp_path, "shop", prefix="web")
    assert facts == CiFacts(
        Ci(),
        runners=ci_facts.RUNNERS["github"],
        folder=".",
        project="shop",
        prefix="web",
        registry="r/x",
        shares=(),
        published="r/x",
        base_inputs=(
            *("rust-toolchain", "rust-toolchain.toml", "shop/Dockerfile.base", "shop/layerdoit.dev.yaml"),
            *("shop/layerdoit.yaml", "shop/rust-toolchain", "shop/rust-toolchain.toml"),
        ),
        submodules=True,
        lfs=True,
        history=True,
        toolchain=True,
    )
    assert facts.name == "web"
    assert dataclasses.replace(facts, prefix="", project="apps/My Shop").name == "apps-my-shop"


def test_a_dodo_of_another_repository(tmp_path: Path) -> None:
    write(tmp_path, {"a/layerdoit.yaml": "", "dodo.py": ""})
    with pytest.raises(ConfigError, match=r"dodo\.py is not in the repository"):
        ci_facts.gather("github", tmp_path / "a", Config(), tmp_path / "a", tmp_path, "a")


# --- written again ---------------------------------------------------------------------------------------------------


def edit(top: Path, old: str, new: str, path: str = BUILD) -> None:
    text = (top / path).read_text()
    assert old in text
    (top / path).write_text(text.replace(old, new, 1))


def kinds(top: Path, facts: CiFacts = SHARED) -> dict[str, str]:
    return {path.rpartition("-")[2]: one.kind for path, one in looked(top, facts).items()}


def test_written_again_nothing_changes(tmp_path: Path) -> None:
    assert kinds(tmp_path) == {"base.yml": "new", "build.yml": "new"}
    written(tmp_path)
    assert kinds(tmp_path) == {"base.yml": "same", "build.yml": "same"}
    before = (tmp_path / BUILD).read_bytes()
    written(tmp_path)
    assert (tmp_path / BUILD).read_bytes() == before


MINE = "      - name: Mine\n        run: |\n          echo '# not a marker'\n\n"


def test_lines_of_people_stay_and_are_no_difference(tmp_path: Path) -> None:
    written(tmp_path)
    edit(tmp_path, f"      {OPENS}before build\n", f"      {OPENS}before build\n{MINE}")
    assert kinds(tmp_path)["build.yml"] == "same"
    other = dataclasses.replace(SHARED, ci=Ci(timeout=7))
    assert kinds(tmp_path, other)["build.yml"] == "changed"
    written(tmp_path, other)
    text = (tmp_path / BUILD).read_text()
    assert f"{OPENS}before build\n{MINE}      {CLOSES}\n" in text
    assert "timeout-minutes: 7\n" in text


NEWER = "f" * 40


@pytest.mark.parametrize(
    ("moved", "stays"),
    [
        (f"{NEWER} # v8.1.0", True),
        (f"{NEWER} # v8", True),
        (NEWER, True),
        (f"{NEWER} # v1.0.0", False),
        ("v8", False),
        ("main", False),
    ],
)
def test_a_newer_action_stays_and_what_is_no_commit_does_not(tmp_path: Path, moved: str, stays: bool) -> None:
    written(tmp_path)
    ours = own_regions.versions()["actions/checkout"]
    edit(tmp_path, f"actions/checkout@{ours}", f"actions/checkout@{moved}")
    assert kinds(tmp_path)["build.yml"] == ("same" if stays else "changed")
    written(tmp_path, dataclasses.replace(SHARED, ci=Ci(timeout=7)))
    assert f"uses: actions/checkout@{moved if stays else ours}\n" in (tmp_path / BUILD).read_text()


def test_another_version_of_layerdoit_is_no_difference_but_is_written(tmp_path: Path) -> None:
    written(tmp_path)
    before = (tmp_path / BUILD).read_text()
    edit(tmp_path, "layerdoit==", "layerdoit==0.0.")
    assert kinds(tmp_path)["build.yml"] == "same"
    written(tmp_path)
    assert (tmp_path / BUILD).read_text() == before


def test_a_difference_names_its_line(tmp_path: Path) -> None:
    written(tmp_path)
    edit(tmp_path, f"      {OPENS}before build\n", f"      {OPENS}before build\n{MINE}")
    edit(tmp_path, "run: doit check", "run: doit check -v")
    line = next(i for i, line in enumerate((tmp_path / BUILD).read_text().splitlines(), 1) if "check -v" in line)
    found = looked(tmp_path)[BUILD].difference
    assert found is not None
    assert found.line == line
    assert found.there == '        run: doit check -v LOCAL_ONLY="$LOCAL_ONLY"'
    assert found.wanted == '        run: doit check LOCAL_ONLY="$LOCAL_ONLY"'


def test_a_file_that_ends_too_early_and_one_that_goes_on(tmp_path: Path) -> None:
    written(tmp_path)
    whole = (tmp_path / BUILD).read_text()
    (tmp_path / BUILD).write_text(whole + "more: 1\n")
    assert looked(tmp_path)[BUILD].difference == (len(whole.splitlines()) + 1, "more: 1", None)
    (tmp_path / BUILD).write_text(whole.partition("jobs:")[0])
    found = looked(tmp_path)[BUILD].difference
    assert found is not None
    assert found[1:] == (None, "jobs:")


def test_what_is_asked_for_no_more_is_removed(tmp_path: Path) -> None:
    written(tmp_path)
    alone = ALONE
    assert kinds(tmp_path, alone) == {"base.yml": "left", "build.yml": "changed"}
    written(tmp_path, alone)
    assert [path.name for path in (tmp_path / ".github/workflows").iterdir()] == ["layers-build.yml"]


def test_a_foreign_file_of_a_workflow_that_is_not_asked_for_is_nobody_s_business(tmp_path: Path) -> None:
    write(tmp_path, {".github/workflows/layers-base.yml": "name: mine\n"})
    written(tmp_path, ALONE)
    assert (tmp_path / ".github/workflows/layers-base.yml").read_text() == "name: mine\n"


def test_a_windows_checkout_is_no_difference(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / BUILD).write_bytes((tmp_path / BUILD).read_bytes().replace(b"\n", b"\r\n"))
    assert kinds(tmp_path)["build.yml"] == "same"


def test_nothing_is_half_written(tmp_path: Path) -> None:
    written(tmp_path)
    before = {path.name: path.read_text() for path in (tmp_path / ".github/workflows").iterdir()}
    other = dataclasses.replace(SHARED, ci=Ci(timeout=7))
    found = kept_files.look(tmp_path, "github", other)
    broken = found[-1]._replace(path="layers/\0")
    blocked = found[-1]._replace(path=".github/workflows/layers-base.yml/x.yml")
    for bad in (blocked, broken):
        with pytest.raises((LayerdoitError, ValueError)):
            kept_files.write(tmp_path, [*found, bad])
        assert {path.name: path.read_text() for path in (tmp_path / ".github/workflows").iterdir()} == before


# --- bad input -------------------------------------------------------------------------------------------------------


def damaged(old: str, new: str) -> Callable[[Path], None]:
    return lambda top: edit(top, old, new)


def instead(path: str, text: bytes) -> Callable[[Path], None]:
    def spoil(top: Path) -> None:
        (top / path).write_bytes(text)

    return spoil


def directory(top: Path) -> None:
    (top / BUILD).unlink()
    (top / BUILD).mkdir()


def with_lines_in_the_base(top: Path) -> None:
    edit(top, f"      {OPENS}before base\n", f"      {OPENS}before base\n{MINE}", BUILD.replace("build", "base"))


WRONG: dict[str, tuple[Callable[[Path], None], CiFacts, str]] = {
    "no end of a region": (damaged(f"      {CLOSES}\n", ""), SHARED, f"{BUILD}:"),
    "no beginning of a region": (damaged(f"      {OPENS}after build\n", ""), SHARED, f"{BUILD}:"),
    "last end of a region missing": (damaged(f"  {OPENS}jobs\n  {CLOSES}\n", f"  {OPENS}jobs\n"), SHARED, f"{BUILD}:"),
    "a region twice": (damaged("after build", "before build"), SHARED, f"{BUILD}:"),
    "a marker written otherwise": (damaged(OPENS, "#>>> yours "), SHARED, f"{BUILD}:"),
    "a region of another name with lines": (
        damaged(f"{OPENS}before build\n", f"{OPENS}before bild\n{MINE}"),
        SHARED,
        BUILD,
    ),
    "a foreign file": (instead(BUILD, b"name: mine\n"), SHARED, BUILD),
    "a foreign file that is no text": (instead(BUILD, b"\xff\xfe"), SHARED, BUILD),
    "a folder in the place of the file": (directory, SHARED, BUILD),
    "lines in a workflow that is not wanted": (with_lines_in_the_base, ALONE, BUILD.replace("build", "base")),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_with_a_file_is_one_message_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    spoil, facts, where = WRONG[case]
    written(tmp_path)
    spoil(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, facts)
    assert (caught.value.where or "").startswith(where)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    messages.check("ci", case, re.sub(r"(?<=yml:|ine )\d+", "<line>", str(caught.value)))


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "which CI service?"), (["githb"], 'no CI service "githb"'), (["github", "github"], "takes one CI service")],
)
def test_services(words: list[str], said: str) -> None:
    assert kept_files.named(["github"]) == "github"
    with pytest.raises(ConfigError) as caught:
        kept_files.named(words)
    assert said in str(caught.value)
    messages.check("ci", " ".join(["doit layers ci", *words]), str(caught.value))
