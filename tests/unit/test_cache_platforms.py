"""Caches are those of the whole project: of each platform, and on each builder."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cache import usage, whose
from layerdoit.core.errors import EngineError
from layerdoit.engine import mounts
from layerdoit.engine.handle import Engine
from layerdoit.engine.images import PREFIX, Image
from layerdoit.engine.mounts import Mount
from layerdoit.engine.platform_way import Way
from layerdoit.project.branches import Branches
from layerdoit.project.project import Project
from tests.support.files import write

KEY = "a" * 64
KEYED = f"shop:app-{KEY[:12]}"
AMD, ARM = {"Os": "linux", "Architecture": "amd64"}, {"Os": "linux", "Architecture": "arm64", "Variant": "v8"}


class Amd(Engine):
    """An engine on an amd64 machine."""

    native = "linux/amd64"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    settings = "project: shop\nbuilder: own\nbuilders: {arm64: farm}\nimage: {tags: [latest]}\n"
    write(tmp_path, {"layerdoit.yaml": settings})
    return Project.open(tmp_path, {})


def sorted_out(project: Project, described: dict[str, str], *names: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which tags of an image are ours, and which are not."""
    labels = {"project": "shop", "layer": "app", "key": KEY, "worktree": "feature"}
    tags = (*(f"shop:{name}" for name in names), KEYED)
    image = Image("sha256:1", tags, {PREFIX + name: value for name, value in labels.items()}, 0, 1)
    friendly = {name: usage._friendly(project, (), name) for name in ("", *usage._others(project, Amd()))}
    found = usage._use(project, image, described, (), friendly, Branches("", set(), lambda _: None, {}))
    return found.tags, found.others


def test_the_tags_of_an_image_of_another_platform_are_ours(project: Project) -> None:
    ours, others = sorted_out(project, ARM, "latest-arm64", "feature-arm64", "v1-arm64", "latest-s390x")
    assert ours == ("shop:latest-arm64", "shop:feature-arm64", KEYED)
    assert others == ("shop:v1-arm64", "shop:latest-s390x")


def test_what_no_build_gives_is_somebody_s_own(project: Project) -> None:
    """Builds for the engine's own platform give no such tag: a user did, say for a registry."""
    ours, others = sorted_out(project, AMD, "latest", "latest-amd64", "latest-arm64")
    assert ours == ("shop:latest", KEYED)
    assert others == ("shop:latest-amd64", "shop:latest-arm64")


@pytest.mark.parametrize(
    "engine",
    [
        Amd("own"),
        Amd("own", Way("linux/arm64", "native", "farm", "linux/arm64", "", elsewhere=True)),
    ],
    ids=["the engine's", "arm64"],
)
def test_mounts_of_all_builders_whatever_platform_is_asked_for(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], engine: Engine
) -> None:
    def there(_: str, builder: str) -> tuple[Mount, ...]:
        return (Mount(f"r-{builder}", "id", "c", "dev/host", 1, 0.0, in_use=False, builder=builder),)

    monkeypatch.setattr(whose, "of_project", there)
    assert [one.builder for one in whose.listed(project, engine)] == ["farm", "own"]
    asked: list[str] = []
    monkeypatch.setattr(mounts, "prune", lambda _, builder: asked.append(builder))
    for one in whose.listed(project, engine):
        engine.prune(one)
    assert asked == ["farm", "own"], "each where it is"

    def away(name: str, builder: str) -> tuple[Mount, ...]:
        if builder != engine.builder:
            raise EngineError("it does not answer")
        return there(name, builder)

    monkeypatch.setattr(whose, "of_project", away)
    assert [one.builder for one in whose.listed(project, engine)] == [engine.builder]
    assert "is not known: it does not answer" in capsys.readouterr().err
