"""The state folder."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from layerdoit.core import files
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.state import State


def test_each_build_has_a_log_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that one process begins in the same second; their names are in the order in which they began."""
    monkeypatch.setattr("layerdoit.core.state.time.strftime", lambda _form: "20260101-000000")
    names = []
    for number in range(3):
        with State(tmp_path).open_log("app") as log:
            log.write(str(number))
            names.append(Path(log.name).name)
    assert [(tmp_path / "logs" / name).read_text() for name in sorted(names)] == ["0", "1", "2"]
    assert sorted(names) == names


def test_a_state_folder_is_made_once_and_git_does_not_see_it(tmp_path: Path) -> None:
    state = State.open(tmp_path)
    assert state.folder == tmp_path / ".layerdoit"
    assert (state / ".gitignore").read_text() == "*\n"
    (state / ".gitignore").write_text("mine\n")
    assert State.open(tmp_path) == state
    assert (state / ".gitignore").read_text() == "mine\n"


def test_notes_are_kept_by_variant_and_broken_ones_are_none(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.remember("dev/host", {"deps": "1", "app": "2"})
    state.remember("release/host", {"app": "3"})
    assert state.remembered("dev/host") == {"deps": "1", "app": "2"}
    (tmp_path / "last.json").write_text("[1")
    assert state.remembered("dev/host") == {}
    state.mark_cleared(("deps", "app"))
    state.mark_cleared(done=("deps",))
    assert state.cleared() == {"app"}
    state.mark_linked(("b", "a"))
    state.mark_linked(("a", "b"))
    assert state.linked() == ["a", "b"]
    state.note_asked("key", "main")
    assert state.asked_last("key", "main")
    assert not state.asked_last("key", "side")


def test_what_was_built_before_the_last_build_is_known(tmp_path: Path) -> None:
    """Whole builds count: one that failed after its first layers is none; a run with nothing to do neither."""
    state = State(tmp_path)

    def built(**keys: str) -> None:
        for layer in keys:
            state.remember("dev/host", dict(list(keys.items())[: list(keys).index(layer) + 1]))

    built(base="1", deps="1", app="1")
    assert state.before("dev/host") == {}
    state.remember("release/host", {"app": "9"})
    state.remember("dev/host", {"base": "2"})
    built(base="2", deps="2", app="2")
    assert state.before("dev/host") == {"base": "1", "deps": "1", "app": "1"}
    built(base="2", deps="2", app="2")
    assert state.before("dev/host") == {"base": "1", "deps": "1", "app": "1"}
    assert state.before("release/host") == {}
    for name in ("a", "b"):
        state.mark_unshared(name, "r.example/x")
    state.mark_shared("a", "r.example/x")
    assert state.unshared() == {"b"}
    assert state.shared("r.example/x") == {"a"}
    assert not state.shared("r.example/y")
    state.mark_unshared("b", None)
    assert state.unshared() == frozenset()


def test_a_note_that_says_the_same_is_not_written_again(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.remember("dev/host", {"app": "1"})
    before = (tmp_path / "last.json").stat().st_ino
    state.remember("dev/host", {"app": "1"})
    assert (tmp_path / "last.json").stat().st_ino == before
    state.mark_cleared(done=("app",))
    assert not (tmp_path / "cleared.json").exists()


def test_a_state_that_is_in_use_is_not_waited_for_unless_asked_to(tmp_path: Path) -> None:
    state = State(tmp_path)
    with state.locked() as waited:
        assert not waited
        with pytest.raises(BlockingIOError), state.locked(wait=False):
            pass
    with state.locked(wait=False):
        pass


def test_a_state_goes_to_another_process(tmp_path: Path) -> None:
    assert pickle.loads(pickle.dumps(State(tmp_path))) == State(tmp_path)


@pytest.mark.parametrize(
    ("number", "helps"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "read-only"), (errno.EACCES, "sudo chown -R $USER")],
)
def test_a_state_folder_that_cannot_be_made_says_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, helps: str
) -> None:
    def fails(_: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "make_ignored", fails)
    with pytest.raises(LayerdoitError) as caught:
        State.open(tmp_path)
    assert helps in str(caught.value.hint)


def test_a_file_in_the_place_of_the_state_folder(tmp_path: Path) -> None:
    (tmp_path / ".layerdoit").touch()
    with pytest.raises(LayerdoitError) as caught:
        State.open(tmp_path)
    assert "mv .layerdoit" in str(caught.value.hint)
