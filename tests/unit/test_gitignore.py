"""What init adds to .gitignore, by git's own rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.init import gitignore, write
from tests.support.files import write as write_files
from tests.support.git import git

OURS = ".doit.db*\n__pycache__/\n.layerdoit/"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No rules of this machine."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"/target\n", b"/target\n.doit.db*\n__pycache__/\n.layerdoit/\n"),
        (b"/target", b"/target\n.doit.db*\n__pycache__/\n.layerdoit/"),
        (b"/target\r\n", b"/target\r\n.doit.db*\r\n__pycache__/\r\n.layerdoit/\r\n"),
        (b"", b".doit.db*\n__pycache__/\n.layerdoit/\n"),
        (b"__pycache__\n*.db\n", b"__pycache__\n*.db\n.layerdoit/\n"),
        (b".doit*\n!.doit.db\n", b".doit*\n!.doit.db\n.doit.db*\n__pycache__/\n.layerdoit/\n"),
    ],
    ids=["lines", "no end of line", "of Windows", "empty", "some", "taken back"],
)
def test_what_it_lacks_is_added_once(repo: Path, before: bytes, after: bytes) -> None:
    (repo / ".gitignore").write_bytes(before)
    changes = gitignore.changes(repo, repo)
    write.write(changes)
    assert (repo / ".gitignore").read_bytes() == after
    assert [change.new for change in changes] == [False]
    assert gitignore.changes(repo, repo) == []


def test_without_a_file_there_is_one(repo: Path) -> None:
    (change,) = gitignore.changes(repo, repo)
    assert (change.path, change.added, change.new) == (repo / ".gitignore", OURS, True)


def test_outside_of_a_repository_there_is_nothing_to_ignore(tmp_path: Path) -> None:
    assert gitignore.changes(tmp_path, tmp_path) == []


def test_rules_of_the_machine_and_of_the_clone_count(repo: Path, tmp_path: Path) -> None:
    write_files(tmp_path, {"global": f"[core]\nexcludesFile = {tmp_path}/mine\n", "mine": ".doit.db*\n"})
    write_files(repo, {".git/info/exclude": "__pycache__\n.layerdoit\n"})
    assert gitignore.changes(repo, repo) == []


def test_the_nearest_file_has_them(repo: Path) -> None:
    write_files(repo, {".gitignore": "/target\n", "services/api/Cargo.toml": ""})
    (change,) = gitignore.changes(repo / "services", repo / "services/api")
    assert (change.path, change.added) == (repo / ".gitignore", OURS)
    write_files(repo, {"services/api/.gitignore": "/target\n"})
    dodo, state = gitignore.changes(repo / "services", repo / "services/api")
    assert (dodo.path, dodo.added) == (repo / ".gitignore", ".doit.db*\n__pycache__/")
    assert (state.path, state.added) == (repo / "services/api/.gitignore", ".layerdoit/")


def test_a_record_that_was_committed_is_still_ignored(repo: Path) -> None:
    write_files(repo, {".doit.db": "", ".gitignore": ".doit.db*\n__pycache__/\n.layerdoit/\n"})
    git(repo, "add", "-f", ".doit.db")
    assert gitignore.changes(repo, repo) == []
