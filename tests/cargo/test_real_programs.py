"""Real programs of crates.io, and the example: cargo sees the same in the stub as in the tree.

Checkouts of one's own are added with LAYERDOIT_REAL_PROJECTS=<folder>; LAYERDOIT_REAL_BUILDS="<name> …" compiles some.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from layerdoit.cargo import manifest
from tests.support.cargo import (
    CARGO,
    environment,
    home,
    not_fresh,
    packages,
    real_environment,
    replace_by_real,
    run,
    tree,
    units,
    write_stub,
)

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE, SHOP = (REPOSITORY / "examples" / name for name in ("bookshelf", "shop"))
REAL = os.environ.get("LAYERDOIT_REAL_PROJECTS")
BUILDS = os.environ.get("LAYERDOIT_REAL_BUILDS", "").split()  # which of them to compile: takes minutes

pytestmark = pytest.mark.skipif(CARGO is None, reason="no cargo on this machine")


def same(root: Path, tmp_path: Path, *more: str) -> None:
    place, chosen = write_stub(root, tmp_path / "stub", None)
    env = real_environment()
    run(["cargo", "metadata", "--locked", "--format-version=1"], place, env)
    for options in ((), ("--target", "all")):
        assert tree(place, chosen, env, *options) == tree(root, chosen, env, *options)
    assert units(place, chosen, env, *more) == units(root, chosen, env, *more)


def _online() -> bool:
    """Can cargo reach crates.io? Asked once, only for the tests that need it."""
    command = [str(CARGO), "info", "--registry", "crates-io", "cfg-if"]
    return subprocess.run(command, capture_output=True, env=environment(), check=False, cwd="/").returncode == 0


@pytest.fixture(scope="session")
def crates_io() -> None:
    if not _online():
        pytest.skip("crates.io cannot be reached")


@pytest.mark.parametrize("profile", ["dev", "release"])
@pytest.mark.parametrize("example", [EXAMPLE, SHOP], ids=lambda one: one.name)
def test_example(example: Path, profile: str, crates_io: None, tmp_path: Path) -> None:
    if not (example / "Cargo.lock").is_file():
        pytest.skip("the example is not there")
    same(example, tmp_path, "--profile", profile)


# Programs as their authors published them, with the Cargo.lock in the package: small ones, of many shapes.
PUBLISHED = {
    "bat": "0.25.0",  # build script, many optional crates
    "du-dust": "1.1.2",
    "exa": "0.10.1",  # the oldest form of lock
    "eza": "0.20.0",  # a vendored C library behind a feature
    "fd-find": "10.2.0",  # an allocator for some targets only
    "hexyl": "0.16.0",
    "hyperfine": "1.19.0",
    "just": "1.40.0",
    "procs": "0.14.8",  # other crates for each operating system
    "ripgrep": "14.1.1",  # a feature that switches on a feature of a dependency
    "sd": "1.0.0",  # a build script
    "tokei": "12.1.2",  # many binary formats, each a feature
    "zoxide": "0.9.7",
}

UNSWITCHED = {"du-dust", "hexyl", "hyperfine", "just", "sd", "zoxide"}
"""Those whose features, if they have any, switch no crate on."""


def published(name: str, folder: Path) -> Path:
    """A program's package, fetched and unpacked by cargo, in a folder of its own; this machine's cargo judges it."""
    env, version = real_environment(), PUBLISHED[name]
    home = Path(env.get("CARGO_HOME", Path(env["HOME"]) / ".cargo"))
    # cargo leaves this mark when all of a package is there; a published version never changes.
    unpacked = f"registry/src/*/{name}-{version}/.cargo-ok"
    if not any(home.glob(unpacked)):
        run(["cargo", "info", "--quiet", "--registry", "crates-io", f"{name}@{version}"], Path("/"), env)
    source = next(home.glob(unpacked)).parent
    ignored = shutil.ignore_patterns(".cargo-ok", ".cargo_vcs_info.json", "rust-toolchain*")
    shutil.copytree(source, folder, ignore=ignored)
    return folder


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_program(name: str, crates_io: None, tmp_path: Path) -> None:
    root = published(name, tmp_path / "checkout" / "_")
    place, chosen = write_stub(root, tmp_path / "stub", None)
    env = real_environment()
    run(["cargo", "metadata", "--locked", "--format-version=1"], place, env)
    found = set()
    for features in ((), ("--no-default-features",), ("--all-features",)):
        for target in ((), ("--target", "all")):
            assert tree(place, chosen, env, *features, *target) == tree(root, chosen, env, *features, *target)
        compiled = units(place, chosen, env, "--release", *features)
        assert compiled == units(root, chosen, env, "--release", *features)
        found.add(frozenset(compiled))
    assert frozenset() not in found
    assert (len(found) > 1) is (name not in UNSWITCHED), "features that switch crates on make different graphs"


def _checkouts() -> list[Path]:
    return sorted(path.parent for path in Path(REAL).glob("*/Cargo.toml")) if REAL else []


@pytest.mark.skipif(not REAL, reason="opt-in: LAYERDOIT_REAL_PROJECTS names a folder of checkouts")
@pytest.mark.parametrize("profile", ["dev", "release"])
@pytest.mark.parametrize("root", _checkouts(), ids=lambda path: path.name)
def test_real_project(root: Path, profile: str, crates_io: None, tmp_path: Path) -> None:
    same(root, tmp_path, "--profile", profile)


TO_BUILD = [root for root in (EXAMPLE, *_checkouts()) if root.name in BUILDS]


@pytest.mark.skipif(not TO_BUILD, reason="opt-in: LAYERDOIT_REAL_BUILDS names checkouts to compile")
@pytest.mark.parametrize("root", TO_BUILD, ids=lambda path: path.name)
def test_real_build(root: Path, crates_io: None, tmp_path: Path) -> None:
    """Cook the stub, put the sources in its place, build: no external crate may be compiled the second time."""
    ws = manifest.load(root)
    top, target, env = tmp_path / "context", tmp_path / "target", real_environment()
    place, chosen = write_stub(root, top, None)
    assert not_fresh(place, packages(chosen), target, env)
    real = tmp_path / "real"
    for folder in (".", *(name for name in ws.extra if (root / name).is_dir())):
        ignored = shutil.ignore_patterns(".git", "target")
        destination = Path(os.path.normpath(real / home(root, ws) / folder))
        shutil.copytree(root / folder, destination, ignore=ignored, dirs_exist_ok=True)
    replace_by_real(real, top)
    assert not_fresh(place, packages(chosen), target, env) == []
