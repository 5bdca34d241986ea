"""What a build from nothing gives: the same tree, copied, compiled by cargo into an empty target folder, and run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.git import git

# What is said of a tree that does not compile.
BROKEN = {"": "does not compile"}


def listed(root: Path) -> list[str]:
    """The tree's files and links: what git would take into a commit."""
    found = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return sorted(path for path in set(found) if path and _is_file(root / path))


def _is_file(path: Path) -> bool:
    """A file or a link; git still names a file that a folder has replaced."""
    return path.is_symlink() or path.is_file()


def environment() -> dict[str, str]:
    """Nothing of the test run's own cargo."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_", "RUST"))}
    kept = {name: os.environ[name] for name in ("CARGO_HOME", "RUSTUP_HOME") if name in os.environ}
    return {**found, **kept, "CARGO_INCREMENTAL": "0"}


def locked(root: Path) -> None:
    """Have a workspace name the versions of its external crates."""
    _cargo(root, "generate-lockfile")


def seeded(root: Path, target: Path) -> Path:
    """Lock and compile a workspace, then leave of the target folder what is of external crates."""
    locked(root)
    _cargo(root, "build", "--workspace", "--target-dir", str(target))
    described = json.loads(_cargo(root, "metadata", "--no-deps", "--format-version", "1"))
    own = [word for package in described["packages"] for word in ("--package", package["name"])]
    _cargo(root, "clean", *own, "--target-dir", str(target))
    return target


def _cargo(folder: Path, *words: str) -> str:
    command = ["cargo", *words]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=True).stdout


def clean(root: Path, binaries: Sequence[str], package: str = "app", seed: Path | None = None) -> Mapping[str, str]:
    """Binary -> what it prints; `BROKEN` where cargo refuses. `seed`: a target folder with external crates only."""
    with tempfile.TemporaryDirectory(prefix="layerdoit-clean-") as folder:
        place, target = Path(folder) / "tree", Path(folder) / "target"
        for path in listed(root):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, place / path, follow_symlinks=False)
        if seed is not None:
            shutil.copytree(seed, target, symlinks=True)
        chosen = [word for name in binaries for word in ("--bin", name)]
        command = ["cargo", "build", "--quiet", "--offline", "--locked", "--package", package, *chosen]
        done = subprocess.run(
            [*command, "--target-dir", str(target)],
            cwd=place,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            assert "error" in done.stderr, done.stderr
            return BROKEN
        return {name: _run(target / "debug" / name) for name in binaries}


def _run(binary: Path) -> str:
    return subprocess.run([str(binary)], capture_output=True, text=True, check=True).stdout
