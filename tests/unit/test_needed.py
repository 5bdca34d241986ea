"""What cargo finds is what is sent, and what cargo reads is sent, wherever it lies and whatever git ignores."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import manifest, stub
from layerdoit.cargo.deps_inputs import inputs
from layerdoit.cargo.options import Options
from layerdoit.cargo.selection import Selection
from layerdoit.core.errors import WorkspaceError
from layerdoit.tree.lister import Lister
from layerdoit.tree.sources import scan
from tests.support.files import write
from tests.support.git import git
from tests.support.lockfile import entry
from tests.support.lockfile import lockfile as lock_text
from tests.support.manifest import package

MAIN = "fn main() {}"
LOCK = lock_text(entry("app"))


def repository(top: Path, files: Mapping[str, str], root: str = "ws") -> Path:
    """A workspace in a folder of a repository."""
    write(top, {f"{root}/Cargo.lock": LOCK, **files})
    git(top, "init", "-q")
    return top / root


def made(root: Path) -> tuple[stub.Stub, dict[str, Any]]:
    result = stub.make(manifest.load(root), lockfile.load(root), Selection(("app",), ()))
    return result, {name: tomllib.loads(text.decode()) for name, text in result.files.items() if name.endswith(".toml")}


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ({}, ["app", "deep", "tool"]),
        ({".gitignore": "tool.rs\n"}, ["app", "deep"]),
        ({".gitignore": "/src/bin/deep/\n"}, ["app", "tool"]),
        ({".gitignore": "/src/bin/deep/main.rs\n"}, ["app", "tool"]),
        ({".gitignore": "/src/bin\n"}, ["app"]),
        ({".dockerignore": "src/bin\n"}, ["app"]),
        ({".dockerignore": "src/main.rs\n"}, ["deep", "tool"]),
        ({".dockerignore": "**/*.rs\n!src/main.rs\n"}, ["app"]),
    ],
)
def test_binaries_are_those_that_are_sent(tmp_path: Path, rule: dict[str, str], names: list[str]) -> None:
    root = repository(tmp_path, {
        "ws/Cargo.toml": package("app"), "ws/src/main.rs": MAIN, "ws/src/bin/tool.rs": MAIN,
        "ws/src/bin/deep/main.rs": MAIN, "ws/src/bin/deep/more.rs": "", "ws/src/bin/._tool.rs": MAIN,
        "ws/src/bin/.hidden/main.rs": MAIN, "ws/src/bin/none/other.rs": MAIN,
        **{f"ws/{name}": text for name, text in rule.items()},
    })  # fmt: skip
    assert list(manifest.load(root).packages["app"].bins) == names


def test_what_the_configuration_includes_is_found_too(tmp_path: Path) -> None:
    root = repository(tmp_path, {
        "ws/Cargo.toml": package("app"), "ws/src/main.rs": MAIN, "ws/src/bin/tool.rs": MAIN, "ws/.gitignore": "tool.rs",
    })  # fmt: skip
    assert list(manifest.load(root, Lister(root, (), ["src/bin"])).packages["app"].bins) == ["app", "tool"]
    with pytest.raises(WorkspaceError, match=r"src/main.rs is not sent to builds: sources.exclude"):
        manifest.load(root, Lister(root, ["src/main.rs"]))


def test_members_are_those_that_are_sent(tmp_path: Path) -> None:
    files = {
        "ws/Cargo.toml": package("app") + '[workspace]\nmembers = ["crates/*", "../beside/*"]\n',
        "ws/src/main.rs": MAIN,
        "ws/crates/a/Cargo.toml": package("a"), "ws/crates/a/src/lib.rs": "",
        "ws/crates/scratch/Cargo.toml": package("scratch"), "ws/crates/scratch/src/lib.rs": "",
        "beside/b/Cargo.toml": package("b", head='workspace = "../../ws"'), "beside/b/src/lib.rs": "",
        "beside/scratch/Cargo.toml": package("scratch2", head='workspace = "../../ws"'),
        ".gitignore": "scratch\n",
    }  # fmt: skip
    root = repository(tmp_path, files)
    assert set(manifest.load(root).packages) == {"app", "a", "b"}
    # cargo refuses a pattern that matches nothing.
    (root / "crates/a/Cargo.toml").unlink()
    found = manifest.load(root)
    assert set(found.packages) == {"app", "scratch", "b"}
    sent = scan(Lister(root), found.extra, index_file=None).entries
    assert "ws/crates/scratch/src/lib.rs" in sent


def test_a_second_workspace_brings_its_root_manifest(tmp_path: Path) -> None:
    shared = package("shared", "[dependencies]\nfar = { workspace = true }", head="edition.workspace = true\n")
    files = {
        "ws/Cargo.toml": package("app", '[dependencies]\nshared = { path = "../lib/shared" }'), "ws/src/main.rs": MAIN,
        "lib/Cargo.toml": '[workspace]\nmembers = ["shared", "other"]\n[workspace.package]\nedition = "2021"\n'
        '[workspace.dependencies]\nfar = { path = "../far" }\n',
        "lib/shared/Cargo.toml": shared.replace('edition = "2021"\n', ""), "lib/shared/src/lib.rs": "",
        "lib/other/Cargo.toml": package("other"), "far/Cargo.toml": package("far"), "far/src/lib.rs": "",
    }  # fmt: skip
    root = repository(tmp_path, files)
    assert manifest.load(root).extra == ("../far", "../lib/Cargo.toml", "../lib/shared")
    # Where the root is a package, cargo wants its targets too.
    write(tmp_path, {
        "lib/Cargo.toml": files["lib/Cargo.toml"] + package("lib") + '[[test]]\nname = "t"\n',
        "lib/src/lib.rs": "", "lib/tests/t.rs": "", "lib/tests/u.rs": "",
    })  # fmt: skip
    extra = manifest.load(root).extra
    assert extra == ("../far", "../lib/Cargo.toml", "../lib/shared", "../lib/src/lib.rs", "../lib/tests/t.rs")


def test_targets_outside_the_workspace(tmp_path: Path) -> None:
    root = repository(tmp_path, {
        "ws/Cargo.toml": package("app", '[[bin]]\nname = "app"\npath = "../tools/main.rs"\n[lib]\npath = "../lib.rs"\n')
        .replace("[package]", '[package]\nbuild = "../scripts/build.rs"'),
        "tools/main.rs": MAIN, "tools/part.rs": "", "lib.rs": "", "scripts/build.rs": MAIN, "other/x.rs": "",
    })  # fmt: skip
    found = manifest.load(root)
    assert found.extra == ("../lib.rs", "../scripts", "../tools")
    assert set(scan(Lister(root), found.extra, index_file=None).entries) == {
        "ws/Cargo.toml", "ws/Cargo.lock", "tools/main.rs", "tools/part.rs", "lib.rs", "scripts/build.rs",
    }  # fmt: skip


# --- cargo's configuration -------------------------------------------------------------------------------------------

CONFIGURED = {
    "ws/Cargo.toml": package("app"), "ws/src/main.rs": MAIN, "tools/cc.sh": "", "ws/tools/ar.sh": "", "patched/x": "",
    ".cargo/config.toml": '[build]\nrustflags = ["-A"]\n[env]\nONE = "above"\nTWO = "above"\n'
    'CC = { value = "tools/cc.sh", relative = true }\nDIR = { value = "tools", relative = true }\n'
    '[target.x]\nlinker = "tools/cc.sh"\n',
    "ws/.cargo/config.toml": 'include = ["local.toml", { path = "absent.toml", optional = true }]\n'
    '[build]\nrustflags = ["-B"]\n[env]\nTWO = "own"\nAR = { value = "tools/ar.sh", relative = true }\n',
    "ws/.cargo/local.toml": "[net]\nretry = 1\n", "ws/.gitignore": "local.toml\nabsent.toml\nar.sh\n",
}  # fmt: skip


def test_cargos_configuration_above_counts_in_key_and_stub(tmp_path: Path) -> None:
    root = repository(tmp_path, CONFIGURED)
    found = manifest.load(root)
    assert found.config["build"]["rustflags"] == ["-A", "-B"]
    assert (found.config["env"]["ONE"], found.config["env"]["TWO"]) == ("above", "own")
    key = inputs(found, lockfile.load(root), Selection(("app",), ()), Options())
    assert key["config build.rustflags"] == '["-A","-B"]'
    result, parsed = made(root)
    # One file each, where it lies: relative paths in them stay what they are.
    assert parsed["../.cargo/config.toml"]["env"]["CC"] == {"value": "tools/cc.sh", "relative": True}
    assert parsed[".cargo/config.toml"]["include"] == ["local.toml", {"path": "absent.toml", "optional": True}]
    assert parsed[".cargo/local.toml"] == {"net": {"retry": 1}}
    assert result.copies == ("../tools/cc.sh", "tools/ar.sh")


def test_folders_of_libraries_that_variables_name_are_there_when_dependencies_are_cooked(tmp_path: Path) -> None:
    values = {"A": "vendor/ssl", "B": "", "C": "bindings", "D": "crates", "E": "target", "F": "absent", "G": "../pc"}
    root = repository(tmp_path, {
        "ws/Cargo.toml": package("app"), "ws/src/main.rs": MAIN, "ws/vendor/ssl/lib/libssl.so.3": "",
        "ws/bindings/a.ts": "", "ws/crates/a/Cargo.toml": "", "ws/crates/a/x.h": "", "ws/target/CACHEDIR.TAG": "",
        "ws/target/x.a": "", "pc/x.pc": "",
        "ws/.cargo/config.toml": "[env]\n"
        + "".join(f'{name} = {{ value = "{value}", relative = true }}\n' for name, value in values.items()),
    })  # fmt: skip
    assert made(root)[0].copies == ("../pc", "vendor/ssl")


def test_what_the_configuration_names_is_sent_though_git_ignores_it(tmp_path: Path) -> None:
    root = repository(tmp_path, CONFIGURED)
    sent = set(scan(Lister(root), manifest.load(root).extra, index_file=None).entries)
    assert {".cargo/config.toml", "tools/cc.sh", "ws/tools/ar.sh", "ws/.cargo/local.toml"} <= sent
    index = tmp_path / "index"
    before = scan(Lister(root), manifest.load(root).extra, index_file=index)
    (root / ".cargo/absent.toml").write_text("")
    after = scan(Lister(root), manifest.load(root).extra, index_file=index)
    assert after.entries.keys() - before.entries.keys() == {"ws/.cargo/absent.toml"}


def test_a_patch_in_the_configuration_above_starts_from_there(tmp_path: Path) -> None:
    root = repository(tmp_path, {
        "ws/Cargo.toml": package("app"), "ws/src/main.rs": MAIN, "patches/p/Cargo.toml": package("p"),
        "patches/p/src/lib.rs": "", ".cargo/config.toml": '[patch.crates-io]\np = { path = "patches/p" }\n',
    })  # fmt: skip
    assert manifest.load(root).packages["p"].dir == "../patches/p"
    _, parsed = made(root)
    assert parsed["../.cargo/config.toml"] == {"patch": {"crates-io": {"p": {"path": "ws/.stub/p"}}}}
