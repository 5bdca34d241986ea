"""Replacing a healthy container after an edit: the phases of the cycle, without the build.

`python -m benchmarks.swap --project PATH --runs 5 --json benchmarks/results/NAME.json`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import engine, noop, peers, report, run, scenarios, subject
from benchmarks.scenarios import Tree
from layerdoit import actions, cycle
from layerdoit.deploy.base import Release
from layerdoit.planner import plan_of
from layerdoit.project import Project


def prepared(name: str, work: Path, options: argparse.Namespace) -> Tree:
    """A copy of the project that publishes a free port, with its first container running."""
    project = options.project.resolve()
    tree = work / "tree" / project.name
    root = subject.copy(project, tree)
    entrypoint = subject.original_entrypoint(root)
    subject.configure(root, name, options.profile, name, entrypoint)
    _free_port(root)
    state = Tree(tree, root, name.rsplit("-", 1)[-1], subject.places(root, entrypoint, None, None), None)
    state.begin()
    engine.ask([peers.doit(), "cycle_fast"], root)
    return state


def _free_port(root: Path) -> None:
    import yaml

    path = root / "layerdoit.yaml"
    settings = yaml.safe_load(path.read_text())
    settings["deploy"] = {**(settings.get("deploy") or {}), "publish": 0, "name": settings["project"]}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def swap(state: Tree) -> dict[str, float]:
    """Edit, build, then measure the cycle from the finished image on."""
    path = state.root / state.places.leaf
    edited = scenarios.with_line(path.read_text(), "leaf", uuid.uuid4().hex[:8], state.places.leaf_edition)
    path.write_text(edited)
    engine.ask([peers.doit(), "image"], state.root)
    project = Project(state.root, {})
    spec = plan_of(project).step("app").spec
    found = cycle.run(actions.deployment(project), lambda: Release(spec.tag, spec.key))
    if found.error or not found.replaced:
        raise engine.Failed(f"nothing was replaced: {found.error or 'no container ran before'}")
    return {name: round(seconds, 4) for name, seconds in found.phases if name != "build"}


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--project", type=Path, default=run.EXAMPLE, help="a project with a `deploy` section")
    parser.add_argument("--profile", default="dev", help="cargo profile")
    parser.add_argument("--runs", type=int, default=5, help="how often a container is replaced")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    options = parser.parse_args(argv)
    name = f"layerdoit-bench-{uuid.uuid4().hex[:8]}"
    work = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    meta = {"project": options.project.resolve().name, "profile": options.profile, **run.about(options.runs)}
    result, code = report.Result("swap", meta), 0
    with engine.terminated_as_interrupted():
        try:
            state = prepared(name, work, options)
            for _ in range(options.runs):
                result = replace(result, rows=[*result.rows, {"phases": swap(state)}])
        except KeyboardInterrupt:
            code = 130
        except engine.Failed as error:
            run.say(f"error: {error}")
            code = 1
        finally:
            with engine.undisturbed():
                engine.remove_deployment(name)
            noop.clean(name, work)
    if result.rows:
        run.write(options, result)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
