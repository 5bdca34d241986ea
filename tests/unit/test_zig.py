"""Cross-compilation with zig: what is asked of the machine, what the builder gets, what keys hold."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerdoit.cargo import cross, failures, zig
from layerdoit.config import Config
from layerdoit.core import platform
from layerdoit.core.errors import ConfigError
from layerdoit.project import compiled_for
from layerdoit.project.project import Project
from tests.support.locked_workspace import Tiny
from tests.unit.test_platforms import emulates, session, tree

__all__ = ["emulates", "tree"]

ARM = "aarch64-unknown-linux-gnu"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Python packages of chosen versions, as pip installs them."""

    def add(ziglang: str | None = "0.17.1", zigbuild: str | None = "0.24.1") -> Path:
        folder = tmp_path / f"site-{ziglang}-{zigbuild}"
        for name, version, program in (
            ("ziglang", ziglang, "ziglang/zig"),
            ("cargo_zigbuild", zigbuild, "bin/cargo-zigbuild"),
        ):
            if version is not None:
                about = folder / f"{name}-{version}.dist-info"
                about.mkdir(parents=True)
                called = name.replace("_", "-")
                (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {called}\nVersion: {version}\n")
                (about / "RECORD").write_text(f"{program},,\n")
                (folder / program).parent.mkdir()
                (folder / program).write_text("")
        # What this Python has itself comes after that, or not at all.
        monkeypatch.setattr(sys, "path", [str(folder), *([] if None in (ziglang, zigbuild) else sys.path)])
        return folder

    return add


@pytest.fixture
def crossed(tree: Tiny, emulates: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A project whose images of other platforms zig links, on an amd64 machine."""
    emulates()
    monkeypatch.setattr(compiled_for, "architecture", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    tree.replace("layerdoit.yaml", "toolchain:", "cross: zig\ntoolchain:")
    return tree


def base_of(tree: Tiny) -> dict[str, Any]:
    return dict(session(tree, PLATFORM="arm64").inputs.specs[0].inputs)


def test_what_is_installed(installed: Callable[..., Path]) -> None:
    folder = installed()
    found = zig.installed(None)
    assert (found.folder, found.program) == (folder / "ziglang", folder / "bin/cargo-zigbuild")
    assert found.words == "ziglang 0.17.1, cargo-zigbuild 0.24.1"


@pytest.mark.parametrize(
    ("there", "says", "hint"),
    [
        ((None, None), "needs the Python packages ziglang and cargo-zigbuild, which", "install ziglang cargo-zigbuild"),
        (("0.17.1", None), "needs the Python package cargo-zigbuild, which", "-m pip install cargo-zigbuild;"),
        (("0.9.1", "0.24.1"), "needs ziglang 0.13 or later, and ziglang 0.9.1 is", "install --upgrade ziglang"),
    ],
)
def test_what_is_lacking(
    installed: Callable[..., Path], there: tuple[str | None, str | None], says: str, hint: str
) -> None:
    installed(*there)
    with pytest.raises(ConfigError) as caught:
        zig.installed("layerdoit.yaml:3")
    assert says in caught.value.what
    assert hint in str(caught.value.hint)
    assert caught.value.where == "layerdoit.yaml:3"


def test_keys_have_zig_and_its_target(crossed: Tiny, installed: Callable[..., Path]) -> None:
    installed()
    found = base_of(crossed)
    assert found["linker"] == f"ziglang 0.17.1, cargo-zigbuild 0.24.1, for {ARM}.2.41"
    assert "gcc-" not in found["packages"]
    assert found["targets"] == ARM
    deps = session(crossed, PLATFORM="arm64").inputs.specs[2].inputs
    assert deps["option target"] == ARM
    for name in ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "CC_aarch64_unknown_linux_gnu"):
        assert deps[f"env {name}"] == "/usr/local/zig/bin/cc"
    assert "linker" not in session(crossed).inputs.specs[0].inputs, "for its own platform the builder needs no zig"
    installed("0.16.0")
    assert base_of(crossed)["linker"].startswith("ziglang 0.16.0")


@pytest.mark.parametrize(
    ("settings", "target"),
    [
        ("suite: bookworm", f"{ARM}.2.36"),
        ("runtime_image: 'ubuntu:22.04'", f"{ARM}.2.35"),
        (f"target: {ARM}.2.28", f"{ARM}.2.28"),
        ("target: x86_64-unknown-linux-gnu.2.31", f"{ARM}.2.31"),
        ("target: x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"),
    ],
)
def test_the_glibc_is_the_runtime_s_or_the_named_one(crossed: Tiny, settings: str, target: str) -> None:
    inside = not settings.startswith("target")
    place, given = ("packages:", f"{settings}\n  packages:") if inside else ("toolchain:", f"{settings}\ntoolchain:")
    crossed.replace("layerdoit.yaml", place, given)
    project = Project.open(crossed.root, {"PLATFORM": "arm64"})
    assert compiled_for.linked(project.config, project.way) == target
    assert project.target == platform.glibc_of(target)[0], "cargo knows no versions of glibc"


def test_an_unknown_glibc_has_to_be_named(crossed: Tiny) -> None:
    crossed.replace("layerdoit.yaml", "packages:", "suite: forky\n  packages:")
    project = Project.open(crossed.root, {"PLATFORM": "arm64"})
    with pytest.raises(ConfigError, match="that of forky is not known") as caught:
        compiled_for.linked(project.config, project.way)
    assert f"target: {ARM}.2.31" in str(caught.value.hint)
    assert str(caught.value.where).startswith("layerdoit.yaml:")


@pytest.mark.usefixtures("emulates")
def test_only_zig_links_for_a_named_glibc(tree: Tiny) -> None:
    tree.replace("layerdoit.yaml", "toolchain:", f"target: {ARM}.2.31\ntoolchain:")
    with pytest.raises(ConfigError, match="names a version of glibc, and only zig links") as caught:
        session(tree)
    assert "cross: zig" in str(caught.value.hint)
    assert caught.value.where == "layerdoit.yaml:2"


def test_another_system_s_zig_is_refused(crossed: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="which is of linux/amd64, and could not run it") as caught:
        base_of(crossed)
    assert "cross: gcc" in str(caught.value.hint)


def test_a_run_with_nothing_to_do_sees_another_zig(crossed: Tiny, installed: Callable[..., Path]) -> None:
    installed()
    before = session(crossed, PLATFORM="arm64")
    before.inputs.tree.remember("here", [])
    again = session(crossed, PLATFORM="arm64").inputs.tree
    assert again.remembered("here") is not None
    installed("0.18.0")
    assert session(crossed, PLATFORM="arm64").inputs.tree.remembered("here") is None


def test_libclang_gets_the_headers_that_zig_has_itself() -> None:
    arm = platform.platform_of("arm64")
    assert arm is not None
    assert cross.packages(["libclang-dev"], arm, "zig").native == ("libc6-dev-arm64-cross", "libclang-dev")
    assert cross.packages(["libssl-dev"], arm, "zig") == cross.Packages((), ("libssl-dev",), "arm64")


def test_a_zig_that_does_not_know_the_glibc_is_told() -> None:
    said = "error: unable to find glibc 2.99\nerror: zig 0.17.1 does not link for aarch64-unknown-linux-gnu.2.99\n"
    advice = failures.advice(said, Config())
    assert advice is not None
    assert advice.sentence.startswith(f"zig 0.17.1 does not link for {ARM}.2.99\nerror: unable to find glibc 2.99")
    assert "pip install --upgrade ziglang cargo-zigbuild" in advice.setting
