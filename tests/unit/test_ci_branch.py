"""The branch that is built: checked out, or said by a CI service."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.project.ci_branch import branch_of
from layerdoit.project.project import Project
from tests.support.git import commit_all, git

SAYING = (
    "GITHUB_HEAD_REF",
    "GITHUB_REF_NAME",
    "GITHUB_REF_TYPE",
    "CI_COMMIT_BRANCH",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in SAYING:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "a"\nversion = "0.1.0"\n')
    commit_all(tmp_path)
    return Project.open(tmp_path, {})


def test_what_is_checked_out_goes_before_what_the_service_says(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REF_NAME", "told")
    git(project.root, "switch", "-q", "-c", "feature/x")
    assert branch_of(project) == "feature/x"


@pytest.mark.parametrize(
    ("told", "branch"),
    [
        ({}, ""),
        ({"CI_COMMIT_BRANCH": "told"}, "told"),
        ({"CI_COMMIT_BRANCH": "told", "GITHUB_HEAD_REF": ""}, "told"),
        ({"GITHUB_HEAD_REF": "feature/x", "GITHUB_REF_NAME": "12/merge", "GITHUB_REF_TYPE": "branch"}, "feature/x"),
        ({"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature/x"}, "feature/x"),
        ({"GITHUB_REF_NAME": "v1.2.0", "GITHUB_REF_TYPE": "tag"}, ""),
    ],
)
def test_a_job_on_a_commit_is_told_its_branch(
    told: dict[str, str], branch: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(project.root, "switch", "-q", "--detach")
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert branch_of(project) == branch
