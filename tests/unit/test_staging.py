"""Staging: an exact mirror after any edits, and after an interruption at any step."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerdoit.core import files as core_files
from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import staging
from layerdoit.tree.lister import Lister
from layerdoit.tree.sources import Sources, scan
from layerdoit.tree.staging import stage

NAMES = ("a", "b", "c", "d/e", "d/f", "d/g/h", "a/b", "a/c/d")
CONTENTS = (b"one", b"two", b"six", b"longer")

names = st.sampled_from(NAMES)
edits = st.one_of(
    st.tuples(st.just("write"), names, st.sampled_from(CONTENTS)),
    st.tuples(st.just("overwrite"), names, st.sampled_from(CONTENTS)),
    st.tuples(st.just("backdate"), names, st.sampled_from(CONTENTS)),
    st.tuples(st.just("swap"), names, names),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("link"), names, names),
    st.tuples(st.just("delete"), names, st.none()),
    st.tuples(st.just("folder"), names, st.none()),
    st.tuples(st.just("chmod"), names, st.none()),
    st.tuples(st.just("git add"), names, st.none()),
)


def clear(path: Path) -> None:
    """Remove whatever is in the way at the path and on the way to it."""
    for place in [*reversed(path.parents), path]:
        if place.is_symlink() or place.is_file():
            place.unlink()
    if path.is_dir():
        shutil.rmtree(path)


def apply(root: Path, edit: tuple[str, str, Any]) -> None:
    kind, name, other = edit
    path = root / name
    real_file = not path.is_symlink() and path.is_file()
    if kind == "write":
        clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(other)
    elif kind == "overwrite" and real_file:
        path.write_bytes(other)
    elif kind == "backdate" and real_file:
        before = path.stat()
        path.write_bytes(other)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif kind in ("swap", "rename"):
        second = root / other
        if real_file and not second.is_symlink() and second.is_file() and path != second:
            kept = second.read_bytes(), second.stat().st_mtime_ns
            mtime = path.stat().st_mtime_ns
            os.replace(path, second)
            if kind == "swap":
                path.write_bytes(kept[0])
                os.utime(path, ns=(kept[1], kept[1]))
                os.utime(second, ns=(mtime, mtime))
    elif kind == "link":
        clear(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(other)
    elif kind == "delete":
        clear(path)
    elif kind == "folder":
        clear(path)
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "chmod" and real_file:
        path.chmod(path.stat().st_mode ^ 0o100)
    elif kind == "git add" and (root / ".git").exists():
        subprocess.run(["git", "add", "-A"], cwd=root, check=True, capture_output=True)


def content(root: Path) -> dict[str, tuple[str, bytes]]:
    """Every file and link below a folder, read the slow and certain way."""
    found: dict[str, tuple[str, bytes]] = {}
    for folder, dirs, files in os.walk(root):
        for name in [*files, *(d for d in dirs if (Path(folder) / d).is_symlink())]:
            path = Path(folder) / name
            rel = path.relative_to(root).as_posix()
            if rel.startswith((".layerdoit/", ".git/")):
                continue
            if path.is_symlink():
                found[rel] = ("l", os.fsencode(os.readlink(path)))
            else:
                found[rel] = ("x" if path.stat().st_mode & stat.S_IXUSR else "f", path.read_bytes())
    return found


def mtimes(root: Path) -> dict[str, int]:
    return {p: os.lstat(root / p).st_mtime_ns for p, (kind, _) in content(root).items() if kind != "l"}


def look(root: Path) -> Sources:
    return scan(Lister(root), index_file=root / ".layerdoit/index")


def expected_tree(root: Path) -> bytes:
    lines = {os.fsencode(p): (k, hashlib.sha256(c).hexdigest()) for p, (k, c) in content(root).items()}
    return b"".join(b"%s %s  %s\n" % (k.encode(), d.encode(), p) for p, (k, d) in sorted(lines.items()))


class Stopped(Exception):
    """Stands for a kill at this point."""


class StoppingOs:
    """The os module, ending the world before the n-th call that changes the disk."""

    CHANGES = frozenset({"unlink", "rmdir", "replace", "utime", "symlink", "fchmod", "write", "makedirs"})

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.CHANGES:
            return real

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.left <= 0:
                raise Stopped(name)
            self.left -= 1
            return real(*args, **kwargs)

        return call


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


def fresh(base: Path) -> tuple[Path, Path, Path]:
    shutil.rmtree(base / "case", ignore_errors=True)
    root = base / "case/ws"
    root.mkdir(parents=True)
    return root, base / "case/ctx/src", base / "case/ctx/tree"


def check(root: Path, dest: Path, tree: Path, before: dict[str, tuple[tuple[str, bytes], int]]) -> None:
    assert content(dest) == content(root)
    assert tree.read_bytes() == expected_tree(root)
    now = mtimes(dest)
    for path, what in content(dest).items():
        if path in before and before[path][0] != what and what[0] != "l":
            assert now[path] != before[path][1], path


def remember(dest: Path, before: dict[str, tuple[tuple[str, bytes], int]]) -> None:
    times = mtimes(dest)
    before.update({p: (c, times[p]) for p, c in content(dest).items() if p in times})


COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("git", [False, True])
@settings(COMMON, max_examples=100)
@given(rounds=st.lists(st.lists(edits, max_size=6), min_size=1, max_size=5))
def test_any_edits_are_mirrored(place: Path, git: bool, rounds: list[list[tuple[str, str, Any]]]) -> None:
    root, dest, tree = fresh(place)
    if git:
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    before: dict[str, tuple[tuple[str, bytes], int]] = {}
    for round_ in rounds:
        for edit in round_:
            apply(root, edit)
        assert stage(look(root), dest, tree=tree) == frozenset()
        check(root, dest, tree, before)
        remember(dest, before)


@settings(COMMON, max_examples=200)
@given(
    rounds=st.lists(st.tuples(st.lists(edits, max_size=6), st.integers(0, 40)), min_size=1, max_size=5),
    last=st.lists(edits, max_size=3),
)
def test_an_interruption_at_any_step_is_harmless(
    place: Path, rounds: list[tuple[list[tuple[str, str, Any]], int]], last: list[tuple[str, str, Any]]
) -> None:
    root, dest, tree = fresh(place)
    before: dict[str, tuple[tuple[str, bytes], int]] = {}
    for round_, calls in rounds:
        for edit in round_:
            apply(root, edit)
        sources = look(root)
        with pytest.MonkeyPatch.context() as patch:
            stopping = StoppingOs(calls)
            patch.setattr(staging, "os", stopping)
            patch.setattr(core_files, "os", stopping)
            with contextlib.suppress(Stopped):
                stage(sources, dest, tree=tree)
        if dest.exists():
            remember(dest, before)
        if tree.exists():
            # A listing says that the context is exact: never while it is half-made.
            assert tree.read_bytes() == expected_tree(dest)
    for edit in last:
        apply(root, edit)
    assert stage(look(root), dest, tree=tree) == frozenset()
    check(root, dest, tree, before)


def test_unchanged_files_are_left_alone(place: Path) -> None:
    root, dest, tree = fresh(place)
    (root / "a").write_bytes(b"one")
    (root / "b").write_bytes(b"two")
    stage(look(root), dest, tree=tree)
    before = {p: os.lstat(dest / p) for p in ("a", "b")}
    (root / "b").write_bytes(b"six")
    os.utime(root / "a")
    stage(look(root), dest, tree=tree)
    assert os.lstat(dest / "a") == before["a"]
    assert os.lstat(dest / "b").st_mtime_ns > before["b"].st_mtime_ns


def test_a_file_edited_since_the_scan_is_reported(place: Path) -> None:
    root, dest, tree = fresh(place)
    for name in ("a", "b", "c", "d"):
        (root / name).write_bytes(b"one")
    (root / "e").symlink_to("a")
    sources = look(root)
    (root / "a").write_bytes(b"two")
    (root / "b").unlink()
    (root / "c").chmod(0o755)
    (root / "e").unlink()
    (root / "e").symlink_to("b")
    assert stage(sources, dest, tree=tree) == {"a", "b", "c", "e"}
    assert not tree.exists()
    assert stage(look(root), dest, tree=tree) == frozenset()
    check(root, dest, tree, {})


def test_what_somebody_else_did_to_the_context_is_repaired(place: Path) -> None:
    root, dest, tree = fresh(place)
    (root / "a").write_bytes(b"one")
    (root / "d").mkdir()
    (root / "d/e").write_bytes(b"two")
    stage(look(root), dest, tree=tree)
    (dest / "a").write_bytes(b"six")
    (dest / "stray/folder").mkdir(parents=True)
    (dest / "stray/file").write_bytes(b"")
    (dest / "d/e").unlink()
    assert stage(look(root), dest, tree=tree) == frozenset()
    check(root, dest, tree, {})
    assert not (dest / "stray").exists()


def identity(path: Path) -> tuple[int, int]:
    """The same file, not written again; when it was last read does not count."""
    found = os.lstat(path)
    return found.st_ino, found.st_mtime_ns


@pytest.mark.parametrize("damage", [b"", b"layerdoit-staged-1\n", b"layerdoit-staged-1\nxxxxyyyy"])
def test_a_damaged_record_costs_time_only(place: Path, damage: bytes) -> None:
    root, dest, tree = fresh(place)
    (root / "a").write_bytes(b"one")
    stage(look(root), dest, tree=tree)
    before = identity(dest / "a")
    dest.with_name("src.staged").write_bytes(damage)
    (root / "b").write_bytes(b"two")
    stage(look(root), dest, tree=tree)
    check(root, dest, tree, {})
    assert identity(dest / "a") == before


def test_a_clock_set_back_still_gives_a_new_time(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, dest, tree = fresh(place)
    (root / "a").write_bytes(b"one")
    stage(look(root), dest, tree=tree)
    before = os.lstat(dest / "a").st_mtime_ns
    monkeypatch.setattr("time.time_ns", lambda: 1)
    (root / "a").write_bytes(b"two")
    stage(look(root), dest, tree=tree)
    assert os.lstat(dest / "a").st_mtime_ns > before


def test_a_context_that_cannot_be_written_is_one_message(place: Path) -> None:
    root, dest, tree = fresh(place)
    (root / "a").write_bytes(b"one")
    dest.parent.parent.mkdir(exist_ok=True)
    dest.parent.write_bytes(b"in the way")
    with pytest.raises(WorkspaceError, match="cannot write the build context"):
        stage(look(root), dest, tree=tree)
