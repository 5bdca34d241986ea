"""An image of arm64 on another machine: cross-compiled, under emulation, and beside it the machine's own platform.

`python -m tests.support.qemu python -m benchmarks.platforms --runs 5 --json benchmarks/results/platforms.json`

Cold means that only the base images are there: all dependencies and the workspace compile. The row of QEMU needs a Rust
that runs on arm64: `rustup toolchain install --profile minimal --force-non-host VERSION-aarch64-unknown-linux-gnu`.
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
from layerdoit.bench.running import say
from layerdoit.bench.scratch import Scratch
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine.handle import Engine

PLATFORM: Final = "linux/arm64"


def ways(scratch: Scratch) -> Mapping[str, Sequence[str]]:
    """The words of each way; QEMU's only where it is registered."""
    never = scratch.work / "never.yaml"
    never.write_text("cross: never\n")
    found = {"native": (), "cross": (f"PLATFORM={PLATFORM}",), "qemu": (f"PLATFORM={PLATFORM}", f"CONFIG={never}")}
    if PLATFORM not in Engine().platforms:
        say(f"no programs of {PLATFORM} run here: without the row of QEMU")
        del found["qemu"]
    return found


def measure(made: Copy, scratch: Scratch, runs: int, emulated: int, rows: list[dict[str, Any]]) -> None:
    """Each way from its base images on, then edits of one line in the binary crate, in an order that turns."""
    every = dict(ways(scratch))
    cold: dict[str, Any] = {"way": "cold"}
    rows.append(cold)
    for name, words in list(every.items()):
        try:
            harness.doit(made.root, "base", *words)
            cold[name] = [harness.seconds([*peers.command(), "image", *words], made.root)]
        except LayerdoitError as error:
            say(f"{name}: {error}")
            del every[name]
    edit: dict[str, Any] = {"way": "edit", **{name: [] for name in every}}
    rows.append(edit)
    path, names = made.root / made.places.leaf, list(every)
    for number in range(runs):
        path.write_text(scenarios.with_line(path.read_text(), "leaf", uuid.uuid4().hex[:8], made.places.leaf_edition))
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            if name == "qemu" and number >= emulated:
                continue
            edit[name].append(harness.seconds([*peers.command(), "image", *every[name]], made.root))


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("platforms", __doc__)
    parser.add_argument("--runs", type=int, default=5, help="edits")
    parser.add_argument("--emulated", type=int, default=1, help="edits under QEMU, of which each takes minutes")
    given = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    result = Result("platforms", harness.meta(given, given.runs))

    def every(options: argparse.Namespace, scratch: Scratch) -> None:
        made = harness.copied(options, scratch)
        scenarios.Tree(made.tree, made.root, scratch.name.rsplit("-", 1)[-1], made.places).begin()
        measure(made, scratch, options.runs, options.emulated, rows)

    code = harness.measured(given, every)
    if len(rows) > 1:
        report.tell(replace(result, rows=rows), given.json)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
