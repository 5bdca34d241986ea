# ruff: noqa: E501 - a case is told from the next in one line
"""Rules about workspace, lockfile, profiles and images: each with the fault, and with what only looks like it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.cargo import entrypoint, lock, lock_drift, manifest, selection, toml_lines
from layerdoit.cargo.git_asked import Asked
from layerdoit.cargo.manifest import Workspace
from layerdoit.cargo.native import Need
from layerdoit.cargo.semver import satisfies
from layerdoit.cargo.toolchain import Toolchain
from layerdoit.config import Config
from layerdoit.config.image_section import Image
from layerdoit.config.schema import Base, Build
from layerdoit.core.errors import WorkspaceError
from layerdoit.doctor import git_history, libc, lockfile, native_packages, profile_checks, source_checks, source_facts
from layerdoit.doctor import project_checks as rules
from layerdoit.doctor.finding import Fact, Finding, Item
from layerdoit.tree.hidden import Hidden
from tests.support import locked_workspace
from tests.support.lockfile import entry as locked_package
from tests.support.lockfile import external

REGISTRY = 'source = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "00"\n'
SERDE = f'[[package]]\nname = "serde"\nversion = "1.0.100"\n{REGISTRY}\n'
HOST = "x86_64-unknown-linux-gnu"


def package(name: str, more: str = "", dependencies: str = "") -> str:
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}\n[dependencies]\n{dependencies}\n'


def entry(name: str, *needs: str, version: str = "0.1.0") -> str:
    return locked_package(name, version, needs) + "\n"


def workspace(root: Path, files: dict[str, str], locked: str) -> tuple[Workspace, lock.Lock]:
    for name, text in {**files, "Cargo.lock": f"version = 4\n\n{locked}"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        if name.endswith("Cargo.toml") and "[package]" in text:
            (root / name).parent.joinpath("src").mkdir(exist_ok=True)
            (root / name).parent.joinpath("src/main.rs").write_text("fn main() {}\n")
    return manifest.load(root), lock.load(root)


def ids(items: Iterable[Item]) -> dict[str, Finding]:
    return {item.id: item for item in items if isinstance(item, Finding)}


# --- the lockfile ----------------------------------------------------------------------------------------------------


def stale(root: Path, dependencies: str, locked: str) -> list[str]:
    found = lockfile.stale(*workspace(root, {"Cargo.toml": package("shop", dependencies=dependencies)}, locked))
    return [f"{finding.where} {finding.what}" for finding in found]


def test_a_lockfile_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The place of each dependency would be looked for in vain: a third of a second with forty members.
    monkeypatch.delattr(lock_drift.Drift, "where")
    assert stale(tmp_path, 'serde = "1"\n', SERDE + entry("shop", "serde")) == []


@pytest.mark.parametrize(
    ("dependencies", "locked", "said"),
    [
        ('serde = "1"', entry("shop"), "Cargo.toml:7 Cargo.lock does not have the dependency `serde` of `shop`"),
        ('serde = "1.0.200"', SERDE + entry("shop", "serde"), "Cargo.toml:7 `shop` requires serde 1.0.200, but Cargo.lock has 1.0.100"),
        ("", SERDE + entry("shop", "serde"), "Cargo.toml Cargo.lock says that `shop` depends on serde, its manifest does not"),
        ("", entry("shop", version="0.2.0"), "Cargo.toml:3 Cargo.lock has shop 0.2.0, but the manifest says 0.1.0"),
        ("", entry("other"), "Cargo.toml Cargo.lock does not have the package `shop`"),
        (
            'serde = { git = "https://example.com/serde", rev = "abc" }',
            f'[[package]]\nname = "serde"\nversion = "1.0.0"\nsource = "git+https://example.com/serde?rev=def#123"\n\n{entry("shop", "serde")}',
            "Cargo.toml:7 `shop` requires serde at rev abc, which Cargo.lock does not have",
        ),
    ],
)  # fmt: skip
def test_a_lockfile_that_lags_behind(tmp_path: Path, dependencies: str, locked: str, said: str) -> None:
    assert said in stale(tmp_path, dependencies, locked)


@pytest.mark.parametrize(
    ("dependencies", "locked"),
    [
        ('codec = { package = "serde", version = "1" }', SERDE + entry("shop", "serde")),
        ('serde = { version = "1", optional = true }', SERDE + entry("shop", "serde")),
        ('[target."cfg(windows)".dependencies]\nserde = "1"', SERDE + entry("shop", "serde")),
        ('serde = "1.0.200-beta.1"', SERDE + entry("shop", "serde")),
        (
            'serde = { git = "https://example.com/serde", branch = "a/b" }',
            f'[[package]]\nname = "serde"\nversion = "1.0.0"\nsource = "git+https://example.com/serde?branch=a%2Fb#123"\n\n{entry("shop", "serde")}',
        ),
        (
            'serde = "0.9"\nserde1 = { package = "serde", version = "1" }',
            f'[[package]]\nname = "serde"\nversion = "0.9.5"\n{REGISTRY}\n{SERDE}{entry("shop", "serde 0.9.5", "serde 1.0.100")}',
        ),
    ],
)  # fmt: skip
def test_a_lockfile_that_only_seems_to_lag_behind(tmp_path: Path, dependencies: str, locked: str) -> None:
    assert stale(tmp_path, dependencies, locked) == []


def test_a_member_that_is_gone(tmp_path: Path) -> None:
    assert stale(tmp_path, "", entry("gone") + entry("shop")) == [
        "Cargo.lock Cargo.lock still has gone, which the workspace no longer has"
    ]


def test_unused_patch(tmp_path: Path) -> None:
    text = package("shop") + '[patch.crates-io]\nother = { path = "x" }\nserde = { path = "serde" }\n'
    files = {"Cargo.toml": text, "serde/Cargo.toml": package("serde"), "x/Cargo.toml": package("other")}
    used = workspace(tmp_path, files, entry("shop"))
    assert list(lockfile.unused_patches(*used)) == []
    unused = workspace(tmp_path, files, entry("shop") + '[[patch.unused]]\nname = "serde"\nversion = "0.1.0"\n')
    assert [(f.where, f.what) for f in lockfile.unused_patches(*unused)] == [
        ("Cargo.toml:10", "the patch for `serde` (0.1.0) is not used")
    ]


# --- requirements ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requirement", "yes", "no"),
    [
        ("1", "1.5.0", "2.0.0"),
        ("1.6", "1.6.0", "1.5.9"),
        ("0.3", "0.3.9", "0.4.0"),
        ("0.0.3", "0.0.3", "0.0.4"),
        ("0.0", "0.0.9", "0.1.0"),
        ("0", "0.9.0", "1.0.0"),
        ("^1.2.3", "1.9.0", "1.2.2"),
        ("~1.2", "1.2.9", "1.3.0"),
        ("~1", "1.9.0", "2.0.0"),
        ("1.*", "1.2.3", "2.0.0"),
        ("*", "9.0.0", None),
        (">=1, <2", "1.9.9", "2.0.0"),
        (">1", "2.0.0", "1.5.0"),
        ("<=1.2", "1.2.9", "1.3.0"),
        ("=1.2.3", "1.2.3", "1.2.4"),
        ("=1.2", "1.2.4", "1.3.0"),
        ("1.0.0+meta", "1.0.1", "2.0.0"),
    ],
)
def test_requirements_as_cargo_reads_them(requirement: str, yes: str, no: str | None) -> None:
    assert satisfies(requirement, yes) is True
    assert no is None or satisfies(requirement, no) is False


def test_pre_releases_are_left_to_cargo() -> None:
    assert satisfies("1.0.0-alpha", "1.0.0") is None
    assert satisfies("1", "1.0.0-rc.1") is None
    assert satisfies("whatever", "1.0.0") is None


NUMBER = st.integers(0, 50)


@given(NUMBER, NUMBER, NUMBER)
def test_every_version_satisfies_itself(major: int, minor: int, patch: int) -> None:
    version = f"{major}.{minor}.{patch}"
    for operator in ("", "^", "~", "=", ">=", "<="):
        assert satisfies(operator + version, version) is True
    for operator in ("<", ">"):
        assert satisfies(operator + version, version) is False


# --- lines -----------------------------------------------------------------------------------------------------------


def test_lines_of_settings() -> None:
    text = (
        '[package]\nname = "x"\n\n[profile.dev]\ndebug = 0\nlto = true\n[profile."a.b"]\n[profile]\nfast.lto = true\n'
    )
    assert toml_lines.line_of(text, ("profile", "dev", "lto")) == 6
    assert toml_lines.line_of(text, ("profile", "dev", "strip")) == 4
    assert toml_lines.line_of(text, ("profile", "a.b", "lto")) == 7
    assert toml_lines.line_of(text, ("profile", "fast", "lto")) == 9
    assert toml_lines.line_of(text, ("package", "name")) == 2
    assert toml_lines.line_of(text, ("workspace",)) is None
    assert toml_lines.where("Cargo.toml", text, ("workspace",)) == "Cargo.toml"


# --- members, toolchain, images ---------------------------------------------------------------------------------------


def members(root: Path, files: dict[str, str], config: Config) -> dict[str, Finding]:
    ws, _ = workspace(root, files, "")
    chosen = selection.select(ws, config.packages, config.bins)
    return ids(rules.members(ws, config, chosen, entrypoint.choose(ws, chosen, "shop", root.name)))


ROOT = package("shop") + '[workspace]\nmembers = ["api", "tool"]\n'


def test_members_that_are_left_out(tmp_path: Path) -> None:
    files = {"Cargo.toml": ROOT, "api/Cargo.toml": package("api"), "tool/Cargo.toml": package("tool")}
    assert members(tmp_path, files, Config())["members-left-out"].what == (
        "of this workspace only shop is built, not api, tool"
    )
    assert members(tmp_path, files, Config(packages=("shop",))) == {}
    assert members(tmp_path, {**files, "Cargo.toml": f'{ROOT}default-members = ["."]\n'}, Config()) == {}
    # helpers that are never published, beside a program that is
    helpers = {name: text.replace("edition", "publish = false\nedition") for name, text in files.items() if "/" in name}
    assert members(tmp_path, {**files, **helpers}, Config()) == {}


def test_entry_point_by_alphabet(tmp_path: Path) -> None:
    virtual = '[workspace]\nresolver = "2"\nmembers = ["api", "tool"]\n'
    files = {
        "Cargo.toml": virtual,
        "api/Cargo.toml": package("api"),
        "tool/Cargo.toml": package("tool"),
    }
    guessed = members(tmp_path, files, Config())["entrypoint-guessed"]
    assert "the image runs `api`" in guessed.what
    runs = {**files, "tool/Cargo.toml": package("tool", 'default-run = "tool"')}
    assert members(tmp_path, runs, Config()) == {}
    assert members(tmp_path, files, Config(image=Image(entrypoint="tool"))) == {}
    assert members(tmp_path, files, Config(bins=("tool",))) == {}
    assert members(tmp_path, {**files, "api/Cargo.toml": package("shop")}, Config()) == {}


def toolchain(release: str, source: str = "rust-toolchain.toml") -> Toolchain:
    return Toolchain(release, release, None, HOST, source, ())


@pytest.mark.parametrize(
    ("asked", "have", "refused"),
    [("1.90", "1.89.0", True), ("1.90", "1.90.0", False), ("1.90.1", "1.90.0", True), ("1.90.1", "1.90", False), ("1.8", "1.80.0", False)],
)  # fmt: skip
def test_rust_version(tmp_path: Path, asked: str, have: str, refused: bool) -> None:
    ws, _ = workspace(tmp_path, {"Cargo.toml": package("shop", f'rust-version = "{asked}"')}, entry("shop"))
    found = ids(rules.msrv(ws, ["shop"], toolchain(have)))
    assert ("msrv" in found) == refused
    if refused:
        assert found["msrv"].where == "Cargo.toml:5"
    assert rules.highest_msrv(ws) == ("shop", asked)


def test_rust_version_of_a_nightly_is_not_known(tmp_path: Path) -> None:
    ws, _ = workspace(tmp_path, {"Cargo.toml": package("shop", 'rust-version = "1.90"')}, entry("shop"))
    nightly = Toolchain("nightly-2026-01-01", None, None, HOST, "rust-toolchain", ())
    assert ids(rules.msrv(ws, ["shop"], nightly)) == {}
    assert len(list(rules.msrv(ws, ["shop"], nightly))) == 1


def test_override() -> None:
    assert ids(rules.override("1.90", toolchain("1.89.0")))
    assert not ids(rules.override("1.89.0", toolchain("1.89.0")))
    assert not ids(rules.override("1.90", toolchain("1.89.0", "the host's rustc")))
    assert not ids(rules.override(None, toolchain("1.89.0")))


@pytest.mark.parametrize(
    ("image", "kind", "version"),
    [
        ("rust:1.85-slim-bookworm", "glibc", (2, 36)),
        ("rust:1.85", "glibc", (2, 36)),
        ("docker.io/library/rust:1.70", "glibc", (2, 31)),
        ("rust:1.89", "unknown", None),
        ("rust", "glibc", (2, 41)),
        ("rust:slim", "glibc", (2, 41)),
        ("rust:1.85-alpine3.20", "musl", None),
        ("lukemathwalker/cargo-chef:latest-rust-1.80", "glibc", (2, 36)),
        ("debian:bookworm-20260713-slim", "glibc", (2, 36)),
        ("debian:12", "glibc", (2, 36)),
        ("ubuntu:22.04", "glibc", (2, 35)),
        ("gcr.io/distroless/cc-debian12:nonroot", "glibc", (2, 36)),
        ("gcr.io/distroless/static-debian12", "none", None),
        ("scratch", "none", None),
        ("alpine", "musl", None),
        ("registry.example.com:5000/team/base", "unknown", None),
        ("debian:stable-slim", "unknown", None),
        ("redhat/ubi9-minimal:latest", "glibc", (2, 34)),
        ("debian@sha256:00", "unknown", None),
    ],
)
def test_libc_by_name(image: str, kind: str, version: tuple[int, int] | None) -> None:
    assert (libc.of_image(image).kind, libc.of_image(image).version) == (kind, version)


def test_images_of_the_configuration() -> None:
    def said(target: str | None = None, **base: str) -> bool:
        return bool(ids(rules.images(Config(target=target, base=Base(**base)))))  # type: ignore[arg-type]

    assert not said()
    assert said(runtime_image="debian:bullseye-slim")
    assert said(runtime_image="alpine:3.20")
    assert not said(runtime_image="alpine:3.20", target="x86_64-unknown-linux-musl")
    assert not said(suite="bookworm", runtime_image="debian:trixie-slim")
    assert not said(runtime_image="registry.example.com/base")
    assert not said(image="rust:1.85-bookworm", runtime_image="gcr.io/distroless/cc-debian12")


def test_targets(tmp_path: Path) -> None:
    ws, locked = workspace(tmp_path, {"Cargo.toml": package("shop")}, entry("shop") + entry("cc"))

    def said(target: str, architecture: str | None = "amd64", **more: object) -> set[str]:
        return set(ids(rules.target(Config(target=target, **more), ws, locked, architecture)))  # type: ignore[arg-type]

    assert said("aarch64-unknown-linux-gnu") == {"cross-runtime", "cross-linker"}
    assert said("aarch64-unknown-linux-gnu", "arm64") == set()
    assert said("aarch64-unknown-linux-gnu", None) == set()
    assert said("x86_64-unknown-linux-musl") == {"musl-tools"}
    assert said("x86_64-unknown-linux-musl", base=Base(packages=("musl-tools",))) == set()
    linker = {"CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER": "aarch64-linux-gnu-gcc"}
    assert said("aarch64-unknown-linux-gnu", env=linker) == {"cross-runtime"}


def test_native_packages() -> None:
    sure = Need("openssl-sys", "0.9.1", ("libssl-dev", "pkg-config"), ("libssl3",), "links to openssl", certain=True)
    perhaps = Need("cmake", "0.1.0", ("cmake",), (), "is built with cmake", certain=False)

    def levels(*needs: Need, **base: object) -> list[str]:
        return [finding.level for finding in native_packages.missing(needs, Config(base=Base(**base)))]  # type: ignore[arg-type]

    assert levels(sure, perhaps) == ["error", "hint"]
    assert levels(sure, image="rust:1.85") == ["warning"]
    assert levels(sure, packages=("libssl-dev=3.0", "pkg-config"), runtime_packages=("libssl3:amd64",)) == []
    (finding,) = native_packages.missing([sure], Config(base=Base(packages=("clang",))))
    assert finding.fix == (
        "base: {packages: [clang, libssl-dev, pkg-config], runtime_packages: [libssl3]} in layerdoit.yaml"
    )
    (finding,) = native_packages.missing([sure], Config(base=Base(image="own/rust:7", runtime_image="ubuntu:22.04")))
    assert finding.fix is not None
    assert finding.fix.endswith(
        "; these are names of Debian 13 (trixie): the suite of own/rust:7 is not known (set base.suite)"
    )
    absent = Need("webkit2gtk-sys", "0.18.0", (), (), "links to it", certain=True, elsewhere=("Debian 12 (bookworm)",))
    (finding,) = native_packages.missing([absent], Config())
    assert finding.fix == "another suite with base.suite, or base.image and base.runtime_image"


# --- profiles and flags ----------------------------------------------------------------------------------------------


def profile_ids(root: Path, text: str, profile: str = "dev", cargo: str = "") -> dict[str, str | None]:
    files = {"Cargo.toml": package("shop") + text, ".cargo/config.toml": cargo}
    ws, _ = workspace(root, files, entry("shop"))
    return {finding.id: finding.where for finding in profile_checks.profiles(ws, Config(profile=profile))}


@pytest.mark.parametrize(
    ("text", "profile", "found"),
    [
        ("[profile.dev]\nlto = true", "dev", {"dev-lto": "Cargo.toml:9"}),
        ('[profile.dev]\nlto = "thin"', "dev", {"dev-lto": "Cargo.toml:9"}),
        ('[profile.dev]\nlto = "off"', "dev", {}),
        ("[profile.release]\nlto = true", "dev", {}),
        ("[profile.release]\nlto = true", "release", {"fat-lto": "Cargo.toml:9"}),
        ('[profile.release]\nlto = "thin"', "release", {}),
        ('[profile.release]\nlto = true\n[profile.fast]\ninherits = "release"\nlto = false', "fast", {}),
        ('[profile.release]\nlto = true\n[profile.dist]\ninherits = "release"', "dist", {"fat-lto": "Cargo.toml:11"}),
        ("[profile.dev]\nincremental = false", "dev", {"dev-not-incremental": "Cargo.toml:9"}),
        ("[profile.dev]\nopt-level = 3", "dev", {"dev-optimised": "Cargo.toml:9"}),
        ('[profile.dev.package."*"]\nopt-level = 3', "dev", {}),
        ("[profile.dev]\nopt-level = 1", "dev", {}),
        ("[profile.dev]\ncodegen-units = 1", "dev", {"dev-codegen-units": "Cargo.toml:9"}),
        ("[profile.release]\ncodegen-units = 1", "release", {}),
        ("[profile.release]\ndebug = true", "release", {"release-debug": "Cargo.toml:9"}),
        ("[profile.release]\ndebug = true\nstrip = true", "release", {}),
        ("[profile.release]\ndebug = 1", "release", {}),
        ("[profile.dev]\ndebug = 2", "dev", {}),
    ],
)
def test_profiles(tmp_path: Path, text: str, profile: str, found: dict[str, str]) -> None:
    got = profile_ids(tmp_path, text, profile)
    assert set(got) == set(found)
    assert all(got[name] == where for name, where in found.items() if name != "fat-lto")


def test_cargos_configuration_goes_before_the_manifest(tmp_path: Path) -> None:
    assert "dev-lto" in profile_ids(tmp_path, "", cargo="[profile.dev]\nlto = true\n")
    assert profile_ids(tmp_path, "[profile.dev]\nlto = true", cargo="[profile.dev]\nlto = false\n") == {}


CLANG = 'linker = "clang"\nrustflags = ["-C", "link-arg=-fuse-ld=mold"]\n'


@pytest.mark.parametrize(
    ("cargo", "packages", "found"),
    [
        (f"[target.{HOST}]\n{CLANG}", (), ["clang", "mold"]),
        (f"[target.{HOST}]\n{CLANG}", ("clang", "mold"), []),
        (f"[target.{HOST}]\n{CLANG}", ("clang-19", "mold"), []),
        (f"[target.'cfg(target_os = \"linux\")']\n{CLANG}", (), ["clang", "mold"]),
        (f"[target.x86_64-pc-windows-msvc]\n{CLANG}", (), []),
        (f"[target.'cfg(windows)']\n{CLANG}", (), []),
        ('[build]\nrustc-wrapper = "sccache"\n', (), ["sccache"]),
        ('[build]\nrustflags = ["-Ctarget-cpu=native"]\n', (), ["native"]),
        ('[build]\nrustflags = ["-Ctarget-cpu=x86-64-v3"]\n', (), []),
        # a table of the target hides those of build
        (f'[build]\nrustflags = ["-Ctarget-cpu=native"]\n[target.{HOST}]\nrustflags = ["-Cdebuginfo=1"]\n', (), []),
        (f'[target.{HOST}]\nlinker = "tools/link.sh"\n', (), []),
        (f'[target.{HOST}]\nlinker = "gcc"\n', (), []),
        (f'[target.{HOST}]\nlinker = "x86_64-linux-gnu-gcc"\n', ("gcc-x86-64-linux-gnu",), []),
    ],
)
def test_flags(tmp_path: Path, cargo: str, packages: tuple[str, ...], found: list[str]) -> None:
    files = {"Cargo.toml": package("shop"), ".cargo/config.toml": cargo}
    ws, _ = workspace(tmp_path, files, entry("shop"))
    got = list(profile_checks.flags(ws, Config(base=Base(packages=packages)), HOST))
    assert len(got) == len(found), got
    assert all(any(word in finding.what for finding in got) for word in found)
    assert all((finding.where or "").startswith(".cargo/config.toml:") for finding in got)


def test_facts_are_no_findings() -> None:
    assert ids([Fact("engine", "26")]) == {}


def test_where_git_is_asked_is_one_finding() -> None:
    asked = [Asked("a", "a/build.rs:3", program=False), Asked("b", "b/src/lib.rs:9")]
    (found,) = git_history.history(asked, Config())
    assert (found.what, found.where) == (
        "git is asked here and in b/src/lib.rs:9; the image has no commit",
        "a/build.rs:3",
    )
    assert list(git_history.history([], Config())) == []
    told = Config(build=Build(git="commit"))
    (found,) = git_history.history(asked, told)
    assert (found.id, found.where) == ("git-program", "b/src/lib.rs:9")
    assert list(git_history.history(asked[:1], told)) == []
    assert [one.id for one in git_history.history(asked[:1], told, shallow=True)] == ["git-shallow"]
    assert list(git_history.history(asked, dataclasses.replace(told, base=Base(packages=("git",))))) == []
    assert list(git_history.history(asked, dataclasses.replace(told, base=Base(image="rust:1")))) == []


def test_what_is_an_asset_and_included_too_is_sent(tmp_path: Path) -> None:
    """An asset alone is not; and nothing is named twice in the line to write."""
    tree = locked_workspace.make(tmp_path / "w")
    tree.write("api/src/main.rs", 'const PAGE: &str = include_str!("../../web/page.html");\nfn main() {}\n')

    def hidden() -> list[str]:
        inputs = tree.inputs()
        project = inputs.project
        facts = source_facts.collect(project.lister, inputs.tree.all_sources, project.config)
        found = source_checks.sources(facts)
        return [item.fix for item in found if item.id == "source-hidden"]

    assert hidden() == ["add to layerdoit.yaml: sources: {include: [web]}"]
    with (tree.root / "layerdoit.yaml").open("a") as file:
        file.write("sources: {include: [web]}\n")
    assert hidden() == []
    assert Hidden("a", "why", "web").hint(["web"]).endswith("{include: [web]}")


@pytest.mark.parametrize(("embed", "said"), [("embed: true", []), ("into: /srv/x", ["source-hidden"])])
def test_what_a_component_builds_for_a_crate_is_not_missed(tmp_path: Path, embed: str, said: list[str]) -> None:
    tree = locked_workspace.make(tmp_path / "w")
    tree.write("api/src/main.rs", 'const PAGE: &str = include_str!("../../ui/dist/a.html");\nfn main() {}\n')
    tree.write("ui/dist/a.html", "")
    tree.write(".gitignore", "dist\n")
    with (tree.root / "layerdoit.yaml").open("a") as file:
        file.write(f"components: {{ui: {{{embed}}}}}\n")
    inputs = tree.inputs()
    facts = source_facts.collect(inputs.project.lister, inputs.tree.all_sources, inputs.project.config)
    assert [item.id for item in source_checks.sources(facts)] == said


def test_queries_that_no_build_can_check_are_found(tmp_path: Path) -> None:
    tree = locked_workspace.make(tmp_path / "w")
    tree.write("api/src/main.rs", 'fn main() {\n    sqlx::query!("SELECT 1");\n}\n')

    def queries() -> list[str | None]:
        inputs = tree.inputs()
        project, lock = inputs.project, inputs.tree.lock
        facts = source_facts.collect(project.lister, inputs.tree.all_sources, project.config, lock)
        return [item.where for item in source_checks.sources(facts) if item.id == "sqlx-offline"]

    assert queries() == []
    macros = external("sqlx-macros", "0.8.0", "0" * 64, ())
    tree.write("Cargo.lock", (tree.root / "Cargo.lock").read_text() + "\n" + macros)
    assert queries() == ["api/src/main.rs:2"]
    tree.write(".sqlx/query-1.json", "{}")
    assert queries() == []


def test_a_manifest_that_cannot_be_read_comes_before_a_lock_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "x"\n{% if y %}\n')
    with pytest.raises(WorkspaceError) as caught:
        lock.load(tmp_path)
    assert str(caught.value.where).endswith("Cargo.toml:3")
