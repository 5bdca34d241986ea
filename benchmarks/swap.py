"""Replacing a healthy container after an edit: the phases of the cycle, without the build.

`python -m benchmarks.swap --project PATH --runs 5 --json benchmarks/results/NAME.json`
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Iterator, Sequence

from benchmarks import harness, report
from benchmarks.harness import Copy
from layerdoit import deploy
from layerdoit.bench import scenarios
from layerdoit.bench.scratch import Scratch
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.provider import Release
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run


def prepared(options: argparse.Namespace, scratch: Scratch) -> Copy:
    """A copy of the project that publishes a free port, with its first container running."""
    made = harness.copied(options, scratch)
    _free_port(made)
    scenarios.Tree(made.tree, made.root, scratch.name.rsplit("-", 1)[-1], made.places).begin()
    harness.doit(made.root, "cycle_fast")
    return made


def _free_port(made: Copy) -> None:
    import yaml

    path = made.root / "layerdoit.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["deploy"] = {**(settings.get("deploy") or {}), "publish": 0, "name": settings["project"]}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def swap(made: Copy) -> dict[str, float]:
    """Edit, build, then measure the cycle from the finished image on."""
    path = made.root / made.places.leaf
    path.write_text(scenarios.with_line(path.read_text(), "leaf", uuid.uuid4().hex[:8], made.places.leaf_edition))
    harness.doit(made.root, "image")
    session = Session(Run(), Project.open(made.root, {}))
    spec = session.plan.step("app").spec
    found = deploy.provider_of(session.project).deploy(Release(spec.tag, spec.key))
    if found.error or not found.replaced:
        raise LayerdoitError(f"nothing was replaced: {found.error or 'no container ran before'}")
    return {name: round(seconds, 4) for name, seconds in found.phases}


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("swap", __doc__)
    parser.add_argument("--runs", type=int, default=5, help="how often a container is replaced")
    given = parser.parse_args(argv)

    def swaps(scratch: Scratch) -> Iterator[dict[str, dict[str, float]]]:
        made = prepared(given, scratch)
        yield from ({"phases": swap(made)} for _ in range(given.runs))

    return report.measured("swap", given, given.runs, swaps)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
