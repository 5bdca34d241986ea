"""Artifact dependencies (`bindeps`), judged by cargo: the stub workspace satisfies them, nothing compiles twice."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from layerdoit.cargo import artifacts, manifest
from layerdoit.cargo.selection import Selection
from tests.support.cargo import CARGO, environment, not_fresh, packages, replace_by_real, run, write_stub
from tests.support.files import write
from tests.support.git import commit_all
from tests.support.manifest import package

pytestmark = pytest.mark.skipif(CARGO is None, reason="no cargo on this machine")

TOOL = {
    "tool/Cargo.toml": '[lib]\ncrate-type = ["rlib", "cdylib", "staticlib"]\n',
    "tool/src/lib.rs": "",
    "tool/src/main.rs": 'fn main() { println!("{}", ext::WORD); }',
    "tool/src/bin/other.rs": "fn main() {}",
}
WAYS = {
    "every binary": ('artifact = "bin"', "CARGO_BIN_FILE_TOOL_tool"),
    "one of them": ('artifact = "bin:other"', "CARGO_BIN_FILE_TOOL_other"),
    "a list, and the library": ('artifact = ["bin:tool", "cdylib"], lib = true', "CARGO_CDYLIB_FILE_TOOL"),
    "a static library": ('artifact = "staticlib"', "CARGO_STATICLIB_FILE_TOOL"),
    "for the same target": ('artifact = "bin", target = "target"', "CARGO_BIN_FILE_TOOL_tool"),
}


def make(root: Path, artifact: str, variable: str) -> Path:
    ext = write(root / "ext", {"Cargo.toml": package("ext"), "src/lib.rs": 'pub const WORD: &str = "made";'})
    commit_all(ext)
    dependency = f'[dependencies]\next = {{ git = "{ext.as_uri()}" }}\n'
    wanted = f'[build-dependencies]\ntool = {{ path = "../tool", {artifact} }}\n'
    return write(
        root / "checkout" / "_",
        {
            **TOOL,
            "Cargo.toml": '[workspace]\nmembers = ["app", "tool"]\nresolver = "2"\n',
            ".cargo/config.toml": "[unstable]\nbindeps = true\n",
            "app/Cargo.toml": package("app", wanted),
            "app/build.rs": f'fn main() {{ std::env::var("{variable}").unwrap(); }}',
            "app/src/main.rs": "fn main() {}",
            "tool/Cargo.toml": package("tool", TOOL["tool/Cargo.toml"] + dependency),
        },
    )


@pytest.mark.parametrize("way", WAYS)
def test_the_stub_has_what_is_wanted(way: str, tmp_path: Path) -> None:
    root = make(tmp_path, *WAYS[way])
    env = environment(CARGO_HOME=str(tmp_path / "home"), RUSTC_BOOTSTRAP="1")
    run(["cargo", "generate-lockfile", "-q"], root, env)
    chosen = Selection(("app",), ())
    place, _ = write_stub(root, tmp_path / "stub", chosen)
    target = tmp_path / "target"
    assert not_fresh(place, packages(chosen), target, env)
    replace_by_real(root, place)
    assert not_fresh(place, packages(chosen), target, env) == []
    subprocess.run([target / "debug" / "app"], capture_output=True, check=True)


def test_targets_of_artifacts(tmp_path: Path) -> None:
    artifact = 'artifact = "bin", target = "x86_64-unknown-none"'
    ws = manifest.load(write(make(tmp_path, artifact, "X"), {"Cargo.lock": ""}))
    assert artifacts.targets(ws) == {"x86_64-unknown-none"}
    assert artifacts.programs(ws) == {"tool": (("other", "tool"), True)}
