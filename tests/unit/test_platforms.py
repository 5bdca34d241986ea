"""Platforms: their names, the way to each, and what a session for one of them is about."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from layerdoit.cargo.toolchain import Toolchain
from layerdoit.config import Base, variable_value
from layerdoit.core import process
from layerdoit.core.errors import ConfigError, DeployError, EngineError
from layerdoit.core.platform import PLATFORMS, platform_of
from layerdoit.engine import broker
from layerdoit.engine.handle import Engine
from layerdoit.engine.images import Images
from layerdoit.engine.platform_way import Way
from layerdoit.engine.registry_answers import Refusal
from layerdoit.flows import conditions, publishing
from layerdoit.flows.deploying import Place
from layerdoit.flows.session import Session
from layerdoit.layers.key import Spec
from layerdoit.project import compiled_for, question
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.publish.published_image import Target
from tests.support import locked_workspace
from tests.support.locked_workspace import Tiny
from tests.support.server import Handler, serving


class Amd(Handler):
    """An engine on an amd64 machine."""

    def get(self) -> None:
        self.answer(200, json.dumps({"Os": "linux", "Arch": "amd64"}).encode())


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tiny]:
    socket = tmp_path / "amd.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    with serving(socket, Amd):
        yield locked_workspace.make(tmp_path / "tiny")


def session(tree: Tiny, **variables: str) -> Session:
    return Session(Run(), Project.open(tree.root, variables))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("linux/arm64", "linux/arm64"),
        ("arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("arm", "linux/arm/v7"),
        ("amd64", "linux/amd64"),
    ],
)
def test_names(written: str, name: str) -> None:
    assert variable_value("PLATFORM", written) == name


@pytest.mark.parametrize("written", ["linux/arm46", "windows/amd64", "linux/", ""])
def test_unknown_names(written: str) -> None:
    with pytest.raises(ConfigError, match=r"PLATFORM") as caught:
        variable_value("PLATFORM", written)
    assert caught.value.exit_code == 2


def test_triples() -> None:
    assert [one.triple() for one in PLATFORMS][:3] == [
        "x86_64-unknown-linux-gnu",
        "aarch64-unknown-linux-gnu",
        "armv7-unknown-linux-gnueabihf",
    ]
    arm = platform_of("arm64")
    assert arm is not None
    assert arm.triple("musl") == "aarch64-unknown-linux-musl"


def test_the_engine_s_platform_is_the_default(tree: Tiny) -> None:
    plain = session(tree)
    assert plain.platforms == ("linux/amd64",)
    assert plain.project.way is None
    named = plain.on("linux/amd64")
    assert (named.engine.platform, named.engine.build_platform) == ("linux/amd64", "linux/amd64")
    assert [one.key for one in named.inputs.specs] == [one.key for one in plain.inputs.specs]
    assert named.inputs.variant == plain.inputs.variant


def test_the_configured_platforms_are_those_that_are_published(tree: Tiny) -> None:
    tree.replace("layerdoit.yaml", "toolchain:", "platforms: [amd64, arm64]\ntoolchain:")
    plain = session(tree)
    assert plain.platforms == ("linux/amd64", "linux/arm64")
    assert plain.engine.platform == "linux/amd64", "all other tasks are about the engine's"


def test_a_session_for_a_platform_stays_one(tree: Tiny) -> None:
    on = session(tree).on("linux/amd64")
    on.read_again()
    assert on.project.platform == "linux/amd64"
    assert pickle.loads(pickle.dumps(on)).project.platform == "linux/amd64"


# --- the way ---------------------------------------------------------------------------------------------------------

BUILDX = """\
Name:          default
Driver:        docker

Nodes:
Name:      default
Endpoint:  default
Status:    running
Platforms: {platforms}
"""


@pytest.fixture
def emulates(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What `docker buildx inspect` says of the builder's platforms."""

    def said(*platforms: str) -> None:
        text = BUILDX.format(platforms=", ".join(("linux/amd64", "linux/amd64/v2", *platforms)))
        monkeypatch.setattr(process, "capture_quick", lambda _argv, **_: text.encode())

    said()
    return said


@pytest.mark.parametrize(
    ("settings", "emulated", "kind", "linker", "runs"),
    [
        ("", (), "cross", "gcc", False),
        ("", ("linux/arm64",), "cross", "gcc", True),
        ("cross: gcc\n", (), "cross", "gcc", False),
        ("cross: never\n", ("linux/arm64",), "emulated", "", True),
    ],
)
def test_the_way_to_another_platform(
    tree: Tiny,
    emulates: Callable[..., None],
    settings: str,
    emulated: tuple[str, ...],
    kind: str,
    linker: str,
    runs: bool,
) -> None:
    emulates(*emulated)
    tree.replace("layerdoit.yaml", "toolchain:", f"{settings}toolchain:")
    way = session(tree, PLATFORM="arm64").project.way
    assert way is not None
    assert (way.kind, way.linker, way.runs, way.foreign) == (kind, linker, runs, True)
    assert way.build_platform == ("linux/arm64" if kind == "emulated" else "linux/amd64")
    assert ("runs no programs of linux/arm64" in way.why) is not runs


@pytest.mark.parametrize("name", ["arm64", "linux/arm64"])
def test_a_builder_of_the_platform_comes_first(tree: Tiny, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tree.replace("layerdoit.yaml", "toolchain:", f"builders: {{{name}: farm}}\ntoolchain:")
    text = BUILDX.replace("linux/amd64, linux/amd64/v2", "linux/arm64").format(platforms="linux/arm64")
    monkeypatch.setattr(process, "capture_quick", lambda _argv, **_: text.encode())
    on = session(tree, PLATFORM="arm64")
    way = on.project.way
    assert way is not None
    assert (way.kind, way.builder, way.foreign, way.elsewhere) == ("native", "farm", False, True)
    assert (on.engine.builder, on.engine.platform, on.inputs.variant) == ("farm", "linux/arm64", "dev/arm64")
    tree.replace("layerdoit.yaml", "builders:", "cross: gcc\nbuilders:")
    forced = session(tree, PLATFORM="arm64").project.way
    assert forced is not None
    assert forced.kind == "cross"


@pytest.mark.usefixtures("emulates")
def test_a_builder_of_another_platform_is_refused(tree: Tiny) -> None:
    tree.replace("layerdoit.yaml", "toolchain:", "builders: {arm64: farm}\ntoolchain:")
    with pytest.raises(EngineError, match="farm builds for linux/amd64, and is named for linux/arm64") as caught:
        _ = session(tree, PLATFORM="arm64").engine
    assert caught.value.where == "layerdoit.yaml:2"


@pytest.mark.usefixtures("emulates")
def test_what_the_engine_cannot_run_is_not_deployed_there(tree: Tiny) -> None:
    with pytest.raises(DeployError, match="this engine runs no programs of this platform") as caught:
        Place.of(session(tree, PLATFORM="arm64"))
    assert caught.value.where == "PLATFORM=arm64"


def test_a_layer_for_another_platform_is_not_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What compiles runs on the builder's platform; what is made is for the one that was asked for."""
    base, runtime = Spec.of_key("base", "b" * 64, "p"), Spec.of_key("runtime", "c" * 64, "p")
    here = {base.tag: "amd64", runtime.tag: "arm64"}

    def inspect(_: Images, tag: str) -> dict[str, Any]:
        spec = base if tag == base.tag else runtime
        labels = {"io.layerdoit.layer": spec.layer, "io.layerdoit.key": spec.key}
        return {"Os": "linux", "Architecture": here[tag], "Config": {"Labels": labels}}

    monkeypatch.setattr(Images, "inspect", inspect)
    cross = Engine("own", Way("linux/arm64", "cross", None, "linux/amd64", "", "gcc", elsewhere=True))
    assert set(cross.labels_of([base, runtime])) == {base.tag, runtime.tag}
    assert capsys.readouterr().err == ""
    here |= {base.tag: "arm64", runtime.tag: "s390x"}
    assert [cross.labels_of([base, runtime]) for _ in range(2)] == [{}, {}]
    warned = capsys.readouterr().err
    assert f"{base.tag} is an image for linux/arm64, not for linux/amd64: it is not used" in warned
    assert warned.count("is not used") == 2, "each is told once"
    here |= {base.tag: "", runtime.tag: ""}
    assert set(cross.labels_of([base, runtime])) == {base.tag, runtime.tag}, "what is not said is not judged"


def test_an_image_of_unpacked_packages_is_not_published_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    origins = {"p:app-1": "image", "p:app-2": "unpacked"}

    def labels(tags: Iterable[str]) -> dict[str, dict[str, str]]:
        return {tag: {"io.layerdoit.origin": origins[tag]} for tag in tags if tag in origins}

    named = {"linux/amd64": "p:app-1", "linux/arm64": "p:app-2", "linux/s390x": "p:app-3"}
    specs = {platform: SimpleNamespace(tag=tag) for platform, tag in named.items()}
    target = SimpleNamespace(repository="r.example/p", specs=specs, images=SimpleNamespace(labels=labels))
    publishing.tell_unpacked(cast("Target", target))
    warned = capsys.readouterr().err
    assert warned.startswith("layerdoit: r.example/p for linux/arm64: the packages of its system are unpacked")
    assert warned.count("are unpacked") == 1


def test_how_an_image_is_started_is_told_where_it_can_be(tree: Tiny, emulates: Callable[..., None]) -> None:
    assert conditions.started_with(session(tree).project) == ()
    assert conditions.started_with(session(tree, PLATFORM="amd64").project) == ()
    assert conditions.started_with(session(tree, PLATFORM="arm64").project) is None
    emulates("linux/arm64")
    assert conditions.started_with(session(tree, PLATFORM="arm64").project) == ("--platform", "linux/arm64")


@pytest.mark.usefixtures("emulates")
def test_tests_that_could_not_run_are_not_compiled(tree: Tiny) -> None:
    with pytest.raises(ConfigError, match="could not run on linux/amd64") as caught:
        _ = session(tree, PLATFORM="arm64").asking(question.check).inputs
    assert caught.value.where == "PLATFORM=arm64"


@pytest.mark.usefixtures("emulates")
def test_no_way_to_a_platform(tree: Tiny) -> None:
    tree.replace("layerdoit.yaml", "toolchain:", "cross: never\ntoolchain:")
    with pytest.raises(EngineError, match="nothing here can build for linux/s390x") as caught:
        _ = session(tree, PLATFORM="s390x").engine
    assert caught.value.where == "layerdoit.yaml:2"
    assert "QEMU" in str(caught.value.hint)


@pytest.mark.usefixtures("emulates")
def test_keys_of_a_cross_compiled_image(tree: Tiny) -> None:
    plain, on = session(tree), session(tree, PLATFORM="arm64")
    here = {spec.layer: spec for spec in plain.inputs.specs}
    there = {spec.layer: spec for spec in on.inputs.specs}
    assert not {spec.key for spec in here.values()} & {spec.key for spec in there.values()}
    assert there["base"].inputs["platform"] == "linux/amd64", "what compiles runs here"
    assert there["runtime"].inputs["platform"] == "linux/arm64"
    assert there["base"].inputs["targets"] == "aarch64-unknown-linux-gnu"
    assert "gcc-aarch64-linux-gnu" in there["base"].inputs["packages"]
    assert there["deps"].inputs["option target"] == "aarch64-unknown-linux-gnu"
    linker = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER"
    assert there["deps"].inputs[f"env {linker}"] == "aarch64-linux-gnu-gcc"
    assert on.inputs.variant == "dev/aarch64-unknown-linux-gnu"
    assert (plain.project.tags, on.project.tags) == (("latest",), ("latest-arm64",))
    assert on.engine.place != plain.engine.place


def test_keys_of_an_emulated_image(tree: Tiny, emulates: Callable[..., None]) -> None:
    emulates("linux/arm64")
    tree.replace("layerdoit.yaml", "toolchain:", "cross: never\ntoolchain:")
    on = session(tree, PLATFORM="arm64")
    there = {spec.layer: spec for spec in on.inputs.specs}
    assert {there[name].inputs["platform"] for name in ("base", "runtime")} == {"linux/arm64"}
    assert "option target" not in there["deps"].inputs
    assert on.inputs.variant == "dev/arm64"


@pytest.mark.usefixtures("emulates")
def test_a_setting_of_one_s_own_comes_first(tree: Tiny) -> None:
    (tree.root / "layerdoit.yaml").write_text(
        "toolchain: 1.95.0\ntarget: x86_64-unknown-linux-musl\n"
        "env: {CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER: ld.lld}\n"
        "base: {packages: [libssl-dev=3.0, cmake, protobuf-compiler, libprotobuf-dev, libclang-dev]}\n",
    )
    project = session(tree, PLATFORM="arm64").project
    assert project.target == "aarch64-unknown-linux-musl"
    assert project.env["CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER"] == "ld.lld"
    assert project.env["CC_aarch64_unknown_linux_musl"] == "aarch64-linux-gnu-gcc"
    assert compiled_for.packages(project.config, project.way).foreign == ("libssl-dev=3.0",), (
        "others are tools, or loaded by tools"
    )
    assert "libssl-dev:arm64=3.0" in compiled_for.packages(project.config, project.way).every


# --- base images of another platform ---------------------------------------------------------------------------------

ONLY = Refusal("absent", "it is there only for linux/amd64")


def engine_for(kind: str, *, runs: bool, refusal: Refusal | None = None) -> Any:
    """An engine on amd64 that is asked for arm64, as far as base images ask it."""
    way = Way("linux/arm64", cast("Any", kind), None, "linux/amd64", "", "", runs, True)
    return SimpleNamespace(
        way=way,
        builder="default",
        native="linux/amd64",
        platform=way.platform,
        build_platform=way.build_platform,
        is_local=True,
        pull_parent=lambda _: None,
        offers_for=lambda *_, **__: refusal,
    )


RUST = Toolchain("1.95.0", "1.95.0", None, "x86_64-unknown-linux-gnu", "rust-toolchain.toml", ())


@pytest.mark.parametrize(
    ("base", "layer", "engine", "says", "hint"),
    [
        (
            {"runtime_image": "corp/os:1"},
            "runtime",
            engine_for("cross", runs=True, refusal=ONLY),
            "base.runtime_image names corp/os:1, which is not available for linux/arm64: it is there only for",
            "remove base.runtime_image",
        ),
        (
            {"runtime_image": "corp/os:1"},
            "runtime",
            engine_for("cross", runs=False),
            "builder default runs no programs of this platform, so that nothing can be installed in it",
            "QEMU",
        ),
        (
            {"image": "corp/rust:1"},
            "base",
            engine_for("emulated", runs=True, refusal=ONLY),
            "base.image names corp/rust:1, which is not available for linux/arm64",
            "remove base.image",
        ),
        (
            {"builder": "image"},
            "runtime",
            engine_for("cross", runs=True, refusal=ONLY),
            "the image debian:trixie-slim is not available for linux/arm64",
            "base.builder: image",
        ),
        (
            {"builder": "bootstrap"},
            "base",
            engine_for("emulated", runs=True),
            "Rust 1.95.0 for linux/arm64 is not installed on this machine",
            "--force-non-host 1.95.0-aarch64-unknown-linux-gnu",
        ),
    ],
)
def test_a_base_that_lacks_the_platform(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    base: dict[str, str],
    layer: str,
    engine: Any,
    says: str,
    hint: str,
) -> None:
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    with pytest.raises(EngineError) as caught:
        broker.origin(Base(**cast("Any", base)), RUST if layer == "base" else None, (), layer, tmp_path, engine)
    assert says in caught.value.what
    assert hint in str(caught.value.hint)


def test_where_base_images_of_another_platform_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUSTUP_HOME", str(tmp_path))
    (tmp_path / "toolchains/1.95.0-aarch64-unknown-linux-gnu/bin").mkdir(parents=True)
    (tmp_path / "toolchains/1.95.0-aarch64-unknown-linux-gnu/bin/rustc").touch()
    made: list[tuple[str, str]] = []

    def make(suite: str, platform: str) -> str:
        made.append((suite, platform))
        return "layerdoit-os:made"

    monkeypatch.setattr(broker, "bootstrap_os", make)

    def method(layer: str, engine: Any, **base: str) -> tuple[str, str]:
        chosen = RUST if layer == "base" else None
        found = broker.origin(Base(**cast("Any", base)), chosen, (), layer, tmp_path, engine)
        return found.method, found.os_image

    assert method("runtime", engine_for("cross", runs=True)) == ("image", "debian:trixie-slim")
    assert method("runtime", engine_for("cross", runs=False)) == ("unpacked", "debian:trixie-slim")
    assert method("runtime", engine_for("cross", runs=True, refusal=ONLY))[0] == "unpacked", (
        "there is none to start from"
    )
    assert method("base", engine_for("emulated", runs=True)) == ("image", "scratch")
    assert made == []
    away = engine_for("emulated", runs=True, refusal=ONLY)
    assert method("base", away) == method("runtime", away) == ("bootstrap", "layerdoit-os:made")
    assert made == [("trixie", "linux/arm64")] * 2
