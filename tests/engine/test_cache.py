"""Clearing caches on a real engine: what each level takes, and that nothing of anybody else is touched."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerdoit.cache import clear, levels, usage
from layerdoit.engine import mounts, removal
from layerdoit.engine.images import PREFIX
from layerdoit.project import Project

# Images are of one program: appends to the file that it is given; without one, it waits for the end of its input.
TOOL = r"""
use std::{env, fs::OpenOptions, io::{self, Read, Write}};
fn main() {
    match env::args().nth(1) {
        Some(path) => OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(b"x").unwrap(),
        None => { let _ = io::stdin().read_to_end(&mut Vec::new()); }
    }
}
"""

# The same shape as the real layers: the app compiles in a mount that is seeded from deps.
LAYERS = """
FROM scratch AS base
COPY tool /tool
COPY name /build/name
FROM scratch AS runtime
COPY tool /tool
COPY name /runtime
FROM base AS deps
RUN ["/tool", "/build/crates"]
FROM deps AS build
ARG MOUNT
RUN --mount=type=cache,id=${MOUNT},from=deps,source=/build,target=/build,sharing=locked ["/tool", "/build/log"]
RUN ["/tool", "/made"]
FROM runtime AS app
COPY --from=build /made /made
CMD ["/tool"]
"""

FOREIGN = """
FROM scratch
COPY tool /tool
COPY name /name
ARG MOUNT
RUN --mount=type=cache,id=${MOUNT},target=/target ["/tool", "/target/log"]
RUN --mount=type=cache,target=/of-NAME ["/tool", "/of-NAME/log"]
CMD ["/tool"]
"""


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    docker = pytest.importorskip("docker")
    try:
        made = docker.from_env()
        made.ping()
    except docker.errors.DockerException:
        pytest.skip("no Docker engine answers")
    yield made
    made.close()


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rustc = shutil.which("rustc") or shutil.which("rustc", path=str(Path.home() / ".cargo/bin"))
    if rustc is None:
        pytest.skip("no rustc")
    folder = tmp_path_factory.mktemp("tool")
    (folder / "tool.rs").write_text(TOOL)
    command = [rustc, "--edition=2021", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "tool.rs"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "tool"


def build(context: Path, tag: str, labels: Mapping[str, str], *options: str) -> str:
    """One build; what it printed."""
    command = ["docker", "buildx", "build", "--builder", "default", "--progress", "plain", "--provenance", "false"]
    command += ["--load", "--tag", tag, *options]
    for name, value in labels.items():
        command += ["--label", f"{PREFIX}{name}={value}"]
    return subprocess.run([*command, str(context)], check=True, capture_output=True, text=True).stderr


def context_of(folder: Path, tool: Path, name: str, dockerfile: str) -> Path:
    folder.mkdir(parents=True)
    shutil.copy2(tool, folder / "tool")
    (folder / "name").write_text(name)
    (folder / "Dockerfile").write_text(dockerfile.replace("NAME", name))
    return folder


def records(needle: str) -> dict[str, str]:
    """Ids of the mount records whose description holds the text -> their description."""
    listing = subprocess.run(
        ["docker", "buildx", "du", "--builder", "default", "--verbose", "--filter", "type=exec.cachemount"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = {}
    for block in listing.split("\n\n"):
        facts = dict(line.split(":", 1) for line in block.splitlines() if ":" in line)
        if needle in facts.get("Description", ""):
            found[facts["ID"].strip()] = facts["Description"].strip()
    return found


@dataclass
class Ours:
    """A project with an image of each layer for its tree as it is, and an older app image that is deployed."""

    project: Project
    name: str
    client: Any
    context: Path

    @property
    def mount(self) -> str:
        return f"layerdoit/{self.name}/0123abcd/dev/host"

    def make(self) -> None:
        runtime = next(spec.key for spec in self.project.specs if spec.layer == "runtime")
        for spec in self.project.specs:
            self.layer(spec.layer, spec.key, runtime)
        self.client.images.get(self.tag("app")).tag(self.name, "latest")

    def layer(self, layer: str, key: str, runtime: str) -> str:
        target = "base" if layer == "base" else layer
        labels = {"project": self.name, "layer": layer, "key": key, "runtime": runtime if layer == "app" else ""}
        tag = f"{self.name}:{layer}-{key[:12]}"
        build(self.context, tag, labels, "--target", target, "--build-arg", f"MOUNT={self.mount}")
        return tag

    def deploy_older(self) -> str:
        """A container of an app image that the tree no longer asks for."""
        runtime = next(spec.key for spec in self.project.specs if spec.layer == "runtime")
        tag = self.layer("app", "f" * 64, runtime)
        labels = {f"{PREFIX}project": self.name, f"{PREFIX}deployment": "web"}
        self.client.containers.run(tag, detach=True, stdin_open=True, name=f"{self.name}-web", labels=labels)
        return tag

    def tag(self, layer: str) -> str:
        return next(spec.tag for spec in self.project.specs if spec.layer == layer)

    def layers_there(self) -> set[str]:
        """Layers whose image for the present tree is there."""
        return {spec.layer for spec in self.project.specs if self.project.images.inspect(spec.tag)}

    def mounts_there(self) -> int:
        return len(records(f'with id "/{self.mount}"'))

    def everything(self) -> tuple[list[str], int]:
        found = self.client.images.list(filters={"label": f"{PREFIX}project={self.name}"})
        return sorted(tag for image in found for tag in image.tags), self.mounts_there()


def clean_up(client: Any, *projects: str) -> None:
    for name in projects:
        for container in client.containers.list(all=True, filters={"label": f"{PREFIX}project={name}"}):
            container.remove(force=True, v=True)
        for image in client.images.list(filters={"label": f"{PREFIX}project={name}"}):
            for tag in image.tags:
                client.images.remove(tag)
        for record in records(f"layerdoit/{name}/"):
            mounts.prune(record)


@pytest.fixture
def ours(client: Any, tool: Path, tmp_path: Path) -> Iterator[Ours]:
    name = f"ldc-{uuid.uuid4().hex[:8]}"
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src/main.rs").write_text("fn main() {}\n")
    (root / "Cargo.toml").write_text(f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n')
    (root / "Cargo.lock").write_text(f'version = 4\n\n[[package]]\nname = "{name}"\nversion = "0.1.0"\n')
    project = Project(root, {})
    made = Ours(project, name, client, context_of(tmp_path / "context", tool, name, LAYERS))
    made.make()
    yield made
    connection = getattr(project.images._api, "_connection", None)
    if connection is not None:
        connection.close()
    clean_up(client, name)


@dataclass
class Neighbours:
    """What others have on the same engine: a project whose name begins with ours, and a plain Dockerfile build."""

    client: Any
    builds: tuple[tuple[Path, str, Mapping[str, str], str], ...]
    containers: tuple[str, ...]
    volume: str

    def rebuild(self) -> list[str]:
        """Steps that the next builds would run again."""
        again = []
        for context, tag, labels, mount in self.builds:
            printed = build(context, tag, labels, "--build-arg", f"MOUNT={mount}")
            steps = {line.split()[0] for line in printed.splitlines() if "] COPY" in line or "] RUN" in line}
            cached = {line.split()[0] for line in printed.splitlines() if line.endswith(" CACHED")}
            assert len(steps) == 4
            again += [line for line in printed.splitlines() if line.split(" ")[0] in steps - cached]
        return again

    def state(self) -> dict[str, Any]:
        """All that must not change."""
        return {
            "images": {tag: self.client.images.get(tag).id for _, tag, _, _ in self.builds},
            "mounts": {mount: records(f'with id "/{mount}"') for _, _, _, mount in self.builds},
            "unnamed": {name: records(f'with id "//of-{name}"') for name in self.containers},
            "containers": {
                name: self.client.containers.get(name).attrs["State"]["StartedAt"] for name in self.containers
            },
            "running": [self.client.containers.get(name).status for name in self.containers],
            "volume": self.client.volumes.get(self.volume).attrs["CreatedAt"],
        }


@pytest.fixture
def neighbours(client: Any, tool: Path, tmp_path: Path, ours: Ours) -> Iterator[Neighbours]:
    second, plain = f"{ours.name}2", f"plain-{uuid.uuid4().hex[:8]}"
    labels = {"project": second, "layer": "app", "key": "a" * 64}
    unlabelled: dict[str, str] = {}
    mount = f"layerdoit/{second}/0123abcd/dev/host"
    builds = (
        (context_of(tmp_path / "second", tool, second, FOREIGN), f"{second}:app-{'a' * 12}", labels, mount),
        (context_of(tmp_path / "plain", tool, plain, FOREIGN), f"{plain}:1", unlabelled, f"{plain}-target"),
    )
    for context, tag, found, identity in builds:
        build(context, tag, found, "--build-arg", f"MOUNT={identity}")
    volume = client.volumes.create(plain).name
    names = tuple(tag.split(":")[0] for _, tag, _, _ in builds)
    for name, (_, tag, _, _) in zip(names, builds, strict=True):
        client.containers.run(tag, detach=True, stdin_open=True, name=name, volumes=[f"{volume}:/data"])
    yield Neighbours(client, builds, names, volume)
    for name in names:
        client.containers.get(name).remove(force=True)
    client.volumes.get(volume).remove()
    for (_, tag, _, identity), name in zip(builds, names, strict=True):
        client.images.remove(tag)
        for record in records(f'with id "/{identity}"') | records(f'with id "//of-{name}"'):
            mounts.prune(record)


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
        assert clear.run(ours.project, level, yes=True, dry_run=False) == 0
        assert ours.layers_there() == KEPT[level], level
        assert ours.mounts_there() == 0
        assert ours.client.images.get(deployed).id == image
        assert ours.client.containers.get(f"{ours.name}-web").status == "running"
        assert neighbours.state() == before, level
        assert neighbours.rebuild() == [], level
        assert neighbours.state() == before, level
    ours.client.containers.get(f"{ours.name}-web").remove(force=True)
    assert clear.run(ours.project, "nuke", yes=True, dry_run=False) == 0
    assert ours.everything() == ([], 0)
    assert neighbours.state() == before


def test_the_table_tells_what_is_there(ours: Ours) -> None:
    ours.deploy_older()
    found = usage.gather(ours.project)
    assert [image.layer for image in found.images] == ["base", "runtime", "deps", "app", "app"]
    assert found.warm == {"base": True, "runtime": True, "deps": True, "app": True}
    assert {image.tags for image in found.images if image.layer == "app" and image.current} == {
        (f"{ours.name}:latest", ours.tag("app"))
    }
    assert [mount.id for mount in found.mounts] == [ours.mount]
    assert all(image.size > 0 for image in found.images)
    assert all(image.shared > 0 for image in found.images if image.layer in ("deps", "app"))
    told = usage.as_json(found)
    assert json.loads(json.dumps(told)) == told
    holders = [container for image in told["images"] for container in image["containers"]]
    assert holders == [{"name": f"{ours.name}-web", "how": "deployed"}]
    assert f"{ours.name}-web (deployed)" in usage.render(found)


def test_without_a_terminal_and_without_yes_nothing_changes(
    ours: Ours, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = ours.everything()
    for level in ("hard", "nuke"):
        monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
        assert clear.run(ours.project, level, yes=False, dry_run=False) != 0
        assert ours.everything() == before
        assert "--yes" in capsys.readouterr().err


def test_on_a_terminal_only_yes_clears(ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ours.everything()
    leader, follower = pty.openpty()
    with open(follower, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        for answer in ("n", "", "yep"):
            os.write(leader, f"{answer}\n".encode())
            assert clear.run(ours.project, "hard", yes=False, dry_run=False) != 0
            assert ours.everything() == before
        os.write(leader, b"y\n")
        assert clear.run(ours.project, "hard", yes=False, dry_run=False) == 0
    os.close(leader)
    assert ours.layers_there() == {"base", "runtime"}


def test_a_dry_run_shows_and_changes_nothing(ours: Ours, capsys: pytest.CaptureFixture[str]) -> None:
    before = ours.everything()
    assert clear.run(ours.project, "nuke", yes=True, dry_run=True) == 0
    assert ours.everything() == before
    shown = capsys.readouterr().out
    assert all(spec.tag in shown for spec in ours.project.specs)


def test_tags_and_images_that_others_made_of_ours_stay(ours: Ours, tmp_path: Path) -> None:
    """Whatever is built FROM an image of ours inherits its labels."""
    app = ours.client.images.get(ours.tag("app"))
    app.tag(ours.name, "v1.2")
    derived = tmp_path / "derived"
    derived.mkdir()
    (derived / "Dockerfile").write_text(f"FROM {ours.tag('app')}\nCOPY Dockerfile /more\n")
    build(derived, f"{ours.name}-debug:1", {}, "--tag", f"{ours.name}:latest")
    assert clear.run(ours.project, "nuke", yes=True, dry_run=False) == 0
    assert ours.everything() == ([f"{ours.name}-debug:1", f"{ours.name}:latest", f"{ours.name}:v1.2"], 0)
    assert ours.client.images.get(f"{ours.name}:v1.2").id == app.id


def test_the_image_of_a_stopped_container_of_anybody_stays(ours: Ours) -> None:
    container = ours.client.containers.create(ours.tag("deps"), "/tool", name=f"{ours.name}-look")
    try:
        assert clear.run(ours.project, "nuke", yes=True, dry_run=False) == 0
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
    """An engine may hold a thousand of them: it filters by label, and only ours cost a question each."""
    asked: list[str] = []
    inspect = ours.project.images.inspect

    def counted(reference: str) -> Mapping[str, Any] | None:
        asked.append(reference)
        return inspect(reference)

    monkeypatch.setattr(ours.project.images, "inspect", counted)
    found = usage.gather(ours.project)
    assert sorted(asked) == sorted(image.id for image in found.images)
