"""What hides a file from builds, by which rule, and what sends it all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import manifest
from layerdoit.core.errors import WorkspaceError
from layerdoit.tree import hidden
from layerdoit.tree.lister import Lister
from tests.support.files import write
from tests.support.git import git
from tests.support.manifest import package

FILES = {
    "ws/Cargo.toml": package("app", '[dependencies]\ngen = { path = "gen" }'),
    "ws/Cargo.lock": "version = 4\n",
    "ws/src/main.rs": "fn main() {}",
    "ws/.gitignore": "# made by tools\n\n/web/dist\n*.key\n",
    "ws/.dockerignore": "*.md\n!KEPT.md\n/docs\n",
    "ws/web/dist/assets/app.js": "",
    "ws/web/index.html": "",
    "ws/src/secret.key": "",
    "ws/README.md": "",
    "ws/docs/a/b.txt": "",
    "ws/KEPT.md": "",
    "ws/notes/x": "",
    "ws/node_modules/pkg/x.js": "",
    "ws/out/CACHEDIR.TAG": "",
    "ws/out/x": "",
    "ws/.cargo/credentials.toml": "",
    "ws/static/logo.svg": "",
    "ws/gen/Cargo.toml": package("gen"),
    "ws/gen/src/lib.rs": "",
    "schema/s.sql": "",
    "VERSION": "",
}


OF_A_TOOL = "is a folder of a tool's, of which only what git tracks is sent"
BY_GIT = "git ignores it (.gitignore:3: `/web/dist`)"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """A workspace in a folder of a repository."""
    root = write(tmp_path / "repo", FILES) / "ws"
    write(tmp_path, {"beyond/x": ""})
    (root / "away").symlink_to("../../beyond")
    (root / "absolute").symlink_to(tmp_path / "repo/schema")
    (root / "made").symlink_to("web/dist")
    git(root.parent, "init", "-q")
    return root


@pytest.mark.parametrize(
    ("path", "why", "include"),
    [
        ("web/dist/assets/app.js", "git ignores it (.gitignore:3: `/web/dist`)", "web/dist"),
        ("web/dist", "git ignores it (.gitignore:3: `/web/dist`)", "web/dist"),
        ("src/../web/dist/assets", "git ignores it (.gitignore:3: `/web/dist`)", "web/dist"),
        ("src/secret.key", "git ignores it (.gitignore:4: `*.key`)", "src/secret.key"),
        ("README.md", ".dockerignore:1 leaves it out (`*.md`)", "README.md"),
        ("docs/a/b.txt", ".dockerignore:3 leaves it out (`/docs`)", "docs"),
        ("notes/x", "sources.exclude leaves it out (`notes`)", "notes"),
        ("node_modules/pkg/x.js", f"node_modules {OF_A_TOOL}", "node_modules"),
        ("out/x", "out is a cache, as its CACHEDIR.TAG says", "out"),
        (".cargo/credentials.toml", "it holds credentials, which are never sent", ""),
        ("static/logo.svg", "it is an asset (image.assets), which no compiler sees", "static"),
        ("../schema/s.sql", "it lies outside the workspace", "../schema"),
        ("../schema", "it lies outside the workspace", "../schema"),
        ("../VERSION", "it lies outside the workspace", "../VERSION"),
        ("../../beyond/x", "it lies outside the git repository", ""),
        ("away/x", "away is a symbolic link to ../../beyond, outside of the git repository", ""),
        ("made/assets", f"made is a symbolic link to web/dist, and web/dist/assets: {BY_GIT}", "web/dist"),
    ],
)  # fmt: skip
def test_what_hides_a_path(ws: Path, path: str, why: str, include: str) -> None:
    found = hidden.why(Lister(ws, ["notes"]), path, ["static"])
    assert found is not None
    assert (found.why, found.include) == (why, include)
    assert found.hint(["x"]) == (
        f"add to layerdoit.yaml: sources: {{include: [x, {include}]}}" if include else found.cure
    )
    assert found.hint()


def test_an_absolute_link_leads_nowhere(ws: Path) -> None:
    found = hidden.why(Lister(ws), "absolute/s.sql")
    assert found is not None
    assert "an absolute path, which a build does not have" in found.why
    assert found.hint() == "make it a relative link"


@pytest.mark.parametrize("path", ["KEPT.md", "src/main.rs", "src", "web", ".", "absent", "web/dist/absent"])
def test_what_nothing_hides(ws: Path, path: str) -> None:
    assert hidden.why(Lister(ws), path) is None


def test_without_git(tmp_path: Path) -> None:
    root = write(tmp_path, FILES) / "ws"
    found = hidden.why(Lister(root), "web/dist/assets/app.js")
    assert found is not None
    assert (found.why, found.include) == ("it is ignored (.gitignore:3: `/web/dist`)", "web/dist")
    beside = hidden.why(Lister(root), "../schema/s.sql")
    assert beside is not None
    assert beside.why == "it lies outside the workspace, which is in no git repository"
    assert beside.hint() == "move ../schema/s.sql into it"


def test_what_is_included_is_not_hidden(ws: Path) -> None:
    for path, include in (
        ("web/dist/assets/app.js", "web/dist"),
        ("../schema/s.sql", "../schema"),
        ("docs/a/b.txt", "docs"),
    ):
        assert hidden.why(Lister(ws, (), [include]), path) is None


# --- packages --------------------------------------------------------------------------------------------------------


def test_a_package_that_the_configuration_excludes_is_named(ws: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"gen/Cargo.toml is not sent to builds: sources.exclude leaves it out"):
        manifest.load(ws, Lister(ws, ["gen"]))


@pytest.mark.parametrize(("rule", "include"), [("gen/src", "gen/src"), ("**/lib.rs", "gen/src"), ("gen", "gen")])
def test_a_package_without_its_targets_says_what_left_them_out(ws: Path, rule: str, include: str) -> None:
    (ws / ".dockerignore").write_text(f"x\n{rule}\n")
    with pytest.raises(WorkspaceError, match=r"\.dockerignore:2") as caught:
        manifest.load(ws)
    assert caught.value.hint == f"add to layerdoit.yaml: sources: {{include: [{include}]}}"
    assert str(caught.value.where).endswith("ws/gen/src/lib.rs")


def test_a_package_that_git_ignores_is_sent_all_the_same(ws: Path) -> None:
    """A manifest names it, so cargo builds it."""
    (ws / ".gitignore").write_text("/gen\n")
    assert manifest.load(ws).extra == ("gen",)
