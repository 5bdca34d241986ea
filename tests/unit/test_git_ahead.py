"""What git said counts again where nothing that it stands on has changed, and nowhere else."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.core import process
from layerdoit.core.errors import ProcessError
from layerdoit.tree import git as repository
from layerdoit.tree import standing
from layerdoit.tree.ahead import Ahead
from layerdoit.tree.standing import Standing, Unknown
from tests.support.git import commit_all, git

LS = repository.command("ls-files", "-z", "--cached", "--others", "--exclude-standard")
IGNORED = repository.command("check-ignore", "-z", "--stdin")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    # Nothing that a test does just now is too young to be believed.
    monkeypatch.setattr(standing, "filesystem_time", lambda _: time.time_ns() + 10**9)
    return made


@pytest.fixture
def root(tmp_path: Path, home: Path) -> Path:
    root = tmp_path / "ws"
    for name in ("src/main.rs", "src/inner/a.rs", "Cargo.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / ".gitignore").write_text("target\n")
    commit_all(root)
    (home / ".gitconfig").write_text("[include]\n\tpath = more\n")
    return root


def folders(root: Path) -> list[str]:
    plain = [folder for folder, _, _ in os.walk(root) if "/.git" not in folder]
    return [*plain, str(root / ".git"), str(root / ".git/info")]


def of(root: Path) -> Standing:
    return Standing(folders(root), [str(root)], root / ".git/index")


def saved_by_rename(root: Path) -> None:
    (root / "src/tmp").write_text("new")
    (root / "src/tmp").rename(root / "src/main.rs")


def turned(path: Path) -> None:
    path.unlink()
    path.symlink_to("inner/a.rs")


def everywhere(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "ignore").write_text("*.rs\n")


SAME: dict[str, Callable[[Path, Path], object]] = {
    "nothing": lambda _, __: None,
    "written": lambda root, _: (root / "src/main.rs").write_text("new"),
    "saved by rename": lambda root, _: saved_by_rename(root),
    "somewhere else": lambda _, home: (home / "a").write_text("new"),
}
OTHER: dict[str, Callable[[Path, Path], object]] = {
    "a new file": lambda root, _: (root / "src/new.rs").write_text(""),
    "a new folder": lambda root, _: (root / "src/inner/new").mkdir(),
    "removed": lambda root, _: (root / "src/inner/a.rs").unlink(),
    "a link": lambda root, _: turned(root / "src/main.rs"),
    "ignored": lambda root, _: (root / ".gitignore").write_text("*.rs\n"),
    "ignored below": lambda root, _: (root / "src/.gitignore").write_text("*.rs\n"),
    "ignored here": lambda root, _: (root / ".git/info/exclude").write_text("*.rs\n"),
    "configured": lambda root, _: git(root, "config", "core.excludesFile", "~/mine"),
    "of the user": lambda _, home: (home / ".gitconfig").write_text("[core]\n\tignoreCase = true\n"),
    "included": lambda _, home: (home / "more").write_text("[core]\n\texcludesFile = ~/mine\n"),
    "ignored everywhere": lambda _, home: everywhere(home / ".config/git"),
    "the index": lambda root, _: git(root, "rm", "-q", "--cached", "src/main.rs"),
    "a repository": lambda root, _: git(root, "init", "-q", "src/inner"),
}


@pytest.mark.parametrize("edit", SAME)
def test_what_changes_no_answer(root: Path, home: Path, edit: str) -> None:
    one = of(root)
    assert not one.holds()
    assert one.take()
    SAME[edit](root, home)
    assert one.holds()
    SAME[edit](root, home)
    assert one.holds()


@pytest.mark.parametrize("edit", OTHER)
def test_what_may_change_an_answer(root: Path, home: Path, edit: str) -> None:
    one = of(root)
    assert one.take()
    OTHER[edit](root, home)
    assert not one.holds()


def test_what_is_too_young_is_not_believed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = of(root)
    monkeypatch.setattr(standing, "filesystem_time", lambda _: (root / ".gitignore").stat().st_mtime_ns)
    assert one.take()
    assert not one.holds()


def test_another_configuration_is_another_question(root: Path, home: Path) -> None:
    one = of(root)
    (home / "more").write_text("")
    assert not one.take()


@pytest.mark.parametrize("value", ["~else/ignore", "%(prefix)/ignore"])
def test_a_path_that_only_git_knows(root: Path, home: Path, value: str) -> None:
    (home / ".gitconfig").write_text(f"[include]\n\tpath = {value}\n")
    with pytest.raises(Unknown):
        of(root)


# --- answers ---------------------------------------------------------------------------------------------------------


class Asked:
    """How often git was asked, ahead or not."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.one = root, Ahead()
        self.ahead, self.late = 0, 0
        real, begun = process.capture_quick, process.Begun

        def late(*words: object) -> bytes:
            self.late += 1
            return real(*words)  # type: ignore[arg-type]

        def ahead(*words: object) -> process.Begun:
            self.ahead += 1
            return begun(*words)  # type: ignore[arg-type]

        monkeypatch.setattr("layerdoit.tree.ahead.process.capture_quick", late)
        monkeypatch.setattr("layerdoit.tree.ahead.Begun", ahead)

    def read(self) -> tuple[bytes, int, int]:
        """What it says of the files, and how often it was asked for that."""
        self.ahead = self.late = 0
        self.one.begin()
        with pytest.raises(ProcessError, match="exited with 1"):
            self.one.answer(IGNORED, self.root, b"src\0")
        found = self.one.answer(LS, self.root)
        self.one.stands_on(self.one.reading, folders(self.root), [str(self.root)], self.root / ".git/index")
        return found, self.ahead, self.late


def test_git_is_asked_where_something_has_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(root, monkeypatch)
    first, ahead, late = asked.read()
    assert (first.count(b"\0"), ahead, late) == (4, 0, 2)
    assert asked.read() == (first, 2, 0)
    (root / "src/main.rs").write_text("new")
    assert asked.read() == (first, 0, 0)
    (root / "src/new.rs").write_text("")
    found, ahead, late = asked.read()
    assert (b"src/new.rs" in found, ahead, late) == (True, 2, 0)
    assert asked.read() == (found, 0, 0)
    asked.one.forget()
    assert asked.read() == (found, 0, 2)


def test_other_folders_are_another_question(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(root, monkeypatch)
    asked.read()
    asked.read()
    asked.one.stands_on(asked.one.reading, [str(root)], [str(root)], root / ".git/index")
    assert asked.read()[1:] == (2, 0)


def test_a_reading_that_fails_leaves_nothing_to_the_next(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(root, monkeypatch)
    asked.read()
    asked.read()
    (root / "src/new").mkdir()
    # It does not say that there is another folder now.
    asked.one.begin()
    asked.one.answer(LS, root)
    (root / "src/new/a.rs").write_text("")
    assert b"src/new/a.rs" in asked.read()[0]


def test_folders_of_an_earlier_reading_do_not_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(root, monkeypatch)
    asked.read()
    asked.read()
    reading, known = asked.one.reading, folders(root)
    (root / "src/new").mkdir()
    asked.one.begin()
    asked.one.answer(LS, root)
    asked.one.stands_on(reading, known, [str(root)], root / ".git/index")
    (root / "src/new/a.rs").write_text("")
    assert b"src/new/a.rs" in asked.read()[0]


def test_what_nobody_needs_is_ended(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(root, monkeypatch)
    asked.read()
    asked.one.begin()
    assert asked.one.is_known
    asked.one.forget()
    assert not asked.one.is_known


def test_what_is_begun_ends_with_who_would_need_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(root, monkeypatch)
    asked.read()
    asked.one.begin()
    (child, *_) = (one._child for one in asked.one._begun.values())
    asked.one = Ahead()
    gc.collect()
    assert child.returncode is not None
    assert child.stdout is not None
    assert child.stdout.closed


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    one = Ahead()
    for _ in range(2):
        one.begin()
        with pytest.raises(ProcessError, match="not found"):
            one.answer(["no-such-program"], tmp_path)
