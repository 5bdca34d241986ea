"""A change of what no compiler, macro or script reads makes nothing: no crate, no image, no container."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.cycle_fixture import FILES, crate, ok, served, serves
from tests.engine.reads_fixture import edit
from tests.support.checkout import Checkout
from tests.support.git import commit_all

__all__ = ["served"]

UNREAD = {
    "README.md": "what it is",
    "LICENSE": "",
    ".github/workflows/ci.yml": "on: push",
    "docs/page.md": "words",
    "tests/fixtures/one.json": "{}",
    "overlays/production.yaml": "replicas: 2",
    "staging.yaml": "profile: dev",
    "lib/README.md": "what it is",
}


def test_what_nobody_reads_swaps_no_container(served: Callable[..., Checkout]) -> None:
    one = served()
    one.write(UNREAD)
    commit_all(one.root)
    ok(one.doit("cycle_fast"))
    images, containers = crate(one).images(), crate(one).containers()
    for changes in (
        dict.fromkeys(UNREAD, "changed"),
        {"docs/more/new.md": "new", "tests/fixtures/two.json": "{}"},
        {"LICENSE": None, "tests/fixtures/one.json": None},
        {".gitignore": FILES[".gitignore"] + "# more\n"},
    ):
        edit(one.root, changes)
        shown = ok(one.doit("cycle_fast"))
        assert "compiled" not in shown, shown
        assert shown.count("only files that nothing reads changed") == 1, shown
        assert crate(one).images() == images
        assert crate(one).containers() == containers
        assert "nothing to do: " in ok(one.doit())

    # Nor is it a reason where something else is one.
    edit(one.root, {"README.md": "changed once more", "src/main.rs": one.read("src/main.rs") + "\n// more\n"})
    shown = ok(one.doit("cycle_fast"))
    assert "1 file changed: src/main.rs" in shown, shown
    edit(one.root, {"README.md": "changed"})

    # From here on it is read.
    one.replace("src/main.rs", '"first text"', 'include_str!("../README.md")')
    ok(one.doit("cycle_fast"))
    assert serves(one) == "changed"
    edit(one.root, {"README.md": "changed again"})
    ok(one.doit("cycle_fast"))
    assert serves(one) == "changed again"
    assert crate(one).containers() != containers


@pytest.mark.parametrize("path", ["README.md", "lib/README.md", "docs/new.md"])
def test_what_nobody_reads_compiles_nothing(checkout: Callable[..., Checkout], path: str) -> None:
    one = checkout()
    one.write(UNREAD)
    tag = one.build()["app"].step.spec.tag
    edit(one.root, {path: "changed"})
    outcome = one.build()["app"]
    assert outcome.step.action == "reuse"
    assert outcome.counts.get("compiled", 0) == 0
    assert one.image(tag)["Id"] == one.image()["Id"]
