"""What is said of Cargo.lock before a build, judged by `cargo metadata --locked`: never refused what cargo takes."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import lock_drift, manifest
from tests.support.cargo import CARGO, environment, run
from tests.support.files import write
from tests.support.git import commit_all
from tests.support.manifest import package

pytestmark = pytest.mark.skipif(CARGO is None, reason="no cargo on this machine")

BRANCH = "feature/one+two"


def home(top: Path) -> dict[str, str]:
    return environment(CARGO_HOME=str(top / "home"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A workspace with a dependency of every kind, and a fresh lock of the format that is asked for."""
    top = tmp_path_factory.mktemp("lock")
    ext = write(top / "ext", {"Cargo.toml": package("ext", version="1.2.3"), "src/lib.rs": ""})
    commit_all(ext)
    run(["git", "checkout", "-q", "-b", BRANCH], ext, environment())
    write(ext, {"src/lib.rs": "//"})
    commit_all(ext)
    beyond = write(top / "extx", {"Cargo.toml": package("patched", version="2.0.0"), "src/lib.rs": ""})
    commit_all(beyond)
    url = ext.as_uri()
    (top / "trees").mkdir()

    def make(version: int) -> Path:
        root = Path(tempfile.mkdtemp(dir=top / "trees"))
        files = {
            "Cargo.toml": f"""
[workspace]
members = ["a", "b"]
resolver = "2"
[workspace.dependencies]
shared = {{ git = "{url}", package = "ext", branch = "{BRANCH}", version = "1.2" }}
[patch."{url}x"]
patched = {{ path = "patched" }}
""",
            "a/Cargo.toml": package(
                "a",
                f"""
[dependencies]
shared.workspace = true
renamed = {{ git = "{url}", package = "ext", rev = "HEAD~0", optional = true }}
b = {{ path = "../b", version = "0.1" }}
patched = {{ git = "{url}x", version = "3" }}
[target.'cfg(windows)'.dev-dependencies]
beside = {{ path = "../beside", version = ">=0.1, <2" }}
""".replace('rev = "HEAD~0"', f'branch = "{BRANCH}"'),
            ),
            "a/src/main.rs": "fn main() {}",
            "b/Cargo.toml": package("b"),
            "b/src/lib.rs": "",
            "beside/Cargo.toml": package("beside", version="1.0.0"),
            "beside/src/lib.rs": "",
            "patched/Cargo.toml": package("patched", version="3.0.0"),
            "patched/src/lib.rs": "",
        }
        write(root, files)
        run(["cargo", "generate-lockfile"], root, home(top))
        if version == 3:
            text = (root / "Cargo.lock").read_text().replace("version = 4", "version = 3")
            text = text.replace("feature%2Fone%2Btwo", BRANCH)
            (root / "Cargo.lock").write_text(text)
            run(["cargo", "metadata", "--format-version=1"], root, home(top))
            assert "version = 3" in (root / "Cargo.lock").read_text()
        return root

    return make


def taken(root: Path) -> bool:
    command = ["cargo", "metadata", "--locked", "--format-version=1"]
    return (
        subprocess.run(command, cwd=root, env=home(root.parent.parent), capture_output=True, check=False).returncode
        == 0
    )


def drift(root: Path) -> str:
    return " ".join(item.what for item in lock_drift.drifts(manifest.load(root), lockfile.load(root)))


@pytest.mark.parametrize("version", [3, 4])
def test_a_fresh_lock(made: Callable[[int], Path], version: int) -> None:
    root = made(version)
    assert taken(root)
    assert drift(root) == ""


EDITS = [
    ("a/Cargo.toml", 'version = "0.1.0"', 'version = "0.2.0"'),
    ("beside/Cargo.toml", 'version = "1.0.0"', 'version = "1.1.0"'),
    ("Cargo.toml", 'version = "1.2" }', 'version = "=1.2.4" }'),
    ("Cargo.toml", f'branch = "{BRANCH}"', 'branch = "main"'),
    ("a/Cargo.toml", "shared.workspace = true", ""),
    ("b/Cargo.toml", "edition", "#edition"),
    ("a/Cargo.toml", "optional = true", "optional = false"),
    ("a/Cargo.toml", "[dependencies]", '[dependencies]\nb2 = { path = "../beside", package = "beside" }'),
    ("b/Cargo.toml", "edition", 'description = "x"\nedition'),
]


@pytest.mark.parametrize(("file", "old", "new"), EDITS)
def test_an_edit(made: Callable[[int], Path], file: str, old: str, new: str) -> None:
    root = made(4)
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))
    accepted = taken(root)
    found = drift(root)
    assert not (found and accepted), found
    if re.search("version|branch|shared", old):
        assert bool(found) is not accepted
