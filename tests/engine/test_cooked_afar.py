"""On an engine that has nothing to cook on, such as that of a CI, what the project's registry has is cooked on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from layerdoit.core.errors import EngineError
from layerdoit.engine import registry as engine_registry
from layerdoit.engine import registry_relatives
from tests.engine.registry_fixture import Registry, docker
from tests.engine.test_cooked import EXTERNAL, NEW, NEWEST, OLD, alone, built, configure, lock
from tests.support.checkout import Checkout


def forgotten(one: Checkout) -> None:
    """Nothing is left here of what was compiled."""
    docker("image", "rm", "--force", *(tag for tag in one.tags() if ":deps-" in tag or ":app-" in tag))


def test_the_registry_has_what_is_cooked_on(
    checkout: Callable[..., Checkout], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = alone(checkout)
    repository = f"team/{one.name}"
    registered = f"registry: {{repository: '{registry.address}/{repository}', push: [deps]}}\n"
    configure(one, more=registered)
    first = built(one)
    tag = first.tag("deps")
    assert registry.tags(repository) == [tag.partition(":")[2]]

    forgotten(one)
    one.write({"Cargo.lock": lock(NEW)})
    said = one.doit("layers", "plan").stdout
    assert f"is cooked on {tag} of the registry, which is pulled first" in said
    assert f"itoa {OLD} → {NEW}" in said
    second = built(one)
    assert second.outcomes["deps"].how == f"cooked from {tag}"
    assert second.compiled["deps"] & EXTERNAL == {"itoa"}
    assert one.said(second.tag("app")) == "12 1.5\n"
    assert len(registry.tags(repository)) == 2

    # What cannot be pulled does not end the build.
    def fails(*_: Any) -> None:
        raise EngineError("pulling failed")

    forgotten(one)
    one.write({"Cargo.lock": lock(NEWEST)})
    monkeypatch.setattr(engine_registry, "pull", fails)
    monkeypatch.setattr(registry_relatives, "_given_up", set())
    third = built(one)
    assert third.outcomes["deps"].how == "cooked"
    assert third.compiled["deps"] >= EXTERNAL
    assert one.said(third.tag("app")) == "12 1.5\n"
