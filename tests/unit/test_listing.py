"""Which files are sources, with git and without."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerdoit.core.errors import ProcessError, WorkspaceError
from layerdoit.tree.ignore_patterns import Patterns
from layerdoit.tree.listing import Filter, Place, decode, included, raw_listing, walk

PATHS = ("a", "b.log", "d/a", "d/b.log", "d/e/a", "d/e/b.log", "foo/a", "d/foo/a", "x[1]", "d/ab")
RULES = (
    "*.log", "!b.log", "a", "/a", "d/", "d/*", "!d/e", "!d/e/", "**/foo", "foo/**", "d/**/a", "a*", "?",
    "[ab]", "[!a]", "x\\[1\\]", "# comment", "", "e/a", "/d/e/*", "!/d/e/a", "a ", "d**b.log",
    "\\", "!", "/", "[", "[z-a]", "a\\", "***", "[]ab]", "[[]", "\\!a", "\\#", "foo/", "x[[]1]", "d/e/", "!*/", "*/a",
)  # fmt: skip


def run(argv: list[str], cwd: Path) -> bytes:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, check=False)
    if done.returncode:
        raise ProcessError(done.stderr.decode())
    return done.stdout


def place(root: Path) -> Place:
    return Place(str(root), "")


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=st.lists(st.sampled_from(RULES), max_size=4), inner=st.lists(st.sampled_from(RULES), max_size=3))
def test_the_walk_agrees_with_git(tmp_path: Path, top: list[str], inner: list[str]) -> None:
    root = tmp_path / "ws"
    shutil.rmtree(root, ignore_errors=True)
    for name in PATHS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")
    (root / ".gitignore").write_text("\n".join(top))
    (root / "d/.gitignore").write_text("\n".join(inner))
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    expected = decode(run(["git", "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"], root))
    assert sorted(walk(str(root))) == sorted(expected)


@pytest.mark.parametrize(
    ("lines", "path", "left_out"),
    [
        (["docs"], "docs/a/b.md", True),
        (["docs"], "x/docs/a", False),
        (["**/docs"], "x/docs/a", True),
        (["*"], "a/b", True),
        (["*", "!src"], "src/main.rs", False),
        (["*", "!src", "src/gen"], "src/gen/a.rs", True),
        (["*.md", "!README.md"], "README.md", False),
        (["/a/./b/"], "a/b", True),
        (["a?c"], "abc", True),
        (["a/*/c"], "a/b/b/c", False),
        (["a/**/c"], "a/b/b/c", True),
        (["a/**"], "a/b", True),
        (["[ab].rs"], "b.rs", True),
        (["[^ab].rs"], "b.rs", False),
        ([" ", "."], "a", False),
        # The examples of Docker's own documentation.
        (["*/temp*"], "somedir/temporary.txt", True),
        (["*/temp*"], "somedir/temp/file", True),
        (["*/temp*"], "temporary.txt", False),
        (["*/*/temp*"], "somedir/subdir/temporary.txt", True),
        (["*/*/temp*"], "somedir/temporary.txt", False),
        (["temp?"], "tempa", True),
        (["temp?"], "temp", False),
        (["temp?"], "dir/tempa", False),
        (["/foo/bar/"], "foo/bar", True),
        (["**/*.go"], "a.go", True),
        (["**/*.go"], "a/b/c.go", True),
        (["*.md", "!README*.md", "README-secret.md"], "README-secret.md", True),
        (["*.md", "!README*.md", "README-secret.md"], "README-first.md", False),
        (["*.md", "README-secret.md", "!README*.md"], "README-secret.md", False),
    ],
)
def test_dockerignore_patterns(lines: list[str], path: str, left_out: bool) -> None:
    assert Patterns(lines).match(path) is left_out


def test_what_is_never_a_source() -> None:
    names = [
        "a/.git", ".layerdoit/x", "web/node_modules/x", "__pycache__/x", ".venv/x", ".doit.db.dat", "a/.doit.db",
        "out/CACHEDIR.TAG", "out/release/app", ".cargo/credentials.toml", "src/.gitkeep",
    ]  # fmt: skip
    assert Filter("", []).keep(Place("/ws", ""), names) == ["src/.gitkeep"]


def test_dockerignore_keeps_what_cargo_needs_and_leaves_other_folders_alone() -> None:
    keep = Filter("*\n", []).keep
    names = ["Cargo.toml", "a/Cargo.toml", "Cargo.lock", ".cargo/config.toml", "rust-toolchain.toml", "src/main.rs"]
    assert keep(Place("/ws", ""), names) == names[:-1]
    assert keep(Place("/shared", "../shared/"), ["src/lib.rs"]) == ["src/lib.rs"]


def test_a_folder_that_the_repository_around_it_ignores_is_walked(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws/Cargo.toml").write_text("")
    (tmp_path / ".gitignore").write_text("*\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert decode(raw_listing(place(tmp_path / "ws"), run)) == ["Cargo.toml"]


def test_git_that_refuses_or_is_missing_is_replaced_by_the_walk(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "a").write_text("")
    assert decode(raw_listing(place(tmp_path), run)) == ["a"]


def test_a_git_hooks_environment_does_not_lead_astray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.rs").write_text("")
        subprocess.run(["git", "init", "-q"], cwd=tmp_path / name, check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "one/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "one/.git/index"))
    assert decode(raw_listing(place(tmp_path / "two"), run)) == ["two.rs"]


def test_include_names_files_folders_and_globs(tmp_path: Path) -> None:
    for name in ("gen/a/x.rs", "gen/.hidden", "one", "p/q.rs"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert decode(included(tmp_path, ["gen", "./one", "**/*.rs", "missing"])) == sorted(
        ["gen/a/x.rs", "gen/.hidden", "one", "p/q.rs"]
    )
    for bad in ("../x", "/etc/passwd"):
        with pytest.raises(WorkspaceError, match="leads out of the workspace"):
            included(tmp_path, [bad])
