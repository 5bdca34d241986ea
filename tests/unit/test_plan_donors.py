"""What `doit layers plan` says of donors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerdoit.front.verbs import plan


def told(**facts: Any) -> None:
    spec = SimpleNamespace(layer="deps", tag="billing:deps-1")
    step: Any = SimpleNamespace(
        **{"action": "build", "spec": spec, "reasons": (), "parent": None, "donors": (), **facts}
    )
    compiling: Any = SimpleNamespace(lines=lambda: ["compiles all about 9 crates"], shown=lambda _: True)
    foreseen: Any = {"deps": SimpleNamespace(text=lambda: "")}
    plan._tell("deps", step, foreseen, compiling)


def test_crates_that_are_counted_are_not_said_to_compile_where_others_lend_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told(donors=[SimpleNamespace(project=name, afar="") for name in ("shop", "crm", "shop")])
    assert capsys.readouterr().out.splitlines()[1:] == [
        "      compiles all about 9 crates",
        "      takes what is the same from the dependencies of shop, crm; only the rest compiles",
    ]


@pytest.mark.parametrize("afar", [True, False])
def test_an_image_of_the_registry_that_is_cooked_on_is_named(afar: bool, capsys: pytest.CaptureFixture[str]) -> None:
    told(parent=SimpleNamespace(afar=afar, tag="billing:deps-0"))
    said = "      is cooked on billing:deps-0 of the registry, which is pulled first"
    assert (said in capsys.readouterr().out.splitlines()) == afar
