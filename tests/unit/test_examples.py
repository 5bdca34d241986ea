"""The examples: their settings are read, and their lock files name no machine of whoever wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layerdoit.config import load
from layerdoit.config.service_settings import kind_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("name", ["bookshelf", "shop"])
def test_the_settings_are_read(name: str) -> None:
    load(EXAMPLES / name, variables={})


def test_the_shop_is_two_programs_and_a_page() -> None:
    config = load(EXAMPLES / "shop", variables={})
    kinds = {name: kind_of(service) for name, service in config.services.items()}
    assert kinds == {"api": "compiled", "worker": "compiled", "page": "served"}
    # The database is of the compose file: nothing builds or replaces it.
    assert "db" in config.services["api"].needs
    assert "db" not in config.services


def test_a_lock_of_npm_names_no_registry() -> None:
    """Whoever installs uses the registry of their own .npmrc."""
    lock = json.loads((EXAMPLES / "shop/web/package-lock.json").read_text(encoding="utf-8"))
    packages = {path: about for path, about in lock["packages"].items() if path}
    assert packages
    assert [path for path, about in packages.items() if "resolved" in about] == []
    assert [path for path, about in packages.items() if "integrity" not in about] == []
