"""Which app images are of a branch that is gone: only where everything is known does one count so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.engine.images import PREFIX, Image
from layerdoit.engine.mounts import checkout_of
from layerdoit.layers.key import Spec
from layerdoit.project import branches
from layerdoit.project.branches import AGAIN, Branches
from layerdoit.project.project import Project
from tests.support.git import git

HERE = "0123abcd"
BUILT, DONE = 1_767_225_600, 1_767_225_700


def image(**labels: str) -> Image:
    """An app image that was built on `feature`, at BUILT."""
    values = {"key": "k", "branch": "feature", "machine": "one", "built": "2026-01-01T00:00:00Z", **labels}
    return Image("sha256:1", ("p:app-k",), {PREFIX + name: value for name, value in values.items()}, DONE, 1)


def known(*there: str, machine: str = "one", **noted: set[str]) -> Branches:
    return Branches(machine, {HERE}, lambda name: name in there, noted)


def test_an_image_of_a_deleted_branch() -> None:
    assert known("main").gone(image(), HERE, DONE)
    assert known("main").gone(image(), HERE, 0), "an engine that does not say when it was tagged"
    assert not known("main", "feature").gone(image(), HERE, DONE)


def test_what_cannot_be_told_is_not_gone() -> None:
    assert not known().gone(image(branch=""), HERE, DONE), "built with a detached HEAD, or before labels said it"
    assert not known().gone(image(machine="two"), HERE, DONE)
    assert not known().gone(image(machine=""), HERE, DONE)
    assert not known(machine="").gone(image(machine=""), HERE, DONE), "in a container of no name"
    assert not known().gone(image(), "ffffffff", DONE), "a checkout of another repository"
    assert not replace(known(), has=lambda _: None).gone(image(), HERE, DONE), "a repository that does not say"


def test_an_image_that_another_branch_asked_for() -> None:
    assert not known("main", k={"main"}).gone(image(), HERE, DONE)
    assert known("main", k={"feature", "fix"}).gone(image(), HERE, DONE + 3 * AGAIN), "both are gone"
    assert not replace(known(), has=lambda name: None if name == "?" else False, noted={"k": {"?"}}).gone(
        image(), HERE, DONE
    ), "with a detached HEAD"
    assert not known("main").gone(image(), HERE, DONE + AGAIN + 1), "tagged again, and nobody noted by whom"
    assert known("main").gone(image(), HERE, DONE + AGAIN)


@given(
    st.sampled_from(("", "a", "b", "c")),
    st.sampled_from(("", "one", "two")),
    st.sampled_from((HERE, "ffffffff", "")),
    st.sets(st.sampled_from(("a", "b", "c", "?"))),
    st.sets(st.sampled_from(("a", "b", "c"))),
    st.integers(DONE - 100, DONE + 200),
)
def test_none_that_a_branch_there_asked_for_is_gone(
    branch: str, machine: str, checkout: str, noted: set[str], there: set[str], tagged: int
) -> None:
    found = Branches("one", {HERE}, lambda name: None if name == "?" else name in there, {"k": noted} if noted else {})
    if found.gone(image(branch=branch, machine=machine), checkout, tagged):
        assert not there & {branch, *noted}
        assert "?" not in noted
        assert (bool(branch), machine, checkout) == (True, "one", HERE)


# --- what builds write -----------------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAYERDOIT_MACHINE", "mine")
    top = tmp_path / "top"
    (top / "api").mkdir(parents=True)
    (top / "api/x").touch()
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "x")
    return top


def labelled(project: Project) -> Image:
    """What a build of the project would make now."""
    values: dict[str, Any] = {"key": "k", **branches.labels(project)}
    return Image("i", (), {PREFIX + name: value for name, value in values.items()}, DONE, 1)


def test_labels_say_branch_and_machine(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.open(repository / "api", {})
    git(repository, "checkout", "-q", "-b", "feature/x")
    assert branches.labels(project)["branch"] == "feature/x", "as it is now, not as it was when the run began"
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "tree"))
    beside = branches.labels(Project.open(tmp_path / "tree/api", {}))
    assert (beside["worktree"], beside["branch"]) == ("tree", "side")
    git(repository, "checkout", "-q", "--detach")
    assert branches.labels(project) == {}
    git(repository, "checkout", "-q", "main")
    monkeypatch.setattr(branches, "this_host", lambda: "")
    assert branches.labels(project) == {}, "nobody could tell whose branch that is"
    assert branches.labels(Project.open(tmp_path, {})) == {}


def test_from_label_to_gone(repository: Path, tmp_path: Path) -> None:
    """Of a project that is a folder of its repository, seen from a worktree of it, too."""
    project, there = Project.open(repository / "api", {}), checkout_of(repository / "api")
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    beside = Project.open(tmp_path / "side/api", {})
    git(repository, "checkout", "-q", "-b", "feature")
    made = labelled(project)

    def gone(by: Project, found: Image = made, checkout: str = there) -> bool:
        return branches.load(by, [found]).gone(found, checkout, DONE)

    assert not gone(project)
    git(repository, "checkout", "-q", "main")
    git(repository, "branch", "-D", "feature")
    assert gone(project)
    assert gone(beside)
    assert gone(project, labelled(project)) is False, "main is there"
    assert not gone(project, checkout=checkout_of(tmp_path))
    assert not gone(Project.open(tmp_path, {})), "no repository"
    # In the other worktree another branch asked for it.
    branches.note(beside, "k")
    assert not gone(project)
    git(repository, "worktree", "remove", "--force", str(tmp_path / "side"))
    git(repository, "branch", "-D", "side")
    assert gone(project)


class Described:
    """An engine whose images all have the same labels."""

    def __init__(self, **labels: str) -> None:
        self.found = {PREFIX + name: value for name, value in labels.items()}

    def labels(self, tags: list[str]) -> dict[str, dict[str, str]]:
        return dict.fromkeys(tags, self.found)


def test_a_branch_that_meets_an_image_of_another_branch_is_noted(repository: Path) -> None:
    project, app = Project.open(repository / "api", {}), Spec("app", {}, "p")
    images: Any = Described(branch="feature")
    path = project.state / "branches.json"
    git(repository, "checkout", "-q", "-b", "feature")
    branches.note_request(project, images, app)
    assert not path.exists(), "it was built here"
    git(repository, "checkout", "-q", "main")
    assert not project.state.asked_last(app.key, "main")
    branches.note_request(project, images, app)
    assert project.state.asked_last(app.key, "main")
    assert json.loads(path.read_text()) == {app.key: "main"}
    git(repository, "checkout", "-q", "--detach")
    branches.note_request(project, images, app)
    assert json.loads(path.read_text()) == {app.key: "?\nmain"}
    branches.note_request(project, images, Spec("app", {"source": "edited"}, "p"))
    assert list(json.loads(path.read_text())) == [app.key, Spec("app", {"source": "edited"}, "p").key]


def test_without_a_branch_on_its_label_an_image_needs_no_note(repository: Path) -> None:
    project = Project.open(repository / "api", {})
    images: Any = Described()
    branches.note_request(project, images, Spec("app", {}, "p"))
    assert not (project.state / "branches.json").exists()


def test_notes_add_up_and_end_somewhere(repository: Path) -> None:
    project = Project.open(repository / "api", {})
    path = project.state / "branches.json"
    branches.note(project, "k")
    git(repository, "checkout", "-q", "--detach")
    branches.note(project, "k")
    assert json.loads(path.read_text()) == {"k": "?\nmain"}
    for number in range(600):
        path.write_text(json.dumps({**json.loads(path.read_text()), f"k{number}": "main"}))
    branches.note(project, "k5")
    noted = json.loads(path.read_text())
    assert (len(noted), list(noted)[-1], noted["k5"]) == (500, "k5", "?\nmain")
    path.write_text("broken")
    branches.note(project, "k")
    assert json.loads(path.read_text()) == {"k": "?"}


def test_without_git_nothing_is_noted(tmp_path: Path) -> None:
    project = Project.open(tmp_path, {})
    branches.note(project, "k")
    assert not (tmp_path / ".layerdoit/branches.json").exists()
