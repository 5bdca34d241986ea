"""cargo as the tests ask it: which external packages, with which features, compiled how; of a tree and of its stub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from layerdoit.cargo import lock as lockfile
from layerdoit.cargo import lock_drift, manifest, stub
from layerdoit.cargo.selection import Selection, select
from layerdoit.tree.lister import Lister
from layerdoit.tree.sources import scan

CARGO: Final = shutil.which("cargo")
# Only what cargo and rustc need: settings of the machine must not decide what these tests see.
_PASSED = ("PATH", "HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "CARGO_HTTP_CAINFO")


def environment(**more: str) -> dict[str, str]:
    """The environment of a cargo that nothing of this machine's settings reaches."""
    kept = {name: os.environ[name] for name in (*_PASSED, *_PROXIES) if name in os.environ}
    return {**kept, "CARGO_TERM_COLOR": "never", **more}


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> str:
    """Run a command that must succeed, and return what it prints."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def real_environment() -> dict[str, str]:
    """The machine's own CARGO_HOME, because real projects have many packages to download."""
    return environment(**{name: os.environ[name] for name in ("CARGO_HOME",) if name in os.environ})


def write_stub(root: Path, top: Path, selection: Selection | None) -> tuple[Path, Selection]:
    """The stub workspace of `root` below `top`, as the deps layer sees it; returns its workspace root."""
    ws, lock = manifest.load(root), lockfile.load(root)
    lock_drift.check(ws, lock)
    chosen = selection or select(ws)
    made = stub.make(ws, lock, chosen)
    place = Path(os.path.normpath(top / home(root, ws)))
    for source in made.copies:
        destination = Path(os.path.normpath(place / source))
        destination.parent.mkdir(parents=True, exist_ok=True)
        if (root / source).is_dir():
            shutil.copytree(root / source, destination, dirs_exist_ok=True)
        else:
            shutil.copy2(root / source, destination)
    for name, content in made.files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return place, chosen


def home(root: Path, ws: manifest.Workspace) -> str:
    """Where the workspace lies in a build context."""
    return scan(Lister(root.resolve()), ws.extra, index_file=None).home


def packages(selection: Selection) -> list[str]:
    """The selection as cargo's options say it."""
    return [part for name in selection.packages for part in ("-p", name)]


def tree(root: Path, selection: Selection, env: Mapping[str, str], *more: str) -> set[str]:
    """External packages with the features that are switched on, as `cargo tree` says."""
    command = ["cargo", "tree", "--locked", *packages(selection), *more]
    text = run([*command, "-e", "normal,build", "--prefix", "none", "-f", "{p}|{f}"], root, env)
    lines = {line.removesuffix(" (*)") for line in text.splitlines() if line}
    return {line for line in lines if f"({root.parent}" not in line and f"({root}" not in line}


def units(root: Path, selection: Selection, env: Mapping[str, str], *more: str) -> set[str]:
    """What cargo would compile of external packages: target, mode, platform, features, profile."""
    # The unit graph is unstable output of a stable cargo; it compiles nothing.
    command = ["cargo", "build", "--locked", *packages(selection), *more, "--unit-graph", "-Zunstable-options"]
    graph = json.loads(run(command, root, {**env, "RUSTC_BOOTSTRAP": "1"}))
    return {
        json.dumps({**unit, "dependencies": sorted(item["extern_crate_name"] for item in unit["dependencies"])})
        for unit in graph["units"]
        if not unit["pkg_id"].startswith("path+")
    }


def not_fresh(root: Path, chosen: Sequence[str], target: Path, env: Mapping[str, str], *more: str) -> list[str]:
    """Build; the external packages that cargo compiled."""
    command = ["cargo", "build", "--locked", *chosen, *more, "--target-dir", str(target), "--message-format=json"]
    messages = map(json.loads, run(command, root, env).splitlines())
    artifacts = [item for item in messages if item["reason"] == "compiler-artifact" and not item["fresh"]]
    return sorted({item["package_id"] for item in artifacts if item["package_id"].startswith(("registry+", "git+"))})


def replace_by_real(real: Path, place: Path) -> None:
    """Put the sources where the stub was. Unchanged files keep their time, as the app layer does it."""
    kept = {path.relative_to(real) for path in _sources(real)}
    for path in [path for path in _sources(place) if path.relative_to(place) not in kept]:
        path.unlink()
    shutil.rmtree(place / stub.FOLDER, ignore_errors=True)  # else `members = ["*"]` would see it
    shutil.rmtree(place / "_" / stub.FOLDER, ignore_errors=True)
    for relative in kept:
        target = place / relative
        if not target.is_file() or target.read_bytes() != (real / relative).read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(real / relative, target)


def _sources(top: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(top):
        names[:] = [name for name in names if name not in (".git", "target")]
        yield from (Path(folder, name) for name in files)
