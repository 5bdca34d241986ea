"""Real projects, untouched: `doit layers init --yes && doit` on a copy of each, one after the other.

`python -m benchmarks.projects FOLDER [FOLDER …] --json benchmarks/results/NAME.json`

Per project: what init said and wrote, the seconds of the first build, of a run with nothing to do and of an edit in the
entry point's main file, the external crates that were compiled twice, and whether the program answers `--version` or
`--help` in its image. What was built is removed afterwards. Rows of projects that are not named stay in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from layerdoit.bench import host
from layerdoit.bench.edits import places
from layerdoit.core import process
from layerdoit.core.errors import LayerdoitError
from layerdoit.flows.session import Session
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.run import Run

_DOIT: Final = (sys.executable, "-m", "doit")
_LABEL: Final = "io.layerdoit.project"
_ANSWERS: Final = ("--version", "--help")
_NOTHING: Final = 3
"""Runs with nothing to do, of which the fastest counts."""
_LOG: Final = 20
"""Lines of a failed build's log that are kept."""
_EDITS: Final = 2
"""Edits; the first pays for a mount that is not yet filled."""


def measure(folder: Path, work: Path, given: Sequence[str], settings: Sequence[str]) -> dict[str, Any]:
    """Everything about one project, on a copy in `work`. A step that fails ends it; its message is in `problem`.

    `given`: variables that every build gets, `NAME=VALUE`; `settings`: lines that are added to layerdoit.yaml.
    """
    root = copied(folder, work)
    row: dict[str, Any] = {
        "project": folder.name,
        "commit": _commit(folder),
        "profile": "dev",
        "with": [*given, *settings],
    }
    try:
        row |= _init(root)
        with open(root / "layerdoit.yaml", "a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in settings)
        inputs = Session(Run(), Project.open(root, {})).inputs
        project = inputs.project
        row |= {"name": project.name, "binary": inputs.entrypoint}
        _unused(project.name)
        try:
            row |= _builds(root, inputs, given)
        finally:
            _doit(root, "cache_clear:nuke", "--yes")
            row["left"] = _images(project.name)
    except LayerdoitError as error:
        row["problem"] = str(error).replace(str(work), "")
        row["log"] = _last_log(root)
    return row


def copied(folder: Path, work: Path) -> Path:
    """The project with all of its repository: it may use what lies beside it."""
    top = process.capture(["git", "-C", str(folder), "rev-parse", "--show-toplevel"], check=False).stdout.strip()
    tree = Path(top) if top else folder
    shutil.copytree(tree, work / tree.name, symlinks=True)
    return work / tree.name / folder.relative_to(tree)


def _init(root: Path) -> dict[str, Any]:
    seconds, said = _doit(root, "layers", "init", "--yes")
    _, again = _doit(root, "layers", "init", "--yes")
    written = (root / "layerdoit.yaml").read_text(encoding="utf-8")
    return {
        "init_seconds": seconds,
        "said": [line.strip() for line in said.splitlines() if re.match(r"  (native|note) ", line)],
        "wrote": [line for line in written.splitlines() if line.strip() and not line.lstrip().startswith("#")],
        "init_again": again.splitlines()[-1],
    }


def _builds(root: Path, inputs: Inputs, given: Sequence[str]) -> dict[str, Any]:
    project = inputs.project
    # What BuildKit remembers of an earlier run does not count.
    project.state.mark_cleared(("deps", "app"))
    cold, _ = _doit(root, *given)
    layers = _history(root)[-1]["layers"]
    found: dict[str, Any] = {
        "cold": cold,
        "crates": sum(layers[name]["compiled"] or 0 for name in ("deps", "app")),
        "recompiled": [layers["app"]["external"]],
        "size": layers["app"]["size"],
        "answer": _answer(f"{project.repository}:{project.tags[0]}"),
        "nothing": [_doit(root, *given)[0] for _ in range(_NOTHING)],
        "edit": [],
    }
    place = places(root, inputs.entrypoint)
    for number in range(_EDITS):
        with open(root / place.leaf, "a", encoding="utf-8") as file:
            file.write(f"\nconst _: u32 = {number};\n")
        found["edit"].append(_doit(root, *given)[0])
        app = _history(root)[-1]["layers"]["app"]
        if app["action"] != "build":
            raise LayerdoitError(f"an edit of {place.leaf} built nothing: {app['action']}")
        found["recompiled"].append(app["external"])
    return found


def _doit(root: Path, *words: str) -> tuple[float, str]:
    """Seconds and output of `doit …`; what it said of an error raises."""
    lines: list[str] = []
    errors: list[str] = []

    def take(name: str, line: str) -> None:
        (errors if name == "stderr" else lines).append(line)

    began = time.perf_counter()
    code = process.stream([*_DOIT, *words], cwd=root, on_line=take)
    seconds = round(time.perf_counter() - began, 2)
    if code:
        told = [line for line in (*errors, *lines) if line.startswith(("layerdoit: error:", "next:"))]
        raise LayerdoitError("\n".join(told or errors[-5:] or lines[-5:]))
    return seconds, "\n".join(lines)


def _history(root: Path) -> list[dict[str, Any]]:
    argv = [*_DOIT, "layers", "history", "--json", "--last", "1"]
    runs: list[dict[str, Any]] = json.loads(process.capture(argv, cwd=root).stdout)["runs"]
    return runs


def _last_log(root: Path) -> list[str]:
    """The end of the newest log."""
    logs = sorted((root / ".layerdoit" / "logs").glob("*.log"), key=lambda log: log.stat().st_mtime)
    return logs[-1].read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG:] if logs else []


def _answer(image: str) -> str:
    """What the program says of itself, without a network."""
    said = ""
    for argument in _ANSWERS:
        ran = process.capture(["docker", "run", "--rm", "--network", "none", image, argument], check=False)
        said = (ran.stdout.strip() or ran.stderr.strip()).partition("\n")[0]
        if ran.code == 0:
            return f"{argument}: {said}"
    raise LayerdoitError(f"the image answers neither {' nor '.join(_ANSWERS)}: {said}")


def _images(name: str) -> list[str]:
    form = ["--format", "{{.Repository}}:{{.Tag}}"]
    listed = process.capture(["docker", "image", "ls", "--filter", f"label={_LABEL}={name}", *form]).stdout
    return listed.split()


def _unused(name: str) -> None:
    """What is removed afterwards must be ours."""
    if _images(name):
        raise LayerdoitError(f"the engine has images of a project {name} already: this would remove them")


def _commit(folder: Path) -> str:
    argv = ["git", "-C", str(folder), "log", "-1", "--format=%h"]
    return process.capture(argv, check=False).stdout.strip()


# --- the table --------------------------------------------------------------------------------------------------------


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Markdown, a line for each project."""
    yield "| project | crates | cold, s | nothing to do, s | edit, s | external crates recompiled | what init wrote |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        name = " ".join([row["project"], *(f"`{word}`" for word in row.get("with", ()))])
        if "problem" in row:
            yield f"| {name} | | not built | | | | {row['problem'].splitlines()[0]} |"
            continue
        again = sum(number or 0 for number in row["recompiled"])
        times = f"{row['cold']:.0f} | {min(row['nothing']):.2f} | {min(row['edit']):.1f}"
        yield f"| {name} | {row['crates']} | {times} | {again} | {_settings(row['wrote'])} |"


def _settings(lines: Sequence[str]) -> str:
    """`base.packages`: `cmake`, `perl` (perhaps)."""
    import yaml

    perhaps = {line.strip(" -").partition(" ")[0] for line in lines if "# perhaps" in line}

    def told(path: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from told(f"{path}.{name}" if path else name, inner)
        else:
            items = value if isinstance(value, list) else [value]
            yield f"{path}: " + ", ".join(f"`{item}`" + " (perhaps)" * (item in perhaps) for item in items)

    return "; ".join(told("", yaml.safe_load("\n".join(lines)) or {})) or "nothing"


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report; 1 when a project was not built."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.projects", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", help="Rust projects; none: only print the table")
    parser.add_argument("--json", type=Path, help="the rows; those of other projects stay")
    parser.add_argument(
        "--with", dest="given", action="append", default=[], metavar="NAME=VALUE", help="for each build"
    )
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="LINE", help="add to layerdoit.yaml"
    )
    given = parser.parse_args(argv)
    found = json.loads(given.json.read_text()) if given.json and given.json.is_file() else {"meta": {}, "rows": []}
    rows = {row["project"]: row for row in found["rows"]}
    for folder in given.folders:
        load = round(os.getloadavg()[0], 1)
        with tempfile.TemporaryDirectory(prefix="layerdoit-projects-") as work:
            row = measure(folder.resolve(), Path(work).resolve(), given.given, given.settings)
        rows[row["project"]] = {**row, "load": load}
        print(json.dumps(rows[row["project"]], indent=1), file=sys.stderr, flush=True)
        if given.json:
            meta = {name: value for name, value in host.about(1).items() if name not in ("cargo", "load")}
            written = json.dumps({"kind": "projects", "meta": meta, "rows": list(rows.values())}, indent=1)
            given.json.write_text(written + "\n", encoding="utf-8")
    print("\n".join(table(list(rows.values()))))
    return 1 if any("problem" in rows[folder.resolve().name] for folder in given.folders) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
