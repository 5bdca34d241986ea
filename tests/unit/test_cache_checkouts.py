"""Which checkouts are there: only a path that is known, of this machine, and gone, counts as gone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from layerdoit.engine import mounts
from layerdoit.engine.mounts import Mount
from layerdoit.project import checkouts
from tests.support.git import git


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERDOIT_MACHINE", "one")


def mount_of(path: Path, host: str | None = None) -> Mount:
    """The mount of a checkout at a path."""
    digest = mounts.checkout_of(path)
    owner = mounts.this_host() if host is None else host
    return Mount(digest, f"layerdoit/p/{digest}/dev/host", digest, "dev/host", 1, 0.0, False, "", owner, str(path))


def state(root: Path, mount: Mount) -> str:
    """What is told of a mount's checkout."""
    return checkouts.checkouts(root, [mount])[mount.checkout].state


def test_only_what_this_machine_knows_to_be_gone_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, away = tmp_path / "there", tmp_path / "away"
    there.mkdir()
    assert state(tmp_path, mount_of(there)) == "there"
    assert state(tmp_path, mount_of(away)) == "gone"
    assert state(tmp_path, mount_of(tmp_path)) == "this"
    assert state(tmp_path, mount_of(away, "0badcafe")) == "unknown", "another machine's"
    assert state(tmp_path, mount_of(away, "")) == "unknown", "nobody says where"
    lying = Mount("r", "m", "00000000", "dev/host", 1, 0.0, False, "", mounts.this_host(), str(away))
    assert state(tmp_path, lying) == "unknown", "a path that is not the one of the digest"
    monkeypatch.setattr(checkouts, "this_host", lambda: "")
    assert state(tmp_path, mount_of(away, "")) == "unknown", "in a container"


def test_what_cannot_be_looked_at_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError(path)

    assert checkouts.is_gone(str(tmp_path / "x"))
    assert checkouts.is_gone(str(tmp_path / "x/y"))
    (tmp_path / "file").touch()
    assert checkouts.is_gone(str(tmp_path / "file/y"))
    monkeypatch.setattr(os, "lstat", refused)
    assert not checkouts.is_gone(str(tmp_path / "x"))


def test_a_drive_that_is_not_there_is_not_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkouts, "_DRIVES", (f"{tmp_path}/",))
    assert not checkouts.is_gone(str(tmp_path / "usb/shop"))
    (tmp_path / "usb").mkdir()
    assert not checkouts.is_gone(str(tmp_path / "usb/shop"))
    (tmp_path / "usb/photos").mkdir()
    assert checkouts.is_gone(str(tmp_path / "usb/shop"))


def test_git_knows_worktrees(tmp_path: Path) -> None:
    """Also of a project that is a folder of its repository; seen from either side."""
    top, side, moved = tmp_path / "top", tmp_path / "side", tmp_path / "moved"
    (top / "api").mkdir(parents=True)
    (top / "api/x").touch()
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "x")
    for path in (side, moved):
        git(top, "worktree", "add", "-q", "-b", path.name, str(path))
    found = {place.path: place for place in checkouts.checkouts(top / "api", []).values()}
    assert {path: place.state for path, place in found.items()} == {
        str(top / "api"): "this",
        str(side / "api"): "there",
        str(moved / "api"): "there",
    }
    assert found[str(side / "api")].name == "side"
    seen = {place.path: place.state for place in checkouts.checkouts(side / "api", []).values()}
    assert seen == {str(top / "api"): "there", str(side / "api"): "this", str(moved / "api"): "there"}
    (top / ".git/worktrees/side/gitdir").write_text("../../../../side/.git\n")
    assert {place.path for place in checkouts.checkouts(top / "api", []).values()} == set(found), "relative, too"
    git(top, "worktree", "lock", str(moved))
    shutil.rmtree(side)
    shutil.rmtree(moved)
    after = {place.path: place.state for place in checkouts.checkouts(top / "api", []).values()}
    assert after == {str(top / "api"): "this", str(side / "api"): "gone", str(moved / "api"): "there"}


def test_what_they_are_called() -> None:
    assert checkouts.Checkout("0123abcd", "", "unknown").words == "checkout 0123abcd"
    assert checkouts.Checkout("0123abcd", "/x", "gone").words == "checkout gone: /x"
    assert checkouts.Checkout("0", "/x", "this").words == "this checkout"
    assert checkouts.Checkout("0", "/x", "there").words == "/x"


def test_an_empty_cache_has_no_mounts() -> None:
    assert list(mounts.parse("", "p", 0.0)) == []
    assert list(mounts.parse("Reclaimable:\t0B\nTotal:\t0B\n", "p", 0.0)) == []
