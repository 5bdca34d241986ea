"""What is left behind on a real engine: apps of deleted branches, and images that lost their tag to another."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.cache import clear, gc, levels, table, usage
from layerdoit.cache.model import Usage
from layerdoit.core.units import size_text
from layerdoit.engine import builders, mounts, removal
from layerdoit.engine.images import PREFIX
from layerdoit.project import identity
from tests.engine.cache_fixture import Neighbours, Ours, neighbours, opened, ours, parts
from tests.support.checkout import Checkout
from tests.support.git import git

__all__ = ["neighbours", "ours"]

OF_OTHERS = "FROM {}\n{}\n"


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERDOIT_MACHINE", "here")


# --- branches --------------------------------------------------------------------------------------------------------


def apps(ours: Ours) -> str:
    """First letters of the keys of the app images that are there, the present tree's left out."""
    present = ours.tag("app")
    tags, _ = ours.everything()
    return "".join(sorted({tag.split(":app-")[1][0] for tag in tags if ":app-" in tag and tag != present}))


def test_only_what_a_deleted_branch_alone_left_goes(
    ours: Ours, neighbours: Neighbours, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ours.session.project.root
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    before = neighbours.state()
    place = mounts.identity(ours.name, root, "dev/host", "0123456789ab")
    elsewhere = mounts.identity(ours.name, tmp_path, "dev/host", "0123456789ab")

    def app(letter: str, branch: str, mount: str = place, machine: str = mounts.this_host()) -> str:
        built = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return ours.layer(
            "app", letter * 64, variant="dev/host", built=built, branch=branch, machine=machine, mount=mount
        )

    app("a", "feature/x")
    app("b", "main")
    app("c", "feature/x", machine="0badcafe")
    app("d", "feature/x", mount=elsewhere)
    ours.client.images.get(app("e", "feature/x")).tag(ours.name, "v1")
    container = ours.client.containers.create(app("f", "feature/x"), name=f"{ours.name}-look")
    try:
        fresh = opened(root)
        told = table.as_json(usage.gather(*parts(fresh)), builders.inspect("default"))
        gone = {image["key"][0] for image in told["images"] if image["branch_gone"]}
        assert gone == {"a", "e", "f"}
        assert [image["key"][0] for image in told["images"] if image["id"] in told["stale"]["images"]] == ["a"]
        text = table.render(usage.gather(*parts(fresh)), builders.inspect("default"))
        assert "branch gone: feature/x" in text
        assert "orphaned branches hold up to" in text
        assert gc.run(*parts(fresh), stale=True, yes=False, dry_run=True) == 0
        assert f"{ours.name}:app-{'a' * 12} (branch gone: feature/x)" in capsys.readouterr().out
        assert apps(ours) == "abcdef"
        git(root, "branch", "feature/x")
        assert gc.run(*parts(fresh), stale=True, yes=True, dry_run=False) == 0
        assert apps(ours) == "abcdef", "it is there again"
        git(root, "pack-refs", "--all")
        assert gc.run(*parts(fresh), stale=True, yes=True, dry_run=False) == 0
        assert apps(ours) == "abcdef"
        git(root, "branch", "-D", "feature/x")
        assert gc.run(*parts(fresh), stale=True, yes=True, dry_run=False) == 0
        assert apps(ours) == "bcdef"
    finally:
        container.remove()
    assert ours.layers_there() == {"base", "runtime", "deps", "app"}
    assert neighbours.state() == before


def test_a_feature_that_was_merged(checkout: Callable[..., Checkout]) -> None:
    """Built, merged without a commit of its own, and deleted: what the main branch asked for too stays."""
    one = checkout()
    one.write({".gitignore": "/target\n.doit.db*\n__pycache__/\n"})
    one.git("init", "-q", "-b", "main")

    def built(text: str = "") -> str:
        if text:
            one.write({"VERSION": text})
            one.git("add", "-A")
            one.git("commit", "-q", "-m", text)
        done = one.doit()
        assert done.returncode == 0, done.stderr
        tags: list[str] = one.image()["RepoTags"]
        return next(tag for tag in tags if ":app-" in tag)

    first = built("1111")
    one.git("checkout", "-q", "-b", "feature")
    tried, merged = built("2222"), built("3333")
    one.git("checkout", "-q", "main")
    assert built() == first
    one.git("merge", "-q", "--ff-only", "feature")
    assert built() == merged, "found again"
    last = built("4444")
    shown = one.doit("cache_status").stdout
    assert "branch gone" not in shown
    one.git("branch", "-d", "feature")
    shown = one.doit("cache_status").stdout
    (line,) = [line for line in shown.splitlines() if "branch gone: feature" in line]
    assert tried in line
    assert "orphaned branches hold up to" in shown
    told = json.loads(one.doit("cache_status", "--json").stdout)
    assert {image["branch"] for image in told["images"] if image["layer"] == "app"} == {"main", "feature"}
    before = one.tags()
    shown = one.doit("cache_gc", "--stale", "--dry-run").stdout
    assert f"{tried} (branch gone: feature)" in shown
    assert merged not in shown
    assert one.tags() == before
    assert one.doit("cache_gc", "--stale").returncode != 0, "it asks"
    assert one.tags() == before
    done = one.doit("cache_gc", "--stale", "--yes")
    assert done.returncode == 0, done.stderr
    assert before - one.tags() == {tried}
    assert {first, merged, last} <= one.tags()


def test_a_fast_forward_with_nothing_to_do(checkout: Callable[..., Checkout]) -> None:
    """The image has all its tags already: the main branch, which asked for it too, keeps it all the same."""
    one = checkout()
    one.write({".gitignore": "/target\n.doit.db*\n__pycache__/\n"})
    one.git("init", "-q", "-b", "main")

    def built(text: str) -> str:
        one.write({"VERSION": text})
        one.git("add", "-A")
        one.git("commit", "-q", "-m", text)
        assert one.doit().returncode == 0
        tags: list[str] = one.image()["RepoTags"]
        return next(tag for tag in tags if ":app-" in tag)

    built("1111")
    one.git("checkout", "-q", "-b", "feature")
    merged = built("2222")
    one.git("checkout", "-q", "main")
    one.git("merge", "-q", "--ff-only", "feature")
    assert one.doit().returncode == 0
    one.git("branch", "-d", "feature")
    one.git("checkout", "-q", "-b", "fix")
    built("3333")
    assert "branch gone" not in one.doit("cache_status").stdout
    assert one.doit("cache_gc", "--stale", "--yes").returncode == 0
    assert merged in one.tags()


# --- without a tag ---------------------------------------------------------------------------------------------------


def bare(ours: Ours) -> dict[str, set[str]]:
    """Ids of the project's untagged images, by layer."""
    found: dict[str, set[str]] = {}
    for image in ours.session.engine.images.of_project(ours.name):
        if not image.tags:
            found.setdefault(image.label("layer"), set()).add(image.id)
    return found


def again(ours: Ours, text: str) -> None:
    """Every layer made anew: those that were there lose their tags."""
    (ours.context / "name").write_text(text)
    ours.make()


def made_of(ours: Ours, tag: str, step: str, *options: str) -> str:
    """The id of an image that somebody made of ours."""
    folder = ours.context.parent / f"others-{len(list(ours.context.parent.iterdir()))}"
    folder.mkdir()
    (folder / "Dockerfile").write_text(OF_OTHERS.format(tag, step))
    command = ["docker", "buildx", "build", "--builder", "default", "--provenance", "false", "--load", *options]
    subprocess.run([*command, "--iidfile", str(folder / "id"), str(folder)], check=True, capture_output=True)
    return (folder / "id").read_text()


def test_what_lost_its_tag_goes_with_its_layer(
    ours: Ours, neighbours: Neighbours, capsys: pytest.CaptureFixture[str]
) -> None:
    again(ours, "second")
    before = neighbours.state()
    assert {layer: len(ids) for layer, ids in bare(ours).items()} == dict.fromkeys(levels.LAYERS["nuke"], 1)
    assert "4 untagged: replaced by later builds" in table.render(
        usage.gather(*ours.parts), builders.inspect("default")
    )
    for level in levels.LEVELS:
        left = bare(ours)
        clear.run(*ours.parts, level, yes=True, dry_run=True)
        assert bare(ours) == left
        shown = capsys.readouterr().out
        gone = {image for layer, ids in left.items() for image in ids if layer in levels.LAYERS[level]}
        assert shown.count("<untagged>") == len(gone)
        assert all(image.removeprefix("sha256:")[:12] in shown for image in gone)
        assert clear.run(*ours.parts, level, yes=True, dry_run=False) == 0
        assert {image for ids in bare(ours).values() for image in ids} == {
            image for ids in left.values() for image in ids
        } - gone, level
        assert ("without a tag" in capsys.readouterr().out.splitlines()[-1]) == bool(gone)
    assert ours.everything() == ([], 0)
    assert neighbours.state() == before
    assert neighbours.rebuild() == []


def test_collecting_what_is_stale_takes_it_too(ours: Ours) -> None:
    again(ours, "second")
    tags = ours.everything()
    assert "untagged images hold up to" in gc.offer(usage.gather(*ours.parts))
    assert gc.run(*ours.parts, stale=True, yes=True, dry_run=False) == 0
    assert bare(ours) == {}
    assert ours.everything() == tags
    assert gc.offer(usage.gather(*ours.parts)) == ""


def test_what_others_made_of_ours_stays_without_a_tag(ours: Ours) -> None:
    """It bears our labels, and what it stands on stays, too; so does what a container was made from."""
    made = {
        made_of(ours, ours.tag("app"), "COPY Dockerfile /more"),
        made_of(ours, ours.tag("deps"), "ENV MORE=1"),
        made_of(ours, ours.tag("base"), "CMD /tool"),
    }
    old = {layer: ours.client.images.get(ours.tag(layer)).id for layer in levels.LAYERS["nuke"]}
    container = ours.client.containers.create(old["deps"], "/tool", name=f"{ours.name}-look")
    try:
        again(ours, "second")
        assert clear.run(*ours.parts, "nuke", yes=True, dry_run=False) == 0
        left = {image for ids in bare(ours).values() for image in ids}
        assert left == made | {old["app"], old["runtime"], old["deps"], old["base"]}
        shown = table.render(usage.gather(*ours.parts), builders.inspect("default"))
        assert "7 without our tags" in shown, "nothing bears a tag any more: what is ours cannot be told"
    finally:
        container.remove()


def test_what_has_a_tag_again_or_is_anothers_is_not_removed(ours: Ours) -> None:
    client = ours.client
    image = client.images.get(ours.tag("app"))
    assert removal.remove_untagged(ours.name, image.id) == "it has a tag again"
    again(ours, "second")
    assert removal.remove_untagged(f"{ours.name}2", image.id) == "it belongs to another project"
    container = client.containers.create(image.id, name=f"{ours.name}-look")
    assert "container" in removal.remove_untagged(ours.name, image.id)
    assert client.images.get(image.id)
    container.remove()
    assert removal.remove_untagged(ours.name, image.id) == ""
    assert removal.remove_untagged(ours.name, image.id) == "", "gone already"


def test_containers_of_a_folder_that_is_gone_go_and_no_others(
    ours: Ours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A removed worktree's goes, running or not, and its image with it; what a folder that is there deployed stays."""
    monkeypatch.setenv("LAYERDOIT_MACHINE", ours.name)
    inputs, engine = ours.parts
    project, there = inputs.project, tmp_path / "there"
    there.mkdir()
    runtime = next(spec.key for spec in inputs.specs if spec.layer == "runtime")
    made: dict[str, str] = {}
    mark = project.owner.marks[0]
    for name, folder, marks in (
        ("gone", tmp_path / "gone", f"{mark} {identity.place(tmp_path / 'gone')}"),
        ("there", there, f"{mark} {identity.place(there)}"),
        ("elsewhere", tmp_path / "gone", mark),
        ("theirs", tmp_path / "gone", f"root:theirs {identity.place(tmp_path / 'gone')}"),
        (ours.name, tmp_path / "gone", f"{mark} {identity.place(tmp_path / 'gone')}"),
    ):
        tag = ours.layer("app", f"{len(made)}" * 64, runtime)
        labels = {"project": ours.name, "deployment": name, "folder": str(folder), "marks": marks}
        ours.client.containers.run(
            tag, detach=True, stdin_open=True, name=f"{ours.name}-{name}",
            labels={f"{PREFIX}{key}": value for key, value in labels.items()},
        )  # fmt: skip
        made[name] = tag
    found = usage.gather(inputs, engine)
    assert [one.name for one in found.left] == [f"{ours.name}-gone"]
    assert f"1 container of folders that are gone is still there: {tmp_path / 'gone'}" in gc.offer(found)
    assert gc.run(inputs, engine, stale=True, yes=True, dry_run=True) == 0
    shown = capsys.readouterr().out
    assert f"container {ours.name}-gone (running)" in shown
    assert len(ours.client.containers.list(filters={"label": f"{PREFIX}project={ours.name}"})) == 5
    assert gc.run(inputs, engine, stale=True, yes=True, dry_run=False) == 0
    assert "cleared 1 container" in capsys.readouterr().out
    left = ours.client.containers.list(filters={"label": f"{PREFIX}project={ours.name}"})
    assert {one.name for one in left} == {f"{ours.name}-{name}" for name in made if name != "gone"}


def test_what_another_configuration_named_is_cleared_with_all(ours: Ours, capsys: pytest.CaptureFixture[str]) -> None:
    """And what is said to be freed is what no image holds afterwards."""
    inputs, engine = ours.parts
    runtime = next(spec.key for spec in inputs.specs if spec.layer == "runtime")
    tag = ours.layer("app", "e" * 64, runtime)
    other = f"{ours.name}-staging:app-{'e' * 12}"
    image = ours.client.images.get(tag)
    image.tag(*other.split(":"))
    image.tag(f"{ours.name}-staging", "latest")
    ours.client.images.remove(tag)
    found = usage.gather(inputs, engine)
    (elsewhere,) = (one for one in found.images if one.elsewhere)
    assert elsewhere.elsewhere == (f"{ours.name}-staging:latest", other)
    assert clear.run(inputs, engine, "medium", yes=True, dry_run=False) == 0
    assert ours.client.images.get(other).id == elsewhere.id
    before = usage.gather(inputs, engine)
    said = levels.freed(before, levels.select(before.widened(), "medium"))
    assert said > 0
    capsys.readouterr()
    assert clear.run(inputs, engine, "medium", yes=True, dry_run=False, every=True) == 0
    assert capsys.readouterr().out.rstrip().endswith(f"and 2 image tags: {size_text(said)}")
    after = usage.gather(inputs, engine)
    assert not [one for one in after.images if one.elsewhere]
    assert held(before) - held(after) == said


def held(found: Usage) -> int:
    """Bytes of the project's images, each layer once: as the engine says, layer by layer."""
    sizes: dict[tuple[str, ...], int] = {}
    for image in found.images:
        assert len(image.layers) == len(image.rootfs)
        sizes |= {image.rootfs[: end + 1]: size for end, size in enumerate(image.layers)}
    return sum(sizes.values())
