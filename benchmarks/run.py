"""Compare layerdoit with three Dockerfiles and with cargo on the host, in one run on one engine.

`python -m benchmarks.run --project PATH --profile release --runs 3 --json benchmarks/results/NAME.json`
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks import engine, peers, report, scenarios, subject
from benchmarks.scenarios import Bump, Tree
from layerdoit.secrets import Secrets, gathered
from layerdoit.workspace import manifest

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "bookshelf"
_MOST_CANDIDATES = 8


@dataclass
class Session:
    """What all runs share. `name` is unique: it names the layerdoit project, images, and every layer and mount."""

    name: str
    work: Path
    project: Path
    options: argparse.Namespace
    entrypoint: str = ""
    base: tuple[str, str] = ("", "")
    bump: Bump | None = None
    chef: str = ""
    chef_version: str = ""
    size: Mapping[str, int] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cells: list[report.Cell] = field(default_factory=list)


def say(text: str) -> None:
    """Progress is for a person."""
    print(text, file=sys.stderr, flush=True)


# --- before anything is measured -------------------------------------------------------------------------------------


def prepare(session: Session, secrets: Secrets) -> None:
    """Base images, cargo-chef, and the dependency bump: none of this is counted."""
    options = session.options
    root = subject.copy(session.project, session.work / "prepare" / session.project.name)
    session.entrypoint = options.entrypoint or subject.original_entrypoint(root)
    subject.configure(root, session.name, options.profile, session.name, session.entrypoint)
    session.size = subject.size(root)
    say("base images …")
    engine.ask([peers.doit(), "base"], root)
    facts = subject.with_base(root, subject.facts(root))
    session.base = (facts.builder, facts.runtime)
    if "bump" in options.scenarios:
        session.bump = scenarios.find_bump(root, _candidates(root), options.bump)
        if session.bump:
            session.notes.append(f"bump: {session.bump.crate} {session.bump.old} → {session.bump.new}")
    if "native" in options.peers:
        _fetch(root, session.bump)
    if "chef" in options.peers:
        say("cargo-chef …")
        _chef(session, facts, secrets)


def _candidates(root: Path) -> list[str]:
    """Crates to bump, the one that many have first."""
    workspace = manifest.load(root)
    direct = [
        dependency.package
        for package in workspace.packages.values()
        for dependency in package.dependencies
        if dependency.path is None and dependency.kind == "normal" and package.member
    ]
    by_use = sorted(set(direct) - {"anyhow"}, key=lambda name: (-direct.count(name), name))
    return ["anyhow", *by_use][:_MOST_CANDIDATES]


def _fetch(root: Path, bump: Bump | None) -> None:
    """cargo on the host has its sources already; its time is compiling."""
    lock = root / "Cargo.lock"
    original = lock.read_text()
    for text in [original, *([bump.lock] if bump else [])]:
        lock.write_text(text)
        engine.ask(["cargo", "fetch", "--locked"], root)
    lock.write_text(original)


def _chef(session: Session, facts: subject.Facts, secrets: Secrets) -> None:
    folder = session.work / "chef-tool"
    folder.mkdir()
    (folder / "Dockerfile").write_text(peers.CHEF_IMAGE)
    session.chef = f"{session.name}-chef-tool:once"
    args = {"BUILDER": facts.builder, "CHEF_VERSION": session.options.chef_version}
    call = engine.Build(folder / "Dockerfile", folder, session.chef, args, secrets)
    engine.ask(call.argv(), more=call.environment())
    said = engine.ask(["docker", "run", "--rm", session.chef, "cargo", "chef", "--version"])
    session.chef_version = said.split()[-1]


# --- one run ---------------------------------------------------------------------------------------------------------


def one_run(session: Session, number: int, secrets: Secrets) -> None:
    """All scenarios once, on a tree of its own."""
    options = session.options
    token = f"{session.name}-r{number}"
    work = session.work / f"r{number}"
    tree = work / "tree" / session.project.name
    root = subject.copy(session.project, tree)
    subject.configure(root, session.name, options.profile, token, session.entrypoint)
    where = subject.places(root, session.entrypoint, options.leaf, options.deep)
    state = Tree(tree, root, f"{session.name.rsplit('-', 1)[-1]}-{number}", where, session.bump)
    state.begin()
    now = peers.Round(token, tree, root, work, secrets, session.chef, session.name)
    if number == 1:
        edited = [path for path in (where.leaf, where.deep, where.leaf_manifest, where.asset) if path]
        session.notes.append(f"edited: {', '.join(edited)}")
    working = list(options.peers)
    for turn, scenario in enumerate(options.scenarios):
        if reason := state.possible(scenario):
            if number == 1:
                session.notes.append(f"{scenario}: left out, {reason}")
            continue
        state.apply(scenario)
        facts = replace(subject.facts(root), builder=session.base[0], runtime=session.base[1])
        for again in range(scenarios.REPEATS.get(scenario, 1)):
            shift = (number + turn + again) % len(working)
            order = working[shift:] + working[:shift]
            built = {peer: peers.build(peer, now, facts) for peer in order}
            session.images += [outcome.image for outcome in built.values() if outcome.image.startswith("sha256:")]
            session.cells += judged(session, number, scenario, built, state, facts)
        working = [peer for peer in working if not (scenario == "cold" and built[peer].error)]
        if not working:
            raise engine.Failed("no peer builds this project")


def judged(
    session: Session, number: int, scenario: str, built: Mapping[str, peers.Built], state: Tree, facts: subject.Facts
) -> list[report.Cell]:
    """The cells of one round of builds, after a look into each binary."""
    seen = {peer: look(session, outcome, facts) for peer, outcome in built.items() if not outcome.error}
    shown: dict[str, set[str]] = {}
    for found, _ in seen.values():
        for where, states in found.items():
            shown.setdefault(where, set()).update(states)
    for where in state.state:
        note = f"{where}: no peer's binaries show the mark, so this edit is not checked"
        if not shown.get(where) and note not in session.notes:
            session.notes.append(note)
    cells = []
    for peer, outcome in built.items():
        stale: list[str] = []
        if peer in seen:
            found, missing = seen[peer]
            expected = {where: text for where, text in state.state.items() if peer != "native" or where != "asset"}
            stale = [f"{name} is missing" for name in missing] + scenarios.wrong(expected, found, shown)
            stale += _bump_missed(scenario, outcome, built, state.bump)
        cell = report.Cell(
            run=number,
            scenario=scenario,
            peer=peer,
            seconds=round(outcome.seconds, 4),
            compiled=len(outcome.crates),
            crates=outcome.crates if len(outcome.crates) <= 20 else (),
            layers=outcome.layers,
            stale=stale,
            error=_public(session, outcome.error),
        )
        cells.append(cell)
        layers = f"  built: {', '.join(cell.layers) or 'nothing'}" if peer == "layerdoit" else ""
        trouble = f"  STALE: {'; '.join(stale)}" if stale else f"  FAILS: {cell.error}" if cell.error else ""
        say(f"run {number}  {scenario:<9} {peer:<10} {cell.seconds:8.2f} s  {cell.compiled:4d} crates{layers}{trouble}")
    return cells


def _bump_missed(scenario: str, outcome: peers.Built, built: Mapping[str, peers.Built], bump: Bump | None) -> list[str]:
    """A bumped crate that others compile, and this peer does not, is still the old one."""
    if scenario != "bump" or bump is None:
        return []
    new = f"{bump.crate} v{bump.new}"
    if new in outcome.crates or not any(new in other.crates for other in built.values()):
        return []
    return [f"{new} was not compiled"]


def look(session: Session, outcome: peers.Built, facts: subject.Facts) -> tuple[dict[str, set[str]], list[str]]:
    """The marks in what a build made, and the binaries that it lacks."""
    names = [name for _, name in facts.bins]
    if outcome.folder is not None:
        return _marks(path for name in names if (path := outcome.folder / name).is_file()), [
            name for name in names if not (outcome.folder / name).is_file()
        ]
    wanted = ["/usr/local/bin", *(place for _, place in facts.assets)]
    with engine.contents(outcome.image, wanted, session.work) as folder:
        missing = [name for name in names if not (folder / "usr/local/bin" / name).is_file()]
        return _marks(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()), missing


def _marks(files: Iterator[Path]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in files:
        for where, states in scenarios.marks(path.read_bytes()).items():
            found.setdefault(where, set()).update(states)
    return found


def _public(session: Session, text: str) -> str:
    """A message without paths of this machine and addresses."""
    here = text.replace(str(session.work), "<work>").replace(str(Path.home()), "~")
    return re.sub(r"\b[a-z+]+://\S+", "<address>", here)


# --- cleaning --------------------------------------------------------------------------------------------------------


def clean_run(session: Session, number: int) -> None:
    """What one run made: its images, layers and mounts. The base images serve the next run."""
    with engine.undisturbed():
        engine.remove_images(session.images)
        session.images.clear()
        engine.remove_images(engine.labelled(session.name, "app", "deps"))
        left = engine.prune(f"{session.name}-r{number}", session.name)
        shutil.rmtree(session.work / f"r{number}", ignore_errors=True)
    if left:
        say(f"{left} cache records of run {number} are in use and stay")


def clean_all(session: Session) -> None:
    """Everything that has this session's name."""
    with engine.undisturbed():
        say("removing what this benchmark made …")
        engine.remove_images([*session.images, *engine.labelled(session.name), *engine.tagged(session.name)])
        engine.prune(session.name, session.name)
        shutil.rmtree(session.work, ignore_errors=True)


# --- the report ------------------------------------------------------------------------------------------------------


def machine() -> str:
    """Processor and cores."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {len(os.sched_getaffinity(0))} cores"
    return f"{platform.machine()}, {os.cpu_count()} cores"


def about(runs: int) -> dict[str, Any]:
    """The part of a header that every benchmark has."""
    import layerdoit

    commit = engine.ask(["git", "-C", str(HERE), "describe", "--always", "--dirty"], check=False).strip()
    return {
        "machine": machine(),
        "engine": engine.ask(["docker", "version", "--format", "{{.Server.Version}}"]).strip(),
        "buildx": engine.ask(["docker", "buildx", "version"]).split()[1],
        "cargo": engine.ask(["cargo", "--version"], check=False).split()[1:2][0],
        "layerdoit": f"{layerdoit.__version__} ({commit})" if commit else layerdoit.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "runs": runs,
        "load": f"{os.getloadavg()[0]:.1f} at the start",
    }


def result(session: Session, meta: Mapping[str, Any], done: int) -> report.Result:
    """All that was measured."""
    counts = {"files": "files", "members": "members", "locked": "locked crates"}
    own = {
        "project": session.project.name,
        "profile": session.options.profile,
        "size": ", ".join(f"{session.size[name]} {words}" for name, words in counts.items() if name in session.size),
        "cargo-chef": session.chef_version,
    }
    order = {name: words for name, words in scenarios.SCENARIOS.items() if name in session.options.scenarios}
    return report.Result("run", {**own, **meta, "runs": done}, session.cells, (), order, session.notes)


def _choice(valid: Sequence[str]) -> Any:
    def parse(text: str) -> list[str]:
        words = [word for word in re.split(r"[,\s]+", text) if word]
        for word in words:
            if word not in valid:
                raise argparse.ArgumentTypeError(f'there is no "{word}"; valid: {", ".join(valid)}')
        return [word for word in valid if word in words]

    return parse


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--project", type=Path, default=EXAMPLE, help="a Rust project; default: the example")
    parser.add_argument("--profile", default="dev", help="cargo profile: dev, release or one of the project's own")
    parser.add_argument("--runs", type=int, default=3, help="how often everything is measured")
    parser.add_argument(
        "--peers", type=_choice(peers.PEERS), default=list(peers.PEERS), help="names, separated by commas"
    )
    names = list(scenarios.SCENARIOS)
    parser.add_argument(
        "--scenarios", type=_choice(names), default=names, help="names, separated by commas; cold always comes first"
    )
    parser.add_argument("--entrypoint", help="binary that the image runs")
    parser.add_argument("--leaf", help="source file of a binary crate to edit, relative to the project")
    parser.add_argument("--deep", help="root file of the library to edit, relative to the project")
    parser.add_argument("--bump", metavar="CRATE[@VERSION]", help="dependency to bump")
    parser.add_argument("--chef-version", default=peers.CHEF_VERSION, help="version of cargo-chef")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    options = parser.parse_args(argv)
    if "cold" not in options.scenarios:
        options.scenarios.insert(0, "cold")
    return options


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report. What was measured before an interruption or an error is reported too."""
    options = parsed(argv)
    name = f"layerdoit-bench-{uuid.uuid4().hex[:8]}"
    session = Session(name, Path(tempfile.mkdtemp(prefix=f"{name}-")), options.project.resolve(), options)
    done, code = 0, 0
    with engine.terminated_as_interrupted():
        try:
            secrets = gathered()
            meta = about(options.runs)
            prepare(session, secrets)
            for number in range(1, options.runs + 1):
                try:
                    one_run(session, number, secrets)
                    done = number
                finally:
                    clean_run(session, number)
        except KeyboardInterrupt:
            say("interrupted")
            code = 130
        except engine.Failed as error:
            say(f"error: {_public(session, str(error))}")
            code = 1
        finally:
            clean_all(session)
    if session.cells:
        write(options, result(session, meta, done))
    return code


def write(options: argparse.Namespace, found: report.Result) -> None:
    """To the terminal, and to the files that were asked for."""
    text = report.section(found)
    print(text)
    for path, content in ((options.json, report.to_json(found)), (options.markdown, text)):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
