"""Which turn of a watch a change asks for, and which assets it copies."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from layerdoit.core.errors import ContextDiffers
from layerdoit.tree.index import Entry
from layerdoit.watch import assets
from layerdoit.watch.facts import Facts, differing, sources_differ, turn, why_more

OLD = Facts(
    lower={"api base": "b", "api deps": "d"},
    apps={"api": {"sources": "s", "assets": "a", "binaries": "one"}},
    keys={"api": "k"},
    deployed={"api": "c", "db": "c"},
    kinds={"api": "compiled"},
)


def edited(**inputs: str) -> Facts:
    return replace(OLD, apps={"api": {**OLD.apps["api"], **inputs}}, keys={"api": "other"})


def test_a_tree_that_serves_asks_for_nothing() -> None:
    assert turn(OLD, replace(OLD)) == "nothing"


@pytest.mark.parametrize("inputs", [{"sources": "t"}, {"assets": "b"}, {"sources": "t", "assets": "b"}])
def test_sources_and_assets_are_an_edit(inputs: dict[str, str]) -> None:
    new = edited(**inputs)
    assert turn(OLD, new) == "edit"
    assert differing(OLD, new) == ["api"]
    assert sources_differ(OLD, new) == ("sources" in inputs)


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (edited(binaries="two"), "changed: binaries"),
        (edited(sources="t", **{"image env": "x"}), "changed: image env"),
        (replace(OLD, lower={**OLD.lower, "api deps": "e"}), "other dependencies or features"),
        (replace(OLD, lower={**OLD.lower, "api base": "e"}), "another base"),
        (replace(OLD, deployed={**OLD.deployed, "api": "d"}), "other settings of the deployment"),
        (replace(OLD, deployed={**OLD.deployed, "db": "d"}), "other settings of the deployment"),
        (replace(edited(sources="t"), kinds={"api": "packed"}), "not compiled here"),
        (
            replace(OLD, lower={**OLD.lower, "web base": "b"}, deployed={**OLD.deployed, "web": "c"}),
            "other services",
        ),
    ],
)
def test_anything_else_is_more_than_an_edit(new: Facts, why: str) -> None:
    assert turn(OLD, new) == "more"
    assert why_more(OLD, new) == why


def test_what_was_asked_for_is_not_said_to_be_compiled_elsewhere() -> None:
    assert why_more(OLD, OLD) == "asked for"
    assert why_more(OLD, edited(sources="t")) == "changed sources"


def test_the_first_turn_builds() -> None:
    assert turn(None, OLD) == "more"
    assert why_more(None, OLD) == "the watch begins"


def test_what_is_not_compiled_is_no_edit() -> None:
    packed = replace(OLD, kinds={"api": "packed"})
    new = replace(edited(sources="t"), kinds={"api": "packed"})
    assert turn(packed, new) == "more"


# --- assets ----------------------------------------------------------------------------------------------------------


def entry(kind: str, content: bytes) -> Entry:
    return Entry(kind, hashlib.sha256(content).hexdigest())


def test_the_archive_has_what_differs_as_an_image_has_it(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"new")
    (tmp_path / "tool").write_bytes(b"#!")
    (tmp_path / "link").symlink_to("page")
    old = {"/srv/page": (tmp_path / "page", entry("f", b"old")), "/srv/gone": (tmp_path / "gone", entry("f", b""))}
    new = {
        "/srv/page": (tmp_path / "page", entry("f", b"new")),
        "/srv/tool": (tmp_path / "tool", entry("x", b"#!")),
        "/srv/link": (tmp_path / "link", entry("l", b"page")),
    }
    change = assets.between(old, new)
    assert change.gone == ("/srv/gone",)
    with tarfile.open(fileobj=io.BytesIO(change.archive())) as tar:
        found = {one.name: (one.mode, one.linkname, one.size) for one in tar.getmembers()}
    assert found == {"srv/page": (0o644, "", 3), "srv/tool": (0o755, "", 2), "srv/link": (0o777, "page", 0)}
    assert not assets.between(new, new)


def test_a_file_that_is_not_what_was_read_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"newer")
    change = assets.between({}, {"/srv/page": (tmp_path / "page", entry("f", b"new"))})
    with pytest.raises(ContextDiffers):
        change.archive()
