"""What a run says of a layer besides its line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from layerdoit.cargo.entrypoint import Choice
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
