"""Builds on builders that do not see the engine's images, on real daemons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from layerdoit.engine import layouts, mounts
from layerdoit.engine.api import builder_name
from tests.engine.builder_fixture import daemon, farm
from tests.engine.cycle_fixture import DEPLOY, FILES, crate, edited, last, ok, serves
from tests.support.checkout import Checkout
from tests.support.scratch import remove_containers

__all__ = ["daemon", "farm"]


@pytest.fixture
def far(checkout: Callable[..., Checkout], parents: str, farm: str) -> Iterator[Callable[..., Checkout]]:
    """`far()`: a checkout of a server that is built on the farm; its base stands on images of the engine."""
    made: list[Checkout] = []

    def new(more: str = "", builder: str = farm) -> Checkout:
        made.append(checkout(FILES, f"{DEPLOY}{parents}builder: {builder}\n{more}"))
        return made[-1]

    yield new
    for one in made:
        remove_containers(crate(one))


def steps(one: Checkout) -> dict[str, Any]:
    """What the last run did, by layer."""
    return {step["layer"]: step for step in last(one)["layers"]}


def test_from_base_to_swap_on_another_builder(far: Callable[..., Checkout], farm: str) -> None:
    one = far()
    ok(one.doit("cycle_fast"))
    assert serves(one) == "first text"
    edited(one, "two")
    ok(one.doit("cycle_fast"))
    assert serves(one) == "two", "the edited one runs"
    assert [mount.in_use for mount in mounts.of_project(one.name, farm)] == [False], "its target mount is there"
    assert not mounts.of_project(one.name, builder_name())

    told = ok(one.doit("cache_status"))
    assert "base and deps, for other builders" in told
    assert "builder farm (remote)" in told
    held = layouts.size(one.name)
    assert held > 0
    ok(one.doit("cache_clear:soft"))
    assert not mounts.of_project(one.name, farm)
    ok(one.doit("cycle_fast"))
    assert serves(one) == "two"
    ok(one.doit("cache_clear:nuke", "--yes"))
    assert layouts.size(one.name) < held, "copies go with their images"
