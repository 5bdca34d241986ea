"""What a run says of a layer besides its line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from layerdoit.cargo.entrypoint import Choice
from layerdoit.config.sccache_section import Sccache
from layerdoit.config.schema import Config, Deps, Dockerfiles
from layerdoit.flows import reporting
from layerdoit.layers.key import Layer, Spec
from layerdoit.layers.outcome import Outcome
from layerdoit.layers.plan import Action, Step


@pytest.mark.parametrize(
    ("bins", "chosen", "why", "action", "layer", "said"),
    [
        (("admin", "server"), None, "", "build", "app", True),
        (("admin", "server"), "server", "", "build", "app", False),
        (("admin", "shop"), None, "the project's name", "build", "app", False),
        (("admin", "server"), None, "", "reuse", "app", False),
        (("admin", "server"), None, "", "build", "deps", False),
    ],
)
def test_a_guessed_entry_point_is_said(
    bins: tuple[str, ...], chosen: str | None, why: str, action: Action, layer: Layer, said: bool
) -> None:
    inputs = SimpleNamespace(
        runs=Choice(bins[0], why),
        entrypoint=bins[0],
        bins=tuple((name, name) for name in bins),
        project=SimpleNamespace(service=""),
        question=SimpleNamespace(image=SimpleNamespace(entrypoint=chosen)),
    )
    outcome = Outcome(Step(Spec(layer, {}, "shop"), action, ()))
    found = reporting.guessed(cast("Any", inputs), outcome)
    text = "the image runs `admin`, the first of admin, server by the alphabet"
    text += "; choose with image.entrypoint in layerdoit.yaml"
    assert found == ([text] if said else [])


@pytest.mark.parametrize(
    ("own", "store", "notes", "said"),
    [
        ("Dockerfile.deps", "redis://cache", ("layerdoit: compiled=1 units=1 external=1",), True),
        ("Dockerfile.deps", "redis://cache", ("layerdoit: sccache hits=0 misses=1 written=1 failed=0",), False),
        ("Dockerfile.deps", "redis://cache", ("layerdoit: sccache-off store ",), False),
        ("Dockerfile.deps", None, ("layerdoit: compiled=1 units=1 external=1",), False),
        (None, "redis://cache", ("layerdoit: compiled=1 units=1 external=1",), False),
    ],
)
def test_an_own_dockerfile_that_asks_no_store_is_said(
    own: str | None, store: str | None, notes: tuple[str, ...], said: bool
) -> None:
    config = Config(deps=Deps(sccache=Sccache(redis=store)), dockerfiles=Dockerfiles(deps=own))
    outcome = Outcome(Step(Spec("deps", {}, "shop"), "build", ()), notes=notes)
    found = reporting.unasked(config, outcome)
    assert len(found) == said
    assert not said or "Dockerfile.deps does not ask the store" in found[0]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("program", "no sccache could be used (why)"),
        ("store", "the store did not answer, or refused (why)"),
        ("lost", "the store failed while crates were compiled (why)"),
    ],
)
def test_a_store_that_was_no_help_is_said(why: str, words: str) -> None:
    notes = (f"layerdoit: sccache-off {why} why",)
    [found] = reporting.warnings(Outcome(Step(Spec("deps", {}, "shop"), "build", ()), notes=notes))
    assert words in found
