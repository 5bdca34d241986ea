"""Whose is what on one engine: projects of one name do not touch each other; a tag put by hand counts for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerdoit.engine.images import PREFIX
from tests.engine.cycle_fixture import DEPLOY, edited, mount_ids, ok, served, serves
from tests.support.checkout import Checkout
from tests.support.git import git

__all__ = ["served"]


def there(one: Checkout, engine: Any) -> object:
    """All that a namesake must not change."""
    container = engine.containers.get(one.name)
    return one.tags(), mount_ids(one), container.id, container.attrs["State"]["StartedAt"], serves(one)


def test_a_namesake_is_refused_and_touches_nothing(
    served: Callable[..., Checkout], parents: str, docker_engine: Any
) -> None:
    first, second = served(parents), served(parents)
    for one in (first, second):
        # The sources differ only in what the server says: all but the app has the same keys.
        edited(one, f"of {one.root.name}")
        git(one.root, "init", "-q")
        git(one.root, "add", "-A")
        git(one.root, "commit", "-q", "-m", "first")
    own, second.name = second.name, first.name
    second.configure(DEPLOY + parents)
    ok(first.doit("cycle_fast"))
    before = there(first, docker_engine)
    for words in (["cycle_fast"], ["deploy"], ["destroy"], ["cycle_clean"], ["cycle_nuclear", "--yes"], ["logs"]):
        done = second.doit(*words)
        assert done.returncode == 1, words
        assert "project: " in done.stderr, words
        assert {str(first.root), str(second.root)} <= {word.strip(":;") for word in done.stderr.split()}, words
        assert there(first, docker_engine) == before, words
    for words in (["cache_clear:nuke", "--yes"], ["cache_gc", "--stale", "--yes"], ["cache_pin", "latest"]):
        second.doit(*words)
        assert there(first, docker_engine) == before, words
    assert str(second.root) in (status := ok(second.doit("status")))
    assert str(first.root) in status
    assert "not touched: 4 images and 1 mount" in ok(second.doit("cache_status"))
    second.name = own
    second.configure(DEPLOY + parents)
    ok(second.doit("cycle_fast"))
    assert (serves(first), serves(second)) == (f"of {first.root.name}", f"of {own}")
    assert there(first, docker_engine) == before


def test_a_tag_that_was_put_on_another_image_by_hand_counts_for_nothing(
    served: Callable[..., Checkout], parents: str, docker_engine: Any
) -> None:
    one = served(parents)
    ok(one.doit())
    tags = {tag.partition(":")[2].partition("-")[0]: tag for tag in one.tags()}
    right = docker_engine.images.get(tags["deps"]).labels[f"{PREFIX}key"]
    # A copy of the base with our labels and no other tag: it stays all the same.
    container = docker_engine.api.create_container(tags["base"], command=["none"])["Id"]
    foreign = docker_engine.api.commit(container, changes="LABEL x=y")["Id"]
    docker_engine.api.remove_container(container)
    docker_engine.images.get(foreign).tag(*tags["deps"].split(":"))
    edited(one, "again")
    try:
        assert "deps    build" in ok(one.doit())
        assert docker_engine.images.get(tags["deps"]).labels[f"{PREFIX}key"] == right
        assert docker_engine.images.get(foreign).tags == []
    finally:
        docker_engine.images.remove(foreign)
