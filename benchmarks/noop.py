"""A run with nothing to do: `doit`, a fully cached `docker buildx build` of the same tree, and the import of doit.

`python -m benchmarks.noop --files 2000 10000 --pairs 15 --json benchmarks/results/NAME.json`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import generated, harness, report
from layerdoit.bench import effective, peers, subject
from layerdoit.bench.running import say
from layerdoit.bench.scratch import Scratch
from layerdoit.build.host_secrets import collect
from layerdoit.core.errors import LayerdoitError

_WARM_UP = 2


def measure(scratch: Scratch, files: int, pairs: int) -> dict[str, Any]:
    """Build once each, then nothing changes; the order of each pair alternates, and an import comes before it."""
    folder, token = scratch.work / f"files{files}", f"{scratch.name}-{files}"
    root = generated.workspace(folder / "tree" / "tiny", files)
    subject.configure(root, effective.effective(root, {}), token, token, "app")
    subject.start_git(root)
    harness.doit(root, "image")
    facts = subject.with_base(root, subject.facts(root))
    now = peers.Round(token, root, root, folder, collect(), "", scratch.name)
    found: dict[str, list[float]] = {"layerdoit": [], "plain": [], "import": []}
    for number in range(_WARM_UP + pairs):
        imported = harness.seconds([sys.executable, "-c", "import doit"], root)
        if number >= _WARM_UP:
            found["import"].append(imported)
        for peer in ("layerdoit", "plain") if number % 2 else ("plain", "layerdoit"):
            built = peers.build(peer, now, facts)
            if built.error:
                raise LayerdoitError(f"{peer}: {built.error}")
            if number >= _WARM_UP:
                if built.crates or built.layers:
                    raise LayerdoitError(f"{peer} built something although nothing had changed")
                found[peer].append(round(built.seconds, 4))
    sent = sum(path.is_file() for path in root.rglob("*.rs"))
    say(f"{sent} files: doit {min(found['layerdoit']):.3f} s, docker buildx build {min(found['plain']):.3f} s at best")
    return {"files": files, "doit": found["layerdoit"], "docker": found["plain"], "import": found["import"]}


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("noop", __doc__, project=False)
    parser.add_argument("--files", type=int, nargs="+", default=[2000, 10000], help="numbers of source files")
    parser.add_argument("--pairs", type=int, default=15, help="paired runs")
    given = parser.parse_args(argv)
    return report.measured(
        "noop", given, given.pairs, lambda scratch: (measure(scratch, files, given.pairs) for files in given.files)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
