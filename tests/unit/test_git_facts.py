"""The repository that is made for a build says what the user's own says, and nothing of the user."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import pytest

from layerdoit.tree import git_facts
from layerdoit.tree.git_facts import Depth, before, repository
from layerdoit.tree.git_stamp import stamp
from tests.support.files import write
from tests.support.git import commit_all, git

QUESTIONS: Final = (
    "rev-parse HEAD",
    "describe --tags --dirty --always",
    "describe --dirty --always --match v*",
    "describe --tags --exact-match",
    "tag --points-at HEAD",
    "status --porcelain",
    "diff-index --name-only HEAD",
    "diff --name-only",
    "diff --stat",
    "diff --stat HEAD",
    "diff --stat --cached",
    "log -1 --format=%H%x20%an%x20%cI%x20%s",
    "rev-list --count HEAD",
    "ls-files --stage",
)
FILES: Final = {"a.txt": "a\n", "src/main.rs": "fn main() {}\n", "web/page.html": "x", ".gitignore": "*.log\n/out/\n"}


def answers(folder: Path, questions: Iterable[str] = QUESTIONS) -> dict[str, str]:
    """What git says in a folder, with nothing of the machine's."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    said = {}
    for words in questions:
        argv = ["git", *words.split(" ")]
        done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        said[words] = done.stdout + ("fails" if done.returncode else "")
    return said


def laid(top: Path, place: Path, *, unsent: tuple[str, ...] = (), depth: Depth = "commit") -> Path:
    """The folder of a build: the files that it gets, and the repository, made ready as build.sh does it."""
    sent = [path for path in there(top) if not path.startswith(unsent or ("\0",))]
    shutil.rmtree(place, ignore_errors=True)
    for path in sent:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(top / path, place / path, follow_symlinks=False)
    for name, content in {**repository(top, sent, depth).files, **before(top)}.items():
        (place / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / ".git" / name).write_bytes(content)
    (place / ".git/refs").mkdir(exist_ok=True)
    (place / ".git/objects").mkdir(exist_ok=True)
    subprocess.run(["git", "-C", str(place), "update-index", "-q", "--refresh"], capture_output=True, check=False)
    (place / ".git/index.lock").touch()
    return place


def there(top: Path) -> list[str]:
    """What lies in a work tree."""
    found = (path for path in top.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(str(path.relative_to(top)) for path in found if ".git" not in path.relative_to(top).parts)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository of two commits, of which the first has a tag."""
    one = tmp_path / "one"
    write(one, FILES)
    commit_all(one, "first")
    git(one, "tag", "v1")
    (one / "a.txt").write_text("b\n")
    commit_all(one, "second")
    return one


def edited(path: str, text: str) -> Callable[[Path], object]:
    return lambda top: write(top, {path: text})


def run(*words: str) -> Callable[[Path], None]:
    def act(top: Path) -> None:
        for line in words:
            git(top, *line.split(" "))

    return act


def both(*acts: Callable[[Path], object]) -> Callable[[Path], None]:
    def act(top: Path) -> None:
        for one in acts:
            one(top)

    return act


def executable(top: Path) -> None:
    (top / "a.txt").chmod(0o755)


def linked(top: Path) -> None:
    (top / "a.txt").unlink()
    (top / "a.txt").symlink_to("src/main.rs")


def conflicted(top: Path) -> None:
    git(top, "checkout", "--quiet", "-b", "other", "v1")
    write(top, {"a.txt": "c\n"})
    commit_all(top, "third")
    subprocess.run(["git", "-C", str(top), "merge", "--quiet", "main"], capture_output=True, check=False)


def merged(top: Path) -> None:
    """A tag of a side branch that was merged: nearer by the way, farther by the count."""
    git(top, "checkout", "--quiet", "-b", "side", "v1")
    for name in ("x", "y"):
        write(top, {name: name})
        commit_all(top, name)
    git(top, "tag", "side-1")
    git(top, "checkout", "--quiet", "main")
    write(top, {"z": "z"})
    commit_all(top, "z")
    git(top, "tag", "--annotate", "--message", "two", "v2")
    git(top, "merge", "--quiet", "--no-edit", "side")


STATES: Final[Mapping[str, Callable[[Path], object]]] = {
    "clean": run(),
    "tag": run("tag --annotate --message x v2"),
    "changed": edited("a.txt", "c\n"),
    "changed back": both(edited("a.txt", "c\n"), edited("a.txt", "b\n")),
    "staged": both(edited("a.txt", "c\n"), run("add a.txt")),
    "removed": lambda top: (top / "a.txt").unlink(),
    "new": edited("src/new file.rs", ""),
    "new and staged": both(edited("new.rs", ""), run("add new.rs")),
    "ignored": edited("out/x", ""),
    "mode": executable,
    "link": linked,
    "detached": run("checkout --quiet v1"),
    "conflict": conflicted,
    "merge": merged,
    "packed": run("tag v3 v1", "pack-refs --all", "gc --quiet"),
    "tag elsewhere": run(
        "checkout --quiet -b x v1", "commit --quiet --allow-empty -m x", "tag x1", "checkout --quiet main"
    ),
    "assumed": both(run("update-index --assume-unchanged a.txt"), edited("a.txt", "c\n")),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("depth", ["commit", "full"])
def test_it_says_what_the_repository_says(top: Path, tmp_path: Path, name: str, depth: Depth) -> None:
    STATES[name](top)
    assert answers(laid(top, tmp_path / "build", depth=depth)) == answers(top)


def test_full_knows_branch_and_history(top: Path, tmp_path: Path) -> None:
    questions = ("rev-parse --abbrev-ref HEAD", "log --format=%H -- a.txt", "log --oneline", "symbolic-ref HEAD")
    assert answers(laid(top, tmp_path / "build", depth="full"), questions) == answers(top, questions)
    assert answers(laid(top, tmp_path / "build"), questions[:1]) == {questions[0]: "HEAD\n"}


@pytest.mark.parametrize(("path", "text", "dirty"), [("web/page.html", "y", True), ("web/page.html", "x", False)])
def test_files_that_are_not_sent(top: Path, tmp_path: Path, path: str, text: str, dirty: bool) -> None:
    write(top, {path: text})
    place = laid(top, tmp_path / "build", unsent=("web/", ".gitignore"))
    described = ("describe --tags --dirty --always",)
    assert answers(place, described) == answers(top, described)
    assert bool(git(place, "status", "--porcelain")) == dirty
    # libgit2 takes a file that is not there as removed, unless it is assumed to be unchanged.
    assert git(place, "ls-files", "-v", "web") == f"{'H' if dirty else 's'} web/page.html"


def test_ignored_files_stay_ignored_without_their_rules(top: Path, tmp_path: Path) -> None:
    write(top, {"out/#odd [name]*.x": "", "b.log": "", "new.rs": ""})
    place = laid(top, tmp_path / "build", unsent=(".gitignore",))
    assert git(place, "status", "--porcelain") == "?? new.rs"


def test_a_file_of_a_filter_is_no_change(top: Path, tmp_path: Path) -> None:
    write(top, {".gitattributes": "*.bin filter=shout\n", "x.bin": "loud\n"})
    git(top, "config", "filter.shout.clean", "tr a-z A-Z")
    commit_all(top)
    assert git(top, "status", "--porcelain") == ""
    assert git(laid(top, tmp_path / "build"), "status", "--porcelain") == ""
    write(top, {"x.bin": "other\n"})
    assert git(laid(top, tmp_path / "build"), "status", "--porcelain") == "M x.bin"


def test_line_ends_that_git_converts_are_no_change(top: Path, tmp_path: Path) -> None:
    git(top, "config", "core.autocrlf", "true")
    write(top, {"a.txt": "b\r\n"})
    git(top, "add", "a.txt")
    assert git(top, "status", "--porcelain") == ""
    assert git(laid(top, tmp_path / "build"), "status", "--porcelain") == ""


def test_without_a_commit(tmp_path: Path) -> None:
    top = tmp_path / "one"
    write(top, FILES)
    git(top, "init", "--quiet", "--initial-branch", "main")
    git(top, "add", ".")
    questions = ("rev-parse --verify HEAD", "status --porcelain", "describe --always")
    assert answers(laid(top, tmp_path / "build"), questions) == answers(top, questions)


def test_of_a_shallow_clone(top: Path, tmp_path: Path) -> None:
    commit_all(top, "third")
    git(tmp_path, "clone", "--quiet", "--depth", "2", f"file://{top}", "clone")
    clone = tmp_path / "clone"
    assert answers(laid(clone, tmp_path / "build")) == answers(clone)
    assert git(clone, "rev-list", "--count", "HEAD") == "2"


def test_commits_further_back_are_cut(top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        commit_all(top, str(number))
    monkeypatch.setattr(git_facts, "MOST_COMMITS", 3)
    place = laid(top, tmp_path / "build")
    assert git(place, "rev-list", "--count", "HEAD") == "3"
    assert git(laid(top, place, depth="full"), "rev-list", "--count", "HEAD") == "6"


def test_of_a_repository_with_sha256(tmp_path: Path) -> None:
    top = tmp_path / "one"
    write(top, FILES)
    git(top, "init", "--quiet", "--object-format=sha256")
    commit_all(top, "first")
    assert answers(laid(top, tmp_path / "build")) == answers(top)


def test_equal_facts_are_equal_bytes_in_every_clone(top: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(top), "clone")
    git(top, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    git(top, "gc", "--quiet")
    git(top, "remote", "add", "origin", "https://user:word@git.example/x.git")
    git(top, "config", "user.name", "somebody")
    made = [repository(place, there(place), "commit").files for place in (top, tmp_path / "clone", tmp_path / "tree")]
    assert made[0] == made[1] == made[2]
    assert not any(word in b"".join(made[0].values()) for word in (b"somebody", b"git.example", os.fsencode(top)))


def test_objects_are_whole(top: Path, tmp_path: Path) -> None:
    write(top, {"big.txt": "x" * 200_000, ".mailmap": "a <b@c> <d@e>\n" * 9000})
    git(top, "add", ".")
    git(top, "commit", "--quiet", "--message", "long\n\n" + "word " * 15_000)
    place = laid(top, tmp_path / "build")
    packs = [str(path) for path in (place / ".git/objects/pack").glob("*.idx")]
    assert git(place, "verify-pack", *packs) == ""
    assert git(place, "show", "HEAD:.mailmap") == git(top, "show", "HEAD:.mailmap")


CHANGES: Final[Mapping[str, Callable[[Path], object]]] = {
    "commit": run("commit --quiet --allow-empty -m x"),
    "amend": run("commit --quiet --amend -m x"),
    "checkout": run("checkout --quiet v1"),
    "branch": run("checkout --quiet -b x"),
    "tag": run("tag x"),
    "tag gone": run("tag --delete v1"),
    "packed tag gone": run("pack-refs --all", "tag --delete v1"),
    "reset": run("reset --quiet --soft v1"),
    "staged": both(edited("a.txt", "c\n"), run("add a.txt")),
    "setting": run("config core.autocrlf true"),
    "watched": edited("web/page.html", "y"),
}


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_the_facts_changes_the_stamp(top: Path, tmp_path: Path, name: str, linked: bool) -> None:
    if linked:
        git(top, "worktree", "add", "--quiet", "-b", "tree", str(tmp_path / "tree"))
        top = tmp_path / "tree"
    watched = [str(top / "web/page.html")]
    before = stamp([str(top)], watched)
    assert stamp([str(top)], watched) == before
    CHANGES[name](top)
    assert stamp([str(top)], watched) != before
