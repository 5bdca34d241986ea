"""The measurement itself: all peers build the same tree, edit after edit, and what they made is looked into."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from layerdoit.bench import buildkit, effective, host, peers, scenarios, subject
from layerdoit.bench.choice import Wanted
from layerdoit.bench.edits import places
from layerdoit.bench.results import Cell, Result
from layerdoit.bench.running import ask, say
from layerdoit.bench.scenarios import Bump, Tree
from layerdoit.bench.scratch import Scratch
from layerdoit.build.host_secrets import Secrets, collect
from layerdoit.cargo import manifest
from layerdoit.core.errors import ConfigError, LayerdoitError, WorkspaceError
from layerdoit.core.state import State
from layerdoit.core.units import count_text
from layerdoit.engine.api import builder_name, chosen_builder
from layerdoit.flows.session import Session
from layerdoit.history.benchmarks import OURS
from layerdoit.layers.key import IMAGES
from layerdoit.project.project import Project
from layerdoit.project.run import Run

_MOST_CANDIDATES: Final = 8
_UNMARKED: Final = (
    "{}: its own Dockerfile does not call layerdoit's script, so what it leaves in BuildKit's cache stays"
)


@dataclass(frozen=True)
class Subject:
    """The user's project: read, never written. `given`: its settings; `also`: what counts to it though git ignores it.

    `repository`: of its images, among which its base images may be.
    """

    root: Path
    name: str
    variant: str
    repository: str
    entrypoint: str
    given: Mapping[str, Any]
    also: tuple[str, ...] = ()


@dataclass
class Bench:
    """What all runs share, and what they measured."""

    subject: Subject
    scratch: Scratch
    wanted: Wanted
    secrets: Secrets
    base: tuple[str, str] = ("", "")
    bump: Bump | None = None
    chef: str = ""
    size: Mapping[str, int] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    done: int = 0

    def note(self, text: str) -> None:
        """Something that a reader of the result should know, once."""
        if text not in self.notes:
            self.notes.append(text)


def look_at(root: Path, variables: Mapping[str, str], scratch: Path, service: str = "") -> Subject:
    """What a benchmark must know of a project before it copies it. What is noted meanwhile, is noted in `scratch`.

    `service`: which of the images is measured, where there are several.
    """
    session = Session(Run(), Project.open(root, variables, state=State(scratch)))
    if not session.project.has_rust:
        what = f"nothing is compiled in {session.project.root}, so there is nothing to compare"
        raise WorkspaceError(what, hint="measure where the program is compiled")
    compiled = [name for name, one in session.project.services.items() if one.kind == "compiled"]
    if compiled and service not in compiled:
        what = (
            f"there is no compiled service {service}" if service else "bench measures one image, and there are several"
        )
        raise ConfigError(what, hint=f"name one: {', '.join(f'--service {name}' for name in compiled)}")
    given = effective.effective(session.project.root, variables)
    if compiled:
        session, given = session.service(service), effective.of_service(given, service)
    inputs = session.inputs
    project, found = inputs.project, inputs.project.config
    return Subject(
        project.root,
        project.name,
        inputs.app_variant,
        project.layers_repository,
        inputs.entrypoint,
        given,
        (*found.sources.include, *found.image.assets),
    )


def begin(about: Subject, scratch: Scratch, wanted: Wanted) -> Bench:
    """With the host's secrets, as a build of the project has them."""
    bench = Bench(about, scratch, wanted, collect(project=manifest.load(about.root).config, root=about.root))
    builder = about.given.get("builder") or (chosen_builder() or ("",))[0]
    if builder and str(builder) != builder_name():
        bench.note(f"measured on the engine's own builder, not on {builder}")
    return bench


# --- before anything is measured -------------------------------------------------------------------------------------


def prepare(bench: Bench) -> None:
    """Base images, cargo-chef, and the dependency bump: none of this is counted."""
    wanted, about, name = bench.wanted, bench.subject, bench.scratch.name
    root = subject.copy(about.root, bench.scratch.work / "prepare" / about.root.name, about.also)
    for layer in subject.configure(root, about.given, name, name, about.entrypoint):
        bench.note(_UNMARKED.format(layer))
    bench.size = subject.size(root)
    _base(bench, root)
    facts = subject.with_base(root, subject.facts(root))
    bench.base = (facts.builder, facts.runtime)
    if "bump" in wanted.scenarios:
        bench.bump = scenarios.find_bump(root, _candidates(root))
        if bench.bump:
            bench.note(f"bump: {bench.bump.crate} {bench.bump.old} to {bench.bump.new}")
    if "native" in wanted.peers:
        _fetch(root, bench.bump)
    if "chef" in wanted.peers:
        say("cargo-chef …")
        bench.chef = _chef(bench, facts)


def _base(bench: Bench, root: Path) -> None:
    """The project's own base images under the session's name, where they are there; else they are built."""
    session = Session(Run(), Project.open(root, {}))
    project, images = session.project, session.engine.images
    missing = False
    for layer in IMAGES["base"]:
        key = session.plan.step(layer).spec.tag.rpartition(":")[2]
        theirs = f"{bench.subject.repository}:{key}"
        if images.inspect(theirs) is None:
            missing = True
        else:
            images.tag(theirs, bench.scratch.name, [key])
    if not missing:
        return
    if "build" not in project.config.base.on_missing:
        raise LayerdoitError(
            "the base images are not on this engine", hint="run `doit base`: a benchmark pulls nothing"
        )
    say("base images …")
    ask([*peers.command(), "base"], root)


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
    original = lock.read_text(encoding="utf-8")
    for text in [original, *([bump.lock] if bump else [])]:
        lock.write_text(text, encoding="utf-8")
        ask(["cargo", "fetch", "--locked"], root)
    lock.write_text(original, encoding="utf-8")


def _chef(bench: Bench, facts: subject.Facts) -> str:
    folder = bench.scratch.work / "chef-tool"
    folder.mkdir()
    (folder / "Dockerfile").write_text(peers.chef_image(bench.scratch.name))
    tag = f"{bench.scratch.name}-chef-tool:once"
    args = {"BUILDER": facts.builder}
    call = buildkit.Build(folder / "Dockerfile", folder, tag, args, bench.secrets, bench.scratch.name)
    ask(call.argv(), more=call.environment())
    return tag


# --- one run ---------------------------------------------------------------------------------------------------------


def measure(bench: Bench) -> None:
    """Everything that is wanted. What was measured before an error is in the bench."""
    prepare(bench)
    busy = host.busy()
    if busy:
        bench.note(busy)
        say(busy)
    for number in range(1, bench.wanted.runs + 1):
        one_run(bench, number)
        bench.done = number
        clean_run(bench, number)


def one_run(bench: Bench, number: int) -> None:
    """All scenarios once, on a tree of its own."""
    about, scratch = bench.subject, bench.scratch
    token = f"{scratch.name}-r{number}"
    work = scratch.work / f"r{number}"
    tree = work / "tree" / about.root.name
    root = subject.copy(about.root, tree, about.also)
    subject.configure(root, about.given, scratch.name, token, about.entrypoint)
    where = places(root, about.entrypoint)
    state = Tree(tree, root, f"{scratch.name.rsplit('-', 1)[-1]}-{number}", where, bench.bump)
    state.begin()
    now = peers.Round(token, tree, root, work, bench.secrets, bench.chef, scratch.name)
    edited = [path for path in (where.leaf, where.deep, where.leaf_manifest, where.asset) if path]
    bench.note(f"edited: {', '.join(edited)}")
    working = list(bench.wanted.peers)
    for turn, scenario in enumerate(bench.wanted.scenarios):
        if reason := state.possible(scenario):
            bench.note(f"{scenario}: skipped, {reason}")
            continue
        state.apply(scenario)
        facts = replace(subject.facts(root), builder=bench.base[0], runtime=bench.base[1])
        for again in range(scenarios.REPEATS.get(scenario, 1)):
            shift = (number + turn + again) % len(working)
            order = working[shift:] + working[:shift]
            built = {peer: peers.build(peer, now, facts) for peer in order}
            bench.images += [outcome.image for outcome in built.values() if outcome.image.startswith("sha256:")]
            bench.cells += judged(bench, number, scenario, built, state, facts)
            working = [peer for peer in working if not (scenario == "cold" and built[peer].error)]
        if not working:
            raise LayerdoitError("no other way to build this project works", hint="run `doit image` to see why")


def judged(
    bench: Bench, number: int, scenario: str, built: Mapping[str, peers.Built], state: Tree, facts: subject.Facts
) -> list[Cell]:
    """The cells of one round of builds, after a look into each binary."""
    seen = {peer: look(bench, outcome, facts) for peer, outcome in built.items() if not outcome.error}
    shown: dict[str, set[str]] = {}
    for found, _ in seen.values():
        for where, states in found.items():
            shown.setdefault(where, set()).update(states)
    for where in state.state:
        if not shown.get(where):
            bench.note(f"{where}: no peer's binaries show the mark, so this edit is not checked")
    cells = []
    for peer, outcome in built.items():
        stale: list[str] = []
        if peer in seen:
            found, missing = seen[peer]
            expected = {where: text for where, text in state.state.items() if peer != "native" or where != "asset"}
            stale = [f"{name} is missing" for name in missing] + scenarios.wrong(expected, found, shown)
            stale += _bump_missed(scenario, outcome, built, state.bump)
        cell = Cell(
            run=number,
            scenario=scenario,
            peer=peer,
            seconds=round(outcome.seconds, 4),
            compiled=len(outcome.crates),
            crates=outcome.crates if len(outcome.crates) <= 20 else (),
            layers=outcome.layers,
            stale=stale,
            error=public(outcome.error, bench.scratch.work),
        )
        cells.append(cell)
        layers = f"  built: {', '.join(cell.layers) or 'nothing'}" if peer == OURS else ""
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


def look(bench: Bench, outcome: peers.Built, facts: subject.Facts) -> tuple[dict[str, set[str]], list[str]]:
    """The marks in what a build made, and the binaries that it lacks."""
    names = [name for _, name in facts.bins]
    if outcome.folder is not None:
        return _marks(path for name in names if (path := outcome.folder / name).is_file()), [
            name for name in names if not (outcome.folder / name).is_file()
        ]
    wanted = ["/usr/local/bin", *(place for _, place in facts.assets)]
    with buildkit.contents(outcome.image, wanted, bench.scratch.work, bench.scratch.name) as folder:
        missing = [name for name in names if not (folder / "usr/local/bin" / name).is_file()]
        return _marks(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()), missing


def _marks(files: Iterator[Path]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in files:
        for where, states in scenarios.marks(path.read_bytes()).items():
            found.setdefault(where, set()).update(states)
    return found


def public(text: str, work: Path) -> str:
    """A message without paths of this machine and addresses."""
    here = text.replace(str(work), "<work>").replace(str(Path.home()), "~")
    return re.sub(r"\b[a-z+]+://\S+", "<address>", here)


def clean_run(bench: Bench, number: int) -> None:
    """What one run made: its images, layers and mounts. The base images serve the next run."""
    name = bench.scratch.name
    buildkit.remove_images([*bench.images, *buildkit.images_of(name, "app", "deps")])
    bench.images.clear()
    left = buildkit.prune(f"{name}-r{number}", name, bench.scratch.began)
    shutil.rmtree(bench.scratch.work / f"r{number}", ignore_errors=True)
    if left:
        say(f"{left} cache records of run {number} are in use and stay until the end")


# --- the result ------------------------------------------------------------------------------------------------------


def result(bench: Bench, meta: Mapping[str, Any]) -> Result:
    """All that was measured; `meta`: what `host.about` says."""
    counts = {"files": "file", "members": "member", "locked": "locked crate"}
    profile, _, target = bench.subject.variant.partition("/")
    own = {
        "project": bench.subject.name,
        "profile": profile,
        "target": "" if target == "host" else target,
        "size": ", ".join(count_text(bench.size[name], words) for name, words in counts.items() if name in bench.size),
        "cargo-chef": peers.CHEF_VERSION if "chef" in bench.wanted.peers else "",
    }
    order = {name: words for name, words in scenarios.SCENARIOS.items() if name in bench.wanted.scenarios}
    return Result("run", {**own, **meta, "runs": bench.done}, bench.cells, (), order, bench.notes)
