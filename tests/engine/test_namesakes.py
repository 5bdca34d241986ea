"""Two unrelated projects of one name on one engine: neither touches what the other has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
