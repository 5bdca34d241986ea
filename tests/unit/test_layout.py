"""What lies where in a build context, whatever the folders of a checkout are called."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import layout, links
from layerdoit.tree.lister import Lister
from layerdoit.tree.sources import Sources, scan
from tests.support.files import write
from tests.support.git import git

MANIFEST = {"Cargo.toml": "[workspace]\n", "Cargo.lock": "version = 4\n"}


def tree(root: Path, files: Mapping[str, str] = {}, top: Path | None = None) -> Path:
    """A workspace and more, all of it in a repository at `top` if that is given."""
    write(root, {**MANIFEST, **files})
    if top:
        git(top, "init", "-q")
        git(top, "add", "-A")
    return root


def look(root: Path, *extra: str, include: tuple[str, ...] = (), index: Path | None = None) -> Sources:
    return scan(Lister(root, (), include), extra, index_file=index)


@pytest.mark.parametrize(
    ("root", "top", "names", "text", "expected"),
    [
        ("/a/ws", "/a/ws", ["x"], "", layout.Home("", checkouts=False)),
        ("/a/ws", "/a", ["x", "../y"], "", layout.Home("ws/", checkouts=False)),
        ("/a/b/ws", "/a", ["../y"], "", layout.Home("ws/", checkouts=False)),
        ("/a/b/ws", "/a", ["../../y"], "", layout.Home("b/ws/", checkouts=False)),
        # A clone's own name, and what is above it, are no part of the tree ...
        ("/a/ws", "/a/ws", ["../y"], "", layout.Home("_/", checkouts=True)),
        ("/a/b/ws", "/a/b", ["../../y"], "", layout.Home("_/ws/", checkouts=True)),
        ("/a/ws", None, ["../y"], "", layout.Home("_/", checkouts=True)),
        # ... unless what lies beside it says so.
        ("/a/ws", None, ["../y"], 'workspace = "../ws"', layout.Home("ws/", checkouts=True)),
        ("/a/ws", "/a/ws", ["../y"], 'include_str!("../../ws/x")', layout.Home("ws/", checkouts=True)),
        ("/a/b/ws", None, ["../../y"], 'path = "../b/ws/util"', layout.Home("b/ws/", checkouts=True)),
        ("/a/ws", None, ["../y"], 'path = "../wsx" ../ws-2 ws', layout.Home("_/", checkouts=True)),
    ],
)
def test_the_home_of_a_workspace(
    tmp_path: Path, root: str, top: str | None, names: list[str], text: str, expected: layout.Home
) -> None:
    beside = tmp_path / "lib.rs"
    beside.write_text(text)
    assert layout.home(root, top, names, [str(beside)]) == expected


def test_a_clone_of_another_name_has_the_same_keys(tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        root = tree(tmp_path / name / f"clone-{name}", {"../shared/lib.rs": ""})
        git(root, "init", "-q")
        made.append(look(root, "../shared"))
        assert set(made[-1].entries) == {"_/Cargo.toml", "_/Cargo.lock", "shared/lib.rs"}
    assert made[0].digest() == made[1].digest()


def test_folders_of_a_repository_keep_their_names(tmp_path: Path) -> None:
    root = tree(tmp_path / "rust/ws", {"../shared/lib.rs": "", "src/main.rs": ""}, tmp_path)
    found = look(root, "../shared")
    assert set(found.entries) == {"ws/Cargo.toml", "ws/Cargo.lock", "ws/src/main.rs", "shared/lib.rs"}
    assert found.host_path("ws/src/main.rs") == root / "src/main.rs"
    assert found.host_path("shared/lib.rs") == tmp_path / "rust/shared/lib.rs"
    assert (found.context_path("."), found.own_path("shared/lib.rs")) == ("ws", "../shared/lib.rs")
    assert set(look(root).entries) == {"Cargo.toml", "Cargo.lock", "src/main.rs"}


def test_a_name_that_is_written_later_is_seen(tmp_path: Path) -> None:
    root = tree(tmp_path / "ws", {"../shared/lib.rs": "//"})
    index = tmp_path / "index"
    assert look(root, "../shared", index=index).home == "_/"
    (tmp_path / "shared/lib.rs").write_text('include_str!("../ws/x")')
    assert look(root, "../shared", index=index).home == "ws/"


def test_what_the_configuration_includes_above(tmp_path: Path) -> None:
    root = tree(tmp_path / "repo/rust", {"../schema/s.sql": "", "../schema/gen/x": ""})
    (tmp_path / "repo/.gitignore").write_text("gen\n")
    git(tmp_path / "repo", "init", "-q")
    found = look(root, include=("../schema",))
    assert {"schema/s.sql", "schema/gen/x", "rust/Cargo.toml"} <= set(found.entries)
    with pytest.raises(WorkspaceError, match="leads out of the git repository"):
        look(root, include=("../../schema",))


def test_cargos_configuration_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "repo/home/.cargo"))
    root = tree(tmp_path / "repo/home/a/ws")
    git(tmp_path / "repo", "init", "-q")
    index = tmp_path / "index"
    assert look(root, index=index).home == ""
    for folder in ("repo", "repo/home", ""):
        write(tmp_path / folder / ".cargo", {"config.toml": ""})
    assert set(look(root, index=index).entries) == {
        ".cargo/config.toml", "home/a/ws/Cargo.toml", "home/a/ws/Cargo.lock",
    }  # fmt: skip


def test_links_bring_along_what_they_lead_to(tmp_path: Path) -> None:
    top = tmp_path / "repo"
    files = {"../shared/real/lib.rs": "", "../one.txt": "", "../../outside/x": ""}
    root = tree(top / "ws", files)
    for link, target in (
        ("common", "../shared/again"), ("one", "../one.txt"), ("out", "../../outside"), ("gone", "../nothing"),
        ("absolute", str(top / "shared")), ("inner", "Cargo.toml"), ("loop", "../ws/loop"),
    ):  # fmt: skip
        (root / link).symlink_to(target)
    (top / "shared/again").symlink_to("real")
    git(top, "init", "-q")
    index = tmp_path / "index"
    expected = {f"ws/{name}" for name in (*MANIFEST, "common", "one", "out", "gone", "absolute", "inner", "loop")}
    expected |= {"shared/again", "shared/real/lib.rs", "one.txt"}
    for _ in range(2):
        assert set(look(root, index=index).entries) == expected
    write(top / "shared/real", {"new.rs": ""})
    assert set(look(root, index=index).entries) == {*expected, "shared/real/new.rs"}
    (root / "common").unlink()
    (root / "common").symlink_to("../one.txt")
    assert set(look(root, index=index).entries) == expected - {"shared/again", "shared/real/lib.rs"}


def test_a_package_behind_a_link(tmp_path: Path) -> None:
    """A package is sent wherever it is; in the place of a link that a build could not follow."""
    root = tree(tmp_path / "ws", {"../a/lib.rs": "", "../b/lib.rs": ""})
    git(root, "init", "-q")
    (root / "near").symlink_to("../a")
    (root / "far").symlink_to(tmp_path / "b")
    entries = look(root, "near", "far").entries
    assert {name: entry.kind for name, entry in entries.items() if "Cargo" not in name} == {
        "_/near": "l", "a/lib.rs": "f", "_/far/lib.rs": "f",
    }  # fmt: skip


def test_the_way_of_a_path(tmp_path: Path) -> None:
    root = tmp_path / "ws"
    write(root, {"real/x": ""})
    for link, target in (("a", "b"), ("b", "real"), ("up", "../ws/real"), ("round", "round"), ("abs", "/etc")):
        (root / link).symlink_to(target)
    assert links.way(str(root), "a/x") == (["a", "b"], "real/x")
    assert links.way(str(root), "up/x") == (["up"], "real/x")
    assert links.way(str(root), "real/../real/x") == ([], "real/x")
    assert links.way(str(root), "../other") == ([], "../other")
    assert links.way(str(root), "round/x").end == links.way(str(root), "abs/x").end == ""


def test_what_git_tracks_in_a_tools_folder_counts(tmp_path: Path) -> None:
    names = ("node_modules/a/x.js", "b/__pycache__/y", ".venv/z")
    root = tree(tmp_path, dict.fromkeys((*names, "node_modules/untracked", ".layerdoit/tracked"), ""))
    git(root, "init", "-q")
    git(root, "add", "-f", *names, ".layerdoit/tracked")
    index = tmp_path.parent / f"{tmp_path.name}-index"
    assert set(look(root, index=index).entries) == {*MANIFEST, *names}
    git(root, "rm", "-q", "--cached", "b/__pycache__/y")
    assert set(look(root, index=index).entries) == {*MANIFEST, *names} - {"b/__pycache__/y"}


def test_discovery_asks_what_is_sent(tmp_path: Path) -> None:
    files = dict.fromkeys(("src/main.rs", "src/ignored.rs", "src/left.rs", "sub/x.rs", "linked/y.rs"), "")
    root = tree(tmp_path, {**files, ".gitignore": "ignored.rs\n", ".dockerignore": "src/left.rs\n"})
    (root / "link").symlink_to("linked")
    (root / "dangling").symlink_to("nowhere")
    git(root / "sub", "init", "-q")
    git(root, "init", "-q")
    git(root, "add", "src")
    lister = Lister(root)
    asked = [*files, "link/y.rs", "dangling", "src", "absent", "./src/../src/main.rs"]
    assert [name for name in asked if lister.is_file(name)] == [
        "src/main.rs", "sub/x.rs", "linked/y.rs", "link/y.rs", "./src/../src/main.rs",
    ]  # fmt: skip
    os.unlink(root / "src/main.rs")
    assert not lister.is_file("src/main.rs"), "tracked, and gone"
