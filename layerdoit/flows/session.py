"""A run at work on one question: the tree as it was read last, and the one plan that was made for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.build import planning
from layerdoit.engine.handle import Engine
from layerdoit.project.project import Project
from layerdoit.project.run import Run
from layerdoit.project.snapshot import Tree

if TYPE_CHECKING:
    # A run with nothing to do needs none of these at run time.
    from layerdoit.build.work import Work
    from layerdoit.config import CallSettings
    from layerdoit.flows.summary import Past
    from layerdoit.layers.plan import Plan
    from layerdoit.project.inputs import Inputs
    from layerdoit.project.question import Question

Ask = Callable[[Project, str], "Question"]
"""Puts a question: of a project, and the platform that it is about."""


class _Reading:
    """One reading of the tree, and what was worked out from it. It is replaced as a whole, never amended."""

    def __init__(self, tree: Tree, whole: _Reading | None = None) -> None:
        self.tree = tree
        self._whole = whole
        self._engine: Engine | None = None
        self.inputs: Inputs | None = None
        self.plan: Plan | None = None
        self._services: dict[str, _Reading] = {}

    @classmethod
    def of(cls, project: Project, asked: Engine | None = None) -> _Reading:
        """A new one. `asked`: an engine that is asked already, of use where it is the one that is configured."""
        made = cls(Tree(project))
        if asked is not None and project.platform is None and asked.configured == project.config.builder:
            made._engine = asked
        return made

    @property
    def engine(self) -> Engine:
        """Where images are, and are built. EngineError where a platform is asked for that nothing here builds for."""
        if self._whole is not None:
            return self._whole.engine
        if self._engine is None:
            self._engine = Engine(self.tree.project.config.builder, self.tree.project.way)
        return self._engine

    def of_service(self, name: str) -> _Reading:
        """The same reading, for one of the services."""
        if name not in self._services:
            self._services[name] = _Reading(self.tree.of_service(name), self)
        return self._services[name]


class Session:
    """The tasks of one call share it, so that the tree is read, and the plan made, once.

    Each service of a project has one of its own, on the same reading. With `doit -n`, each process has its own, of the
    same run.
    """

    def __init__(self, run: Run, project: Project, ask: Ask | None = None, whole: Session | None = None) -> None:
        """`ask`: None for the image as it is configured; `whole`: of the project that this service is of."""
        self.run = run
        self.whole = whole
        self._service = project.service
        self._ask = ask
        self._from_scratch: dict[str, str] = {}
        self._own = None if whole is not None else _Reading.of(project)
        self._services: dict[str, Session] = {}

    def __reduce__(self) -> tuple[Callable[..., Session], tuple[object, ...]]:
        """Another process reads for itself."""
        project = self.project
        given = (project.root, project.variables, self._ask, self._from_scratch, self._service, project.call)
        return _reopened, (self.run, *given)

    @property
    def _reading(self) -> _Reading:
        if self._own is not None:
            return self._own
        assert self.whole is not None  # noqa: S101 - one of the two is there
        return self.whole._reading.of_service(self._service)  # noqa: SLF001 - a session as well

    # --- services ----------------------------------------------------------------------------------------------------

    @property
    def services(self) -> Mapping[str, Session]:
        """The services of the project, by name; none of a service, nor of a project that is one program."""
        return {name: self.service(name) for name in self.project.services}

    def service(self, name: str) -> Session:
        """That of one service. ConfigError where there is none of this name."""
        if name not in self._services:
            project = self.project.of_service(name)
            self._services[name] = Session(self.run.of_service(name), project, self._ask, self)
        return self._services[name]

    @property
    def has_services(self) -> bool:
        """Whether its images are those of services. A check asks about the workspace as a whole."""
        return bool(self.project.services) and (self._ask is None or self.inputs.question.kind == "build")

    @property
    def built(self) -> list[Session]:
        """Those whose plan has an image of the project's own: the services that are built, or this one."""
        if self.project.services:
            return [one for one in self.services.values() if one.project.kind != "foreign"]
        return [self] if self.project.kind != "foreign" else []

    @property
    def project(self) -> Project:
        """The project as it was read last."""
        return self._reading.tree.project

    @property
    def tree(self) -> Tree:
        """The tree as it was read last."""
        return self._reading.tree

    @property
    def engine(self) -> Engine:
        """Where images are, and are built."""
        return self._reading.engine

    @property
    def inputs(self) -> Inputs:
        """What the layers are made from."""
        reading = self._reading
        if reading.inputs is None:
            from layerdoit.project import question
            from layerdoit.project.inputs import Inputs

            ask = self._ask or question.build
            reading.inputs = Inputs(reading.tree, ask(reading.tree.project, reading.engine.platform))
        return reading.inputs

    @property
    def plan(self) -> Plan:
        """What is to be done, and why; made when it is first asked for. EngineError without an engine."""
        if self._reading.plan is None:
            begun = time.monotonic()
            self._reading.plan = self._made()
            self.run.spend("plan", time.monotonic() - begun)
        return self._reading.plan

    def _made(self) -> Plan:
        quick = self._ask is None and not self._from_scratch
        if quick and (unchanged := planning.unchanged(self.engine, self.tree, self._needs)) is not None:
            return unchanged
        # While the engine is asked, the manifests are read.
        self.engine.ask_platform()
        if self.project.has_rust:
            _ = self.project.selection
        made = planning.make(self.engine, self.inputs, from_scratch=self._from_scratch, needs=self._needs)
        planning.remember(self.engine, self.inputs, made)
        return made

    def _needs(self, plan: Plan) -> Collection[str]:
        """The tags of what has to be there. What services share is there for their apps."""
        needed = plan.needs(self.run.goals)
        if "app" not in self.run.goals or not self.has_services or not any(step.works for step in plan.steps):
            return needed
        return {*needed, *(step.spec.tag for part in self.built for step in part.plan.steps if step.works)}

    @property
    def past(self) -> Past:
        """Where the figures of this run are compared with earlier ones."""
        from layerdoit.flows.summary import Past

        return Past(self.project.state.folder, self.inputs.app_variant, self.run.token)

    @property
    def work(self) -> Work:
        """The plan, with all that carrying it out needs."""
        from layerdoit.build.work import Work

        return Work(self.run, self.engine, self.inputs, self.plan)

    # --- what changes a session --------------------------------------------------------------------------------------

    def build_from_scratch(self, layers: Mapping[str, str]) -> None:
        """Have these layers built although their images are there; each with the command that asked for it."""
        self._from_scratch = dict(layers)
        for one in self.services.values():
            one.build_from_scratch(layers)
        self._reading.plan = None

    def settle(self, layers: Collection[str]) -> None:
        """Look whether another process of the run has built some of the layers since the plan was made."""
        self._advance(planning.settled(self.engine, self.plan, list(layers)))

    def done(self, layers: Collection[str]) -> None:
        """Note that the images of these layers are there now; services stand on the same base and deps."""
        self._from_scratch = {name: why for name, why in self._from_scratch.items() if name not in layers}
        plan = self.plan
        tags = {step.spec.tag for step in plan.steps if step.spec.layer in layers}
        self._advance(plan.done(layers))
        for one in self._services.values():
            shared = [name for name in layers if name != "app" and one.stands_on(name, tags)]
            if shared:
                one.done(shared)

    def stands_on(self, layer: str, tags: Collection[str]) -> bool:
        """Whether one of some images is that layer here, in a plan that was made before the image was."""
        plan = self._reading.plan
        return plan is not None and plan.has(layer) and plan.step(layer).spec.tag in tags

    def _advance(self, plan: Plan) -> None:
        changed = self.plan.changes
        self._reading.plan = plan
        if changed:
            planning.remember(self.engine, self.inputs, plan)

    def read_again(self, *, asking: bool = False, connection: object | None = None) -> None:
        """Read the tree and its configuration again: they have changed, or may have.

        `asking`: the engine is asked for its platform meanwhile; `connection`: one to it that stands, by which it need
        not be.
        """
        if self.whole is not None:
            self.whole.read_again(asking=asking, connection=connection)
            return
        asked = self.engine.again(connection) if asking and self.project.platform is None else None
        self._own = _Reading.of(self.project.again(), asked)
        gone = self._services.keys() - self.project.services.keys()
        for name in gone:
            del self._services[name]

    def send_again(self) -> None:
        """Read again, believing nothing that was noted about the tree or sent before."""
        import shutil

        shutil.rmtree(self.project.state / "context", ignore_errors=True)
        (self.project.state / "index").unlink(missing_ok=True)
        self.project.kept.forget()
        self.read_again()

    def variant(self, **variables: str) -> Session:
        """The same question of the project with other variables."""
        project = Project.open(self.project.root, {**self.project.variables, **variables}, call=self.project.call)
        return Session(self.run.again(), project, self._ask)

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms that published images are for."""
        config = self.project.config
        return config.platforms or (Engine(config.builder).platform,)

    def on(self, platform: str) -> Session:
        """The same question for a platform, in a run of its own."""
        if self.whole is not None:
            return self.whole.on(platform).service(self._service)
        return self.variant(PLATFORM=platform)

    def asking(self, ask: Ask) -> Session:
        """Another question of the same project, in a run of its own."""
        return Session(self.run.again(), self.project, ask)


def _reopened(
    run: Run,
    root: Path,
    variables: Mapping[str, str],
    ask: Ask | None,
    from_scratch: Mapping[str, str],
    service: str,
    call: CallSettings | None,
) -> Session:
    project = Project.open(root, variables, call=call)
    if service:
        whole = Session(replace(run, service=""), project, ask)
        session = whole.service(service)
        session.run = run
    else:
        session = Session(run, project, ask)
    session._from_scratch = dict(from_scratch)  # noqa: SLF001 - the constructor of a copy
    return session
