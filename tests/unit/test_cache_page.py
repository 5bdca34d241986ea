"""docs/caches.md says of the levels what the code does, and of costs only what was recorded."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from layerdoit.cache import levels
from layerdoit.cache.model import ImageUse, Usage
from layerdoit.cache.table import as_json
from layerdoit.deploy.provider import Service
from layerdoit.engine.builders import Builder
from layerdoit.engine.mounts import Mount
from layerdoit.engine.ownership import Owner
from tools import caches_page, docs

RECORDED = {
    "meta": {
        "project": "shop",
        "profile": "dev",
        "machine": "a machine",
        "engine": "26.1",
        "date": "2026-11-21",
        "load": "0.1 at the start",
    },
    "levels": [
        {"after": "nothing", "seconds": 0.31, "layers": []},
        {"after": "hard", "freed": 1_500_000_000, "clearing": 1.2, "seconds": 71.4, "layers": ["deps", "app"]},
    ],
    "status": {"images": 1100, "ours": 20, "seconds": [0.5, 0.41]},
}


def rows(text: str) -> dict[str, list[str]]:
    """The rows of all tables by their first cell."""
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {line[0]: line[1:] for line in cells}


def test_the_levels_are_those_of_the_code(tmp_path: Path) -> None:
    found = rows(caches_page.page(tmp_path / "none", docs._table))
    for level in levels.LEVELS:
        clears, keeps, makes = found[f"`{level}`"]
        named = {layer for layer in ("base", "runtime", "deps", "app") if layer in clears.replace("app mounts", "")}
        assert named == levels.LAYERS[level]
        assert not [layer for layer in levels.LAYERS[level] if layer in keeps.replace("always", "")]
        assert makes.startswith(("nothing", *levels.LAYERS[level]))


def test_every_key_of_the_json_is_on_a_page(tmp_path: Path) -> None:
    page = caches_page.page(tmp_path / "none", docs._table)
    image, mount = ImageUse("i", "app", "k", ()), Mount("r", "id", "c", "v", 1, 0.0, in_use=False)
    told = as_json(Usage("p", (image,), (mount,)), Builder("default", "docker", ()))
    for keys in (told, *told["images"], *told["mounts"], told["stale"]):
        assert [key for key in keys if f"`{key}`" not in page] == []
    plan = (Path(__file__).parents[2] / "docs/explain.md").read_text(encoding="utf-8")
    status = {field.name for field in fields(Service)} | {
        "health",
        "current",
        "project",
        "deployment",
        *Owner().as_json(),
    }
    assert [key for key in status if f"`{key}`" not in plan] == []


def test_costs_are_told_with_their_number(tmp_path: Path) -> None:
    assert "cost once" not in caches_page.page(tmp_path / "none", docs._table)
    recorded = tmp_path / "run.json"
    recorded.write_text(json.dumps(RECORDED))
    text = caches_page.page(recorded, docs._table)
    assert (
        "What it cost once (n=1; shop, profile dev; a machine; engine 26.1; 2026-11-21, load 0.1 at the start)" in text
    )
    assert rows(text)["`cache_clear:hard`"] == ["1.2 s", "1.5 GB", "1 min 11 s", "deps, app"]
    assert rows(text)["nothing was cleared, nothing changed"][-1] == "nothing"
    assert "took 0.41 to 0.50 s (n=2) on an engine with 1100 images, 20 of them" in text
