"""`doit layers ci`, as typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.git import git
from tests.support.scratch import LOCK, MAIN, MANIFEST, Crate, message

SHARED = "registry: {repository: registry.example.com/team/hello, push: [base, deps, app]}\ntoolchain: 1.95.0\n"


@pytest.fixture
def crate(tmp_path: Path) -> Crate:
    """A Rust project in a repository."""
    crate = Crate(tmp_path / "hello", "hello")
    made = {"Cargo.toml": MANIFEST, "Cargo.lock": LOCK, "src/main.rs": MAIN, "layerdoit.yaml": SHARED}
    for path, text in (made | {"dodo.py": "from layerdoit import task_layerdoit\n"}).items():
        crate.write(path, text)
    git(crate.folder, "init", "--quiet")
    git(crate.folder, "remote", "add", "origin", "https://git.example.com/team/hello")
    return crate


def workflows(crate: Crate) -> list[str]:
    return sorted(path.relative_to(crate.folder).as_posix() for path in crate.folder.glob(".github/workflows/*"))


def test_written_checked_and_written_again(crate: Crate) -> None:
    first = crate.doit("layers", "ci", "github").ok()
    assert first.err == ""
    assert first.out == "".join(f"wrote {path}\n" for path in workflows(crate))
    assert len(workflows(crate)) == 3
    assert crate.doit("layers", "ci", "github", "--check").ok().out.endswith("are as the configuration says\n")
    assert "wrote" not in crate.doit("layers", "ci", "github").ok().out
    crate.write("layerdoit.yaml", SHARED + "ci: {timeout: 7}\n")
    found = crate.doit("layers", "ci", "github", "--check")
    assert found.code == 1
    lines = found.out.splitlines()
    assert lines[0].startswith(".github/workflows/layers-base.yml:")
    assert "  there:  timeout-minutes: 60" in lines
    assert "  wanted: timeout-minutes: 7" in lines
    assert lines[-1] == "next: doit layers ci github, and commit what it writes"


def test_what_is_missing_or_left_is_found(crate: Crate) -> None:
    assert crate.doit("layers", "ci", "github", "--check").code == 1
    crate.doit("layers", "ci", "github").ok()
    crate.write("layerdoit.yaml", "")
    found = crate.doit("layers", "ci", "github", "--check")
    assert "layers-base.yml: the configuration asks for it no more" in found.out
    done = crate.doit("layers", "ci", "github").ok()
    assert "removed .github/workflows/layers-base.yml" in done.out
    assert "note: registry.repository is not set" in done.err
    assert "note: no Rust toolchain is named" in done.err
    assert workflows(crate) == [".github/workflows/layers-build.yml"]


def test_standard_output_gets_what_would_be_written(crate: Crate) -> None:
    shown = crate.doit("layers", "ci", "github", "--stdout").ok().out
    assert workflows(crate) == []
    crate.doit("layers", "ci", "github").ok()
    texts = "".join(f"# {path}\n{(crate.folder / path).read_text()}" for path in workflows(crate))
    assert shown == texts


def test_for_programs(crate: Crate) -> None:
    told = json.loads(crate.doit("layers", "ci", "github", "--json", "--check").out)
    assert told["written"] is False
    assert {one["kind"] for one in told["files"]} == {"new"}
    assert json.loads(crate.doit("layers", "ci", "github", "--json").ok().out)["written"] is True
    crate.edit(workflows(crate)[1], "timeout-minutes: 60", "timeout-minutes: 61")
    told = json.loads(crate.doit("layers", "ci", "github", "--json", "--check").out)
    assert told["files"][1]["difference"]["there"].strip() == "timeout-minutes: 61"


def test_gitlab_includes_the_jobs(crate: Crate) -> None:
    assert "wrote .gitlab/layers.yml\nwrote .gitlab-ci.yml\n" in crate.doit("layers", "ci", "gitlab").ok().out
    crate.doit("layers", "ci", "gitlab", "--check").ok()
    crate.write(".gitlab-ci.yml", "mine: {script: [make]}\n")
    said = crate.doit("layers", "ci", "gitlab", "--check").ok().err
    assert "does not include these jobs" in said
    assert "  - local: .gitlab/layers.yml" in said


def test_a_project_below_a_dodo(crate: Crate, tmp_path: Path) -> None:
    (crate.folder / ".git").rename(tmp_path / ".git")
    (crate.folder / "dodo.py").unlink()
    top = Crate(tmp_path, "top")
    top.write("dodo.py", "import layerdoit\n\ntask_web = layerdoit.tasks('hello', prefix='web')\n")
    top.doit("layers", "ci", "github").ok()
    assert workflows(top) == [f".github/workflows/layers-web-{name}.yml" for name in ("base", "build", "publish")]
    text = (tmp_path / ".github/workflows/layers-web-build.yml").read_text()
    assert "run: doit web:image" in text
    assert "hello/layerdoit.yaml" in (tmp_path / ".github/workflows/layers-web-base.yml").read_text()
    top.doit("layers", "web:ci", "github", "--check").ok()
    crate.doit("layers", "ci", "github", "--check").ok()


def found_by_doctor(crate: Crate) -> dict[str, tuple[str, str]]:
    away = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
    told = json.loads(crate.doit("layers", "doctor", "--json", env=away).out)
    return {one["id"]: (one["where"], one["fix"]) for one in told["findings"] if one["id"].startswith("ci-")}


def test_doctor_sees_what_check_sees_and_only_of_the_service_that_is_used(crate: Crate) -> None:
    assert found_by_doctor(crate) == {}
    crate.doit("layers", "ci", "github").ok()
    assert found_by_doctor(crate) == {}
    build = ".github/workflows/layers-build.yml"
    crate.edit(build, "timeout-minutes: 60", "timeout-minutes: 61")
    where, fix = found_by_doctor(crate)["ci-drift"]
    assert where.startswith(f"{build}:")
    assert fix.startswith("doit layers ci github")
    crate.edit(build, "# <<< yours", "# << yours")
    assert found_by_doctor(crate).keys() == {"ci-damaged"}


def test_init_proposes_them_where_a_service_builds_already(crate: Crate) -> None:
    assert "layers ci" not in crate.doit("layers", "init", "--dry-run").ok().out
    crate.write(".gitlab-ci.yml", "mine: {script: [make]}\n")
    assert "doit layers ci gitlab" in crate.doit("layers", "init", "--dry-run").ok().out
    crate.write(".github/workflows/mine.yml", "on: push\n")
    assert "doit layers ci github" in crate.doit("layers", "init", "--dry-run").ok().out
    crate.doit("layers", "ci", "github").ok()
    assert "layers ci" not in crate.doit("layers", "init", "--dry-run").ok().out


def _no_git(crate: Crate) -> None:
    (crate.folder / ".git").rename(crate.folder.parent / "git")


def _no_dodo(crate: Crate) -> None:
    (crate.folder / "dodo.py").unlink()


WRONG: dict[str, tuple[Callable[[Crate], None], list[str]]] = {
    "no service named": (lambda _: None, ["layers", "ci"]),
    "unknown service": (lambda _: None, ["layers", "ci", "gitub"]),
    "no git repository": (_no_git, ["layers", "ci", "github"]),
    "no dodo.py": (_no_dodo, ["layers", "ci", "github"]),
    "a foreign file in the way": (
        lambda crate: crate.write(".github/workflows/layers-base.yml", "name: mine\n"),
        ["layers", "ci", "github"],
    ),
    "a runner that is none": (
        lambda crate: crate.write("layerdoit.yaml", "ci: {runners: {amd64: a b}}\n"),
        ["layers", "ci", "github"],
    ),
    "a time that is none": (
        lambda crate: crate.write("layerdoit.yaml", "ci: {base_cron: monthly}\n"),
        ["layers", "ci", "github"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_message(case: str, crate: Crate) -> None:
    spoil, words = WRONG[case]
    spoil(crate)
    before = workflows(crate)
    found = crate.doit(*words)
    what, step = message(found)
    assert found.code == 2
    assert workflows(crate) == before
    messages.check("ci", case, f"{what}\nnext: {step}", {str(crate.folder): "<folder>"})
