"""A second machine that shares a registry: the first image of a clone, and edits after it; and a plan that asks.

`python -m benchmarks.sharing --runs 5 --json benchmarks/results/sharing.json`

The second machine is another engine in a network namespace of its own; the registry is on the loopback address. It
needs root, and Debian's registry (`scripts/ensure-registry`).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import harness, report
from benchmarks.harness import Copy
from layerdoit.bench import peers, scenarios
from layerdoit.bench.results import Result
from layerdoit.bench.running import ask, say
from layerdoit.bench.scratch import Scratch
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.state import FOLDER
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from tests.engine.registry_fixture import ROOT, served
from tests.support import second_engine
from tests.support.second_engine import SecondEngine

_CONFIG: Final = "sharing.yaml"


@dataclass(frozen=True)
class Machines:
    """The project on this machine, its clone on the second one, and the app's name in the registry."""

    made: Copy
    clone: Path
    engine: SecondEngine
    repository: str

    @property
    def there(self) -> Mapping[str, str]:
        """What makes a command run on the second machine."""
        return {"DOCKER_HOST": self.engine.host}

    def doit(self, *words: str, there: bool = False) -> float:
        """Seconds of a command of layerdoit."""
        root, more = (self.clone, self.there) if there else (self.made.root, {})
        return harness.seconds([*peers.command(), *words, f"CONFIG={_CONFIG}"], root, more)

    def forget(self) -> None:
        """The second machine has no image and no mount, and its clone was never used."""
        images = self.engine.docker("image", "ls", "--quiet", "--all").split()
        if images:
            self.engine.docker("image", "rm", "--force", *dict.fromkeys(images))
        self.engine.docker("builder", "prune", "--all", "--force")
        shutil.rmtree(self.clone / FOLDER, ignore_errors=True)

    def layer(self, name: str) -> str:
        """A layer of this tree, as it is called in the registry."""
        specs = Session(Run(), Project.open(self.made.root, {})).inputs.specs
        spec = next(one for one in specs if one.layer == name)
        return f"{self.repository}:{spec.tag.rpartition(':')[2]}"

    def shared(self) -> str:
        """The app of this tree, which the first machine pushes now, with what it compiled: only of a commit."""
        git = ["git", "-C", str(self.made.tree), "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        ask([*git, "commit", "--quiet", "--all", "--message", "edited"])
        self.doit("image")
        return self.layer("app")

    def edit(self, number: int) -> None:
        """One line in the binary crate, on both machines."""
        places = self.made.places
        path = self.made.root / places.leaf
        path.write_text(
            scenarios.with_line(path.read_text(), "leaf", f"{uuid.uuid4().hex[:8]}", places.leaf_edition),
            encoding="utf-8",
        )
        shutil.copy(path, self.clone / places.leaf)
        say(f"edit {number}")


def cloned(machines: Machines, runs: int) -> dict[str, Any]:
    """`doit image` in a new clone, beside `docker pull` of the same image, each on an engine without images."""
    app = machines.layer("app")
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(runs + 1):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            machines.forget()
            if side == "ours":
                spent = machines.doit("image", there=True)
            else:
                spent = harness.seconds(["docker", "pull", "--quiet", app], machines.clone, machines.there)
            if number:
                found[side].append(spent)
    return {"way": "clone", **found, "compiled": _compiled(machines.clone)}


def _compiled(root: Path) -> int:
    """Crates that were compiled in a clone; None of its layers was built where there are no logs."""
    return len(list((root / FOLDER / "logs").glob("*.log")))


def edited(machines: Machines, runs: int) -> Iterator[dict[str, Any]]:
    """The first edit after the clone, which pulls what it needs; then the next ones; beside the first machine."""
    machines.forget()
    machines.doit("image", there=True)
    rows: dict[str, dict[str, Any]] = {name: {"way": name, "ours": [], "theirs": []} for name in ("first", "next")}
    for number in range(runs + 1):
        machines.edit(number)
        row = rows["next" if number else "first"]
        for there in (True, False) if number % 2 else (False, True):
            row["ours" if there else "theirs"].append(machines.doit("image", "LOCAL_ONLY=1", there=there))
    yield from rows.values()


def warmed(machines: Machines, runs: int) -> Iterator[dict[str, Any]]:
    """`doit cache_warm`, beside `docker pull` of its images; then the first edit of a clone that compiled nothing."""
    rows: dict[str, dict[str, Any]] = {name: {"way": name, "ours": [], "theirs": []} for name in ("warm", "warm edit")}
    app, deps, base = map(machines.layer, ("app", "deps", "base"))
    for number in range(runs):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            machines.forget()
            if side == "theirs":
                machines.engine.docker("pull", "--quiet", app)
                pull = f"docker pull --quiet {base} && docker pull --quiet {deps}"
                rows["warm"]["theirs"].append(harness.seconds(["sh", "-c", pull], machines.clone, machines.there))
                continue
            machines.doit("image", there=True)
            rows["warm"]["ours"].append(machines.doit("cache_warm", there=True))
            machines.edit(number)
            for there in (True, False) if number % 2 else (False, True):
                row = rows["warm edit"]["ours" if there else "theirs"]
                row.append(machines.doit("image", "LOCAL_ONLY=1", there=there))
            app = machines.shared()
    yield from rows.values()


def planned(machines: Machines, runs: int) -> dict[str, Any]:
    """`doit layers plan` of a tree of which the registry has nothing, beside the same without a registry."""
    nowhere, without = (machines.made.root / name for name in ("nowhere.yaml", "without.yaml"))
    nowhere.write_text(f"registry: {{repository: '{machines.repository}-none', push: [base, deps, app]}}\n")
    # Reading a second file costs both the same.
    without.write_text("registry: {push: []}\n")
    machines.edit(-1)
    plan = [*peers.command(), "layers", "plan"]
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(runs + 1):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            settings = nowhere if side == "ours" else without
            spent = harness.seconds([*plan, f"CONFIG={settings}"], machines.made.root)
            if number:
                found[side].append(spent)
    return {"way": "plan", **found, "trip": _trip(f"{machines.repository}-none")}


def _trip(repository: str) -> float:
    """Seconds in which the engine answers that the registry has no such image: the least of some."""
    from layerdoit.engine import api

    engine = api.connect()
    least = 60.0
    for _ in range(20):
        begun = time.monotonic()
        if isinstance(engine, api.SocketApi):
            engine.asked(f"/distribution/{repository}:none/json", {})
        least = min(least, time.monotonic() - begun)
    return round(least, 4)


def measure(made: Copy, scratch: Scratch, runs: int, rows: list[dict[str, Any]]) -> None:
    """All of it, one after the other."""
    program = subprocess.run([ROOT / "scripts/ensure-registry"], capture_output=True, text=True, check=False)
    if why := program.stderr.strip() if program.returncode else second_engine.lacks():
        raise LayerdoitError(why)
    with served(program.stdout.strip()) as address, second_engine.started() as engine:
        engine.reach(address)
        repository = f"{address}/bench/{scratch.name}"
        settings = f"registry: {{repository: '{repository}', push: [base, deps, app, artefacts], strict: true}}\n"
        (made.root / _CONFIG).write_text(settings, encoding="utf-8")
        ask(["git", "-C", str(made.tree), "add", "--all"])
        clone = scratch.work / "clone" / made.tree.name
        machines = Machines(made, clone / made.root.relative_to(made.tree), engine, repository)
        machines.shared()
        # As it is now, without what this machine knows of it.
        shutil.copytree(made.tree, clone, ignore=shutil.ignore_patterns(FOLDER), symlinks=True)
        ask(["git", "-C", str(clone), "status", "--short"], check=False)
        rows.append(cloned(machines, runs))
        rows.extend(warmed(machines, runs))
        rows.extend(edited(machines, runs))
        rows.append(planned(machines, runs))
        for row in rows:
            say(f"{row['way']}: {row}")


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("sharing", __doc__)
    parser.add_argument("--runs", type=int, default=5, help="clones, edits and plans")
    given = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    result = Result("sharing", harness.meta(given, given.runs))

    def every(options: Any, scratch: Scratch) -> None:
        made = harness.copied(options, scratch)
        scenarios.Tree(made.tree, made.root, scratch.name.rsplit("-", 1)[-1], made.places).begin()
        measure(made, scratch, options.runs, rows)

    code = harness.measured(given, every)
    if rows:
        report.tell(replace(result, rows=rows), given.json)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
