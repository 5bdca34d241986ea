"""`doit layers explain` in a generated project whose Cargo.lock names many packages, and what doit takes to start.

`python -m benchmarks.explain --packages 600 --runs 15`

One package in ten moved since the commit, so that there is something to say. No crate is downloaded, nothing built.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

SOURCE: Final = "registry+https://github.com/rust-lang/crates.io-index"
DIRECT: Final = 30
"""Dependencies of the project itself."""
NEEDS: Final = 4
"""Dependencies of each package, among those after it."""
WAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "doit --version": ("--version",),
    "doit layers explain": ("layers", "explain"),
    "doit layers explain --from HEAD": ("layers", "explain", "--from", "HEAD"),
}


def lock(packages: int, moved: bool) -> str:
    """A lock file; with `moved`, one package in ten has another version."""
    parts = ["version = 4\n", _package("app", "0.1.0", [_name(number) for number in range(DIRECT)], local=True)]
    for number in range(packages):
        needs = sorted({_name(number + step * step) for step in range(1, NEEDS + 1) if number + step * step < packages})
        version = "1.0.1" if moved and number % 10 == 0 else "1.0.0"
        parts.append(_package(_name(number), version, needs))
    return "\n".join(parts)


def _name(number: int) -> str:
    return f"crate-{number:04d}"


def _package(name: str, version: str, needs: Sequence[str], *, local: bool = False) -> str:
    lines = ["[[package]]", f'name = "{name}"', f'version = "{version}"']
    if not local:
        lines += [f'source = "{SOURCE}"', f'checksum = "{(name + version).encode().hex():0<64.64}"']
    if needs:
        lines += ["dependencies = [", *(f' "{need}",' for need in needs), "]"]
    return "\n".join([*lines, ""])


def project(folder: Path, packages: int) -> Path:
    """A git repository with a Rust project, whose lock file moved since the commit."""
    manifest = '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n'
    files = {
        "Cargo.toml": manifest + "".join(f'{_name(number)} = "1"\n' for number in range(DIRECT)),
        "Cargo.lock": lock(packages, moved=False),
        "src/main.rs": "fn main() {}\n",
        "dodo.py": "from layerdoit import task_layerdoit\n",
        "layerdoit.yaml": f"project: {folder.name.lower()}\n",
        ".gitignore": "/target/\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
    for words in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    (folder / "Cargo.lock").write_text(lock(packages, moved=True))
    return folder


def measure(folder: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of each way, in turn; the first round does not count."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for number in range(runs + 1):
        for way, words in WAYS.items():
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "doit", *words], cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL
            )
            if number:
                found[way].append(round(time.perf_counter() - begun, 4))
    return found


def main(argv: Sequence[str]) -> int:
    """Generate, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--packages", type=int, default=600, help="packages in Cargo.lock")
    parser.add_argument("--runs", type=int, default=15, help="runs of each command")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(argv)
    work = Path(tempfile.mkdtemp(prefix="layerdoit-explain-"))
    try:
        found = measure(project(work / "lt-explain-bench", options.packages), options.runs)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for way, seconds in found.items():
        spread = f"{min(seconds):.3f} to {max(seconds):.3f} s"
        print(f"{way:<34} {statistics.median(seconds):.3f} s ({spread}, n={len(seconds)})")
    if options.json:
        options.json.write_text(json.dumps({"packages": options.packages, "seconds": found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
