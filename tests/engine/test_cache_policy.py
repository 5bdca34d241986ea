"""Pins, collection by policy, dead checkouts and narrowed levels on a real engine; others lose nothing by them."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from layerdoit.cache import clear, gc, pins, table, usage
from layerdoit.cache.levels import Narrow
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine import mounts
from layerdoit.flows.session import Session
from tests.engine.cache_fixture import Neighbours, Ours, build, neighbours, opened, ours, parts
from tests.support.git import git

__all__ = ["neighbours", "ours"]


def configured(ours: Ours, text: str) -> Session:
    """The project as a run would read it with this `retention`."""
    (ours.session.project.root / "layerdoit.yaml").write_text(text)
    return opened(ours.session.project.root)


def apps(ours: Ours) -> set[str]:
    """First letters of the keys of the app images that are there, the present tree's left out."""
    present = ours.tag("app")
    tags, _ = ours.everything()
    return {tag.split(":app-")[1][0] for tag in tags if ":app-" in tag and tag != present}


def older(ours: Ours, letter: str, built: str, **more: str) -> str:
    """An app image of an earlier tree."""
    return ours.layer("app", letter * 64, variant="dev/host", built=built, **more)


def test_a_pin_outlives_the_state_folder_and_every_level(ours: Ours) -> None:
    old = older(ours, "e", "2026-01-01T00:00:00Z", deps="d" * 64)
    below = ours.layer("deps", "d" * 64, parent="b" * 64)
    assert pins.run(*ours.parts, [old.rpartition(":")[2]], remove=False) == 0
    shutil.rmtree(ours.session.project.state.folder)
    fresh = opened(ours.session.project.root)
    assert clear.run(*parts(fresh), "nuke", yes=True, dry_run=False) == 0
    pin = f"{ours.name}:pinned-app-{'e' * 12}"
    assert ours.everything() == (sorted([old, below, pin]), 0)
    found = usage.gather(*parts(fresh))
    assert pins.listing(found) == f"app     {old}"
    (image,) = [image for image in found.images if image.pin]
    assert image.others == ()
    assert "pinned" in table.render(found, builder())
    assert pins.run(*parts(fresh), [pin], remove=True) == 0
    assert clear.run(*parts(fresh), "nuke", yes=True, dry_run=False) == 0
    assert ours.everything() == ([], 0)


def builder() -> Any:
    from layerdoit.engine import builders

    return builders.inspect("default")


def test_without_words_the_present_app_is_pinned(ours: Ours, capsys: pytest.CaptureFixture[str]) -> None:
    assert pins.run(*ours.parts, [], remove=False) == 0
    assert f"pinned {ours.tag('app')}" in capsys.readouterr().out
    assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
    # Labels of this stand-in name no deps; the runtime under it stays.
    assert ours.layers_there() == {"app", "runtime"}
    assert pins.run(*ours.parts, [], remove=True) == 0
    assert pins.run(*ours.parts, [ours.tag("app")], remove=True) == 0
    assert "is not pinned: nothing to do" in capsys.readouterr().out
    with pytest.raises(LayerdoitError, match='has no image "no-such"'):
        pins.run(*ours.parts, [ours.tag("app"), "no-such"], remove=False)
    assert not any("pinned" in tag for tag in ours.everything()[0]), "one wrong word changes nothing"


def test_the_policy_takes_what_it_says_and_nothing_of_others(ours: Ours, neighbours: Neighbours) -> None:
    for day, letter in enumerate("abc", 1):
        older(ours, letter, f"2026-01-0{day}T00:00:00Z")
    deployed = ours.deploy_older()
    before, untouched = neighbours.state(), ours.everything()
    assert gc.run(*ours.parts, stale=False, yes=False, dry_run=False) == 0
    assert ours.everything() == untouched, "without a policy nothing goes"
    keeping = configured(ours, "retention: {app: {keep_last: 2}}\n")
    assert gc.run(*parts(keeping), stale=False, yes=False, dry_run=True) == 0
    assert ours.everything() == untouched
    assert gc.run(*parts(keeping), stale=False, yes=False, dry_run=False) == 0
    # The deployed one and the present one have no variant, and are a family of their own.
    assert apps(ours) == {"b", "c", deployed.split(":app-")[1][0]}
    assert ours.layers_there() == {"base", "runtime", "deps", "app"}
    assert neighbours.state() == before
    strict = configured(ours, "retention: {protect: [], app: {keep_last: 0}, mounts: {keep_last: 0}}\n")
    gc.after_build(*parts(strict))
    assert apps(ours) == {deployed.split(":app-")[1][0]}
    assert ours.mounts_there() == 0
    assert ours.layers_there() == {"base", "runtime", "deps"}
    assert neighbours.state() == before
    assert neighbours.rebuild() == []
    assert neighbours.state() == before


def test_a_level_can_be_narrowed(ours: Ours) -> None:
    older(ours, "a", "2026-01-01T00:00:00Z")
    older(ours, "b", "2026-01-02T00:00:00Z")
    assert clear.run(*ours.parts, "medium", yes=True, dry_run=False, less=Narrow(older_than=3600)) == 0
    # The engine knows that their tags are new: just used.
    assert apps(ours) == {"a", "b"}
    assert clear.run(*ours.parts, "medium", yes=True, dry_run=False, less=Narrow(keep_last=1)) == 0
    assert apps(ours) == {"b"}
    assert ours.layers_there() == {"base", "runtime", "deps", "app"}
    assert ours.mounts_there() > 0
    assert clear.run(*ours.parts, "medium", yes=True, dry_run=False, less=Narrow(older_than=0.0, keep_last=0)) == 0
    assert apps(ours) == set()
    assert ours.mounts_there() == 0


def test_what_a_dead_checkout_left_is_found_by_its_mount(
    ours: Ours,
    neighbours: Neighbours,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAYERDOIT_MACHINE", "here")
    before = neighbours.state()
    away, there, elsewhere = tmp_path / "away", tmp_path / "there", tmp_path / "elsewhere"
    there.mkdir()

    def compiled_in(path: Path, letter: str, machine: str) -> str:
        monkeypatch.setenv("LAYERDOIT_MACHINE", machine)
        plain = mounts.identity(ours.name, path, "dev/host", "0123456789ab")
        (ours.context / "name").write_text(letter)
        tag = f"{ours.name}:app-{letter * 12}"
        labels = {"project": ours.name, "layer": "app", "key": letter * 64, "mount": plain, "worktree": path.name}
        named = ["--tag", f"{ours.name}:{path.name}", "--build-arg", f"MOUNT={mounts.placed(plain, path)}"]
        build(ours.context, tag, labels, "--target", "app", *named)
        monkeypatch.setenv("LAYERDOIT_MACHINE", "here")
        return tag

    gone, kept, other = (
        compiled_in(away, "a", "here"),
        compiled_in(there, "b", "here"),
        compiled_in(elsewhere, "c", "there"),
    )
    said = table.render(usage.gather(*ours.parts), builder())
    assert f"checkout gone: {away}" in said
    assert "next: doit cache_gc --stale" in said
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert gc.run(*ours.parts, stale=True, yes=False, dry_run=False) != 0
    assert "doit cache_gc --stale --yes" in capsys.readouterr().err
    assert apps(ours) == {"a", "b", "c"}
    assert gc.run(*ours.parts, stale=True, yes=True, dry_run=False) == 0
    tags, _ = ours.everything()
    assert gone not in tags
    assert f"{ours.name}:away" not in tags, "the name that its worktree gave it"
    assert {kept, other, f"{ours.name}:there", f"{ours.name}:elsewhere"} <= set(tags)
    left = {mount.path for mount in ours.session.engine.mounts(ours.name)}
    assert left == {"", str(there), str(elsewhere)}
    assert neighbours.state() == before
    assert gc.offer(usage.gather(*ours.parts)) == ""


def test_a_removed_worktree_is_found_by_git(ours: Ours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERDOIT_MACHINE", "here")
    side = tmp_path / "side"
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "-A"),
        ("commit", "-q", "-m", "x"),
        ("worktree", "add", "-q", "-b", "side", str(side)),
    ):
        git(ours.session.project.root, *words)
    label = mounts.identity(ours.name, side, "dev/host", "0123456789ab")
    tag = older(ours, "a", "2026-01-01T00:00:00Z", mount=label)
    ours.client.images.get(tag).tag(ours.name, "side")
    fresh = opened(ours.session.project.root)
    assert gc.run(*parts(fresh), stale=True, yes=True, dry_run=False) == 0
    assert apps(ours) == {"a"}
    shutil.rmtree(side)
    assert gc.run(*parts(fresh), stale=True, yes=True, dry_run=False) == 0
    assert apps(ours) == set()
    assert f"{ours.name}:side" not in ours.everything()[0]
    assert ours.layers_there() == {"base", "runtime", "deps", "app"}
