"""On an engine that has nothing of another project, what that one has in a registry lends to a first build."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from layerdoit.engine import registry as engine_registry
from layerdoit.engine import registry_relatives
from tests.engine.registry_fixture import Registry, docker
from tests.engine.test_cooked_afar import forgotten
from tests.engine.test_donors import CRATES, deps, found, project
from tests.support.checkout import Checkout
from tests.support.ports import free_port


def test_a_first_build_takes_what_another_project_pushed(
    checkout: Callable[..., Checkout],
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop, billing, last = (
        checkout(project(*names)) for names in (("http", "semver"), ("http", "ryu"), ("http", "ryu", "semver"))
    )
    # Nobody else's images are of this kind.
    alone = f"env: {{RUST_ALONE: {shop.name}}}\n"
    theirs = f"{registry.address}/team/{shop.name}"
    shop.configure(f"{alone}registry: {{repository: '{theirs}', push: [deps]}}\n")
    _, tag = deps(shop.build())
    lender = f"{theirs}:{tag.partition(':')[2]}"
    assert registry.tags(f"team/{shop.name}") == [tag.partition(":")[2]]
    forgotten(shop)

    # One that nothing answers for is one warning.
    away = f"127.0.0.1:{free_port()}/team/away"
    billing.configure(f"{alone}deps: {{lenders: ['{theirs}', '{away}']}}\n")
    said = billing.doit("layers", "plan")
    assert f"takes what {lender} of the registry has compiled, which is pulled first; only the rest" in said.stdout
    assert said.stderr.count(f"nothing is taken from {away}: the registry cannot be reached") == 1
    assert f"also: takes what {lender} of the registry has compiled" in billing.doit("layers", "explain").stdout
    assert billing.image(lender) is None, "a plan pulls nothing"
    built = billing.build()
    how, own = deps(built)
    assert how == f"cooked, 4 of 5 units taken from {shop.name} (pulled from {theirs})"
    assert capsys.readouterr().err.count("nothing is taken from") == 1
    assert built["deps"].counts["external"] == 1
    assert found(billing, own, CRATES) == {"bytes", "fnv", "http", "itoa", "ryu"}, "nothing of semver"
    assert billing.said(f"{billing.name}:latest") == "200\n3\n"

    # It is the other project's here, under the name that it has there; nothing of this project is called so.
    assert {one for one in shop.tags() if ":deps-" in one} == {lender}
    assert lender not in billing.tags()
    assert "cleared" in billing.doit("cache_clear:hard", "--yes").stdout
    assert billing.image(lender) is not None

    # Now it is a donor as others are, and nobody needs it any more.
    how, own = deps(billing.build())
    assert how == f"cooked, 4 of 5 units taken from {shop.name}"
    docker("image", "rm", lender)
    billing.replace("src/main.rs", "fn main() {", 'fn main() {\n    println!("edited");')
    edited = billing.build()
    assert (edited["deps"].step.action, edited["app"].counts["external"]) == ("reuse", 0)
    assert billing.said(f"{billing.name}:latest") == "edited\n200\n3\n"

    # What cannot be pulled, or was exchanged since it was listed, does not end the build.
    forgotten(billing)
    last.configure(f"{alone}deps: {{lenders: ['{theirs}']}}\n")
    monkeypatch.setattr(registry_relatives, "_given_up", set())
    real = engine_registry.pull_donor
    monkeypatch.setattr(
        engine_registry, "pull_donor", lambda tag, labels, where: real(tag, {**labels, "kin": "another"}, where)
    )
    capsys.readouterr()
    built = last.build()
    assert deps(built)[0] == "cooked"
    assert capsys.readouterr().err.count(f"{lender} is not the image that it was a moment ago") == 1
    assert last.image(lender) is None
    assert last.said(f"{last.name}:latest") == "200\n3\n1.2.3\n"


def test_two_are_pulled_side_by_side(checkout: Callable[..., Checkout], registry: Registry) -> None:
    some, other, last = (checkout(project(*names)) for names in (("ryu",), ("semver",), ("ryu", "semver")))
    alone = f"env: {{RUST_ALONE: {some.name}}}\n"
    places = {one.name: f"{registry.address}/team/{one.name}" for one in (some, other, last)}
    for one in (some, other):
        one.configure(f"{alone}registry: {{repository: '{places[one.name]}', push: [deps]}}\n")
        one.build()
        forgotten(one)
    listed = ", ".join(f"'{place}'" for place in places.values())
    last.configure(f"{alone}registry: {{repository: '{places[last.name]}'}}\ndeps: {{lenders: [{listed}]}}\n")
    told = json.loads(last.doit("layers", "plan", "--json").stdout)
    (planned,) = [one for one in told["layers"] if one["layer"] == "deps"]
    assert planned["donors"] == planned["pulled_first"]
    assert {one.rpartition(":")[0] for one in planned["donors"]} == {places[some.name], places[other.name]}
    built = last.build()
    how, _ = deps(built)
    taken, _, whence = how.partition(" taken from ")
    parts = {f"{one.name} (pulled from {places[one.name]})" for one in (some, other)}
    assert (taken.count("units"), set(whence.split(", "))) == (1, parts)
    assert not built["deps"].counts["external"]
    assert last.said(f"{last.name}:latest") == "3\n1.2.3\n"
