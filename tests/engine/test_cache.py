"""Clearing caches on a real engine: what each level takes, and that nothing of anybody else is touched."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.cache import clear, levels, table, usage
from layerdoit.deploy.docker.deployment import DockerProvider
from layerdoit.deploy.provider import Held
from layerdoit.engine import builders, removal
from tests.engine.cache_fixture import Neighbours, Ours, build, neighbours, ours

__all__ = ["neighbours", "ours"]

KEPT = {
    "soft": {"base", "runtime", "deps", "app"},
    "medium": {"base", "runtime", "deps"},
    "hard": {"base", "runtime"},
    "nuke": {"runtime"},
}


def test_each_level_clears_what_it_says_and_nothing_of_others(ours: Ours, neighbours: Neighbours) -> None:
    deployed = ours.deploy_older()
    image = ours.client.images.get(deployed).id
    before = neighbours.state()
    assert all(before["mounts"].values())
    assert all(before["unnamed"].values())
    for level in levels.LEVELS:
        # New contents: a step that BuildKit takes from its cache fills no mount.
        (ours.context / "name").write_text(f"{ours.name} {level}")
        ours.make()
        assert ours.layers_there() == {"base", "runtime", "deps", "app"}
        assert ours.mounts_there() > 0
        assert clear.run(*ours.parts, level, yes=True, dry_run=False) == 0
        assert ours.layers_there() == KEPT[level], level
        assert ours.mounts_there() == 0
        assert ours.client.images.get(deployed).id == image
        assert ours.client.containers.get(f"{ours.name}-web").status == "running"
        assert neighbours.state() == before, level
        assert neighbours.rebuild() == [], level
        assert neighbours.state() == before, level
    ours.client.containers.get(f"{ours.name}-web").remove(force=True)
    assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
    assert ours.everything() == ([], 0)
    assert neighbours.state() == before


def test_what_a_provider_holds_elsewhere_survives_every_level(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    """No container of this engine needs the image; the provider knows it by another name and by its key."""
    key = next(spec.key for spec in ours.parts[0].specs if spec.layer == "app")
    held = Held("cluster", "elsewhere@sha256:1", key)
    with monkeypatch.context() as patched:
        patched.setattr(DockerProvider, "holds", lambda _: (held,))
        assert "cluster (deployed)" in table.render(usage.gather(*ours.parts), builders.inspect("default"))
        assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
        assert ours.layers_there() == {"runtime", "app"}
    assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
    assert ours.everything() == ([], 0)


def test_the_table_tells_what_is_there(ours: Ours) -> None:
    ours.deploy_older()
    found = usage.gather(*ours.parts)
    assert [image.layer for image in found.images] == ["base", "runtime", "deps", "app", "app"]
    assert found.warm == {"base": True, "runtime": True, "deps": True, "app": True}
    assert {image.tags for image in found.images if image.layer == "app" and image.current} == {
        (f"{ours.name}:latest", ours.tag("app"))
    }
    assert [mount.id for mount in found.mounts] == [ours.mount]
    assert all(image.size > 0 for image in found.images)
    assert all(image.shared > 0 for image in found.images if image.layer in ("deps", "app"))
    builder = builders.inspect("default")
    told = table.as_json(found, builder)
    assert json.loads(json.dumps(told)) == told
    holders = [container for image in told["images"] for container in image["containers"]]
    assert holders == [{"name": f"{ours.name}-web", "how": "deployed"}]
    assert f"{ours.name}-web (deployed)" in table.render(found, builder)
    assert told["builder"]["driver"] == "docker"
    assert told["builder"]["rules"] is not None, "it runs"


def test_without_a_terminal_and_without_yes_nothing_changes(
    ours: Ours, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ours.everything()
    for level in ("hard", "nuke"):
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        assert clear.run(*ours.parts, level, yes=False, dry_run=False) != 0
        assert ours.everything() == before
        assert "--yes" in capsys.readouterr().err


def test_a_mount_that_others_have_measured_is_cleared(ours: Ours) -> None:
    """While BuildKit measures a mount for another process, it lists it as something else."""
    others = [
        subprocess.Popen(["sh", "-c", "while :; do docker buildx du; done"], stdout=subprocess.DEVNULL) for _ in "123"
    ]
    try:
        for turn in range(3):
            (ours.context / "name").write_text(f"{ours.name} {turn}")
            ours.make()
            assert clear.run(*ours.parts, "medium", yes=True, dry_run=False) == 0
            assert ours.mounts_there() == 0
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_on_a_terminal_only_yes_clears(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ours.everything()
    leader, follower = pty.openpty()
    with open(follower, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        for answer in ("n", "", "yep"):
            os.write(leader, f"{answer}\n".encode())
            assert clear.run(*ours.parts, "hard", yes=False, dry_run=False) != 0
            assert ours.everything() == before
        os.write(leader, b"y\n")
        assert clear.run(*ours.parts, "hard", yes=False, dry_run=False) == 0
    os.close(leader)
    assert ours.layers_there() == {"base", "runtime"}


def test_a_dry_run_shows_and_changes_nothing(ours: Ours, capsys: pytest.CaptureFixture[str]) -> None:
    before = ours.everything()
    assert clear.run(*ours.parts, "nuke", yes=True, dry_run=True) == 0
    assert ours.everything() == before
    shown = capsys.readouterr().out
    assert all(spec.tag in shown for spec in ours.session.inputs.specs)


def test_tags_and_images_that_others_made_of_ours_stay(ours: Ours, tmp_path: Path) -> None:
    """Whatever is built FROM an image of ours inherits its labels."""
    app = ours.client.images.get(ours.tag("app"))
    app.tag(ours.name, "v1.2")
    derived = tmp_path / "derived"
    derived.mkdir()
    (derived / "Dockerfile").write_text(f"FROM {ours.tag('app')}\nCOPY Dockerfile /more\n")
    build(derived, f"{ours.name}-debug:1", {}, "--tag", f"{ours.name}:latest")
    assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
    assert ours.everything() == ([f"{ours.name}-debug:1", f"{ours.name}:latest", f"{ours.name}:v1.2"], 0)
    assert ours.client.images.get(f"{ours.name}:v1.2").id == app.id


def test_images_of_other_platforms_go_with_the_rest(ours: Ours) -> None:
    """Caches are the project's, whatever platform is asked for; a tag that says another platform is somebody's own."""
    tag, labels = f"{ours.name}:app-{'a' * 12}", {"project": ours.name, "layer": "app", "key": "a" * 64}
    build(ours.context, tag, labels, "--platform", "linux/arm64", "--target", "runtime")
    image = ours.client.images.get(tag)
    image.tag(ours.name, "latest-arm64")
    image.tag(ours.name, "latest-s390x")
    assert clear.run(*ours.parts, "soft", yes=True, dry_run=False) == 0
    assert f"{ours.name}:latest-arm64" in ours.everything()[0], "the first level takes no image"
    assert clear.run(*ours.parts, "medium", yes=True, dry_run=False) == 0
    assert {one for one in ours.everything()[0] if "-arm64" in one or ":app-" in one} == set()
    assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
    assert ours.everything() == ([f"{ours.name}:latest-s390x"], 0)


def test_the_image_of_a_stopped_container_of_anybody_stays(ours: Ours) -> None:
    container = ours.client.containers.create(ours.tag("deps"), "/tool", name=f"{ours.name}-look")
    try:
        assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
        assert ours.layers_there() == {"deps"}
    finally:
        container.remove()


def test_a_tag_that_moved_meanwhile_stays(ours: Ours) -> None:
    """Between the preview and the answer another build may have moved a tag."""
    app, deps = (ours.client.images.get(ours.tag(layer)) for layer in ("app", "deps"))
    deps.tag(*ours.tag("app").split(":"))
    (done,) = removal.untag(ours.name, [(ours.tag("app"), app.id)])
    assert "another image" in done.refused
    (done,) = removal.untag(f"{ours.name}x", [(ours.tag("deps"), deps.id)])
    assert done.refused
    assert ours.client.images.get(ours.tag("app")).id == deps.id


def test_the_engine_refuses_the_last_tag_of_what_runs(ours: Ours) -> None:
    """Should a container start after the question was answered, the engine itself says no: nothing is forced."""
    deployed = ours.deploy_older()
    (done,) = removal.untag(ours.name, [(deployed, ours.client.images.get(deployed).id)])
    assert done.refused
    assert ours.client.images.get(deployed)


def test_images_of_others_are_not_inspected(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine may hold a thousand of them: it filters by label. Ours, and what is wanted, cost a question each."""
    asked: list[str] = []
    inspect = ours.session.engine.images.inspect

    def counted(reference: str) -> Mapping[str, Any] | None:
        asked.append(reference)
        return inspect(reference)

    monkeypatch.setattr(ours.session.engine.images, "inspect", counted)
    found = usage.gather(*ours.parts)
    assert sorted(asked) == sorted(
        [*(image.id for image in found.images), *(spec.tag for spec in ours.session.inputs.specs)]
    )
