"""What is noticed of real files, however they are changed, and what is not."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerdoit.watch import changes, mounted, polling
from layerdoit.watch.changes import LONGEST, QUIET, SETTLED, Burst, Changes, Clocks
from layerdoit.watch.inotify import Inotify
from layerdoit.watch.notices import Notices
from layerdoit.watch.polling import Polling
from tests.support.git import git

PATIENCE = 20.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    for name in ("src/main.rs", "src/inner/deep/a.rs", "Cargo.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def below(root: Path) -> frozenset[str]:
    return frozenset(folder for folder, _, _ in os.walk(root) if "/.git/" not in folder)


# --- what the kernel tells -------------------------------------------------------------------------------------------


@pytest.fixture
def notices(root: Path) -> Iterator[Notices]:
    made = Notices()
    assert made.want(below(root))
    yield made
    made.close()


def saved_by_rename(root: Path) -> None:
    (root / "src/main.rs.tmp").write_text("new")
    (root / "src/main.rs.tmp").rename(root / "src/main.rs")


def with_backup(root: Path) -> None:
    (root / "src/main.rs").rename(root / "src/main.rs~")
    (root / "src/main.rs").write_text("new")


EDITS: dict[str, Callable[[Path], object]] = {
    "written": lambda root: (root / "src/main.rs").write_text("new"),
    "saved by rename": saved_by_rename,
    "with a backup": with_backup,
    "made executable": lambda root: (root / "src/main.rs").chmod(0o755),
    "backdated": lambda root: os.utime(root / "src/main.rs", (1, 1)),
    "removed": lambda root: (root / "src/main.rs").unlink(),
    "a new folder": lambda root: (root / "src/new").mkdir(),
    "a link": lambda root: (root / "src/link").symlink_to("main.rs"),
    "a folder renamed": lambda root: (root / "src/inner").rename(root / "src/other"),
    "the root renamed": lambda root: root.rename(root.with_name("other")),
    "a name of no encoding": lambda root: Path(os.fsdecode(os.fsencode(root / "src") + b"/\xff.rs")).write_text(""),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_noticed_once(root: Path, notices: Notices, edit: str) -> None:
    assert not notices.take()
    EDITS[edit](root)
    assert notices.take()
    assert not notices.take()


def test_neither_reading_nor_what_we_write_counts(root: Path, notices: Notices) -> None:
    (root / ".git").mkdir()
    notices.want(below(root) | {str(root / ".git")})
    notices.take()
    for folder in below(root):
        os.listdir(folder)
    (root / "src/main.rs").read_text()
    (root / ".layerdoit").mkdir()
    (root / ".layerdoit/index").write_text("")
    (root / ".doit.db.db").write_text("")
    (root / ".git/index.lock").write_text("")
    (root / ".git/index.lock").unlink()
    assert not notices.take()
    (root / ".git/index.lock").write_text("")
    (root / ".git/index.lock").rename(root / ".git/index")
    assert notices.take()
    (root / "Cargo.lock").write_text("")
    assert notices.take()


def test_a_folder_made_again_is_watched_again(root: Path, notices: Notices) -> None:
    shutil.rmtree(root / "src")
    assert notices.take()
    notices.restore()
    (root / "src/inner").mkdir(parents=True)
    assert notices.take()
    assert notices.restore()
    (root / "src/inner/a.rs").write_text("")
    assert notices.take()
    assert not notices.restore()


def test_the_root_goes_and_comes_back(root: Path, notices: Notices) -> None:
    away = root.with_name("away")
    root.rename(away)
    assert notices.take()
    notices.restore()
    (root.parent / "somebody else's").write_text("")
    (away / "src/main.rs").write_text("not here")
    assert not notices.take()
    away.rename(root)
    assert notices.take()
    assert notices.restore()
    (root / "src/inner/deep/a.rs").write_text("new")
    assert notices.take()


def test_another_folder_takes_the_place_of_the_root(root: Path, notices: Notices) -> None:
    old = root.with_name("old")
    root.rename(old)
    shutil.copytree(old, root)
    assert notices.take()
    assert notices.restore()
    (root / "src/inner/deep/a.rs").write_text("new")
    assert notices.take()


def test_a_folder_above_the_root_is_renamed(root: Path, notices: Notices) -> None:
    assert not notices.check()
    above, away = root.parent, root.parent.with_name("away")
    above.rename(away)
    shutil.copytree(away, above)
    (root / "src/main.rs").write_text("nobody told of that")
    assert notices.check()
    assert notices.restore()
    notices.take()
    (root / "src/main.rs").write_text("new")
    assert notices.take()
    assert not notices.check()


def test_a_missing_folder_is_watched_when_it_comes(root: Path, notices: Notices) -> None:
    late = root.parent / "not/there/yet"
    notices.want(below(root) | {str(late)})
    notices.take()
    (root.parent / "another").write_text("")
    assert not notices.take()
    late.mkdir(parents=True)
    assert notices.take()
    notices.restore()
    (late / "a").write_text("")
    assert notices.take()


def test_what_is_no_longer_wanted_is_not_told(root: Path, notices: Notices) -> None:
    assert not notices.want(below(root) - {str(root / "src")})
    notices.take()
    (root / "src/main.rs").write_text("new")
    assert not notices.take()


def test_two_paths_to_one_folder(root: Path, notices: Notices) -> None:
    (root / "twin").symlink_to("src")
    notices.want(below(root) | {str(root / "twin")})
    notices.want(below(root) - {str(root / "src")} | {str(root / "twin")})
    notices.take()
    (root / "src/main.rs").write_text("new")
    assert notices.take()


def test_a_queue_that_overflows(root: Path, notices: Notices) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    two = (str(root / "src/main.rs"), str(root / "Cargo.toml"))
    for at in range(most + 2):
        os.utime(two[at % 2])
    shutil.rmtree(root / "src/inner")  # the kernel has no room to tell
    (root / "src/inner").mkdir()
    assert notices.take()
    assert notices.restore()
    (root / "src/inner/a.rs").write_text("")
    assert notices.take()


def test_git_switches_and_stashes(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    git(root, "switch", "-qc", "other")
    shutil.rmtree(root / "src/inner")
    git(root, "commit", "-qam", "two")
    notices = Notices()
    notices.want(below(root) | {str(root / ".git")})
    for _ in range(3):
        git(root, "switch", "-q", "-")
        assert notices.take()
        notices.restore()
    notices.want(below(root) | {str(root / ".git")})
    (root / "src/inner/deep/a.rs").write_text("edited")
    assert notices.take()
    for words in (("stash", "-q"), ("stash", "pop", "-q")):
        git(root, *words)
        assert notices.take()
        assert not notices.take()
    notices.close()


# --- looking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_found_by_looking(root: Path, edit: str) -> None:
    looking = Polling()
    assert looking.due is None
    assert looking.want(below(root))
    assert looking.look()
    assert not looking.look()
    EDITS[edit](root)
    assert looking.look()


def test_looking_looks_twice_at_what_changed(root: Path) -> None:
    looking = Polling()
    looking.want(below(root))
    looking.look()
    (root / "src/main.rs").write_text("1234567")
    assert looking.look()
    # Within one tick of the clock, with the same size, nothing of it can be seen.
    assert looking.look()
    assert not looking.look()
    (root / ".layerdoit").mkdir()
    (root / "src/inner/deep/b.rs").write_text("")
    (root / "src/inner/deep/b.rs").unlink()
    assert not looking.look()


def test_looking_takes_a_twentieth_of_the_time_at_most(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = Polling()
    looking.want(below(root))
    times = iter((100.0, 102.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    looking.look()
    assert looking.due == 142.0


# --- bursts and clocks -----------------------------------------------------------------------------------------------


def test_a_burst_ends_when_it_is_quiet_or_lasts_too_long() -> None:
    assert Burst(10.0, 10.0).due == 10.0 + QUIET
    assert Burst(10.0, 10.1).due == 10.1 + QUIET
    assert Burst(10.0, 10.299).due == 10.0 + LONGEST


def test_a_burst_is_worth_reading_before_it_ends() -> None:
    assert Burst(10.0, 10.1).settled == 10.1 + SETTLED < Burst(10.0, 10.1).due
    assert Burst(10.0, 10.299).settled == 10.0 + LONGEST


def test_a_sleep_and_a_clock_that_was_set() -> None:
    readings = iter(((0.0, 1000.0), (0.001, 1000.0), (3600.0, 1000.0), (3600.0, 1000.0), (3600.0, 500.0)))
    clocks = Clocks(lambda: next(readings))
    assert [clocks.jumped() for _ in range(4)] == [False, True, False, True]


def test_the_clocks_of_this_machine() -> None:
    assert not Clocks().jumped()


# --- all together ----------------------------------------------------------------------------------------------------


class Heard:
    """What a watch says, for a test that waits for it."""

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.told: list[str] = []
        self.changes = Changes(self.changed.set, self.told.append)

    def after(self, edit: Callable[[], object]) -> bool:
        self.changed.clear()
        edit()
        return self.changed.wait(PATIENCE)


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    made.changes.close()


def test_a_change_is_told(root: Path, heard: Heard) -> None:
    folders = {Path(name) for name in below(root)}
    assert heard.after(lambda: heard.changes.watch(folders))
    assert heard.after(lambda: (root / "src/main.rs").write_text("new"))
    assert heard.after(lambda: shutil.rmtree(root / "src"))
    assert heard.after((root / "src").mkdir)
    assert heard.after(lambda: (root / "src/main.rs").write_text("again"))
    assert not heard.told


def test_a_burst_is_told_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "QUIET", 0.2)
    calls, called = list[float](), threading.Event()

    def note() -> None:
        calls.append(time.monotonic())
        called.set()

    one = Changes(note, pytest.fail)
    one.watch([root / "src"])
    for at in range(50):
        (root / "src/main.rs").write_text(str(at))
    assert called.wait(PATIENCE)
    one.close()
    assert len(calls) == 1


def test_a_burst_begins_before_it_ends(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "QUIET", 0.2)
    calls, called = list[str](), threading.Event()

    def over() -> None:
        calls.append("over")
        called.set()

    one = Changes(over, pytest.fail, lambda: calls.append("begins"))
    one.watch([root / "src"])
    for at in range(50):
        (root / "src/main.rs").write_text(str(at))
    assert called.wait(PATIENCE)
    one.close()
    assert calls == ["begins", "over"]


def test_who_reads_knows_of_what_nobody_was_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "LONGEST", 2 * PATIENCE)
    monkeypatch.setattr(changes, "QUIET", PATIENCE)
    one, until = Changes(pytest.fail, pytest.fail), time.monotonic() + PATIENCE
    one.watch([root / "src"])
    before = one.settle(until)
    assert one.count() == before
    (root / "src/main.rs").write_text("new")
    assert one.count() > before
    # What is gone and there again is watched by who reads it.
    shutil.rmtree(root / "src")
    (root / "src").mkdir()
    before = one.settle(until)
    (root / "src/main.rs").write_text("new")
    assert one.count() > before
    one.rest(time.monotonic())
    one.close()
    assert one.count() > before


def test_nobody_waits_for_a_burst_that_is_not(root: Path, heard: Heard) -> None:
    heard.after(lambda: heard.changes.watch([root / "src"]))
    until = time.monotonic() + PATIENCE
    heard.changes.rest(until)
    assert heard.changes.settle(until) == 1
    assert time.monotonic() < until


def test_nothing_is_told_after_the_end(root: Path, heard: Heard) -> None:
    heard.after(lambda: heard.changes.watch([root]))
    heard.changes.close()
    heard.changed.clear()
    (root / "Cargo.toml").write_text("new")
    heard.changes.watch([root / "src"])
    heard.changes.close()
    assert not heard.changed.is_set()
    assert "changes" not in {thread.name for thread in threading.enumerate()}


def failing(number: int) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise OSError(number, os.strerror(number))

    return fail


def test_the_limit_of_watches(root: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "SHORTEST", 0.005)
    monkeypatch.setattr(Inotify, "add", failing(errno.ENOSPC))
    assert heard.after(lambda: heard.changes.watch([root / "src"]))
    assert heard.after(lambda: (root / "src/main.rs").write_text("new"))
    assert heard.after(lambda: heard.changes.watch([root]))
    (said,) = heard.told
    assert "next: sudo sysctl fs.inotify.max_user_watches=" in said


def test_the_limit_of_instances(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "SHORTEST", 0.005)
    monkeypatch.setattr(Inotify, "__init__", failing(errno.EMFILE))
    heard = Heard()
    assert heard.after(lambda: heard.changes.watch([root / "src"]))
    assert heard.after(lambda: (root / "src/main.rs").write_text("new"))
    heard.changes.close()
    (said,) = heard.told
    assert "next: sudo sysctl fs.inotify.max_user_instances=" in said


def test_a_system_without_inotify(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inotify, "__init__", failing(errno.ENOSYS))
    heard, late = Heard(), root.parent / "not/there/yet"
    assert heard.after(lambda: heard.changes.watch([*map(Path, below(root)), late]))
    src, deep = root / "src", root / "src/inner/deep"
    edits: tuple[Callable[[], object], ...] = (
        lambda: (src / "main.rs").write_text("new"),
        lambda: saved_by_rename(root),
        lambda: shutil.rmtree(src),
        lambda: deep.mkdir(parents=True),
        lambda: (deep / "a.rs").write_text("again"),
        lambda: root.rename(root.with_name("away")),
        lambda: root.with_name("away").rename(root),
        lambda: (deep / "b.rs").write_text("and again"),
        lambda: late.mkdir(parents=True),
        lambda: (late / "a").write_text("late"),
        lambda: EDITS["a name of no encoding"](root),
        lambda: (src / "main.rs").write_text("the last"),
    )
    for edit in edits:
        assert heard.after(edit)
    assert not heard.told
    heard.changes.close()
    assert not {thread.name for thread in threading.enumerate()} & {"changes", "portable changes"}


def test_a_file_system_that_tells_nothing(root: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "SHORTEST", 0.005)
    monkeypatch.setattr(mounted, "_device", lambda folder: "0:52" if folder.endswith("/src") else "8:1")
    monkeypatch.setattr(mounted, "_MOUNTS", root / "mounts")
    (root / "mounts").write_text(MOUNTS)
    assert heard.after(lambda: heard.changes.watch([root, root / "src"]))
    assert heard.after(lambda: (root / "src/main.rs").write_text("new"))
    assert heard.after(lambda: (root / "Cargo.toml").write_text("new"))
    (said,) = heard.told
    assert said.startswith(f"{root / 'src'}: nfs4 ")


MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
44 21 0:52 / /home rw,relatime shared:2 master:1 - nfs4 server:/home rw,vers=4.2
45 21 0:53 / /mnt/c rw,noatime - 9p drvfs rw,aname=drvfs
46 21 0:54 / /over rw - fuse.fuse-overlayfs fuse-overlayfs rw
47 21 0:55 / /remote rw - fuse.sshfs me@there:/ rw
"""


def test_which_file_systems_tell_nothing() -> None:
    kinds = mounted.kinds(MOUNTS)
    assert {device for device, kind in kinds.items() if mounted.is_silent(kind)} == {"0:52", "0:53", "0:55"}
