"""Which folders are watched: what may change a key lies in one of them, and what cannot does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.watch import watched
from layerdoit.watch.notices import Notices
from tests.support.git import commit_all, git

FILES = {
    "repo/ws/Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["crates/*"]\n',
    "repo/ws/Cargo.lock": (
        'version = 4\n\n[[package]]\nname = "api"\nversion = "0.1.0"\ndependencies = ["shared"]\n'
        '\n[[package]]\nname = "shared"\nversion = "0.1.0"\n'
    ),
    "repo/ws/crates/api/Cargo.toml": (
        '[package]\nname = "api"\nversion = "0.1.0"\nedition = "2021"\n\n'
        '[dependencies]\nshared.path = "../../../shared"\n'
    ),
    "repo/ws/crates/api/src/main.rs": "fn main() {}\n",
    "repo/ws/crates/api/src/deep/a.rs": "",
    "repo/shared/Cargo.toml": '[package]\nname = "shared"\nversion = "0.1.0"\nedition = "2021"\n',
    "repo/shared/src/inner/lib.rs": "",
    "repo/shared/src/lib.rs": "",
    "repo/.cargo/config.toml": "[build]\nrustflags = []\n",
    "repo/ws/rust-toolchain.toml": '[toolchain]\nchannel = "1.90.0"\n',
    "repo/ws/layerdoit.yaml": (
        "project: ws\ndockerfiles: {app: docker/app/Dockerfile}\nsources: {exclude: [notes], include: [made/*.rs]}\n"
        "image: {assets: {static: /srv}}\ndeploy: {env_file: ../secret/app.env}\n"
    ),
    "repo/ws/docker/app/Dockerfile": "ARG BUILDER\n",
    "repo/ws/notes/a.txt": "",
    "repo/ws/made/a.rs": "",
    "repo/ws/static/css/a.css": "",
    "repo/secret/app.env": "A=1\n",
    "elsewhere/overlay.yaml": "features: []\n",
    "repo/.gitignore": "target/\nmade/\nstatic/\nsecret/\n*.log\n",
    "repo/ws/logs/a.log": "",
    "repo/ws/target/debug/a": "",
}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "repo/ws/crates/empty/inside").mkdir(parents=True)
    return tmp_path


def session(top: Path) -> Session:
    variables = {"CONFIG": str(top / "elsewhere/overlay.yaml")}
    return Session(Run(), Project.open(top / "repo/ws", variables))


def names(found: frozenset[Path], top: Path) -> set[str]:
    return {os.path.relpath(folder, top) for folder in found if folder.is_relative_to(top)}


INSIDE = {
    "repo/ws", "repo/ws/crates", "repo/ws/crates/api", "repo/ws/crates/api/src", "repo/ws/crates/api/src/deep",
    "repo/ws/crates/empty", "repo/ws/crates/empty/inside", "repo/ws/docker", "repo/ws/docker/app", "repo/ws/logs",
    "repo/ws/made", "repo/ws/static", "repo/ws/static/css", "repo/shared", "repo/shared/src", "repo/shared/src/inner",
    "repo/secret", "elsewhere",
}  # fmt: skip
OF_GIT = {"repo", "repo/.cargo", "repo/.git", "repo/.git/info"}


def test_all_that_a_key_or_a_deployment_depends_on(top: Path) -> None:
    commit_all(top / "repo")
    (top / "repo/ws/node_modules/x").mkdir(parents=True)
    assert names(watched.folders(session(top)), top) == INSIDE | OF_GIT


def test_outside_of_git(top: Path) -> None:
    # Each folder has its own `.gitignore` then, and what ignores in a folder above does not.
    (top / "repo/.gitignore").rename(top / "repo/ws/.gitignore")
    assert names(watched.folders(session(top)), top) == INSIDE


def test_a_worktree_and_what_builds_are_told_of_git(top: Path) -> None:
    (top / "repo/ws/layerdoit.yaml").write_text("project: ws\nbuild: {git: commit}\n")
    commit_all(top / "repo")
    git(top / "repo", "worktree", "add", "-q", "-b", "team/new", str(top / "linked"))
    found = Session(Run(), Project.open(top / "linked/ws", {}))
    inside = {name for name in names(watched.folders(found), top) if "/.git" in name}
    folder = "repo/.git/worktrees/linked"
    assert inside == {
        "repo/.git", "repo/.git/info", folder, f"{folder}/logs", "repo/.git/refs/heads/team", "repo/.git/refs/tags",
    }  # fmt: skip


def test_of_a_tree_that_is_wrong_as_much_as_can_be_read(top: Path) -> None:
    commit_all(top / "repo")
    (top / "repo/ws/crates/api/Cargo.toml").write_text("[package\n")
    assert {"repo/ws", "repo/ws/crates/api", "repo/ws/crates/api/src/deep"} <= names(watched.folders(session(top)), top)


def test_the_files_of_compose(top: Path) -> None:
    text = "project: ws\ndeploy: {provider: compose, compose: {file: [../stack/compose.yaml]}}\n"
    (top / "repo/ws/layerdoit.yaml").write_text(text)
    (top / "repo/stack").mkdir()
    assert "repo/stack" in names(watched.folders(session(top)), top)


EDITS: dict[str, Callable[[Path], object]] = {
    "a source": lambda top: (top / "repo/ws/crates/api/src/deep/a.rs").write_text("new"),
    "a path dependency": lambda top: (top / "repo/shared/src/inner/lib.rs").write_text("new"),
    "a file in an empty folder": lambda top: (top / "repo/ws/crates/empty/inside/a.rs").write_text("new"),
    "what is included though ignored": lambda top: (top / "repo/ws/made/b.rs").write_text("new"),
    "an asset": lambda top: (top / "repo/ws/static/css/b.css").write_text("new"),
    "the configuration": lambda top: (top / "repo/ws/layerdoit.yaml").write_text("project: ws\n"),
    "CONFIG": lambda top: (top / "elsewhere/overlay.yaml").write_text("features: [a]\n"),
    "an environment": lambda top: (top / "repo/ws/layerdoit.prod.yaml").write_text("features: []\n"),
    "an environment file": lambda top: (top / "repo/secret/app.env").write_text("A=2\n"),
    "a Dockerfile": lambda top: (top / "repo/ws/docker/app/Dockerfile").write_text("FROM scratch\n"),
    "cargo's configuration above": lambda top: (top / "repo/.cargo/config.toml").write_text("[build]\n"),
    "what git ignores": lambda top: (top / "repo/.gitignore").write_text(""),
    "what this clone ignores": lambda top: (top / "repo/.git/info/exclude").write_text("*.rs\n"),
    "what docker ignores": lambda top: (top / "repo/ws/.dockerignore").write_text("docs\n"),
    "the toolchain": lambda top: (top / "repo/ws/rust-toolchain.toml").unlink(),
    "the index": lambda top: git(top / "repo", "rm", "-q", "--cached", "ws/Cargo.toml"),
    "another branch": lambda top: git(top / "repo", "switch", "-qc", "other"),
}


@pytest.fixture
def notices(top: Path) -> Notices:
    commit_all(top / "repo")
    made = Notices()
    made.want(frozenset(map(str, watched.folders(session(top)))))
    made.take()
    return made


@pytest.mark.parametrize("edit", EDITS)
def test_it_is_noticed(top: Path, notices: Notices, edit: str) -> None:
    EDITS[edit](top)
    assert notices.take()
    notices.close()


def test_a_reading_wakes_nobody(top: Path, notices: Notices) -> None:
    one = session(top)
    for _ in range(2):
        _ = one.tree.all_sources, one.project.workspace, watched.folders(one)
        one.read_again()
    (top / "repo/ws/target/debug/b").write_text("")
    (top / "repo/ws/notes/b.txt").write_text("")
    assert not notices.take()
    notices.close()
