"""What was read of a tree, and whether another tree gives the same: against what a reader of real files finds."""

from __future__ import annotations

import base64
import gzip
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerdoit.tree import reads
from layerdoit.tree.reads import Files, Read

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.sampled_from(["f1", "f2", "x1"])
LINKS = st.sampled_from(["a", "b", "../a", "../b", "c/a", "nowhere", ".."])
LOOKS = st.tuples(st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=4).map("/".join))
KINDS = st.sampled_from([reads.OPENED, "stat"])
TREES = st.dictionaries(PATHS, st.one_of(CONTENTS, LINKS.map(lambda target: f"l{target}")), max_size=6)


def without_conflicts(tree: Mapping[str, str]) -> dict[str, str]:
    """No path lies below a file or link."""
    return {path: entry for path, entry in tree.items() if not any(path.startswith(f"{other}/") for other in tree)}


def files(tree: Mapping[str, str]) -> Files:
    return Files(dict(tree), {path: entry[1:] for path, entry in tree.items() if entry[0] == "l"})


def written(tree: Mapping[str, str], root: Path) -> None:
    root.mkdir()
    for path, entry in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if entry[0] == "l":
            (root / path).symlink_to(entry[1:])
        else:
            (root / path).write_text(entry)


def inside(root: Path, path: str) -> bool:
    """Whether the way there stays in the tree, as the kernel goes it."""
    return os.path.realpath(root / path).startswith(str(root))


def seen(root: Path, read: Read) -> object:
    """What a real reader finds, as far as it can see."""
    place = f"{root}/{read.path}"  # pathlib would take `.` out
    if not os.path.exists(place):
        return None
    if os.path.isdir(place):
        kinds = {entry.name: entry.is_symlink() or entry.is_dir() for entry in os.scandir(place)}
        return sorted(kinds.items()) if read.kind == reads.OPENED else "folder"
    return Path(place).read_text()


@settings(max_examples=150, deadline=None)
@given(TREES.map(without_conflicts), TREES.map(without_conflicts), LOOKS, KINDS)
def test_where_a_reader_finds_something_else_the_value_is_another(
    one: Mapping[str, str], other: Mapping[str, str], look: tuple[str], kind: str
) -> None:
    read = Read("crate", kind, look[0])
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder).resolve() / name for name in ("one", "other")]
        for root, tree in zip(roots, (one, other), strict=True):
            written(tree, root)
        if not all(inside(root, read.path) for root in roots):
            return
        if seen(roots[0], read) != seen(roots[1], read):
            assert files(one).value(read) != files(other).value(read)
            paths = reads.differing(files(one), files(other))
            assert list(reads.changed([read], files(one), files(other), paths)) == [read]


@given(TREES.map(without_conflicts), TREES.map(without_conflicts), st.lists(PATHS, max_size=4))
def test_only_reads_that_a_change_touches_are_compared_and_none_is_missed(
    one: Mapping[str, str], other: Mapping[str, str], looks: list[str]
) -> None:
    old, new = files(one), files(other)
    every = [Read("crate", kind, path) for path in looks for kind in (reads.OPENED, "stat")]
    found = list(reads.changed(every, old, new, reads.differing(old, new)))
    assert found == [read for read in every if old.value(read) != new.value(read)]


BEFORE = {"src/lib.rs": "f1", "migrations/1.sql": "f1", "README.md": "f1", "deep/er/x": "f1"}


@pytest.mark.parametrize(
    ("kind", "path", "after", "is_found"),
    [
        ("open", "README.md", {"README.md": "f2"}, True),
        ("open", "migrations", {"migrations/2.sql": "f1"}, True),
        ("open", "migrations", {"migrations/1.sql": None}, True),
        ("open", "migrations", {"migrations/1.sql": "f2"}, False),
        ("open", "migrations", {"migrations/new/2.sql": "f1"}, True),
        ("open", "migrations", {"src/other.rs": "f1"}, False),
        ("stat", "migrations", {"migrations/2.sql": "f1"}, False),
        ("there", "README.md", {"README.md": "f2"}, False),
        ("there", "README.md", {"README.md": None}, True),
        ("there", "assets", {"assets": "f1"}, True),
        ("stat", "assets", {"assets/x": "f1"}, True),
        ("stat", "assets/x", {"assets": "f1"}, False),
        ("stat", "deep", {"deep/er/x": None}, True),
        ("open", "crates/../README.md", {"README.md": "f2"}, False),
        ("open", "src/../README.md", {"README.md": "f2"}, True),
        ("open", "new/../README.md", {"new/x": "f1"}, True),
        ("open", "../other", {"README.md": "f2"}, False),
        ("open", "", {"new/x": "f1"}, True),
        ("opaque", "it was compiled unseen", {"README.md": "f2"}, True),
        ("opaque", "it was compiled unseen", {}, False),
    ],
)
def test_what_changes_what(kind: str, path: str, after: Mapping[str, str | None], is_found: bool) -> None:
    tree = {name: entry for name, entry in {**BEFORE, **after}.items() if entry is not None}
    old, new = files(BEFORE), files(tree)
    read = Read("db", kind, path)
    assert bool(list(reads.changed([read], old, new, reads.differing(old, new)))) is is_found


def test_a_link_leads_to_what_it_names() -> None:
    old = files({"crate/data": "l../shared", "shared/a": "f1"})
    edited = files({"crate/data": "l../shared", "shared/a": "f2"})
    assert any(reads.changed([Read("c", "open", "crate/data/a")], old, edited, ["shared/a"]))
    turned = files({"crate/data": "l../other", "shared/a": "f1", "other/a": "f1"})
    assert any(reads.changed([Read("c", "open", "crate/data/a")], old, turned, reads.differing(old, turned)))


def packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def test_what_a_build_tells_is_unpacked() -> None:
    told = packed("db\topen\tmigrations\napp\tstat\ta b\n")
    assert reads.unpack([told[:10], told[10:]]) == (Read("db", "open", "migrations"), Read("app", "stat", "a b"))


@pytest.mark.parametrize("parts", [[], [""], ["not base64"], ["AAAA"], [packed("")], [packed("db\topen\tx")[:-8]]])
def test_what_cannot_be_read_is_nothing_known(parts: list[str]) -> None:
    assert reads.unpack(parts) is None
