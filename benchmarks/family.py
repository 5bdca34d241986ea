"""Nothing twice on one machine: a second service of a family, a public project after others, and one crate bumped.

`python -m benchmarks.family PROJECT [OTHER …] --runs 5 --json benchmarks/results/family.json`

`PROJECT`, a folder with a Rust project, is built after the others, and its units that one of them has too are counted.
`--bump FOLDER`: the project whose dependency is bumped, beside a Dockerfile with a target mount.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks import harness, report
from layerdoit.bench import measuring, peers
from layerdoit.bench.choice import wanted
from layerdoit.bench.results import Cell, Result
from layerdoit.bench.running import ask, say
from layerdoit.bench.scratch import Scratch
from layerdoit.flows.session import Session
from layerdoit.history.benchmarks import OURS
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.run import Run

_FIRST: Final[Mapping[str, str]] = {
    "anyhow": '"1"',
    "axum": '"0.8"',
    "base64": '"0.22"',
    "clap": '{ version = "4", features = ["derive", "env"] }',
    "regex": '"1"',
    "serde": '{ version = "1", features = ["derive"] }',
    "serde_json": '"1"',
    "thiserror": '"2"',
    "tokio": '{ version = "1", features = ["full"] }',
    "tower-http": '{ version = "0.6", features = ["fs", "trace"] }',
    "tracing": '"0.1"',
    "tracing-subscriber": '{ version = "0.3", features = ["env-filter"] }',
    "uuid": '{ version = "1", features = ["v4", "serde"] }',
}
"""Dependencies of the first service."""
_FEWER: Final = ("base64", "regex")
_MORE: Final = {"csv": '"1"'}
_TAKEN: Final = re.compile(r"^layerdoit: taken units=(\d+) taken=(\d+)", re.MULTILINE)


# --- a family --------------------------------------------------------------------------------------------------------


def service(scratch: Scratch, number: int, dependencies: Mapping[str, str]) -> Path:
    """A service from the template."""
    root = scratch.work / f"service-{number}"
    (root / "src").mkdir(parents=True)
    lines = "".join(f"{name} = {needs}\n" for name, needs in sorted(dependencies.items()))
    (root / "Cargo.toml").write_text(
        f'[package]\nname = "service-{number}"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\n{lines}'
    )
    (root / "src/main.rs").write_text('fn main() {\n    println!("served");\n}\n')
    configured(root, scratch, f"{scratch.name}-{number}")
    ask(["cargo", "generate-lockfile", "--quiet"], root)
    return root


def configured(root: Path, scratch: Scratch, name: str, more: str = "", family: str = "") -> None:
    """A project of the session: the images of a family lend to each other only."""
    (root / "dodo.py").write_text("from layerdoit import task_layerdoit\n", encoding="utf-8")
    (root / "layerdoit.yaml").write_text(
        f"project: {name}\nenv: {{RUST_FAMILY: {family or scratch.name}}}\n{more}", encoding="utf-8"
    )


def family(scratch: Scratch, runs: int) -> dict[str, Any]:
    """The dependencies of the second service cooked from nothing, with and without what the first one has."""
    first = service(scratch, 1, _FIRST)
    second = service(scratch, 2, {name: needs for name, needs in _FIRST.items() if name not in _FEWER} | _MORE)
    harness.doit(first, "deps")
    harness.doit(second, "base")
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    taken = units = 0
    for number in range(runs):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            more = "" if side == "ours" else "deps: {donors: false}\n"
            configured(second, scratch, f"{scratch.name}-2", more)
            harness.doit(second, "cache_clear:hard", "--yes")
            found[side].append(harness.seconds([*peers.command(), "deps"], second))
            if side == "ours":
                units, taken = told(second)
            say(f"family, {side}: {found[side][-1]} s")
    harness.doit(second, "cache_clear:hard", "--yes")
    return {"way": "family", **found, "taken": taken, "units": units}


def told(root: Path) -> tuple[int, int]:
    """Units of the last cook, and how many were taken."""
    log = max((root / ".layerdoit/logs").glob("*-deps.log"), key=lambda path: path.stat().st_mtime_ns)
    match = _TAKEN.search(log.read_text(encoding="utf-8"))
    return (int(match[1]), int(match[2])) if match else (0, 0)


# --- public projects -------------------------------------------------------------------------------------------------


def public(scratch: Scratch, folder: Path, others: Sequence[Path]) -> dict[str, Any]:
    """A project after others: of its units that one of them lends, how many were compiled again.

    On another base or with other flags, nothing is the same, whatever cargo calls it.
    """
    root = public_copy(scratch, folder, "project")
    kin, there, lending = inputs(root).kin, set[str](), list[str]()
    for number, path in enumerate(others):
        other = public_copy(scratch, path, f"other-{number}")
        begun = time.monotonic()
        harness.doit(other, "deps")
        if inputs(other).kin == kin:
            lending.append(path.name)
            there |= compiled(other)
        say(f"{path.name}: {time.monotonic() - begun:.0f} s, now {len(there)} units")
    harness.doit(root, "base")
    spent = harness.seconds([*peers.command(), "deps"], root)
    units, taken = told(root)
    same = len(compiled(root) & there)
    return {
        "way": "public",
        "ours": [spent],
        "project": folder.name,
        "others": lending,
        "units": units,
        "taken": taken,
        "again": same - taken,
    }


def public_copy(scratch: Scratch, folder: Path, name: str) -> Path:
    """A copy with what `init` proposes, under a name of the session."""
    root = scratch.work / name / folder.name
    shutil.copytree(folder, root, symlinks=True, ignore=shutil.ignore_patterns(".layerdoit", "target"))
    ask([*peers.command()[:1], "layers", "init", "--yes"], root, check=False)
    kept = (root / "layerdoit.yaml").read_text(encoding="utf-8") if (root / "layerdoit.yaml").exists() else ""
    lines = [line for line in kept.splitlines() if not re.match(r"project:|env:|registry:", line)]
    # The services of the family lend to each other only.
    configured(root, scratch, f"{scratch.name}-{name}", "\n".join(lines) + "\n", family=f"{scratch.name}-public")
    return root


def inputs(root: Path) -> Inputs:
    """What the layers of a project are made of."""
    return Session(Run(), Project.open(root, {})).inputs


def compiled(root: Path) -> set[str]:
    """The ids of the public units in a project's deps image."""
    spec = next(one for one in inputs(root).specs if one.layer == "deps")
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "cat", spec.tag, "/cooked/units"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return {row[0] for row in rows if row[3] == "public"}


# --- a bump ----------------------------------------------------------------------------------------------------------


def bumped(scratch: Scratch, folder: Path, profile: str, runs: int) -> dict[str, Any]:
    """One dependency bumped: `doit image` beside a Dockerfile with a target mount."""
    look = scratch.work / "look"
    look.mkdir()
    about = measuring.look_at(folder, {"PROFILE": profile}, look)
    bench = measuring.begin(about, scratch, wanted("mount", "cold,bump", str(runs)))
    measuring.measure(bench)
    cells = {
        peer: [one for one in bench.cells if (one.scenario, one.peer) == ("bump", peer)] for peer in (OURS, "mount")
    }
    return {
        "way": "bump",
        "project": folder.name,
        "profile": profile,
        "ours": _right(cells[OURS]),
        "theirs": _right(cells["mount"]),
        "crates": [cells[OURS][-1].compiled, cells["mount"][-1].compiled],
    }


def _right(cells: Sequence[Cell]) -> list[float]:
    return [cell.seconds for cell in cells if not cell.stale and not cell.error]


def rows(options: argparse.Namespace, scratch: Scratch) -> Iterator[dict[str, Any]]:
    """All of it, one after the other."""
    if options.runs:
        yield family(scratch, options.runs)
    if options.projects:
        first, *others = (path.resolve() for path in options.projects)
        yield public(scratch, first, others)
    if options.bump and options.runs:
        yield bumped(scratch, options.bump.resolve(), options.profile, options.runs)


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("family", __doc__, project=False)
    parser.add_argument("projects", nargs="*", type=Path, help="a Rust project, and those that are built before it")
    parser.add_argument("--bump", type=Path, help="the project whose dependency is bumped")
    parser.add_argument("--profile", default="release", help="cargo profile of that one")
    parser.add_argument("--runs", type=int, default=9, help="cooks, and bumps; 0: the public project only")
    given = parser.parse_args(argv)
    found: list[dict[str, Any]] = []
    result = Result("family", harness.meta(given, given.runs))

    def every(options: argparse.Namespace, scratch: Scratch) -> None:
        for row in rows(options, scratch):
            say(f"{row['way']}: {row}")
            found.append(row)

    code = harness.measured(given, every)
    if found:
        report.tell(replace(result, rows=found), given.json)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
