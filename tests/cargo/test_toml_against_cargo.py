"""TOML as cargo reads it, judged by cargo itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from layerdoit.cargo import cargo_config, manifest
from layerdoit.cargo import lock as lockfile
from tests.support.cargo import CARGO, real_environment
from tests.support.files import write
from tests.support.manifest import package
from tests.support.toml import BOM, NEW


@pytest.mark.skipif(CARGO is None, reason="no cargo on this machine")
@pytest.mark.parametrize("text", [text for text, _ in NEW] + ["a = 07:32", "a = 1979-05-27 07:32Z"])
def test_cargo_reads_it_too(text: str, tmp_path: Path) -> None:
    """In each of the files that it reads."""
    pytest.importorskip("tomli")
    mark = BOM if text.startswith(BOM) else ""
    body = text.removeprefix(BOM)
    files = {
        "Cargo.toml": mark + package("p") + f"\n[package.metadata]\n{body}\n",
        "src/main.rs": "fn main() {}",
        ".cargo/config.toml": f'{mark}[env]\nA = {{\n value = "\\x41",\n}}\n',
        "Cargo.lock": f'{mark}version = 4\n\n[[package]]\nname = "p"\nversion = "0.1.0"\n',
    }
    root = write(tmp_path, files)
    command = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version=1"]
    done = subprocess.run(command, cwd=root, env=real_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ws = manifest.load(root)
    assert list(ws.packages) == ["p"]
    assert cargo_config.for_key(ws.config) == {"env.A": {"value": "A"}}
    assert [item.name for item in lockfile.load(root).packages] == ["p"]
