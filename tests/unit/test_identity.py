"""Who a project is besides its name: the same in clones, worktrees and moved folders, another in unrelated ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from layerdoit.cache import whose
from layerdoit.core.state import State
from layerdoit.engine import mounts
from layerdoit.engine.images import Image, fits
from layerdoit.engine.mounts import Mount
from layerdoit.engine.ownership import ANYONE, Owner, digest_of, refused, words_of
from layerdoit.project import identity
from layerdoit.project.project import Project
from tests.support.git import git


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERDOIT_MACHINE", "one")


def owner(root: Path) -> Owner:
    return identity.of(root, State.open(root))


def package(root: Path, text: str = "") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "Cargo.toml").write_text(f'[package]\nname = "server"\nversion = "0.1.0"\nedition = "2021"\n# {text}\n')
    return root


def repository(root: Path, text: str = "") -> Path:
    package(root, text or root.name)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    return root


def same(one: Owner, other: Owner) -> bool:
    answers = {one.is_of(other.text), other.is_of(one.text)}
    assert len(answers) == 1, "it depends on who asks"
    return answers.pop()


# --- the same --------------------------------------------------------------------------------------------------------


def _clone(top: Path) -> Path:
    git(top.parent, "clone", "-q", str(top), "clone")
    return top.parent / "clone"


def _worktree(top: Path) -> Path:
    git(top, "worktree", "add", "-q", "-b", "side", str(top.parent / "side"))
    return top.parent / "side"


def _moved(top: Path) -> Path:
    return top.rename(top.parent / "moved")


def _fork(top: Path) -> Path:
    fork = _clone(top)
    git(fork, "remote", "set-url", "origin", "git@example.com:me/server.git")
    git(fork, "commit", "-q", "--allow-empty", "-m", "mine")
    return fork


def _without_state(top: Path) -> Path:
    shutil.rmtree(top / ".layerdoit")
    return top


def _amended(top: Path) -> Path:
    git(top, "commit", "-q", "--amend", "-m", "the first one, better")
    return top


@pytest.mark.parametrize("change", [_clone, _worktree, _moved, _fork, _without_state, _amended])
def test_of_one_repository_is_one_project(tmp_path: Path, change: Callable[[Path], Path]) -> None:
    before = owner(repository(tmp_path / "top"))
    assert same(before, owner(change(tmp_path / "top")))


def test_a_shallow_clone_is_known_by_its_remote(tmp_path: Path) -> None:
    top = repository(tmp_path / "top")
    git(top, "remote", "add", "origin", "https://me:secret@example.com/team/server.git")
    git(top, "commit", "-q", "--allow-empty", "-m", "second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{top}", "shallow")
    git(tmp_path / "shallow", "remote", "set-url", "origin", "git@example.com:team/server.git")
    found = owner(tmp_path / "shallow")
    assert not [mark for mark in found.marks if mark.startswith("root:")]
    assert same(owner(top), found)
    assert "secret" not in owner(top).text + owner(top).words


def test_a_folder_without_git(tmp_path: Path) -> None:
    """It may be moved, and its state folder deleted; a copy beside it is another one."""
    first = owner(package(tmp_path / "a"))
    moved = (tmp_path / "a").rename(tmp_path / "b")
    assert same(first, owner(moved))
    assert owner(moved) == owner(moved)
    shutil.copytree(moved, tmp_path / "copy")
    assert not same(owner(moved), owner(tmp_path / "copy"))
    before = owner(moved)
    shutil.rmtree(moved / ".layerdoit")
    assert same(before, owner(moved))


def test_the_first_commit_changes_nothing_of_what_was_built(tmp_path: Path) -> None:
    before = owner(package(tmp_path / "a"))
    repository(tmp_path / "a")
    after = owner(tmp_path / "a")
    assert any(mark.startswith("root:") for mark in after.marks)
    assert same(before, after)
    assert before.drawn == after.drawn, "another id would be another mount, and all would be compiled again"


# --- another ---------------------------------------------------------------------------------------------------------


def test_unrelated_folders_are_different_projects(tmp_path: Path) -> None:
    found = [owner(repository(tmp_path / "a")), owner(repository(tmp_path / "b"))]
    found += [owner(package(tmp_path / "c")), owner(package(tmp_path / "d"))]
    for at, one in enumerate(found):
        assert [same(one, other) for other in found] == [place == at for place in range(4)]
    assert len({one.drawn for one in found}) == 4


def test_two_packages_of_one_repository_are_two_projects(tmp_path: Path) -> None:
    package(tmp_path / "top/a")
    top = repository(tmp_path / "top")
    package(top / "b")
    assert not same(owner(top / "a"), owner(top / "b"))
    clone = _clone(top)
    assert same(owner(top / "a"), owner(clone / "a"))
    before = owner(top / "a")
    git(clone, "mv", "a", "renamed")
    assert owner(clone / "renamed").is_of(before.text), "the folder was renamed: no other one is there"
    assert not owner(top / "b").is_of(before.text)


def test_another_repository_in_the_same_place_is_another_project(tmp_path: Path) -> None:
    first = owner(repository(tmp_path / "work", "one"))
    shutil.rmtree(tmp_path / "work")
    assert not same(first, owner(repository(tmp_path / "work", "two")))


def test_what_bears_no_marks_goes_by_its_name(tmp_path: Path) -> None:
    assert owner(package(tmp_path / "a")).owns({"io.layerdoit.project": "server"})
    assert ANYONE.owns({"io.layerdoit.marks": "folder:1"})


# --- how it is known -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/Team/server.git",
        "https://user:token@EXAMPLE.com:443/Team/server/",
        "git@example.com:Team/server.git",
        "ssh://git@example.com:2222/Team/server.git",
        "git+ssh://example.com/Team/server",
        "git://example.com/Team/server",
        "example.com:/Team/server.git",
    ],
)
def test_forms_of_one_address(url: str) -> None:
    assert identity.address(url) == "example.com/Team/server"


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://example.com/a/server", "https://example.com/b/server"),
        ("http://localhost:3000/a/server", "http://localhost:3001/a/server"),
        ("/srv/git/a.git", "/srv/git/b.git"),
        ("git@one:a/server", "git@two:a/server"),
    ],
)
def test_different_addresses(url: str, other: str) -> None:
    assert identity.address(url) != identity.address(other)


def test_a_path_of_this_machine_is_not_readable() -> None:
    assert identity.address("/home/me/server.git") == identity.address("file:///home/me/server")
    assert "me" not in identity.address("/home/me/server.git").removeprefix("local-")


def test_the_first_commit_is_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = repository(tmp_path / "top")
    first = owner(top)

    def never(*_: object, **__: object) -> bytes:
        raise AssertionError("git was asked again")

    monkeypatch.setattr(identity, "capture_quick", never)
    assert owner(top) == first


def test_two_first_runs_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State.open(package(tmp_path / "a"))
    first = identity.of(tmp_path / "a", state)
    monkeypatch.setattr(State, "note", lambda self, name, real=State.note: {} if not seen else real(self, name))
    seen: list[int] = []
    kept = identity._kept(state, {}, {"folder": "other", "drawn": "x"})
    assert kept["folder"] == "other"
    seen.append(1)
    assert identity._kept(state, {}, {"folder": "other", "drawn": "x"})["folder"] == first.marks[0].partition(":")[2]


def test_the_refusal_names_both_and_the_cure(tmp_path: Path) -> None:
    ours, theirs = owner(repository(tmp_path / "b/server")), owner(repository(tmp_path / "a/server", "other"))
    labels = {"io.layerdoit.marks": theirs.text, "io.layerdoit.folder": theirs.folder}
    said = refused("server", "the container server", ours, labels, "layerdoit.yaml:1")
    assert str(tmp_path / "a/server") in said.what
    assert str(tmp_path / "b/server") in said.what
    assert said.hint is not None
    assert "project: b-server" in said.hint
    assert said.where == "layerdoit.yaml:1"
    assert words_of({}) == ""


# --- mounts and images -----------------------------------------------------------------------------------------------


def mount(path: Path, drawn: str = "", host: str | None = None) -> Mount:
    digest = mounts.checkout_of(path)
    place = mounts.this_host() if host is None else host
    known = str(path) if place else ""
    return Mount(
        digest + drawn,
        f"layerdoit/server/{digest}/dev/host",
        digest,
        "dev/host",
        1,
        0.0,
        False,
        "",
        place,
        known,
        drawn,
    )


def test_mounts_of_namesakes_are_not_ours(tmp_path: Path) -> None:
    ours, theirs = repository(tmp_path / "ours"), repository(tmp_path / "theirs")
    clone = _clone(ours)
    other = owner(theirs)
    project = Project.open(ours, {})
    cases = {
        mount(ours): True,
        mount(ours, "00000000"): True,
        mount(clone): True,
        mount(clone, owner(clone).drawn): True,
        mount(theirs): False,
        mount(theirs, other.drawn): False,
        mount(tmp_path / "gone"): True,
        mount(tmp_path / "gone", other.drawn): False,
        mount(tmp_path / "gone", project.owner.drawn): True,
        mount(tmp_path / "far", host=""): True,
        mount(tmp_path / "far", other.drawn, host=""): False,
    }
    mine, others = whose.mounts(project, cases)
    assert {one: one in mine for one in cases} == cases
    assert set(mine) | set(others) == set(cases)


def test_images_of_namesakes_are_lent_where_the_tree_asks_for_them() -> None:
    ours, theirs = Owner(("folder:1",), "/a"), Owner(("folder:2",), "/b")

    def image(layer: str, key: str, of: Owner, **more: str) -> Image:
        labels = {"layer": layer, "key": key, "marks": of.text, **more}
        return Image(
            key, (f"server:{layer}-{key}",), {f"io.layerdoit.{name}": value for name, value in labels.items()}, 0, 0
        )

    app = image("app", "a" * 12, ours, deps="d" * 12)
    others = [image("deps", "d" * 12, theirs), image("base", "b" * 12, theirs), image("app", "c" * 12, theirs)]
    mine, foreign = whose.images(ours, [app, *others])
    assert (mine, foreign) == ([app], others)
    assert whose.lent(mine, foreign, [("base", "b" * 12)]) == others[:2]
    told = whose.namesakes(foreign, [mount(Path("/b"), digest_of(theirs.marks[0]))])
    assert [(one.images, one.mounts) for one in told] == [(3, 1)]
    assert "/b" in told[0].words


def test_a_mount_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path("/work/äpp server")
    plain = mounts.identity("server", root, "dev/host", "0123456789ab")
    for machine in ("one", ""):
        monkeypatch.setenv("LAYERDOIT_MACHINE", machine)
        for drawn in ("", "89abcdef"):
            placed = mounts.placed(plain, root, drawn)
            listing = (
                f"ID:\t\trec\nCreated at:\t2026-01-01 00:00:00 +0000 UTC\nSize:\t\t1MB\n"
                f'Description:\tcached mount /build from exec sh with id "/{placed}"\nUsage count:\t1\n'
                "Type:\t\texec.cachemount\n"
            )
            (found,) = mounts.parse(listing, "server", 0.0)
            assert found.drawn == drawn
            assert (found.host, found.path) == ((mounts.this_host(), str(root)) if "@" in placed else ("", ""))
            assert found.id.partition("@")[0] == plain
    assert replace(Owner(("folder:1",)), drawn="x").draws("x")


@pytest.mark.parametrize(
    ("tag", "layer", "key", "there"),
    [
        ("server:deps-0123456789ab", "deps", "0123456789abcdef", True),
        ("server:deps-0123456789ab", "deps", "ffffffffffffcdef", False),
        ("server:deps-0123456789ab", "base", "0123456789abcdef", False),
        ("server:deps-0123456789ab", "", "", False),
        ("localhost:5000/team/server:app-0123456789ab", "app", "0123456789abcdef", True),
        ("server:latest", "app", "0123456789abcdef", True),
        ("server:app-of-mine", "", "", True),
        ("server:v1-0123456789ab", "", "", True),
    ],
)
def test_a_tag_with_a_key_is_believed_where_the_label_says_the_same(
    tag: str, layer: str, key: str, there: bool
) -> None:
    assert fits(tag, {"io.layerdoit.layer": layer, "io.layerdoit.key": key}) is there
