"""`rust-version` against the compiler: what cargo would refuse, and nothing that it would compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import manifest, rust_version
from layerdoit.cargo.manifest import Workspace
from layerdoit.cargo.options import Options
from layerdoit.cargo.rust_version import number
from layerdoit.cargo.toolchain import Toolchain
from layerdoit.core.errors import WorkspaceError
from tests.support.files import write
from tests.support.lockfile import entry, lockfile
from tests.support.manifest import package

NEWER = 'rust-version = "1.99"'
ROOT = '[workspace]\nmembers = ["a", "b"]\nresolver = "2"\n'


def toolchain(release: str | None, channel: str = "", source: str = "rust-toolchain.toml") -> Toolchain:
    return Toolchain(channel or release or "", release, None, "x86_64-unknown-linux-gnu", source, ())


def workspace(root: Path, files: dict[str, str]) -> Workspace:
    sources = {f"{path.removesuffix('Cargo.toml')}src/main.rs": "" for path in files}
    locked = lockfile(*(entry(name) for name in ("a", "b")))
    write(root, {**sources, **files, "Cargo.lock": locked})
    return manifest.load(root)


def two(root: Path, b: str, needs: str = 'b = { path = "../b" }', *, head: str = ROOT) -> Workspace:
    """Of two members, `a` is built, and `b` asks for another Rust."""
    table = f"[dependencies]\n{needs}" if not needs.startswith("[") else needs
    return workspace(
        root, {"Cargo.toml": head, "a/Cargo.toml": package("a", table), "b/Cargo.toml": package("b", head=b)}
    )


def check(ws: Workspace, have: Toolchain, options: Options | None = None, packages: tuple[str, ...] = ("a",)) -> None:
    rust_version.check(ws, packages, options or Options(), have)


# What is asked for, what the compiler is, and whether cargo refuses it.
COMPARED = [
    ("1.90", "1.89.0", True),
    ("1.90", "1.90.0", False),
    ("1.90.1", "1.90.0", True),
    ("1.90.1", "1.90.1", False),
    ("1.90.1", "1.90.2", False),
    ("1.8", "1.80.0", False),
    ("1.96", "1.96.0-nightly 2026-04-14", False),
    ("1.96", "1.96.0-beta.2", False),
    ("1.96.1", "1.96.0-nightly 2026-04-14", True),
    ("1.97", "1.96.0-nightly 2026-04-14", True),
    # The newest patch of it, whichever that is.
    ("1.90.1", "1.90", False),
    ("1.91", "1.90", True),
    ("1.91.1", "1.91-beta.2", False),
]


@pytest.mark.parametrize(("version", "have", "refused"), COMPARED)
def test_versions_are_compared_as_cargo_does(tmp_path: Path, version: str, have: str, refused: bool) -> None:
    ws = two(tmp_path, f'rust-version = "{version}"')
    assert bool(rust_version.refused(ws, ["a", "b"], toolchain(have))) == refused


def test_a_message_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    ws = two(tmp_path, NEWER)
    with pytest.raises(WorkspaceError) as caught:
        check(ws, toolchain("1.95.0"))
    error = caught.value
    assert error.what == "`b` requires Rust 1.99, and the builder has 1.95.0 (from rust-toolchain.toml)"
    assert error.where == f"{tmp_path}/b/Cargo.toml:5"
    assert error.hint == (
        'build with it: TOOLCHAIN=1.99 for once, toolchain: "1.99" in layerdoit.yaml, '
        "or the channel of rust-toolchain.toml; or lower rust-version"
    )


def test_what_is_inherited_stands_in_the_workspace(tmp_path: Path) -> None:
    head = f'{ROOT}[workspace.package]\n# of all\nrust-version = "1.99.1"\n'
    ws = two(tmp_path, "rust-version.workspace = true", head=head)
    with pytest.raises(WorkspaceError, match=r"`b` requires Rust 1\.99\.1") as caught:
        check(ws, toolchain("1.95.0"))
    assert caught.value.where == f"{tmp_path}/Cargo.toml:6"


def test_the_highest_is_named_with_all_that_ask_for_it(tmp_path: Path) -> None:
    files = {
        "Cargo.toml": ROOT.replace('"b"', '"b", "c"'),
        "a/Cargo.toml": package("a", head=NEWER),
        "b/Cargo.toml": package("b", head='rust-version = "1.98"'),
        "c/Cargo.toml": package("c", head=NEWER),
    }
    ws = workspace(tmp_path, files)
    with pytest.raises(WorkspaceError, match=r": `a`, `c` require Rust 1\.99,"):
        check(ws, toolchain("1.95.0"), packages=("a", "b", "c"))


NOT_COMPILED = {
    "not needed": "",
    "only for tests": '[dev-dependencies]\nb = { path = "../b" }',
    "for another platform": "[target.'cfg(windows)'.dependencies]\nb = { path = \"../b\" }",
    "switched off": 'b = { path = "../b", optional = true }',
}


@pytest.mark.parametrize("resolver", ["1", "2"])
@pytest.mark.parametrize("needs", NOT_COMPILED)
def test_what_is_not_compiled_may_ask_for_anything(tmp_path: Path, needs: str, resolver: str) -> None:
    ws = two(tmp_path, NEWER, NOT_COMPILED[needs], head=ROOT.replace('"2"', f'"{resolver}"'))
    check(ws, toolchain("1.95.0"))
    with pytest.raises(WorkspaceError):
        check(ws, toolchain("1.95.0"), packages=("a", "b"))


def test_what_a_feature_switches_on_counts(tmp_path: Path) -> None:
    ws = two(tmp_path, NEWER, NOT_COMPILED["switched off"])
    with pytest.raises(WorkspaceError):
        check(ws, toolchain("1.95.0"), Options(features=("b",)))


@pytest.mark.parametrize("channel", ["nightly-2026-04-14", "stable", "beta", "my-own"])
def test_a_compiler_that_is_not_known_is_not_refused(tmp_path: Path, channel: str) -> None:
    check(two(tmp_path, NEWER), toolchain(None, channel))


def test_another_compiler_than_that_of_the_toolchain_is_not_known(tmp_path: Path) -> None:
    ws = two(tmp_path, NEWER)
    check(ws, toolchain("1.95.0"), Options(env=(("RUSTC", "/opt/rustc"),)))
    write(tmp_path, {".cargo/config.toml": '[build]\nrustc = "/opt/rustc"\n'})
    check(manifest.load(tmp_path), toolchain("1.95.0"))


def test_a_version_of_another_kind_is_cargo_s_to_judge(tmp_path: Path) -> None:
    check(two(tmp_path, "rust-version = 2"), toolchain("1.95.0"))
    check(two(tmp_path, 'rust-version = "new"'), toolchain("1.95.0"))
    check(two(tmp_path, "rust-version.workspace = true"), toolchain("1.95.0"))


def test_numbers() -> None:
    assert number("nightly") is None
    assert number("1.97.0-nightly 2026-04-14") == (1, 97, 0)
    assert number("2") == (2, 0, None)
