"""The sources of a build with git's facts: keyed in the app alone, made once, and never of an earlier commit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.project import git_sent, question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from layerdoit.tree import git_facts
from tests.support import locked_workspace
from tests.support.files import write
from tests.support.git import commit_all, git


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    root = locked_workspace.make(tmp_path / "tiny").root
    with open(root / "layerdoit.yaml", "a", encoding="utf-8") as file:
        file.write("build: {git: commit}\n")
    commit_all(root)
    return root


def inputs(root: Path) -> Inputs:
    project = Project.open(root, {})
    return Inputs(Tree(project), question.build(project, "linux/amd64"))


def keys(root: Path) -> Mapping[str, str]:
    return {spec.layer: spec.key for spec in inputs(root).specs}


def test_another_commit_is_another_app_and_nothing_else(root: Path) -> None:
    before = keys(root)
    commit_all(root, "more")
    after = keys(root)
    assert {layer for layer in before if before[layer] != after[layer]} == {"app"}
    git(root, "reset", "--quiet", "--hard", "HEAD~1")
    assert keys(root) == before


def test_all_clones_have_the_same_keys(root: Path, tmp_path: Path) -> None:
    write(root, {"api/src/main.rs": "fn main() { /* changed */ }\n"})
    git(tmp_path, "clone", "--quiet", str(root), "other/tiny")
    write(tmp_path / "other/tiny", {"api/src/main.rs": "fn main() { /* changed */ }\n"})
    assert keys(tmp_path / "other/tiny") == keys(root)


def test_it_is_made_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = inputs(root).sources
    monkeypatch.setattr(git_facts, "repository", None)
    monkeypatch.setattr(git_facts, "before", None)
    assert inputs(root).sources == found
    for path in found.elsewhere.values():
        path.unlink()
    with pytest.raises(TypeError):
        _ = inputs(root).sources


def test_an_edit_makes_only_what_the_file_was_before(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = inputs(root).sources
    monkeypatch.setattr(git_facts, "repository", None)
    write(root, {"api/src/main.rs": "fn main() { /* changed */ }\n"})
    after = inputs(root).sources
    more = after.entries.keys() - before.entries.keys()
    assert [path.startswith(".git/objects/") for path in more] == [True]
    write(root, {"api/src/main.rs": "fn main() { /* changed again */ }\n"})
    assert inputs(root).sources.elsewhere == after.elsewhere
    git(root, "checkout", "--", ".")


def test_what_nobody_needs_any_more_goes(root: Path) -> None:
    for number in range(6):
        commit_all(root, str(number))
        _ = inputs(root).sources
    there = {path.name for path in (root / ".layerdoit/git").iterdir()}
    assert there == {"record", *(path.name for path in inputs(root).sources.elsewhere.values())}


@pytest.mark.parametrize("change", ["commit", "tag"])
def test_a_run_with_nothing_to_do_sees_it_from_files(root: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = inputs(root)
    layers = [(spec.layer, spec.key, "") for spec in found.specs]
    found.tree.remember("place", layers)
    monkeypatch.setattr(git_facts, "repository", None)
    assert Tree(Project.open(root, {})).remembered("place") is not None
    git(root, *(["tag", "x"] if change == "tag" else ["commit", "--quiet", "--allow-empty", "--message", "x"]))
    assert Tree(Project.open(root, {})).remembered("place") is None


def test_a_repository_is_shown_as_one_file(root: Path) -> None:
    found = inputs(root)
    assert [path for path in found.listing(found.sources) if ".git" in path] == [".git"]
    before = found.listing(found.sources)[".git"]
    commit_all(root, "more")
    found = inputs(root)
    assert found.listing(found.sources)[".git"] != before
    assert [git_sent.shown(path) for path in ("a/.git/HEAD", ".gitignore", "x/b.git/c")] == [
        "a/.git",
        ".gitignore",
        "x/b.git/c",
    ]


def test_no_repository(root: Path) -> None:
    os.rename(root / ".git", root.parent / "elsewhere")
    with pytest.raises(ConfigError) as error:
        _ = inputs(root).sources
    assert str(error.value).startswith("layerdoit.yaml:")
    assert "build.git: commit" in str(error.value)


def test_a_repository_of_somebody_else(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    with pytest.raises(LayerdoitError, match="detected dubious ownership") as error:
        _ = inputs(root).sources
    assert error.value.hint == f"git config --global --add safe.directory {root}"


def test_a_folder_of_a_repository_lies_as_in_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = locked_workspace.make(tmp_path / "top/rust/tiny").root
    plain = inputs(root)
    write(root, {"layerdoit.yaml": (root / "layerdoit.yaml").read_text() + "build: {git: full}\n"})
    commit_all(tmp_path / "top")
    found = inputs(root)
    assert found.sources.home == "rust/tiny/"
    assert ".git/HEAD" in found.sources.entries
    assert "rust/tiny/Cargo.toml" in found.sources.entries
    deps = [{spec.layer: spec.key for spec in one.specs}["deps"] for one in (plain, found)]
    assert deps[0] == deps[1]


def test_without_it_git_changes_nothing(root: Path) -> None:
    write(root, {"layerdoit.yaml": (root / "layerdoit.yaml").read_text().replace("commit", "none")})
    before = keys(root)
    commit_all(root, "more")
    assert keys(root) == before
    assert git_sent.signature(Project.open(root, {})) == ""
    assert not (root / ".layerdoit/git").exists()
