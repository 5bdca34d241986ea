"""The sentence on old app images: when it is said, and how often."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from layerdoit.cache import old_apps
from layerdoit.config import Keep, Retention
from layerdoit.core.state import State
from layerdoit.engine.images import PREFIX, Image
from layerdoit.engine.ownership import Owner

MB = 1_000_000


def project(folder: Path, retention: Retention | None = None) -> Any:
    owner = Owner(("root:ours",))
    return SimpleNamespace(config=SimpleNamespace(retention=retention or Retention()), state=State(folder), owner=owner)


def image(layer: str, key: str, size: int, *, marks: str = "root:ours", tagged: bool = True) -> Image:
    labels = {"layer": layer, "key": key, "runtime": "r" if layer == "app" else "", "marks": marks}
    tags = (f"p:{layer}-{key[:12]}",) if tagged else ()
    return Image(key, tags, {PREFIX + name: value for name, value in labels.items()}, 0, size)


def listed(count: int, size: int = 200 * MB) -> list[Image]:
    return [image("runtime", "r", 100 * MB), *(image("app", f"k{n}", size) for n in range(count))]


def test_many_old_images_are_told_with_the_line_that_cures_it(tmp_path: Path) -> None:
    ours = project(tmp_path)
    said = old_apps.remark(ours, listed(13), ["k0"], 1.0)
    assert said.startswith("12 old app images of this project hold up to 1.2 GB: `doit cache_gc --keep 5`")
    assert "retention: {after_build: true, app: {keep_last: 5}}" in said
    assert old_apps.remark(ours, listed(14), ["k0"], 1000.0) == "", "once a day"
    assert old_apps.remark(ours, listed(26), ["k0"], 1000.0), "or when it has doubled"
    assert old_apps.remark(ours, listed(26), ["k0"], 1000.0 + old_apps.AGAIN)


def test_what_is_warranted_is_not_told(tmp_path: Path) -> None:
    assert old_apps.remark(project(tmp_path), listed(old_apps.MANY), ["k0"]) == "", "few"
    assert old_apps.remark(project(tmp_path), listed(100, 101 * MB), ["k0"]) == "", "small"
    kept = project(tmp_path, Retention(app=Keep(keep_last=90)))
    assert old_apps.remark(kept, listed(50), ["k0"]) == "", "a policy is written down"


def test_only_ours_count(tmp_path: Path) -> None:
    theirs = [image("app", f"t{n}", 200 * MB, marks="root:theirs") for n in range(50)]
    bare = [image("app", f"b{n}", 200 * MB, tagged=False) for n in range(50)]
    assert old_apps.pile(project(tmp_path), [*listed(3), *theirs, *bare], ["k0"]) == (2, 200 * MB)
