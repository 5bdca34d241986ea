"""What the files of a git checkout tell, compared with git itself: tops, branches, worktrees, submodules."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from layerdoit.tree import git, git_changes
from layerdoit.tree.git import Checkout
from tests.support.git import git as run


def made(folder: Path, branch: str = "main") -> Path:
    """A repository with a commit."""
    folder.mkdir(parents=True)
    run(folder, "init", "-q", "-b", branch)
    run(folder, "commit", "-q", "--allow-empty", "-m", "x")
    return folder


def at(folder: Path) -> Checkout:
    found = git.find(folder)
    assert found is not None
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return made(tmp_path / "top")


def test_the_branch_is_what_git_says(repository: Path) -> None:
    (repository / "api/src").mkdir(parents=True)
    found = at(repository / "api/src")
    assert (found.top, found.name, found.branch) == (repository, "", "main")
    for name in ("feature/login", "ünder", "a.b"):
        run(repository, "checkout", "-q", "-b", name)
        assert found.branch == name == run(repository, "branch", "--show-current")
    run(repository, "checkout", "-q", "--detach")
    assert found.branch == ""
    (found.folder / "HEAD").write_bytes(b"ref: refs/heads/\xff\n")
    assert found.branch == ""
    (found.folder / "HEAD").write_text("ref: refs/remotes/origin/x\n")
    assert found.branch == "", "no branch of this repository"


@pytest.mark.parametrize("packed", [False, True])
def test_a_branch_is_there_until_git_deletes_it(repository: Path, packed: bool) -> None:
    for name in ("old", "feature", "main2", "Upper"):
        run(repository, "branch", name)
    if packed:
        run(repository, "pack-refs", "--all")
    found = at(repository)
    assert [found.has(name) for name in ("main", "old", "feature", "feat", "FEATURE")] == [True] * 3 + [False, packed]
    assert found.has("Upper")
    run(repository, "branch", "-D", "old")
    run(repository, "branch", "-m", "feature", "feature/new")
    assert (found.has("old"), found.has("feature"), found.has("feature/new")) == (False, False, True)
    run(repository, "tag", "old")
    run(repository, "update-ref", "refs/remotes/origin/old", "HEAD")
    assert found.has("old") is False, "a tag, and another repository's branch, are none of ours"


def test_a_branch_that_a_worktree_is_on_is_there_without_a_commit(repository: Path, tmp_path: Path) -> None:
    run(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    run(tmp_path / "side", "checkout", "-q", "--orphan", "unborn")
    assert at(tmp_path / "side").branch == "unborn"
    for place in (repository, tmp_path / "side"):
        assert (at(place).has("unborn"), at(place).has("side"), at(place).has("other")) == (True, True, False)


def test_what_files_do_not_tell_is_unknown(repository: Path) -> None:
    found = at(repository)
    (repository / ".git/packed-refs").write_bytes(b"0000 refs/heads/\xff\n")
    assert found.has("other") is None
    (repository / ".git/packed-refs").unlink()
    assert found.has("other") is False
    assert found.has("x" * 5000) is None, "no file can be called so"
    # As git from 2.45 on lays out a repository whose references are in a table.
    (repository / ".git/HEAD").write_text("ref: refs/heads/.invalid\n")
    (repository / ".git/reftable").mkdir()
    assert (found.branch, found.has("main"), found.has("other")) == ("", None, None)
    (repository / ".git/reftable").rmdir()
    shutil.rmtree(repository / ".git/refs/heads")
    (repository / ".git/refs/heads").write_text("this repository uses the reftable format\n")
    assert found.has("main") is None


@pytest.mark.parametrize("relative", [False, True])
def test_a_worktree_shares_its_repository(repository: Path, tmp_path: Path, relative: bool) -> None:
    side = tmp_path / "side"
    run(repository, "worktree", "add", "-q", "-b", "feature", str(side))
    run(repository, "worktree", "lock", str(side))
    if relative:
        # As git from 2.48 on writes them if it is told to.
        (side / ".git").write_text("gitdir: ../top/.git/worktrees/side\n")
        (repository / ".git/worktrees/side/gitdir").write_text("../../../../side/.git\n")
    found = at(side)
    assert (found.top, found.name, found.branch) == (side, "side", "feature")
    assert found.common == repository / ".git"
    assert found.has("main")
    expected = [git.Worktree("", repository), git.Worktree("side", side, locked=True)]
    assert list(found.worktrees()) == expected == list(at(repository).worktrees())


def test_a_bare_repository_has_no_main_worktree(repository: Path, tmp_path: Path) -> None:
    run(tmp_path, "clone", "-q", "--bare", str(repository), "shop.git")
    run(tmp_path / "shop.git", "worktree", "add", "-q", "-b", "one", str(tmp_path / "one"))
    found = at(tmp_path / "one")
    assert (found.name, found.branch, found.has("main")) == ("one", "one", True)
    assert [tree.top for tree in found.worktrees()] == [tmp_path / "one"]


def test_a_submodule_is_a_repository_of_its_own(repository: Path, tmp_path: Path) -> None:
    made(tmp_path / "lib", "trunk")
    run(repository, "submodule", "--quiet", "add", str(tmp_path / "lib"), "lib")
    found = at(repository / "lib")
    assert (found.top, found.name, found.branch) == (repository / "lib", "", "trunk")
    assert (found.has("trunk"), found.has("main")) == (True, False)
    assert list(found.worktrees()) == []


def test_what_is_no_checkout(tmp_path: Path) -> None:
    assert git.find(tmp_path) is None
    (tmp_path / ".git").symlink_to("nowhere")
    assert git.find(tmp_path) is None
    assert git.is_top(str(tmp_path)), "git itself is asked"
    assert git.top(str(tmp_path / "deep/er")) == str(tmp_path)
    assert git.top("/") is None


def test_a_link_to_nothing_tells_nothing(tmp_path: Path) -> None:
    """In a container that has the worktree only."""
    (tmp_path / ".git").write_text("gitdir: /nowhere/shop/.git/worktrees/side\n")
    found = at(tmp_path)
    assert (found.name, found.branch, found.has("main")) == ("side", "", None)


def test_what_doit_writes_beside_a_dodo_changes_no_tree(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    for name in (".doit.db.dat", "__pycache__/dodo.pyc", "tools/__pycache__/more.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert git_changes.changed(tmp_path) == []
    (tmp_path / "dodo.py").touch()
    assert git_changes.changed(tmp_path) == ["dodo.py"]
