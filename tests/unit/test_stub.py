from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import lock_drift, manifest, stub
from layerdoit.cargo.selection import Selection
from layerdoit.core.errors import WorkspaceError
from tests.support.files import write
from tests.support.lockfile import entry
from tests.support.lockfile import external as of_crates_io
from tests.support.lockfile import lockfile as lock_text
from tests.support.manifest import package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAIN = "fn main() {}"


def made(root: Path, files: Mapping[str, str], *selected: str) -> tuple[stub.Stub, dict[str, Any]]:
    """The stub of a tree, and its TOML files parsed."""
    write(root, files)
    ws = manifest.load(root)
    result = stub.make(ws, lockfile.load(root), Selection(selected, ()))
    return result, {name: tomllib.loads(text.decode()) for name, text in result.files.items() if name.endswith(".toml")}


def workspace(**more: str) -> dict[str, str]:
    return {
        "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\nresolver = "2"\n'
        '[workspace.dependencies]\nserde = { version = "1", features = ["derive"] }\n'
        '[workspace.lints.rust]\nunused = "deny"\n'
        '[profile.release]\nlto = true\n[profile.release.package.core]\nopt-level = 3\n'
        '[profile.release.package.serde]\nopt-level = 1\n',
        "Cargo.lock": lock_text(
            entry("api", needs=["core", "serde"]), entry("core"), of_crates_io("serde", "1.0.0", "aa")
        ),
        "crates/api/Cargo.toml": package(
            "api",
            '[features]\ndefault = ["serde/rc"]\n[dependencies]\nserde.workspace = true\n'
            'core = { path = "../core", version = "0.1" }\n[lints]\nworkspace = true\n'
            '[[bin]]\nname = "api"\npath = "m.rs"\n[[example]]\nname = "show"\n',
            head='description = "words"\nauthors = ["a"]\nrust-version = "1.70"\nreadme = "gone.md"',
        ),
        "crates/api/m.rs": MAIN,
        "crates/core/Cargo.toml": package("core"),
        "crates/core/src/lib.rs": "",
        **more,
    }  # fmt: skip


def test_a_stub_is_small_and_canonical(tmp_path: Path) -> None:
    result, parsed = made(tmp_path, workspace(), "api")
    assert sorted(result.files) == [
        ".stub/api/Cargo.toml", ".stub/api/lib.rs", ".stub/core/Cargo.toml", ".stub/core/lib.rs",
        "Cargo.lock", "Cargo.toml",
    ]  # fmt: skip
    assert result.copies == ()
    assert parsed["Cargo.toml"] == {
        "workspace": {"members": [".stub/api", ".stub/core"], "exclude": [], "resolver": "2"},
        "profile": {"release": {"lto": True, "package": {"serde": {"opt-level": 1}}}},
    }
    assert parsed[".stub/api/Cargo.toml"] == {
        "package": {
            "name": "api", "version": "0.0.0", "edition": "2021", "build": False,
            "autobins": False, "autoexamples": False, "autotests": False, "autobenches": False,
        },
        "lib": {"path": "lib.rs"},
        "dependencies": {"serde": {"version": "1", "features": ["derive"]}, "core": {"path": "../core"}},
        "features": {"default": ["serde/rc"]},
    }  # fmt: skip
    assert result.files[".stub/api/lib.rs"] == b"#![no_std]\n"
    assert b'name = "api"\nversion = "0.0.0"\n' in result.files["Cargo.lock"]
    assert b'name = "serde"\nversion = "1.0.0"\n' in result.files["Cargo.lock"]


def test_folder_names_of_the_checkout_do_not_matter(tmp_path: Path) -> None:
    files = workspace(**{
        "crates/core/Cargo.toml": package("core", '[dependencies]\nfar = { path = "../../../far" }'),
        "../far/Cargo.toml": package("far"),
    })  # fmt: skip
    one, _ = made(tmp_path / "one" / "checkout", files, "api")
    two, parsed = made(tmp_path / "two" / "other", files, "api")
    assert one == two
    assert parsed[".stub/core/Cargo.toml"]["dependencies"] == {"far": {"path": "../far"}}
    assert parsed["Cargo.toml"]["workspace"]["exclude"] == [".stub/far"]


def test_kinds_of_libraries(tmp_path: Path) -> None:
    more = {
        "crates/macro/Cargo.toml": package("macro", "[lib]\nproc-macro = true\npath = 'other.rs'"),
        "crates/dynamic/Cargo.toml": package("dynamic", '[lib]\ncrate-type = ["cdylib", "rlib"]'),
        "crates/native/Cargo.toml": package("native", head='build = "b/main.rs"\nlinks = "z"'),
    }
    result, parsed = made(tmp_path, workspace(**more), "api")
    assert parsed[".stub/macro/Cargo.toml"]["lib"] == {"path": "lib.rs", "proc-macro": True}
    assert parsed[".stub/dynamic/Cargo.toml"]["lib"]["crate-type"] == ["cdylib", "rlib"]
    assert parsed[".stub/native/Cargo.toml"]["package"]["links"] == "z"
    assert parsed[".stub/native/Cargo.toml"]["package"]["build"] == "build.rs"
    assert result.files[".stub/native/build.rs"] == b"fn main() {}\n"
    # What is linked as a whole needs std for its panic handler.
    assert (result.files[".stub/macro/lib.rs"], result.files[".stub/dynamic/lib.rs"]) == (b"", b"")


def test_a_root_package_stays_at_the_root(tmp_path: Path) -> None:
    files = {
        "Cargo.toml": package("a", '[dependencies]\nb = { path = "b" }\n[workspace]\n', head='build = "x.rs"'),
        "Cargo.lock": "version = 4\n",
        "b/Cargo.toml": package("b", '[dev-dependencies]\na = { path = ".." }'),
    }
    result, parsed = made(tmp_path, files, "a")
    root = parsed["Cargo.toml"]
    assert root["lib"] == {"path": ".stub/a/lib.rs"}
    assert root["package"]["build"] == ".stub/a/build.rs"
    assert root["dependencies"] == {"b": {"path": ".stub/b"}}
    assert root["workspace"]["members"] == [".stub/b"]
    assert parsed[".stub/b/Cargo.toml"]["dev-dependencies"] == {"a": {"path": "../.."}}
    assert ".stub/a/build.rs" in result.files


def patched(*, external: bool) -> dict[str, str]:
    user = of_crates_io("outer", "1.0.0", "aa", ["inner"] if external else [])
    return {
        "Cargo.toml": '[workspace]\nmembers = ["app", "base"]\n[workspace.package]\nversion = "7.0.0"\n'
        '[workspace.dependencies]\nbase = { path = "base" }\n[patch.crates-io]\ninner = { path = "patches/inner" }\n',
        "Cargo.lock": lock_text(
            entry("app", needs=["inner", "outer"]), entry("base"), entry("inner", "2.3.0", ["base"]), user
        ),
        "app/Cargo.toml": package("app", '[dependencies]\ninner = "2"\nouter = "1"'),
        "base/Cargo.toml": package("base"),
        "base/src/lib.rs": "",
        "patches/inner/Cargo.toml": package("inner", "[dependencies]\nbase.workspace = true", version="2.3.0"),
        "patches/inner/src/lib.rs": "",
    }  # fmt: skip


def test_a_patch_used_by_local_packages_is_a_stub_that_keeps_its_version(tmp_path: Path) -> None:
    result, parsed = made(tmp_path, patched(external=False), "app")
    assert result.copies == ()
    assert parsed["Cargo.toml"]["patch"] == {"crates-io": {"inner": {"path": ".stub/inner"}}}
    assert parsed[".stub/inner/Cargo.toml"]["package"]["version"] == "2.3.0"
    assert "package" not in parsed["Cargo.toml"]["workspace"]


def test_a_patch_used_by_an_external_package_is_real(tmp_path: Path) -> None:
    result, parsed = made(tmp_path, patched(external=True), "app")
    assert result.copies == ("base", "patches/inner")
    assert parsed["Cargo.toml"]["patch"] == {"crates-io": {"inner": {"path": "patches/inner"}}}
    assert parsed["Cargo.toml"]["workspace"] == {
        "members": [".stub/app", "base"], "exclude": [], "resolver": "1",
        "package": {"version": "7.0.0"}, "dependencies": {"base": {"path": "base"}},
    }  # fmt: skip
    assert not any(name.startswith((".stub/inner", ".stub/base")) for name in result.files)
    assert b'name = "base"\nversion = "0.1.0"\n' in result.files["Cargo.lock"]
    # Not reached by the selection: nothing compiles it, so nothing has to be copied.
    assert made(tmp_path, patched(external=True), "base")[0].copies == ()


def test_configuration(tmp_path: Path) -> None:
    config = """
include = ["more.toml"]
[alias]
x = "run"
[build]
jobs = 3
target-dir = "t"
rustflags = ["-g"]
[target.x86_64-unknown-linux-gnu]
linker = "tools/ld.sh"
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "../vendor"
[registries.mine]
index = "sparse+https://example.org/"
token = "secret"
[http]
proxy = "user:secret@example.org"
timeout = 3
[term]
quiet = true
"""
    files = workspace(**{
        ".cargo/config.toml": config, ".cargo/more.toml": '[env]\nA = "1"\n[build]\nrustflags = ["-O"]\n',
        "tools/ld.sh": "", "../vendor/serde/lib.rs": "",
    })  # fmt: skip
    result, parsed = made(tmp_path / "ws", files, "api")
    assert parsed[".cargo/more.toml"] == {"build": {"rustflags": ["-O"]}, "env": {"A": "1"}}
    assert parsed[".cargo/config.toml"] == {
        "include": ["more.toml"],
        "build": {"rustflags": ["-g"]},
        "http": {"timeout": 3},
        "registries": {"mine": {"index": "sparse+https://example.org/"}},
        "source": {"crates-io": {"replace-with": "vendored"}, "vendored": {"directory": "../vendor"}},
        "target": {"x86_64-unknown-linux-gnu": {"linker": "tools/ld.sh"}},
    }
    assert result.copies == ("../vendor", "tools/ld.sh")
    assert manifest.load(tmp_path / "ws").extra == ("../vendor", ".cargo/more.toml")


@pytest.mark.parametrize(
    "spec", ["core", "core@0.1.0", "core:0.1.0", "path+file:///x/core#0.1.0", "file:///x#core@0.1.0"]
)
def test_profile_overrides_of_local_packages(spec: str, tmp_path: Path) -> None:
    made(tmp_path, workspace(), "api")
    ws, lock = manifest.load(tmp_path), lockfile.load(tmp_path)
    # A spec that only names a folder is kept: cargo warns about it at worst.
    assert stub.local_profile_spec(ws, lock, spec) is (spec != "path+file:///x/core#0.1.0")
    assert not stub.local_profile_spec(ws, lock, "serde")


def test_a_lagging_lockfile_is_named(tmp_path: Path) -> None:
    made(tmp_path, workspace(), "api")
    ws, lock = manifest.load(tmp_path), lockfile.load(tmp_path)
    lock_drift.check(ws, lock)
    for old, new, says in [
        ('"0.1.0"', '"0.2.0"', "has api 0.1.0, but the manifest says 0.2.0"),
        ('name = "api"', 'name = "apx"', "does not have the package `apx`"),
        ("[dependencies]", '[dependencies]\nextra = "1"', "dependency `extra` of `api`"),
    ]:
        path = tmp_path / "crates/api/Cargo.toml"
        before = path.read_text()
        path.write_text(before.replace(old, new, 1))
        with pytest.raises(WorkspaceError, match=says):
            lock_drift.check(manifest.load(tmp_path), lock)
        path.write_text(before)
