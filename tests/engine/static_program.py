"""Programs for images of one file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def program(source: str, target: Path) -> Path:
    """A Rust program that needs no library, compiled on this machine; the test is skipped where that cannot be."""
    rustc = shutil.which("rustc") or shutil.which("rustc", path=str(Path.home() / ".cargo/bin"))
    if rustc is None:
        pytest.skip("no rustc")
    options = ["--edition=2021", "-C", "target-feature=+crt-static", "-C", "strip=symbols", "-o", str(target)]
    subprocess.run([rustc, *options, "-"], input=source, text=True, check=True)
    return target
