"""`doit watch` of a project with several services: what an edit does not touch goes on, also when the image follows."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine.cycle_fixture import ok, parents
from tests.engine.services_fixture import SERVICES, shop
from tests.engine.watch_fixture import Watching, containers, watching
from tests.support.checkout import Checkout

__all__ = ["parents", "shop", "watching"]


def test_a_service_that_no_edit_touches_keeps_its_container(
    shop: Callable[..., Checkout], watching: Callable[..., Watching]
) -> None:
    one = shop(f"{SERVICES}watch:\n  settle: 0.1\n")
    api, worker = f"{one.name}-api", f"{one.name}-worker"
    watch = watching(one)
    watch.until("watching")
    before = containers(one)

    one.replace("worker/src/main.rs", "first work", "second work")
    assert watch.until("serving", how="compiled")["deployment"] == worker
    watch.until("followed")
    after = containers(one)
    assert (after[api], after.keys()) == (before[api], before.keys())
    assert after[worker] != before[worker]

    # What both are made of.
    one.replace("common/src/lib.rs", "first name", "second name")
    assert {watch.until("serving", how="compiled")["deployment"] for _ in range(2)} == {api, worker}
    for _ in range(2):
        watch.until("followed")
    last = containers(one)
    assert (last[api] != after[api], last[worker] != after[worker]) == (True, True)
    assert "second name" in ok(one.doit("logs:worker"))
    assert watch.end() != 0
