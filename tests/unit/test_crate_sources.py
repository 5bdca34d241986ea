"""Which `-sys` crates need nothing that a builder lacks, by their own sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import crate_sources
from tests.support.files import write


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))
    return tmp_path / "registry/src/index"


def crate(registry: Path, name: str, files: dict[str, str], more: str = "") -> tuple[str, str]:
    write(registry / f"{name}-1.0.0", {"Cargo.toml": f'[package]\nname = "{name}"\n{more}', "src/lib.rs": "", **files})
    return name, "1.0.0"


@pytest.mark.parametrize(
    ("files", "doubtful"),
    [
        ({}, False),
        ({"build.rs": 'fn main() { cc::Build::new().compile("x"); }'}, False),
        ({"build.rs": 'fn main() { println!("cargo:rustc-link-lib=dylib=m"); }'}, False),
        ({"build.rs": 'fn main() { println!("cargo:rustc-link-lib=hwloc"); }'}, True),
        ({"build.rs": 'fn main() { pkg_config::probe_library("x"); }'}, True),
        ({"build.rs": "fn main() { bindgen::builder(); }"}, True),
        ({"src/a.rs": '#[link(name = "hwloc")]\nextern "C" {}'}, True),
        ({"src/a.rs": '#[link(name = "c")]\nextern "C" {}'}, False),
        ({"src/a.rs": '#[link(name = "IOKit", kind = "framework")]\nextern "C" {}'}, False),
        ({"src/a.rs": '#[cfg(windows)]\n#[link(name = "user32")]\nextern "C" {}'}, False),
    ],
)  # fmt: skip
def test_a_crate_that_asks_for_nothing_is_not_doubtful(registry: Path, files: dict[str, str], doubtful: bool) -> None:
    assert crate_sources.doubtful([crate(registry, "x-sys", files)]) == (("x-sys",) if doubtful else ())


def test_a_crate_that_is_not_here_stays_doubtful(registry: Path) -> None:
    here = crate(registry, "x-sys", {}, 'links = "hwloc"\n')
    assert crate_sources.doubtful([here, ("x-sys", "2.0.0"), ("y-sys", "1.0.0")]) == ("x-sys", "y-sys")
    assert crate_sources.links([here, ("y-sys", "1.0.0")]) == {"x-sys": "hwloc"}
