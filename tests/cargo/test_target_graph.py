"""The graph of the target that is built, as cargo tells it: what only another system compiles is not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import manifest, target_graph
from layerdoit.cargo.native import Need
from layerdoit.cargo.options import Options
from layerdoit.cargo.selection import select
from tests.support.cargo import CARGO, environment, run
from tests.support.files import write
from tests.support.git import commit_all
from tests.support.manifest import package

pytestmark = pytest.mark.skipif(CARGO is None, reason="no cargo on this machine")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that uses a crate, which needs bindgen on another system and with a feature."""
    inner = {
        "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["*"]\nexclude = [".git"]\n',
        "outer/Cargo.toml": package(
            "outer",
            "[target.'cfg(windows)'.dependencies]\nbindgen = { path = \"../bindgen\" }\n"
            '[dependencies]\nextra = { path = "../extra", optional = true }\nplain = { path = "../plain" }\n',
        ),
        "outer/src/lib.rs": "",
    }
    for name in ("bindgen", "extra", "plain"):
        inner |= {f"{name}/Cargo.toml": package(name), f"{name}/src/lib.rs": ""}
    ext = write(tmp_path / "ext", inner)
    commit_all(ext)
    app = write(
        tmp_path / "app",
        {
            "Cargo.toml": package(
                "app",
                f'[dependencies]\nouter = {{ git = "{ext.as_uri()}" }}\n[features]\nmore = ["outer/extra"]\n',
            ),
            "src/main.rs": "fn main() {}",
        },
    )
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "home"))
    run(["cargo", "generate-lockfile", "-q"], app, environment(CARGO_HOME=str(tmp_path / "home")))
    return app


def names(root: Path, options: Options) -> set[str] | None:
    ws, lock = manifest.load(root), lockfile.load(root)
    graph = target_graph.compiled(root, ws, lock, select(ws), options)
    return None if graph is None else {name for name, _ in graph}


def test_the_graph_of_the_target(root: Path) -> None:
    assert "bindgen" in lockfile.load(root).by_name
    assert names(root, Options()) == {"app", "outer", "plain"}
    assert names(root, Options(features=("more",))) == {"app", "outer", "plain", "extra"}
    assert names(root, Options(target="x86_64-pc-windows-msvc")) == {"app", "outer", "plain", "bindgen"}


def test_where_cargo_cannot_tell(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARGO_HOME", str(tmp_path / "another"))
    assert names(root, Options()) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert names(root, Options()) is None


def test_needs_of_what_is_not_compiled_are_dropped() -> None:
    need = Need("bindgen", "1.0.0", ("libclang-dev",), (), "is built with libclang", certain=False)
    assert target_graph.kept([need], frozenset({("bindgen", "1.0.0")})) == (need,)
    assert target_graph.kept([need], frozenset({("bindgen", "2.0.0")})) == ()
    assert target_graph.kept([need], None) == (need,)
    assert target_graph.known(["a-sys", "b-sys"], frozenset({("b-sys", "1.0.0")})) == ("b-sys",)
    assert target_graph.known(["a-sys"], None) == ("a-sys",)
