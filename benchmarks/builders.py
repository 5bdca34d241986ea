"""An edit on a builder that is not the engine's own, on the same machine, beside the engine's own builder.

`python -m benchmarks.builders --runs 7 --json benchmarks/results/builders.json`

The other builder is a buildkitd that scripts/ensure-buildkitd builds once, on a unix socket. Cold means that the base
images are there, and nothing else.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks import harness, report
from benchmarks.harness import Copy
from layerdoit.bench import peers, scenarios
from layerdoit.bench.results import Result
from layerdoit.bench.scratch import Scratch
from tests.support import buildkitd

OWN: Final = "default"
BUILDERS: Final[Mapping[str, str]] = {"own": OWN, "other": "bench"}


def measure(made: Copy, runs: int, rows: list[dict[str, Any]]) -> None:
    """From base images on with each builder, then edits of one line in the binary crate, in an order that turns."""
    cold: dict[str, Any] = {"way": "cold"}
    edit: dict[str, Any] = {"way": "edit", **{name: [] for name in BUILDERS}}
    rows += [cold, edit]
    for name, builder in BUILDERS.items():
        # Each compiles on its own: an image that is there would be taken.
        _touch(made)
        harness.doit(made.root, "base", f"BUILDER={builder}")
        cold[name] = [harness.seconds([*peers.command(), "image", f"BUILDER={builder}"], made.root)]
        if builder == OWN:
            harness.doit(made.root, "cache_clear:nuke", "--yes")
    for builder in BUILDERS.values():
        # The first build on a builder fills its target folder.
        _touch(made)
        harness.doit(made.root, "image", f"BUILDER={builder}")
    names = list(BUILDERS)
    for number in range(runs):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            _touch(made)
            command = [*peers.command(), "image", f"BUILDER={BUILDERS[name]}"]
            edit[name].append(harness.seconds(command, made.root))


def _touch(made: Copy) -> None:
    path = made.root / made.places.leaf
    path.write_text(scenarios.with_line(path.read_text(), "leaf", uuid.uuid4().hex[:8], made.places.leaf_edition))


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("builders", __doc__)
    parser.add_argument("--runs", type=int, default=7, help="edits")
    given = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    result = Result("builders", harness.meta(given, given.runs))

    def every(options: argparse.Namespace, scratch: Scratch) -> None:
        made = harness.copied(options, scratch)
        scenarios.Tree(made.tree, made.root, scratch.name.rsplit("-", 1)[-1], made.places).begin()
        with buildkitd.own_builders(), buildkitd.running() as daemon:
            daemon.builder(BUILDERS["other"])
            measure(made, options.runs, rows)

    code = harness.measured(given, every)
    if rows and rows[-1]["other"]:
        report.tell(replace(result, rows=rows), given.json)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
