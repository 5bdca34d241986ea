"""The whole check-up of a project: asks everything at the same time, then lets the rules judge."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from layerdoit.core import toml
from layerdoit.core.background import Background
from layerdoit.core.errors import LayerdoitError
from layerdoit.doctor import (
    access,
    access_facts,
    cargo_facts,
    ci_workflows,
    context,
    dockerfile_facts,
    dockerfiles,
    dodo_file,
    engine_checks,
    engine_facts,
    git_history,
    lockfile,
    native_packages,
    neighbours,
    part_checks,
    part_facts,
    profile_checks,
    savings,
    secret_files,
    source_checks,
    source_facts,
    store_checks,
    tree_facts,
)
from layerdoit.doctor import project_checks as workspace
from layerdoit.doctor.diagnosis import Report, report
from layerdoit.doctor.engine_facts import Builder, Engine, Failed
from layerdoit.doctor.finding import Fact, Item, Rule, Unchecked
from layerdoit.flows import obstacles, pushes
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.config import CallSettings

PATIENCE = 5.0
"""Seconds for all questions together; what has no answer by then is not checked."""

AREAS: Mapping[str, tuple[Rule, ...]] = {
    "Engine": (*engine_checks.RULES, *neighbours.RULES),
    "Network and credentials": (*access.RULES, *store_checks.RULES),
    "Workspace": (*dodo_file.RULES, *lockfile.RULES, *workspace.RULES, *native_packages.RULES, *git_history.RULES),
    "CI": ci_workflows.RULES,
    "Services and components": part_checks.RULES,
    "Profiles and flags": (*profile_checks.RULES, *savings.RULES),
    "Sources": (*source_checks.RULES, *context.RULES, *secret_files.RULES),
    "Dockerfiles": dockerfiles.RULES,
}
"""Every rule, by what it is about."""


def examine(
    root: Path, variables: Mapping[str, str], *, measure: bool = False, call: CallSettings | None = None
) -> Report:
    """Look at everything once. Errors of the project are findings; without `measure` nothing is built or downloaded.

    `call`: what a dodo.py says of the project.
    """
    try:
        session = Session(Run(), Project.open(root, variables, call=call))
    except LayerdoitError as error:
        unreadable = workspace.UNREADABLE.found(error.what, error.where, fix=error.hint)
        rest = Unchecked("everything else", "the configuration cannot be read")
        return report([*_of_the_machine(), unreadable, *dodo_file.dodo(root), rest])
    items = list(_Examination(session).items())
    if measure:
        items += _guarded("what other settings would save", lambda: savings.measured(session))
    return report(items)


def _of_the_machine() -> Iterator[Item]:
    """What needs no project."""
    yield from _guarded("engine", lambda: engine_checks.engine(engine_facts.engine()))
    yield from _guarded("buildx", lambda: engine_checks.buildx(engine_facts.buildx()))


# What reading a table, a list or a string from a value of another type raises: cargo itself says which one.
_WRONG_TYPE = (AttributeError, KeyError, TypeError, ValueError)


class _Examination:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._project = session.project
        self._tree = session.tree
        self._root = session.project.root
        self._locked = False
        self._readable = False
        self._broken = False

    def items(self) -> Iterator[Item]:
        """Everything that is to be said, area by area."""
        config = self._project.config
        first = list(self._first())
        # Alone, for the other questions would slow it down.
        no_op = list(_of_tree("time to a no-op", self._no_op))
        until = time.monotonic() + PATIENCE
        asked_engine = Background(engine_facts.engine, until)
        asked_buildx = Background(engine_facts.buildx, until)
        asked_builder = Background(self._builder, until)
        asked_access = Background(lambda: list(self._access(until)), until)
        asked_cargo = Background(lambda: cargo_facts.refusal(self._root), until)
        asked_files = Background(lambda: list(self._dockerfiles()), until)
        asked_tree = Background(self._listing, until)
        asked_others = Background(lambda: neighbours.ask(self._project, self._session.engine), until)
        asked_read = Background(lambda: list(self._read_by_code()), until)
        yield from _guarded("engine", lambda: engine_checks.engine(asked_engine.result()))
        yield from _guarded("buildx", lambda: engine_checks.buildx(asked_buildx.result()))
        yield from _guarded("builder", lambda: _builder_items(asked_builder.result()))
        yield from _guarded(
            "other projects of this name",
            lambda: neighbours.neighbours(self._project.name, *asked_others.result()) if self._readable else (),
        )
        yield from no_op
        yield from _of_tree("certificates, names and credentials", asked_access.result)
        yield from dodo_file.dodo(self._root)
        yield from _guarded("workflows", lambda: ci_workflows.workflows(self._project))
        yield from first
        if self._readable and self._project.has_rust:
            yield from self._workspace(asked_engine, asked_cargo)
            yield from self._programs()
        if self._readable:
            asked_parts = partial(part_facts.collect, self._session)
            yield from _of_tree("services and components", lambda: part_checks.parts(asked_parts(), config))
        yield from _of_tree("size and secrets of the sources", lambda: self._tree_items(asked_tree))
        if self._readable:
            yield from _of_tree("files that the code reads", asked_read.result)
        yield from _of_tree("Dockerfiles", asked_files.result)

    # --- the project -------------------------------------------------------------------------------------------------

    def _first(self) -> Iterator[Item]:
        """Can the workspace be read at all?"""
        if not self._project.has_rust:
            yield from self._programs()
            self._readable = True
            return
        self._locked = (self._root / "Cargo.lock").is_file()
        if not self._locked and (self._root / "Cargo.toml").is_file() and self._parses():
            yield lockfile.MISSING.found("there is no Cargo.lock", "Cargo.toml")
            yield Unchecked("workspace", "there is no Cargo.lock")
            return
        try:
            _ = self._project.workspace, self._tree.lock, self._project.selection
            self._readable = True
        except LayerdoitError as error:
            yield workspace.UNREADABLE.found(error.what, _relative(error.where, self._root), fix=error.hint)
            yield Unchecked("workspace", "it cannot be read")

    def _programs(self) -> Iterator[Item]:
        """Those that were compiled elsewhere."""
        from layerdoit.components import packed_program

        for one in self._session.built:
            if one.project.program is None:
                continue
            try:
                _ = one.inputs.specs
                found = packed_program.checked(one.inputs)
            except LayerdoitError as error:
                yield workspace.PROGRAM.found(error.what, _relative(error.where, self._root), fix=error.hint)
                self._broken = True
            else:
                needs = f", which {found.interpreter} starts" if found.interpreter else ", static"
                yield Fact("program", f"{one.project.program}: linux/{found.machine}{needs}")

    def _parses(self) -> bool:
        """Whether the root's manifest is TOML; where it is not, reading the workspace says so."""
        try:
            toml.read(self._root / "Cargo.toml")
        except LayerdoitError:
            return False
        return True

    def _workspace(
        self, asked_engine: Background[Engine | Failed], asked_cargo: Background[str | None]
    ) -> Iterator[Item]:
        from layerdoit.cargo import git_asked

        project, config = self._project, self._project.config
        ws, lock = project.workspace, self._tree.lock
        shallow = project.checkout is not None and (project.checkout.common / "shallow").exists()

        def checks() -> Iterator[Callable[[], Iterable[Item]]]:
            yield lambda: self._lock(asked_cargo)
            yield lambda: lockfile.unused_patches(ws, lock)
            if not self._session.has_services:
                yield lambda: workspace.members(ws, config, project.selection, self._session.inputs.runs)
            yield self._toolchain
            yield lambda: workspace.images(config)
            yield lambda: workspace.target(config, ws, lock, _architecture(asked_engine))
            yield lambda: profile_checks.profiles(ws, config)
            yield lambda: profile_checks.flags(ws, config, _host())
            yield self._native
            yield lambda: git_history.history(git_asked.asked(ws), config, shallow=shallow)

        for check in checks():
            yield from _of_tree("workspace", check)

    def _lock(self, asked_cargo: Background[str | None]) -> Iterator[Item]:
        stale = list(lockfile.stale(self._project.workspace, self._tree.lock))
        yield from stale
        if not stale:
            try:
                refused = asked_cargo.result()
            except LayerdoitError:
                # The texts agree as far as they tell; without cargo that is all that can be known.
                refused = None
            if refused:
                yield lockfile.STALE.found(refused, "Cargo.lock")
        if cargo_facts.ignored(self._root):
            yield lockfile.IGNORED.found("git ignores Cargo.lock", ".gitignore")

    def _toolchain(self) -> Iterator[Item]:
        from layerdoit.cargo import toolchain

        project, config, named = self._project, self._project.config, self._tree.toolchain
        yield Fact("toolchain", f"{named.identity}, named by {named.source}")
        reached = self._session.inputs.closure
        yield from workspace.msrv(project.workspace, reached.local, named)
        stops = obstacles.of_session(self._session)
        if stops is not None:
            yield workspace.UNOBTAINABLE.found(stops.what, stops.where, fix=stops.hint)
        if config.toolchain:
            try:
                own = toolchain.detect(self._root, None, project.state.folder)
            except LayerdoitError:
                return
            yield from workspace.override(config.toolchain, own)

    def _native(self) -> Iterator[Item]:
        from layerdoit.cargo import target_graph
        from layerdoit.cargo.native import needed, suites

        project = self._project
        of = suites(project.config)
        asked = (project.workspace, self._tree.lock, project.selection, project.options)
        needs = needed(*asked, of.build, of.run)
        if needs:
            needs = target_graph.kept(needs, target_graph.compiled(self._root, *asked))
        yield from native_packages.missing(needs, project.config)

    def _no_op(self) -> Iterator[Item]:
        if not self._readable or self._broken:
            return
        remembered = self._tree.remembered(self._session.engine.place)
        if self._project.config.registry.repository and remembered is None:
            yield Unchecked("time to a no-op", "nothing was built here yet, so a run would ask the registry")
            return
        begun = time.perf_counter()
        fresh = Session(Run(goals=("app",)), Project.open(self._root, self._project.variables, call=self._project.call))
        plan = fresh.plan
        took = time.perf_counter() - begun
        waiting = [step.spec.layer for step in plan.layers() if step.works]
        yield from engine_checks.pending([one.name for one in pushes.waiting(fresh)])
        yield Fact("layers", f"to be built or pulled: {', '.join(waiting)}" if waiting else "all exist")
        if not waiting:
            yield from engine_checks.no_op(took, len(fresh.tree.all_sources.entries))

    def _listing(self) -> tree_facts.Tree:
        sources = self._tree.all_sources if self._readable else self._tree.scan(())
        if not self._project.has_rust:
            sent = [path for path in self._project.assets if (self._root / path).exists()]
            sources = sources.under([sources.context_path(path) for path in sent])
            return tree_facts.collect(sources, frozenset(sources.entries))
        assets = frozenset(self._session.inputs.assets.entries) if self._readable else frozenset()
        return tree_facts.collect(sources, assets)

    def _read_by_code(self) -> Iterator[Item]:
        if self._readable and self._project.has_rust:
            project = self._project
            facts = source_facts.collect(project.lister, self._tree.all_sources, project.config, self._tree.lock)
            yield from source_checks.sources(facts)

    def _tree_items(self, asked: Background[tree_facts.Tree]) -> Iterator[Item]:
        tree = asked.result()
        yield from context.context(tree.context)
        yield from secret_files.findings(tree.secrets, frozenset(tree.context.assets))

    def _dockerfiles(self) -> Iterator[Item]:
        config = self._project.config
        own = [path for path in (config.dockerfiles.base, config.dockerfiles.deps, config.dockerfiles.app) if path]
        channel, msrv = None, None
        if self._readable and self._project.has_rust:
            msrv = workspace.highest_msrv(self._project.workspace)
            try:
                named = self._tree.toolchain
                channel = named.channel if named.source.startswith("rust-toolchain") else None
            except LayerdoitError:
                pass
        return dockerfile_facts.checked(self._root, own, channel, msrv)

    # --- engine and network ------------------------------------------------------------------------------------------

    def _builder(self) -> tuple[Builder | Failed, int | None]:
        found = engine_facts.builder(self._session.engine.builder)
        if isinstance(found, Failed) or not self._readable or not self._project.has_rust:
            return found, None
        return found, engine_facts.mounts(self._project.name, found)

    def _access(self, until: float) -> Iterator[Item]:
        from layerdoit.build.host_secrets import collect

        project = self._project
        compiled = self._readable and project.has_rust
        cargo = project.workspace.config if compiled else {}
        try:
            handed = collect(project=cargo, root=project.root)
        except LayerdoitError as error:
            yield from access.certificates(None, error.what)
            yield Unchecked("names and credentials", "fix the CA bundle first")
            return
        bundle = str(handed.files["ca"]) if "ca" in handed.files else None
        yield from access.certificates(bundle, None)
        locked = [package.source or "" for package in self._tree.lock.external] if compiled else []
        wanted = access.sources(locked, cargo)
        proxies = access_facts.proxies()
        asked = (
            [] if proxies else [Background(partial(access_facts.probe, host, bundle), until) for host in wanted.hosts]
        )
        keys = access_facts.agent_keys() if handed.ssh else None
        git = access_facts.git_credentials()
        yield from access.network([job.result() for job in asked], proxies)
        registry = project.config.registry
        yield from access.credentials(
            access_facts.docker_logins(),
            registry.repository if registry.push else None,
            access_facts.cargo_tokens(handed.values.get("cargo-credentials")),
            wanted.registries,
            git,
        )
        yield from access.ssh(wanted.ssh, handed.ssh, keys)
        if project.config.deps.sccache.kind is not None:
            yield from _guarded("the store of deps.sccache", partial(self._store, bundle))

    def _store(self, bundle: str | None) -> Iterator[Item]:
        from layerdoit.doctor import store_facts

        config = self._project.config
        found = store_facts.ask(config, self._project.root, bundle)
        where = next((at for path, at in config.where.items() if path.startswith("deps.sccache.")), None)
        return store_checks.check(found, where) if found else iter(())


def _builder_items(answer: tuple[Builder | Failed, int | None]) -> Iterator[Item]:
    found, held = answer
    yield from engine_checks.builder(found)
    if isinstance(found, Builder):
        yield from engine_checks.mounts(found, held)


def _guarded(what: str, ask: Callable[[], Iterable[Item]]) -> Iterator[Item]:
    """What cannot be found out is said to be so."""
    try:
        yield from ask()
    except (LayerdoitError, OSError) as error:
        yield Unchecked(what, str(error).splitlines()[0])


def _of_tree(what: str, ask: Callable[[], Iterable[Item]]) -> Iterator[Item]:
    """The same for what reads manifests and cargo's configuration, in which people may have written anything."""
    try:
        yield from _guarded(what, ask)
    except _WRONG_TYPE:
        yield Unchecked(what, "a value in a manifest or in cargo's configuration has the wrong type")


def _architecture(asked: Background[Engine | Failed]) -> str | None:
    found = asked.result()
    return None if isinstance(found, Failed) else found.architecture


def _host() -> str:
    from layerdoit.core.platform import container_triple

    return container_triple()


def _relative(where: str | None, root: object) -> str | None:
    return where.removeprefix(f"{root}{os.sep}") if where else None
