"""Pushed commits: which one a word names, a clone that is always exactly that commit, and what is refused."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.project import clones, pushed
from layerdoit.project.clones import Clone
from layerdoit.project.pushed import Pushed
from layerdoit.tree.git_facts import Depth, repository
from tests.support import git_server
from tests.support.files import write
from tests.support.git import commit_all, git

FILES = {"Cargo.toml": "[package]\n", "src/main.rs": "one", ".gitignore": "*.log\n"}


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two branches and a tag."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    one = write(tmp_path / "origin", FILES)
    commit_all(one)
    git(one, "tag", "--annotate", "--message", "x", "v1")
    git(one, "branch", "feature/x")
    write(one, {"src/main.rs": "two", "src/lib.rs": ""})
    commit_all(one)
    return one


@pytest.fixture
def clone(origin: Path) -> Iterator[Clone]:
    with clones.opened(str(origin), "shop") as found:
        yield found


def has(place: Clone | Path) -> dict[str, str]:
    """What lies in a work tree."""
    top = place if isinstance(place, Path) else place.top
    paths = (path for path in top.rglob("*") if path.is_file() and ".git" not in path.relative_to(top).parts)
    return {str(path.relative_to(top)): path.read_text() for path in paths}


@pytest.mark.parametrize(
    ("word", "same", "branch"),
    [
        ("main", "main", "main"),
        ("feature/x", "feature/x", "feature/x"),
        ("v1", "v1", ""),
        ("refs/tags/v1", "v1", ""),
        ("heads/main", "main", "main"),
    ],
)
def test_a_word_names_a_branch_or_tag(clone: Clone, origin: Path, word: str, same: str, branch: str) -> None:
    found = pushed.find(clone, word, None)
    assert (found.sha, found.branch) == (git(origin, "rev-parse", f"{same}^{{commit}}"), branch)
    clone.lay_out(found.sha, found.branch)
    assert has(clone)["src/main.rs"] == ("two" if same == "main" else "one")
    assert git(clone.top, "status", "--porcelain") == ""


def test_a_word_names_a_commit(clone: Clone, origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = git(origin, "rev-parse", "v1^{commit}")
    assert pushed.find(clone, sha[:9], None).sha == pushed.find(clone, sha[:9].upper(), None).sha == sha
    # Of a whole one, nobody is asked.
    monkeypatch.setattr(Clone, "asked", None)
    assert pushed.find(clone, sha, None) == Pushed(sha, "", f"commit {sha[:12]}")


def test_branches_are_asked_anew(clone: Clone, origin: Path) -> None:
    before = pushed.find(clone, "main", None).sha
    after = commit_all(origin, "more")
    assert (before != after, pushed.find(clone, "main", None).sha) == (True, after)
    git(origin, "checkout", "--quiet", "feature/x")
    git(origin, "branch", "--delete", "--force", "main")
    with pytest.raises(ConfigError):
        pushed.find(clone, "main", None)


def test_what_is_not_pushed_is_told(
    clone: Clone, origin: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    git(tmp_path, "clone", "--quiet", str(origin), "own")
    pushed.find(clone, "main", tmp_path / "own")
    assert capfd.readouterr().err == ""
    commit_all(tmp_path / "own", "mine")
    found = pushed.find(clone, "main", tmp_path / "own")
    assert found.sha == git(origin, "rev-parse", "main")
    assert "1 commit of main here is not pushed, and not built" in capfd.readouterr().err


def test_a_moved_tag_is_told(clone: Clone, origin: Path, capfd: pytest.CaptureFixture[str]) -> None:
    git(origin, "tag", "--force", "v1", "main")
    assert pushed.find(clone, "v1", None).sha == git(origin, "rev-parse", "main")
    assert "the tag v1 was moved" in capfd.readouterr().err
    pushed.find(clone, "v1", None)
    assert capfd.readouterr().err == ""


def test_without_an_answer_only_what_never_changes_is_taken(
    clone: Clone, origin: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sha = git(origin, "rev-parse", "main")
    origin.rename(origin.parent / "gone")
    assert pushed.find(clone, "v1", None).branch == ""
    assert "v1 is taken as it was fetched before" in capfd.readouterr().err
    assert pushed.find(clone, sha, None).sha == sha
    for word in ("main", "v2", "0123456789"):
        with pytest.raises(LayerdoitError, match="does not give its commits"):
            pushed.find(clone, word, None)


REFUSED = {
    "unknown": ("nothing", "has no branch, tag or commit", "there are "),
    "misspelt": ("mian", "has no branch, tag or commit", "did you mean REF=main?"),
    "of a remote": ("origin/main", "has no branch, tag or commit", "did you mean REF=main?"),
    "unknown commit": ("0123456789ab", "has no branch, tag or commit", ""),
    "HEAD": ("HEAD", "is no branch, tag or commit", ""),
    "an expression": ("main~1", "is no branch, tag or commit", ""),
    "a range": ("v1..main", "is no branch, tag or commit", ""),
    "an option": ("--help", "is no branch, tag or commit", ""),
    "a blank": ("a b", "is no branch, tag or commit", ""),
    "both": ("both", "is a branch and a tag", "REF=refs/heads/both or REF=refs/tags/both"),
    "a tag of a file": ("blob", "names no commit", ""),
    "only here": ("mine", "the branch mine is only in this clone", "push it first: git push origin mine"),
    "a tag only here": ("v9", "the tag v9 is only in this clone", "push it first: git push origin v9"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(clone: Clone, origin: Path, tmp_path: Path, name: str) -> None:
    word, what, hint = REFUSED[name]
    git(tmp_path, "clone", "--quiet", str(origin), "own")
    git(tmp_path / "own", "branch", "mine")
    git(tmp_path / "own", "tag", "v9")
    git(origin, "branch", "both")
    git(origin, "tag", "both")
    git(origin, "tag", "blob", "HEAD:Cargo.toml")
    with pytest.raises(ConfigError) as error:
        pushed.find(clone, word, tmp_path / "own")
    assert error.value.exit_code == 2
    assert what in error.value.what
    assert hint in (error.value.hint or "")


def test_a_commit_has_to_be_pushed(clone: Clone, origin: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(origin), "own")
    sha = commit_all(tmp_path / "own", "mine")
    for word in (sha, sha[:10]):
        with pytest.raises(ConfigError, match="push it first"):
            pushed.find(clone, word, tmp_path / "own")
    git(tmp_path / "own", "push", "--quiet", "origin", "HEAD:refs/heads/other")
    assert pushed.find(clone, sha[:10], tmp_path / "own").sha == sha
    # What is on no branch any more is not built from what the clone still has.
    git(origin, "branch", "--delete", "--force", "other")
    pushed.find(clone, "main", None)
    with pytest.raises(ConfigError, match="push it first"):
        pushed.find(clone, sha, None)


def test_the_work_tree_is_exactly_the_commit(clone: Clone, origin: Path) -> None:
    sha = git(origin, "rev-parse", "main")
    clone.lay_out(sha)
    first = has(clone)
    write(clone.top, {"src/main.rs": "changed", "new.rs": "", "x.log": "", ".layerdoit/last.json": "{}"})
    (clone.top / "src/lib.rs").unlink()
    git(clone.top, "init", "--quiet", "nested")
    (clone.top / ".git/index.lock").touch()
    (clone.top / ".git/refs/heads/x.lock").touch()
    with ExitStack() as stack:
        again = _reopened(clone, stack)
        again.lay_out(sha)
        assert has(again) == {**first, ".layerdoit/last.json": "{}"}
        assert not (again.top / "nested").exists()


def _reopened(clone: Clone, stack: ExitStack) -> Clone:
    """As the next run finds it."""
    place = clone.top.parent.parent
    os.rename(place / "lock", place / "lock of the first")
    return stack.enter_context(clones.opened(clone.url, "shop"))


@pytest.mark.parametrize("damage", ["no HEAD", "no clone", "half a clone", "objects are gone"])
def test_a_damaged_clone_is_made_anew(clone: Clone, origin: Path, damage: str) -> None:
    sha = git(origin, "rev-parse", "main")
    clone.lay_out(sha)
    match damage:
        case "no HEAD":
            (clone.top / ".git/HEAD").unlink()
        case "no clone":
            shutil.rmtree(clone.top)
        case "half a clone":
            os.rename(clone.top, clone.top.parent.parent / "part")
        case _:
            shutil.rmtree(clone.top / ".git/objects")
            (clone.top / ".git/objects").mkdir()
    with ExitStack() as stack:
        again = _reopened(clone, stack)
        if damage == "objects are gone":
            with pytest.raises(LayerdoitError):
                again.lay_out(sha)
            clones.made_anew(again)
        assert pushed.find(again, "main", None).sha == sha
        again.lay_out(sha)
        assert has(again)["src/main.rs"] == "two"


def test_a_run_waits_for_the_other(origin: Path) -> None:
    """Nobody takes the work tree from under a build."""
    code = "import sys; from layerdoit.project import clones\n"
    code += "with clones.opened(sys.argv[1], 'shop'): print('there', flush=True)"
    with clones.opened(str(origin), "shop"):
        other = subprocess.Popen([sys.executable, "-c", code, str(origin)], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline().startswith("waiting for another run")
    assert other.communicate()[0] == "there\n"


def test_submodules_are_those_of_the_commit(clone: Clone, origin: Path, tmp_path: Path) -> None:
    module = write(tmp_path / "module", {"m.txt": "one"})
    commit_all(module)
    git(origin, "submodule", "--quiet", "add", str(module), "module")
    first = commit_all(origin, "with module")
    write(module, {"m.txt": "two"})
    commit_all(module)
    git(origin / "module", "pull", "--quiet", "origin", "main")
    second = commit_all(origin, "newer module")
    pushed.find(clone, "main", None)
    for sha, text in ((first, "one"), (second, "two"), (first, "one")):
        clone.lay_out(sha)
        assert has(clone)["module/m.txt"] == text
        write(clone.top, {"module/m.txt": "changed", "module/more.txt": ""})
    clone.lay_out(git(origin, "rev-parse", "v1^{commit}"))
    assert not (clone.top / "module").exists()


def test_git_lfs(clone: Clone, origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4\n"
    write(origin, {".gitattributes": "*.png filter=lfs -text\n", "logo.png": pointer})
    sha = commit_all(origin)
    pushed.find(clone, "main", None)
    program = tmp_path / "bin/git-lfs"
    program.parent.mkdir()
    (program.parent / "git").symlink_to(str(shutil.which("git")))
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(LayerdoitError, match=r"logo\.png is a file of git LFS") as error:
        clone.lay_out(sha)
    assert "git-lfs" in (error.value.hint or "")
    # A stand-in that does what `git lfs pull` does.
    write(tmp_path, {"bin/git-lfs": '#!/bin/sh\n[ "$1" = pull ] && printf real >logo.png\n'})
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{path}")
    clone.lay_out(sha)
    assert has(clone)["logo.png"] == "real"


def test_hooks_of_the_user_do_not_run(clone: Clone, origin: Path, tmp_path: Path) -> None:
    write(tmp_path, {"hooks/post-checkout": f"#!/bin/sh\ntouch {tmp_path}/ran\n"})
    (tmp_path / "hooks/post-checkout").chmod(0o755)
    (tmp_path / "gitconfig").write_text(f"[core]\n\thooksPath = {tmp_path}/hooks\n")
    clone.lay_out(git(origin, "rev-parse", "main"))
    assert not (tmp_path / "ran").exists()


def test_a_repository_that_is_not_there(tmp_path: Path, origin: Path) -> None:
    url = "https://user:hidden-word@127.0.0.1:1/shop.git"
    with pytest.raises(LayerdoitError) as error, clones.opened(url, "shop"):
        pass
    assert error.value.what.startswith("https://127.0.0.1:1/shop.git does not give its commits")
    assert "hidden-word" not in str(error.value)
    assert list((tmp_path / "cache").rglob("part")) == []


@pytest.mark.parametrize("name", ["part", "lock", "..", "a b", ".git", ""])
def test_a_clone_lies_in_its_place_whatever_it_is_called(origin: Path, tmp_path: Path, name: str) -> None:
    with clones.opened(str(origin), name) as found:
        found.lay_out(git(origin, "rev-parse", "main"))
        assert has(found)["src/main.rs"] == "two"
        assert found.top.resolve().parents[2] == (tmp_path / "cache/layerdoit/sources").resolve()


@pytest.mark.parametrize("depth", ["commit", "full"])
def test_git_says_in_a_clone_what_it_says_in_place(clone: Clone, origin: Path, depth: Depth) -> None:
    found = pushed.find(clone, "main", None)
    clone.lay_out(found.sha, found.branch)
    sent = sorted(has(origin))
    assert repository(clone.top, sent, depth).files == repository(origin, sent, depth).files


def test_a_login_is_used_and_not_shown(origin: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with git_server.serving("127.0.0.1", "user:hidden-word") as server:
        sha = server.commit("shop", FILES)
        with clones.opened(f"http://user:hidden-word@{server.address}/shop/.git", "shop") as found:
            assert pushed.find(found, "main", None).sha == sha
            assert found.words == f"http://{server.address}/shop/.git"
        with (
            clones.opened(f"http://user:wrong-word@{server.address}/shop/.git", "shop") as found,
            pytest.raises(LayerdoitError, match="Authentication failed") as error,
        ):
            pushed.find(found, "main", None)
    said = capfd.readouterr()
    assert "-word" not in f"{error.value}{said.out}{said.err}"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://user:word@git.example/a.git", "https://git.example/a.git"),
        ("https://token@git.example:8443/a", "https://git.example:8443/a"),
        ("ssh://git@git.example/a", "ssh://git@git.example/a"),
        ("git@git.example:a/b.git", "git@git.example:a/b.git"),
        ("/srv/a", "/srv/a"),
    ],
)
def test_an_address_is_shown_without_a_login(url: str, words: str) -> None:
    assert clones.shown(url) == words
