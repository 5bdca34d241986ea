"""The scan: what is listed, what is seen, what is not hashed twice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import kept, sources
from layerdoit.tree.entries import RACY_NS, read_entry
from layerdoit.tree.lister import Lister
from layerdoit.tree.sources import Sources, scan
from tests.support.git import git


def write(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "ws"
    write(root / "Cargo.toml", "[workspace]\n")
    write(root / "src/main.rs", "fn main() {}\n")
    write(root / ".gitignore", "target/\n/Cargo.lock\n.layerdoit/\n")
    write(root / "Cargo.lock", "version = 4\n")
    write(root / "target/x", "")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    return root


def look(root: Path) -> Sources:
    return scan(Lister(root), index_file=root / ".layerdoit/index")


def age(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the scan run ahead, so that no file is too young to be trusted."""
    monkeypatch.setattr(sources, "filesystem_time", lambda _index: time.time_ns() + 10**9)
    look(root)


def test_gits_view_and_what_cargo_needs(root: Path) -> None:
    write(root / "untracked.rs")
    assert sorted(look(root).entries) == [".gitignore", "Cargo.lock", "Cargo.toml", "src/main.rs", "untracked.rs"]


def test_nothing_changed_hashes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(root, monkeypatch)
    first = look(root)

    def fail(host: str, _now: int) -> object:
        raise AssertionError(host)

    for module in (sources, kept):
        monkeypatch.setattr(module, "read_entry", fail)
    assert look(root).digest() == first.digest()
    assert look(root).entries == first.entries
    os.utime(root / "src/main.rs")
    with pytest.raises(AssertionError):
        look(root)


def test_touch_and_place_do_not_change_the_digest(root: Path, tmp_path: Path) -> None:
    before = look(root).digest()
    for path in root.rglob("*.rs"):
        os.utime(path)
    assert look(root).digest() == before
    git(tmp_path, "clone", "-q", str(root), "elsewhere")
    write(tmp_path / "elsewhere/Cargo.lock", "version = 4\n")
    assert scan(Lister(tmp_path / "elsewhere"), index_file=None).digest() == before


def test_backdated_and_swapped_files_are_seen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = write(root / "src/a.rs", "one"), write(root / "src/b.rs", "two")
    for path in (a, b):
        os.utime(path, ns=(10**18, 10**18))
    age(root, monkeypatch)
    before = look(root)
    a.rename(root / "c")
    b.rename(a)
    (root / "c").rename(b)
    after = look(root)
    assert after.entries["src/a.rs"] == before.entries["src/b.rs"]
    assert after.entries["src/b.rs"] == before.entries["src/a.rs"]
    a.write_text("six")
    os.utime(a, ns=(10**18, 10**18))
    assert look(root).digest() not in (before.digest(), after.digest())


@pytest.mark.parametrize(("later_ns", "again"), [(0, True), (RACY_NS, True), (RACY_NS + 1, False)])
def test_a_file_hashed_too_soon_after_its_change_is_hashed_again(
    root: Path, monkeypatch: pytest.MonkeyPatch, later_ns: int, again: bool
) -> None:
    # A second change within one tick of the kernel's clock would leave all stat data as they are.
    path = write(root / "src/a.rs", "one")
    changed = os.lstat(path).st_ctime_ns
    monkeypatch.setattr(sources, "filesystem_time", lambda _index: changed + later_ns)
    look(root)
    hashed: list[str] = []
    real = read_entry

    def noted(host: str, now: int) -> object:
        hashed.append(host)
        return real(host, now)

    for module in (sources, kept):
        monkeypatch.setattr(module, "read_entry", noted)
    look(root)
    assert (str(path) in hashed) is again


def test_kinds(root: Path) -> None:
    write(root / "run", "x").chmod(0o755)
    (root / "link").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    entries = look(root).entries
    assert (entries["run"].kind, entries["link"].kind, entries["Cargo.toml"].kind) == ("x", "l", "f")
    assert "pipe" not in entries


def test_a_link_in_place_of_a_tracked_folder_hides_its_files(root: Path) -> None:
    (root / "src").rename(root / "real")
    (root / "src").symlink_to("real")
    for _ in range(2):
        entries = look(root).entries
        assert entries["src"].kind == "l"
        assert "src/main.rs" not in entries
        assert "real/main.rs" in entries


def test_a_deleted_tracked_file_is_gone_and_comes_back(root: Path) -> None:
    before = look(root).digest()
    (root / "src/main.rs").unlink()
    assert "src/main.rs" not in look(root).entries
    write(root / "src/main.rs", "fn main() {}\n")
    assert look(root).digest() == before


def test_a_submodule_that_is_not_initialised(root: Path, tmp_path: Path) -> None:
    """git, asked in its empty folder, names the folder itself."""
    other = tmp_path / "other"
    write(other / "a.rs")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "x")):
        git(other, *words)
    git(root, "submodule", "add", "-q", str(other), "sub")
    git(root, "commit", "-qam", "sub")
    git(root, "submodule", "deinit", "-q", "--force", "sub")
    empty = look(root).entries.keys()
    assert not any(path.startswith("sub") for path in empty)
    # As in a source archive: the files are there, and no repository.
    write(root / "sub/b.rs")
    assert look(root).entries.keys() - empty == {"sub/b.rs"}
    assert look(root).entries.keys() - empty == {"sub/b.rs"}
    (root / "sub/b.rs").unlink()
    assert look(root).entries.keys() == empty


def test_submodules_and_repositories_inside(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other / "lib.rs", "1")
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "x")
    git(root, "submodule", "add", "-q", str(other), "sub")
    git(root, "clone", "-q", str(other), "loose")
    assert {"sub/lib.rs", "loose/lib.rs"} <= set(look(root).entries)
    before = look(root).digest()
    write(root / "sub/new.rs")
    assert look(root).digest() != before
    assert "sub/new.rs" in look(root).entries


def test_out_of_root_dependencies(tmp_path: Path, root: Path) -> None:
    write(tmp_path / "shared/clock/src/lib.rs", "pub fn now() {}")
    write(tmp_path / "shared/other/lib.rs")
    found = scan(Lister(root, ["*.md"]), ["../shared/clock"], index_file=None)
    assert "_/src/main.rs" in found.entries
    assert "shared/clock/src/lib.rs" in found.entries
    assert "shared/other/lib.rs" not in found.entries
    assert all(os.path.lexists(found.host_path(path)) for path in found.entries)
    assert list(found.under(["shared/clock"]).entries) == ["shared/clock/src/lib.rs"]
    assert found.under(["shared/cl"]).entries == {}


def test_the_folder_around_the_workspace_counts_the_workspace_once(tmp_path: Path, root: Path) -> None:
    write(tmp_path / "Cargo.toml", "[package]\n")
    found = scan(Lister(root), [".."], index_file=None)
    assert "Cargo.toml" in found.entries
    assert not any(path.startswith("ws/") for path in found.entries)


@pytest.mark.parametrize("bad", ["a\nb", "a\\b", "a\rb"])
def test_names_that_no_listing_can_hold_are_refused(root: Path, bad: str) -> None:
    write(root / bad)
    with pytest.raises(WorkspaceError, match="line break or a backslash"):
        look(root)
    assert scan(Lister(root, ["a*"]), index_file=None).entries


@pytest.mark.parametrize("damage", [b"", b"layerdoit-index-1\n", b"layerdoit-index-1\nabcdefgh", None])
def test_a_damaged_index_is_no_index(root: Path, damage: bytes | None) -> None:
    before = look(root).digest()
    index = root / ".layerdoit/index"
    blob = index.read_bytes()
    index.write_bytes(blob[:-9] + b"\0" + blob[-8:] if damage is None else damage)
    assert look(root).digest() == before


def test_other_settings_give_another_listing_at_once(root: Path) -> None:
    index = root / ".layerdoit/index"
    write(root / "doc/a.md")
    assert "doc/a.md" in look(root).entries
    assert "doc/a.md" not in scan(Lister(root, ["doc"]), index_file=index).entries
    assert "target/x" in scan(Lister(root, (), ["target"]), index_file=index).entries
    assert "doc/a.md" in look(root).entries
    write(root / ".dockerignore", "doc\n**/Cargo.toml\n")
    assert "doc/a.md" not in look(root).entries
    assert "Cargo.toml" in look(root).entries
