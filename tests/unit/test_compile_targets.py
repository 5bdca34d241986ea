"""Targets of the builder: those that are built for; what a toolchain file lists besides is nobody's need."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import manifest
from layerdoit.cargo.compile_targets import wanted
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.files import write
from tests.support.manifest import package

MUSL, WASM, BARE = "x86_64-unknown-linux-musl", "wasm32-unknown-unknown", "x86_64-unknown-none"
FILES = {"Cargo.toml": package("a"), "Cargo.lock": "", "src/main.rs": ""}
CONFIG = ".cargo/config.toml"


@pytest.mark.parametrize(
    ("files", "target", "env", "found"),
    [
        ({}, None, {}, ()),
        ({}, MUSL, {}, (MUSL,)),
        ({CONFIG: f'[build]\ntarget = "{MUSL}"\n'}, None, {}, (MUSL,)),
        ({CONFIG: f'[build]\ntarget = ["{MUSL}", "host-tuple", "mine.json"]\n'}, None, {}, (MUSL,)),
        ({CONFIG: f'[build]\ntarget = "{WASM}"\n'}, MUSL, {}, (MUSL,)),
        ({CONFIG: f'[build]\ntarget = "{WASM}"\n'}, None, {"CARGO_BUILD_TARGET": MUSL}, (MUSL,)),
        ({"Cargo.toml": package("a", head=f'forced-target = "{WASM}"')}, None, {}, (WASM,)),
        (
            {
                "Cargo.toml": package(
                    "a", f'[dependencies]\nb = {{ path = "b", artifact = "bin", target = "{BARE}" }}'
                ),
                "b/Cargo.toml": package("b"),
            },
            None,
            {},
            (BARE,),
        ),
    ],
)
def test_targets(
    files: dict[str, str], target: str | None, env: dict[str, str], found: tuple[str, ...], tmp_path: Path
) -> None:
    ws = manifest.load(write(tmp_path, {**FILES, **files}))
    assert wanted(ws, target, env, ()) == found
    assert wanted(ws, target, env, (WASM,)) == tuple(sorted({*found, WASM}))


def test_what_a_toolchain_file_lists_is_not_asked_for(tmp_path: Path) -> None:
    named = f'[toolchain]\nchannel = "1.95.0"\ntargets = ["{WASM}"]\n'
    write(tmp_path, {**FILES, "rust-toolchain.toml": named, "layerdoit.yaml": f"base: {{targets: [{BARE}]}}\n"})
    tree = Tree(Project.open(tmp_path, {}))
    assert tree.toolchain.targets == (WASM,)
    assert tree.targets == (BARE,)
