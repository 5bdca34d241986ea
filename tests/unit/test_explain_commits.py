"""Commits are compared without being checked out: they are laid out elsewhere, and the checkout stays as it is."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from layerdoit.cargo import toolchain
from layerdoit.core.errors import LayerdoitError
from layerdoit.explain import answer
from layerdoit.flows.session import Session
from layerdoit.project import commits, snapshot
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.support import locked_workspace as tiny
from tests.support.locked_workspace import Tiny, lock


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    # No engine: commits need none.
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    made = tiny.make(tmp_path / "tiny")
    made.git("init", "--quiet", "--initial-branch", "main")
    commit(made, "first")
    return made


def commit(tree: Tiny, name: str) -> None:
    tree.git("add", "--all")
    tree.git("commit", "--quiet", "--message", name)
    tree.git("tag", name)


def said(tree: Tiny, old: str, new: str, root: Path | None = None) -> list[str]:
    session = Session(Run(), Project.open(root or tree.root, {}))
    found = answer.explain(session.inputs, session.engine, [], old, new)
    return [line.strip() for line in found.lines()]


def test_two_commits(tree: Tiny) -> None:
    tree.write("Cargo.lock", lock(log=("0.4.22", ())))
    tree.write("api/src/main.rs", "fn main() { }")
    commit(tree, "second")
    before = tree.git("status", "--porcelain"), tree.git("worktree", "list"), sorted(os.listdir(tree.root / ".git"))
    lines = said(tree, "first", "second")
    assert lines[0].startswith("from  commit ")
    assert lines[0].endswith(", first)")
    assert "log 0.4.20 → 0.4.22 — direct dependency of api, core, with the same requirement as before" in lines
    assert [line for line in lines if line.startswith("file ")] == [
        "file Cargo.lock changed",
        "file api/src/main.rs changed",
    ]
    after = tree.git("status", "--porcelain"), tree.git("worktree", "list"), sorted(os.listdir(tree.root / ".git"))
    assert after == before
    assert os.listdir(tempfile.gettempdir()) == []


def test_a_commit_against_the_tree_with_its_edits(tree: Tiny) -> None:
    tree.write("core/src/lib.rs", "// edited")
    tree.write("core/src/new.rs", "")
    lines = said(tree, "first", "tree")
    assert [line for line in lines if line.startswith("file ")] == [
        "file core/src/lib.rs changed",
        "file core/src/new.rs added",
    ]
    assert any(line.startswith("note: what the keys do not cover is unknown: ") for line in lines)


@pytest.mark.parametrize("depth", ["commit", "full"])
def test_what_git_says_of_a_commit_is_that_of_the_commit(tree: Tiny, depth: str) -> None:
    tree.write("layerdoit.yaml", (tree.root / "layerdoit.yaml").read_text() + f"build: {{git: {depth}}}\n")
    commit(tree, "told")
    tree.git("checkout", "--quiet", "--detach")
    assert any(line.startswith("app: the same key") for line in said(tree, "told", "tree"))
    tree.git("commit", "--quiet", "--allow-empty", "--message", "more")
    tree.git("tag", "more")
    assert [line for line in said(tree, "told", "more") if line.startswith("file ")] == ["file .git changed"]


def test_a_tree_as_committed_has_the_commits_keys(tree: Tiny) -> None:
    """What `git archive` would leave out or change, and what .gitignore names though it is tracked, is there."""
    tree.write(".gitattributes", "hidden.rs export-ignore\napi/src/main.rs export-subst\n")
    tree.write("hidden.rs", "")
    tree.write("api/src/main.rs", "// $Format:%H$\nfn main() {}\n")
    tree.write(".gitignore", "/ignored.rs\n")
    tree.write("ignored.rs", "")
    (tree.root / "link.rs").symlink_to("hidden.rs")
    (tree.root / "hidden.rs").chmod(0o755)
    tree.git("add", "--force", "ignored.rs")
    commit(tree, "second")
    assert [line for line in said(tree, "second", "tree") if "→" in line] == []


def test_a_project_in_a_folder_of_its_repository(tree: Tiny, tmp_path: Path) -> None:
    inner = tiny.make(tree.root / "inner")
    commit(tree, "second")
    inner.replace("layerdoit.yaml", "-g", "-O")
    lines = said(tree, "second", "tree", root=inner.root)
    assert "env RUSTFLAGS: -g → -O" in lines
    with pytest.raises(LayerdoitError, match=r"commit .*first\) has no Cargo.toml in inner"):
        said(tree, "first", "tree", root=inner.root)


def test_a_commit_before_the_configuration_is_read_with_the_present_one(tree: Tiny) -> None:
    tree.git("rm", "--quiet", "--cached", "layerdoit.yaml")
    tree.git("commit", "--quiet", "--message", "bare")
    lines = said(tree, "main", "tree")
    assert "note: from: the commit has no layerdoit.yaml: it is read with the present one" in lines
    assert not any("→" in line for line in lines)


def test_a_toolchain_file_that_came_later_is_not_the_commits(tree: Tiny) -> None:
    tree.replace("layerdoit.yaml", "toolchain: 1.95.0\n", "")
    tree.write("rust-toolchain.toml", '[toolchain]\nchannel = "1.94.0"\n')
    commit(tree, "second")
    tree.write("rust-toolchain.toml", '[toolchain]\nchannel = "1.95.0"\n')
    assert "toolchain: 1.94.0 → 1.95.0" in said(tree, "second", "tree")


def test_the_commit_asks_no_compiler_that_the_tree_has_asked(tree: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.replace("layerdoit.yaml", "toolchain: 1.95.0\n", "")
    commit(tree, "second")
    asked: list[Path] = []

    def detected(root: Path, *_: object) -> toolchain.Toolchain:
        asked.append(root)
        return toolchain.Toolchain("stable", "1.95.0", None, "x86_64-unknown-linux-gnu", "the host's rustc", ())

    monkeypatch.setattr(snapshot, "detect", detected)
    said(tree, "second", "tree")
    assert asked == [tree.root]
    tree.write("rust-toolchain.toml", '[toolchain]\nchannel = "stable"\n')
    said(tree, "second", "tree")
    assert len(asked) == 3, "another file names it there"
    tree.write("rust-toolchain.toml", '[toolchain]\npath = "toolchain"\n')
    commit(tree, "third")
    said(tree, "third", "tree")
    assert len(asked) == 5, "a toolchain beside the file is another one"


def test_submodules_count_as_far_as_their_commits_are_here(tree: Tiny, tmp_path: Path) -> None:
    other = tiny.make(tmp_path / "other")
    other.git("init", "--quiet")
    commit(other, "one")
    tree.git("submodule", "--quiet", "add", str(other.root), "part")
    commit(tree, "second")
    assert not any("→" in line for line in said(tree, "second", "tree"))
    (tree.root / "part/api/src/main.rs").write_text("// edited")
    assert "file part/api/src/main.rs changed" in said(tree, "second", "tree")
    tree.git("submodule", "--quiet", "deinit", "--force", "part")
    lines = said(tree, "second", "first")
    assert any(line.startswith("note: from: submodule part is not covered: its commit ") for line in lines)


def test_a_commit_that_cannot_be_read_says_which(tree: Tiny) -> None:
    tree.write("api/Cargo.toml", "nonsense = [")
    commit(tree, "broken")
    with pytest.raises(LayerdoitError, match=r"commit \w+ \(.*, broken\): this is not valid TOML") as raised:
        said(tree, "broken", "first")
    assert raised.value.where == "api/Cargo.toml:1"


@pytest.mark.parametrize("word", ["first", "HEAD", "main", "refs/tags/first", "HEAD^{commit}", "@"])
def test_what_git_calls_a_commit_is_one(tree: Tiny, word: str) -> None:
    found = commits.find(tree.root, word)
    assert found is not None
    assert found.sha == tree.git("rev-parse", "HEAD")
    assert found.subject == "first"


@pytest.mark.parametrize("word", ["nowhere", "HEAD:api", "--help", "", "HEAD^{tree}", "main..first", "^main", "HEAD^!"])
def test_what_is_no_commit_is_none(tree: Tiny, word: str) -> None:
    assert commits.find(tree.root, word) is None


def test_a_folder_without_git_has_no_commits(tmp_path: Path) -> None:
    assert commits.find(tmp_path, "HEAD") is None
