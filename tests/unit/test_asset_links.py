"""Assets that are links: what they lead to is copied, also where git ignores it; what cannot be sent is one message."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.core.errors import WorkspaceError
from tests.support import locked_workspace as tiny
from tests.support.locked_workspace import Tiny


@pytest.fixture
def tree(tmp_path: Path) -> Tiny:
    found = tiny.make(tmp_path / "tiny")
    found.replace("layerdoit.yaml", "assets: {web: /web}", "assets: {site: /web, site/a.html: /a.html}")
    found.write("dist/a.html", "one")
    return found


def test_what_a_link_leads_to_is_an_asset(tree: Tiny) -> None:
    (tree.root / "site").symlink_to("dist")
    inputs = tree.inputs()
    assert inputs.asset_paths == (("dist", "/web"), ("dist/a.html", "/a.html"))
    assert set(inputs.assets.entries) == {"dist/a.html"}
    assert "site" not in inputs.sources.entries
    assert "dist/a.html" in inputs.sources.entries, "it may be a source, too"
    before = inputs.assets.digest()
    tree.write("dist/a.html", "two")
    assert tree.inputs().assets.digest() != before


def test_what_git_ignores_is_sent_where_a_link_to_it_is_named(tree: Tiny) -> None:
    (tree.root / "site").symlink_to("dist")
    tree.write(".gitignore", "/dist\n")
    assert set(tree.inputs().assets.entries) == {"dist/a.html"}


@pytest.mark.parametrize(
    ("target", "what", "helps"),
    [
        ("gone", "is a link to gone, which is not there", "correct the link"),
        ("../outside", "which is not sent to builds", "copy it into the project"),
        ("/etc", "is a link to /etc, which is not sent to builds", "copy it into the project"),
    ],
)
def test_what_cannot_be_sent_is_one_message(tree: Tiny, target: str, what: str, helps: str) -> None:
    (tree.root.parent / "outside").mkdir()
    (tree.root / "site").symlink_to(target)
    with pytest.raises(WorkspaceError) as caught:
        _ = tree.inputs().asset_paths
    assert what in caught.value.what
    assert helps in str(caught.value.hint)
    assert str(caught.value.where).startswith("layerdoit.yaml:")


def test_a_link_by_a_whole_path_is_told_by_what_it_leads_to(tree: Tiny) -> None:
    """In a build, it leads elsewhere; its target can be named."""
    (tree.root / "site").symlink_to(tree.root / "dist")
    with pytest.raises(WorkspaceError) as caught:
        _ = tree.inputs().asset_paths
    assert "image: {assets: {dist: /web}}" in str(caught.value.hint)
