"""What publishing costs: the first time, again with nothing to do, and beside it `doit` with nothing to do.

`python -m benchmarks.publishing --runs 11 --json benchmarks/results/publishing.json`

The registry is one on the loopback address, empty at first. Again must change nothing in its storage: 0 bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks import harness, report
from benchmarks.harness import Copy
from layerdoit.bench import peers
from layerdoit.bench.results import Result
from layerdoit.bench.scratch import Scratch
from layerdoit.core.errors import LayerdoitError
from tests.engine.registry_fixture import served

VERSION: Final = "VERSION=1.0.0"


def measure(made: Copy, scratch: Scratch, runs: int, address: str, storage: Path) -> list[dict[str, Any]]:
    """The image is built; it is published, then each is asked for again, in an order that turns."""
    overlay = scratch.work / "publish.yaml"
    overlay.write_text(f"publish: {{repository: '{address}/team/{scratch.name}'}}\n")
    doit, given = peers.command(), (VERSION, f"CONFIG={overlay}")
    harness.doit(made.root, "image", f"CONFIG={overlay}")
    first = [harness.seconds([*doit, "publish", "--dirty", *given], made.root)]
    harness.seconds([*doit, "push", *given], made.root)
    before = files(storage)
    every = {
        "again": [*doit, "publish", "--dirty", *given],
        "push": [*doit, "push", *given],
        "nothing": [*doit, f"CONFIG={overlay}"],
    }
    found: dict[str, list[float]] = {name: [] for name in every}
    names = list(every)
    for number in range(runs):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            found[name].append(harness.seconds(every[name], made.root))
    if files(storage) != before:
        raise LayerdoitError("the registry's storage has changed, although there was nothing to publish")
    return [{"what": "first", "seconds": first}, *({"what": name, "seconds": found[name]} for name in names)]


def files(storage: Path) -> dict[str, float]:
    """Each file of the registry, but for uploads that were begun and given up."""
    kept = (path for path in storage.rglob("*") if path.is_file() and "_uploads" not in path.parts)
    return {str(path): path.stat().st_mtime for path in kept}


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("publishing", __doc__)
    parser.add_argument("--runs", type=int, default=11, help="times that each is asked for again")
    given = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    ensure = harness.HERE.parent / "scripts/ensure-registry"
    program = subprocess.run([ensure], capture_output=True, text=True, check=True)

    def every(options: argparse.Namespace, scratch: Scratch) -> None:
        folder = scratch.work / "registry"
        folder.mkdir()
        with served(program.stdout.strip(), place=folder) as address:
            rows.extend(measure(harness.copied(options, scratch), scratch, options.runs, address, folder / "storage"))

    code = harness.measured(given, every)
    if rows:
        report.tell(replace(Result("publishing", harness.meta(given, given.runs)), rows=rows), given.json)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
