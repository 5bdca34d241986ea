"""The values that carry a run: one reading of a tree, the question about it, the engine, and the run itself."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit.core import command_errors, process
from layerdoit.core.errors import EngineError
from layerdoit.core.platform import architecture, docker_name
from layerdoit.engine import handle, mounts
from layerdoit.engine.builder_platform import described
from layerdoit.engine.handle import Engine
from layerdoit.flows.session import Session
from layerdoit.project import question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.project.snapshot import Tree
from tests.support import locked_workspace
from tests.support.files import write
from tests.support.locked_workspace import Tiny
from tests.support.server import Handler, serving

PLATFORM = "linux/amd64"
PLACE = "this engine"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A workspace in a folder of a repository; no engine answers."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    return locked_workspace.make(tmp_path / "up" / "tiny")


def inputs(root: Path) -> Inputs:
    project = Project.open(root, {})
    return Inputs(Tree(project), question.build(project, PLATFORM))


def remember(found: Inputs) -> None:
    found.tree.remember(PLACE, [(spec.layer, spec.key, spec.repository) for spec in found.specs])


# --- the fast path ---------------------------------------------------------------------------------------------------


def test_what_was_found_out_is_believed_while_nothing_changed(tree: Tiny) -> None:
    found = inputs(tree.root)
    remember(found)
    answer = Tree(Project.open(tree.root, {})).remembered(PLACE)
    assert answer is not None
    assert [spec.key for spec in answer.layers()] == [spec.key for spec in found.specs]
    assert Tree(Project.open(tree.root, {})).remembered("another engine") is None
    assert Tree(Project.open(tree.root, {"PROFILE": "release"})).remembered(PLACE) is None


@pytest.mark.parametrize("more", ['components = ["clippy"]', 'profile = "minimal"\ncomponents = ["rustfmt"]'])
def test_a_toolchain_file_above_the_project_counts_as_a_whole(tree: Tiny, more: str) -> None:
    """It is no file of the tree, and the compiler that it names may stay the same."""
    tree.replace("layerdoit.yaml", "toolchain: 1.95.0\n", "")
    above = tree.root.parent / "rust-toolchain.toml"
    above.write_text('[toolchain]\nchannel = "1.95.0"\n')
    before = inputs(tree.root)
    remember(before)
    above.write_text(f'[toolchain]\nchannel = "1.95.0"\n{more}\n')
    after = inputs(tree.root)
    assert after.specs[0].key != before.specs[0].key
    assert after.tree.remembered(PLACE) is None, "the last answer is about another base"


def test_every_part_of_what_is_given_is_signed(tree: Tiny) -> None:
    found = inputs(tree.root)
    text = repr(found.given)
    for part in (found.given.config, found.given.toolchain, found.given.platform, found.given.version):
        assert repr(part) in text
    assert {name for name, _ in found.given.recipes} == {
        *("Dockerfile.app", "Dockerfile.base", "Dockerfile.deps"),
        *("build.sh", "compile.sh", "cook.sh", "runtime.sh", "shared.sh", "sync.sh", "variables.sh"),
        *("lend.sh", "stubs.sh", "units.sh"),
        *("reads.sh", "reads.c", "trace.c", "calls.h", "mark.h", "hook.c", "texts.h"),
    }


# --- reading again ---------------------------------------------------------------------------------------------------

MANIFEST = '[package]\nname = "{0}"\nversion = "0.1.0"\nedition = "2021"\n'
LOCK = 'version = 4\n\n[[package]]\nname = "{0}"\nversion = "0.1.0"\n'


def branch(root: Path, name: str, settings: str) -> None:
    files = {
        "Cargo.toml": MANIFEST.format(name),
        "Cargo.lock": LOCK.format(name),
        "src/main.rs": f"fn main() {{}} // {name}\n",
    }
    write(root, {**files, "layerdoit.yaml": f"toolchain: 1.95.0\n{settings}"})


def test_a_tree_that_is_read_again_is_new_in_every_respect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a run waits for another one while the branch is switched."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    root = tmp_path / "app"
    branch(root, "hello", "profile: dev\n")
    session = Session(Run(), Project.open(root, {}))
    first = session.inputs
    assert (first.entrypoint, session.project.name, first.variant) == ("hello", "hello", "dev/host")
    keys = [spec.key for spec in first.specs]
    branch(root, "world", "profile: release\ntarget: x86_64-unknown-linux-musl\nimage: {workdir: /srv}\n")
    session.read_again()
    second = session.inputs
    assert second.entrypoint == second.settings["entrypoint"] == "world"
    assert (session.project.name, session.project.repository) == ("world", "world")
    assert second.variant == "release/x86_64-unknown-linux-musl"
    assert second.tree.targets == ("x86_64-unknown-linux-musl",)
    assert second.settings["workdir"] == "/srv"
    fresh = Session(Run(), Project.open(root, {})).inputs
    assert [spec.key for spec in second.specs] == [spec.key for spec in fresh.specs]
    assert not set(keys) & {spec.key for spec in second.specs[2:]}
    assert [spec.key for spec in first.specs] == keys, "what was read before stays as it was read"


# --- questions -------------------------------------------------------------------------------------------------------


def test_a_check_shares_base_images_and_nothing_else(tree: Tiny) -> None:
    project = Project.open(tree.root, {})
    building = Inputs(Tree(project), question.build(project, PLATFORM))
    checking = Inputs(Tree(project), question.check(project, PLATFORM))
    assert [spec.key for spec in checking.specs[:2]] == [spec.key for spec in building.specs[:2]]
    assert not {spec.key for spec in checking.specs[2:]} & {spec.key for spec in building.specs[2:]}
    assert (checking.variant, checking.question.tags, checking.entrypoint) == ("dev+check/host", (), "")
    assert "app" not in checking.question.shared
    assert checking.scripts("build.sh")["build.sh"].endswith(building.scripts("build.sh")["build.sh"])


def test_no_measurement_is_found_again(tree: Tiny) -> None:
    project = Project.open(tree.root, {})
    building = Inputs(Tree(project), question.build(project, PLATFORM))
    measured = [Inputs(Tree(project), question.measure(project, PLATFORM, {}, unique)) for unique in ("1", "2")]
    assert {tuple(spec.key for spec in one.specs[:3]) for one in (building, *measured)} == {
        tuple(spec.key for spec in building.specs[:3])
    }
    assert len({one.specs[3].key for one in (building, *measured)}) == 3


# --- runs ------------------------------------------------------------------------------------------------------------


def test_another_process_works_on_the_same_run(tree: Tiny) -> None:
    session = Session(Run("cycle_fast", "api"), Project.open(tree.root, {"PROFILE": "release"}))
    session.build_from_scratch({"deps": "cache_refresh"})
    session.run.reported.add("base")
    session.run.spend("plan", 1.5)
    session.run.head(tree.root)
    other = pickle.loads(pickle.dumps(session))
    assert other.run.token == session.run.token
    assert (other.run.asked, other.run.prefix, other.run.task("image")) == ("cycle_fast", "api", "api:image")
    assert (other.run.reported, other.run.spent) == ({"base"}, {"plan": 1.5})
    assert other.project.config == session.project.config
    assert other._from_scratch == {"deps": "cache_refresh"}


# --- engines ---------------------------------------------------------------------------------------------------------

BUILDX = """\
Name:          {name}
Driver:        {driver}

Nodes:
Name:      {name}0
Endpoint:  unix:///var/run/docker.sock
Status:    running
Platforms: {platforms}
"""


class Buildx:
    """`docker buildx`, as far as it is asked; `asked`: the words of each call."""

    def __init__(self, driver: str, platforms: str) -> None:
        self.driver = driver
        self.platforms = platforms
        self.asked: list[list[str]] = []

    def quick(self, argv: list[str], **_: object) -> bytes:
        self.asked.append(argv)
        return BUILDX.format(name=argv[-1], driver=self.driver, platforms=self.platforms).encode()


@pytest.fixture
def buildx(monkeypatch: pytest.MonkeyPatch) -> Buildx:
    found = Buildx("docker-container", "linux/arm64, linux/amd64*")
    monkeypatch.setattr(process, "capture_quick", found.quick)
    return found


class Arm(Handler):
    """An engine on an ARM machine."""

    def get(self) -> None:
        self.answer(200, json.dumps({"Os": "linux", "Arch": "arm64"}).encode())


@pytest.fixture
def arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path / "arm.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    with serving(socket, Arm):
        yield


@pytest.mark.usefixtures("arm")
def test_keys_have_the_platform_of_the_engine(tmp_path: Path) -> None:
    tree = locked_workspace.make(tmp_path / "tiny")
    session = Session(Run(), Project.open(tree.root, {}))
    assert session.inputs.specs[0].inputs["platform"] == "linux/arm64"
    here = f"linux/{docker_name(architecture())}"
    other = Inputs(session.tree, question.build(session.project, here))
    assert (other.specs[0].key == session.inputs.specs[0].key) is (here == "linux/arm64")


def test_another_engine_is_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out about one is not believed of another, which may have another platform."""
    monkeypatch.setenv("BUILDX_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "unix:///one.sock")
    one, farm = Engine().place, Engine("farm").place
    write(tmp_path, {"instances/farm": '{"Nodes": [{"Endpoint": "ssh://amd"}]}'})
    described = Engine("farm").place
    write(tmp_path, {"instances/farm": '{"Nodes": [{"Endpoint": "ssh://arm"}]}'})
    changed = Engine("farm").place
    monkeypatch.setenv("DOCKER_HOST", "ssh://arm-box")
    other = Engine().place
    monkeypatch.setattr(handle, "architecture", lambda: "riscv64gc")
    assert len({one, farm, described, changed, other, Engine().place}) == 6


def test_a_builder_of_its_own_says_its_platform_once(tree: Tiny, buildx: Buildx) -> None:
    session = Session(Run(), Project.open(tree.root, {"BUILDER": "farm"}))
    assert session.inputs.specs[0].inputs["platform"] == "linux/arm64"
    assert session.engine.platform == "linux/arm64"
    assert not session.engine.is_local
    assert [argv[-1] for argv in buildx.asked] == ["farm"]


@pytest.mark.parametrize(
    ("driver", "platforms", "platform", "every"),
    [
        ("docker-container", "linux/amd64, linux/amd64/v2, linux/386", "linux/amd64", "linux/386"),
        ("remote", "linux/arm64*, linux/amd64", "linux/arm64", "linux/amd64"),
        ("kubernetes", "linux/amd64/v3", "linux/amd64", "linux/amd64"),
        ("docker-container", "linux/arm/v7, linux/arm/v6", "linux/arm/v7", "linux/arm/v6"),
    ],
)
def test_what_a_builder_says(driver: str, platforms: str, platform: str, every: str) -> None:
    found = described("b", BUILDX.format(name="b", driver=driver, platforms=platforms))
    assert (found.driver, found.platform) == (driver, platform)
    assert {platform, every} <= set(found.platforms)


@pytest.mark.parametrize(
    ("driver", "endpoint", "near"),
    [
        ("docker-container", "default", True),
        ("docker-container", "ssh://farm", False),
        ("remote", "unix:///run/buildkit.sock", True),
        ("remote", "tcp://127.0.0.1:1234", True),
        ("remote", "tcp://10.0.0.1:1234", False),
        ("kubernetes", "kubernetes:///farm", False),
    ],
)
def test_a_builder_on_this_machine_is_known(driver: str, endpoint: str, near: bool) -> None:
    text = f"Driver: {driver}\n\nNodes:\nName: b0\nEndpoint: {endpoint}\nPlatforms: linux/amd64\n"
    assert described("b", text).near is near


def test_a_builder_that_does_not_start_is_named() -> None:
    with pytest.raises(EngineError, match="builder farm does not report"):
        described("farm", "Name: farm\nDriver: docker-container\n\nNodes:\nName: farm0\nError: no such host\n")


def test_mounts_are_listed_and_cleared_on_the_same_builder(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def captured(argv: list[str], *_: Any, **__: Any) -> Any:
        asked.append(argv)
        return b"" if "du" in argv else process.Completed(0, "abc", "")

    monkeypatch.setattr(process, "capture_quick", captured)
    monkeypatch.setattr(process, "capture", captured)
    engine = Engine("farm")
    assert engine.mounts("shop") == ()
    assert engine.prune(mounts.Mount("abc", "layerdoit/shop/0/dev/host", "0", "dev/host", 1, 0.0, in_use=False)) is True
    assert ["du" in asked[0], "prune" in asked[1]] == [True, True]
    assert [argv[-2:] for argv in asked] == [["--builder", "farm"]] * 2


def test_a_builder_that_is_not_there_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(argv: list[str], **_: object) -> bytes:
        raise command_errors.CommandFailed(argv, 1, "", 'ERROR: no builder "nonsense" found\n')

    monkeypatch.setattr(process, "capture_quick", refused)
    with pytest.raises(EngineError, match='builder nonsense cannot be used: no builder "nonsense" found') as told:
        _ = Engine("nonsense").platform
    assert "docker buildx ls" in str(told.value.hint)


@pytest.mark.parametrize(
    ("asked", "prefix", "deploys"),
    [
        ("", "", False),
        ("image", "", False),
        ("deploy", "", False),
        ("cycle_fast", "", True),
        ("PROFILE=release cycle_clean", "", True),
        ("image cycle_fast", "", False),
        ("api:cycle_fast", "api", True),
        ("api:cycle_fast", "web", False),
        ("api:cycle_fast web:image", "api", True),
    ],
)
def test_a_run_that_ends_in_a_deployment(asked: str, prefix: str, deploys: bool) -> None:
    assert Run(asked, prefix).deploys is deploys
