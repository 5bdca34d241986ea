"""Runs beside each other: each image is what the sources say, and what is equal is shared."""

from __future__ import annotations

import pytest

from tests.engine.together_fixture import (
    AFTER_ITS_BUILD,
    MAIN_FILE,
    TEXT_FILE,
    New,
    compiling,
    edit,
    good,
    held,
    key_tag,
    new,
    right,
    said_live,
    slow,
    start,
)
from tests.support.checkout import Checkout

__all__ = ["new"]


def test_two_runs_in_one_checkout(new: New) -> None:
    """The second one waits and then builds the newest tree, other dependencies and all."""
    one = new()
    good(start(one))  # so that doit itself knows base and deps, and the second run waits with its app
    edit(one, "1111")
    before, earlier = one.promised(), key_tag(one)
    with held(one) as first:
        edit(one, "2222")
        second = start(one)
        waits = said_live(second, "waiting for another run in this checkout")
        # What a switch of branches does: other manifests, for which the second run has no deps layer.
        one.replace("Cargo.toml", "debug = 0", "debug = 0\nopt-level = 1")
        edit(one, "3333")
    assert f"(process {first.pid})" in waits[-1]
    good(first)
    said = good(second)
    assert "deps    build" in said, "with the app, after the wait"
    assert one.said(earlier) == before
    right(one)


def test_latest_is_not_moved_back_by_the_slower_run(new: New) -> None:
    """The second run finds its image there already; the first one is not done yet with what comes after its build."""
    one = new()
    one.build()
    newest = one.promised()
    original = {path: one.read(path) for path in (MAIN_FILE, TEXT_FILE)}
    edit(one, "1111")
    # The first run stands between `app` and `image`.
    with held(one, AFTER_ITS_BUILD) as first:
        one.write(original)
        done = one.doit()
        assert done.returncode == 0, done.stderr
        assert one.said(f"{one.name}:latest") == newest
    good(first)
    assert one.said(f"{one.name}:latest") == newest
    right(one)


def test_worktrees_of_one_repository(new: New) -> None:
    """Each has its own tag and would have its own container; what is equal, they share."""
    one = new()
    one.git("init", "-q", "-b", "first")
    one.git("add", "-A")
    one.git("commit", "-q", "-m", "x")
    other = type(one)(one.root.parent / f"{one.name}-feature", one.name, one._engine)
    one.git("worktree", "add", "-q", "-b", "feature", str(other.root))
    one.build()
    edit(one, "1111")
    edit(other, "2222")
    slow(one, 1)
    slow(other, 1)
    runs = [start(one), start(other)]
    compiling(one, 1)
    compiling(other, 0)
    for run in runs:
        assert "deps    build" not in good(run), "what is equal is shared"
    assert one.session().project.worktree is None
    assert other.session().project.tags == (f"{one.name}-feature",)
    right(one)
    right(other, other.session().project.tags[0])
    assert one.promised() != other.promised()
    assert container(one) == one.name
    assert container(other) == f"{one.name}-{one.name}-feature"


def container(one: Checkout) -> str:
    """The name of the container that a deployment of this checkout would have."""
    from layerdoit.deploy.settings import settings_of

    return settings_of(one.session().project).name


def test_two_projects(new: New) -> None:
    first, second = new(), new()
    edit(first, "1111")
    edit(second, "2222")
    for run in [start(first), start(second)]:
        good(run)
    right(first)
    right(second)
    assert {tag.split(":")[0] for tag in first.tags()} == {first.name}


@pytest.mark.parametrize("words", [("-n", "2"), ("-n", "2", "-P", "thread")], ids=["processes", "threads"])
def test_parallel_doit(new: New, words: tuple[str, ...]) -> None:
    one = new()
    good(start(one, *words))
    right(one)
    edit(one, "1111")
    assert "app     build" in good(start(one, *words))
    right(one)
    assert "  build" not in good(start(one, *words)), "nothing to do"


def test_clearing_waits_for_the_build(new: New) -> None:
    one = new()
    one.build()
    old = key_tag(one)
    edit(one, "1111")
    with held(one) as run:
        clearing = start(one, "cache_clear:medium")
        said_live(clearing, "waiting for another run in this checkout")
    good(run)
    good(clearing)
    right(one)
    assert old not in one.tags()
    edit(one, "2222")
    good(start(one))
    right(one)
