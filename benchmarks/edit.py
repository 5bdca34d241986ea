"""What an edit costs beyond cargo: `doit image` against cargo on the host and an image of its binaries made by hand.

`python -m benchmarks.edit --project PATH --runs 9 --json benchmarks/results/NAME.json`

By hand is the least that an image can cost where buildx makes it: nothing compiles in a container, the Dockerfile is
`FROM runtime` and a COPY. Its binaries are the host's: they fit only an image with the host's libraries.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import harness, report
from benchmarks.harness import Copy
from layerdoit.bench import buildkit, peers, scenarios, subject
from layerdoit.bench.results import Result
from layerdoit.bench.scratch import Scratch
from layerdoit.bench.subject import Facts
from layerdoit.build.host_secrets import Secrets

CARGO: Final = "cargo build"
BY_HAND: Final = "docker buildx build of its binaries"
START: Final = "python starts, and imports doit"
IMAGE: Final = "doit image"


def by_hand(scratch: Scratch, facts: Facts, folder: Path) -> list[str]:
    """`docker buildx build` of a Dockerfile that copies cargo's binaries from `folder`."""
    dockerfile = scratch.work / "Dockerfile"
    names = " ".join(name for _, name in facts.bins)
    dockerfile.write_text(f"FROM {facts.runtime}\nCOPY {names} /usr/local/bin/\n")
    return buildkit.Build(
        dockerfile, folder, f"{scratch.name}:by-hand", {}, Secrets({}, {}, {}, ssh=False), scratch.name
    ).argv()


def edits(made: Copy, scratch: Scratch, runs: int, rows: list[dict[str, float]]) -> None:
    """After each edit of one line in the binary crate: seconds of each way, in an order that turns."""
    harness.doit(made.root, "image")
    facts = subject.with_base(made.root, subject.facts(made.root))
    target = scratch.work / "native-target"
    cargo = ["cargo", "build", "--locked", *facts.cargo_args, *facts.bin_args]
    image = by_hand(scratch, facts, target / peers.profile_folder(facts))
    path = made.root / made.places.leaf
    for number in range(runs + 1):
        path.write_text(scenarios.with_line(path.read_text(), "leaf", uuid.uuid4().hex[:8], made.places.leaf_edition))
        found: dict[str, float] = {}
        for way in ("doit", "cargo") if number % 2 else ("cargo", "doit"):
            if way == "doit":
                found[IMAGE] = harness.seconds([*peers.command(), "image"], made.root)
            else:
                found[CARGO] = harness.seconds(cargo, made.root, {**dict(facts.env), "CARGO_TARGET_DIR": str(target)})
                found[BY_HAND] = harness.seconds(image, made.root)
        found[START] = harness.seconds([sys.executable, "-c", "import doit.doit_cmd"], made.root)
        # The first has both target folders to fill.
        if number:
            rows.append({name: found[name] for name in (CARGO, BY_HAND, START, IMAGE)})


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("edit", __doc__)
    parser.add_argument("--runs", type=int, default=9, help="edits")
    given = parser.parse_args(argv)
    rows: list[dict[str, float]] = []
    result = Result("edit", harness.meta(given, given.runs))

    def every(options: argparse.Namespace, scratch: Scratch) -> None:
        made = harness.copied(options, scratch)
        scenarios.Tree(made.tree, made.root, scratch.name.rsplit("-", 1)[-1], made.places).begin()
        edits(made, scratch, options.runs, rows)

    code = harness.measured(given, every)
    if rows:
        report.tell(replace(result, rows=[{"seconds": row} for row in rows]), given.json)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
