"""The container in which the edits of a watch are compiled: no build by buildx, no new container, nothing sent twice.

What it compiles is what the app build of the same tree would (dockerfiles/compile.sh), over the target folder of the
deps image, in the container's own layer.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from layerdoit.build.host_secrets import collect
from layerdoit.components import cargo_words, compiler_words, image_control, rust, script_protocol
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.deploy.live import CONTROL, LABEL, Live
from layerdoit.dockerfile import edit
from layerdoit.engine import live_volumes, ownership
from layerdoit.engine.buildx import StepFailed, disk_full, whole_log
from layerdoit.engine.progress import Reader
from layerdoit.project.snapshot import APP_SCRIPTS
from layerdoit.tree.staging import tree_text
from layerdoit.watch import supervisor
from layerdoit.watch.agent import SECRETS, Agent, Gone, Request, options
from layerdoit.watch.sending import Frame, Sent
from layerdoit.watch.trial import Trial

if TYPE_CHECKING:
    import threading

    from layerdoit.cargo.diagnostics import Diagnostic
    from layerdoit.core.doing import Doing
    from layerdoit.flows.session import Session
    from layerdoit.project.inputs import Inputs

SCRIPTS: Final = (*(name for name in APP_SCRIPTS if name != "build.sh"), "workshop.sh")
_PROGRAMS: Final = (*supervisor.SOURCES, "overwrite.c", "relay.c")
"""What the workshop compiles for itself, and for the containers that it serves."""
_PLACE: Final = "/live"
"""Where the workshop has the programs of each deployment, in a folder of its name."""
_STEP: Final = ("workshop", 1)
_BUILD: Final = "/control/build.sh"
_BROKEN: Final = "broken"
_CONFIG: Final = "cargo-config"
_LOOK: Final = 0.02
"""Seconds between two looks whether a compilation is to be ended."""
_CLOSING: Final = 1.0
"""Seconds."""


class Cancelled(LayerdoitError):
    """A compilation was ended, as was asked for."""


class Compiled(NamedTuple):
    """What came of a compilation. `crates`: how many; `seconds`: in all; `diagnostics`: what it said of them.

    `log`: the file that has all of it; `changed`: deployment -> those of its binaries that are not, byte for byte, what
    serves.
    """

    crates: int
    seconds: float
    changed: Mapping[str, tuple[str, ...]]
    log: Path
    diagnostics: tuple[Diagnostic, ...] = ()


class Workshop:
    """The container of one project in a watch. `deps`: the key of the image that it was made from."""

    def __init__(self, deps: str, agent: Agent, deployments: Mapping[str, Sequence[str]]) -> None:
        self.deps = deps
        self._agent = agent
        self._deployments = deployments
        self._sent = Sent()
        self._trials: list[Trial] = []

    @classmethod
    def open(cls, session: Session, live: Live, deployments: Mapping[str, Sequence[str]]) -> Workshop:
        """Start one from the deps image of the session's plan, which has to be there. LayerdoitError.

        `deployments`: name -> its binaries, of one program or of all services that are compiled.
        """
        project, inputs = session.project, session.inputs
        _refuse_other_compilation(inputs)
        cooked = session.plan.step("deps").spec
        owner = project.owner
        volumes = {live.control: CONTROL, **{live.programs(name): f"{_PLACE}/{name}" for name in deployments}}
        live_volumes.ensure(volumes, project.name, owner, live.watch)
        labels = {
            "project": project.name,
            ownership.LABEL: owner.text,
            ownership.FOLDER: owner.folder,
            LABEL: live.watch,
            # Otherwise it would have that of its image.
            "layer": "",
        }
        files = {f"control/{name}": (dockerfile_dir() / name).read_bytes() for name in SCRIPTS}
        # Not among the sources of what notes reads: by those the deps image's own notes are known.
        files |= {f"programs/{name}": (dockerfile_dir() / name).read_bytes() for name in _PROGRAMS}
        files["control/arguments"] = _variables({"DEPS_KEY": cooked.key[:12]})
        files[f"{SECRETS[1:]}/{_CONFIG}"] = cargo_config(inputs)
        return cls(cooked.key, Agent(cooked.tag, options(labels, volumes), files), deployments)

    @property
    def alive(self) -> bool:
        """Whether it can be asked; where not, another one has to be opened."""
        return self._agent.runs

    def compile(self, inputs: Inputs, told: Callable[[Doing], None], cancelled: threading.Event) -> Compiled:
        """Compile a tree. `told` hears what cargo does, in another thread; `cancelled`, once set, ends it.

        Raises BuildError as the build of an image words it, ContextDiffers where the tree is not what the scan saw any
        more, `Cancelled`, and `Gone` where this workshop can do nothing any more.
        """
        begun = time.monotonic()
        listing = tree_text(inputs.compiled.entries)
        with inputs.project.state.open_log(_STEP[0]) as log:
            frame = self._sent.frame(inputs.compiled, listing, self._control(inputs, listing))
            reader = Reader(lambda line: print(line, file=log), rust.LISTENER, told=told)
            try:
                with self._agent.heard_by(lambda data: reader.hear(_STEP, data)):
                    ended, changed = self._turn(frame, cancelled)
            except (OSError, Gone):
                # What it has of the frame, and what of its output was read, may be anything.
                self._sent = Sent()
                raise
            notes = reader.report.notes
            said = cargo_words.said(notes, steady=frame.steady)
            # What cargo itself said stands in it as it came.
            log.write(compiler_words.as_text([one for one in said if one.by == "rustc"]))
        if ended != "0":
            raise self._failure(ended, reader, Path(log.name), inputs)
        counts = script_protocol.counts(notes)
        return Compiled(counts.compiled if counts else 0, time.monotonic() - begun, changed, Path(log.name), said)

    def start(self, deployment: str, token: str, grace: float, binaries: Sequence[str], *, overlap: bool) -> Trial:
        """Have what was compiled put in the place of what serves, and the program started again, in trial.

        `token`: of the container that serves; `grace`: seconds that the old program has to end; `binaries`: those that
        the last compilation has told of as changed, and no others: what an earlier one left is of another tree;
        `overlap`: whether it starts as soon as that listens no longer. DeployError.
        """
        trial = Trial(self._agent, deployment, token, grace, binaries, overlap=overlap)
        trial.begin()
        self._trials = [*(one for one in self._trials if not one.over), trial]
        return trial

    def ahead(self, deployment: str, key: str | None) -> None:
        """Note whose programs serve: those of a tree, by the key of its app image; None: those of the image itself."""
        self._agent.finish(self._agent.ask("ahead", deployment, *([key] if key else [])))

    def expect(self) -> None:
        """Have cargo begin what it does before it looks at sources, for the edit that comes next."""
        with contextlib.suppress(LayerdoitError):
            self._agent.finish(self._agent.ask("hold"))

    def close(self) -> None:
        """End it: nothing of it is left but its volumes. It takes a second at most."""
        self._agent.close(_CLOSING)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _turn(self, frame: Frame, cancelled: threading.Event) -> tuple[str, dict[str, tuple[str, ...]]]:
        """Have it compiled; the exit code, as text, and what is changed."""
        how = "anew" if frame.anew else "more", "held" if frame.steady else "alone"
        sizes = str(len(frame.gone)), str(len(frame.archive))
        request = self._agent.ask("turn", *sizes, *how, body=(frame.gone, frame.archive))
        changed: dict[str, tuple[str, ...]] = dict.fromkeys(self._deployments, ())
        while True:
            answer = self._agent.answer(request, _LOOK)
            if answer is not None and answer.word == "done":
                return answer.words[0], changed
            if answer is not None:
                deployment, binary = answer.words
                changed[deployment] = (*changed[deployment], binary)
            if cancelled.is_set():
                self._cancel(request)

    def _cancel(self, request: Request) -> NoReturn:
        self._agent.finish(self._agent.ask("cancel"))
        self._agent.drop(request)
        for trial in self._trials:
            if not trial.over:
                trial.listen()
        raise Cancelled("the compilation was ended")

    def _failure(self, ended: str, reader: Reader, log: Path, inputs: Inputs) -> LayerdoitError:
        tail, notes = tuple(reader.tail(_STEP[0])), tuple(reader.report.notes)
        if script_protocol.counts(notes) is None:
            # cargo was not asked: what the workshop has may be anything.
            self._sent = Sent()
        if full := disk_full("app", tail):
            return full
        if ended == _BROKEN:
            return LayerdoitError(
                "\n".join(["the workshop could not take in what changed:", *tail]), hint=whole_log(log)
            )
        return rust.explain(StepFailed("app", _STEP[0], int(ended), tail, notes, log, ""), inputs)

    def _control(self, inputs: Inputs, listing: bytes) -> dict[str, bytes]:
        """The files of /control that another tree may have otherwise."""
        arguments = rust.app_arguments(inputs, self.deps, listing)
        # Another one for each tree; what was sent is compared with the listing itself.
        del arguments["TREE"]
        served = "".join(f"{name} {binary}\n" for name, binaries in self._deployments.items() for binary in binaries)
        return {
            **rust.variables(inputs),
            **image_control.files(inputs),
            "arguments": _variables(arguments),
            "deployments": served.encode(),
        }


def _refuse_other_compilation(inputs: Inputs) -> None:
    """A Dockerfile of the project's own may compile in another way. How it makes an image of that is its affair."""
    from layerdoit.dockerfile import parse

    def compiles(path: Path) -> list[tuple[object, ...]]:
        stages = parse.parse(path.read_text(encoding="utf-8"), path.name).stages
        found = [stage for stage in stages if any(_BUILD in one.value for one in stage.instructions)]
        steps = [(one.keyword, " ".join(one.value.split()), one.flags) for stage in found for one in stage.instructions]
        return [*((stage.base,) for stage in found), *steps]

    project, ours = inputs.project, dockerfile_dir() / "Dockerfile.app"
    if project.config.dockerfiles.app is None or compiles(inputs.tree.dockerfile("app")) == compiles(ours):
        return
    raise LayerdoitError(
        f"{project.config.dockerfiles.app} compiles in a way of its own, which a watch does not know",
        where=project.config.where.get("dockerfiles.app"),
        hint=f"have its stage that runs {_BUILD} be as in the one that is shipped; or doit cycle_fast after edits",
    )


def _variables(values: Mapping[str, str]) -> bytes:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()).encode()


def cargo_config(inputs: Inputs) -> bytes:
    """What Dockerfile.app mounts as the configuration of cargo; empty where it mounts none, or there is none."""
    project = inputs.project
    text = inputs.tree.dockerfile("app").read_text(encoding="utf-8")
    if _CONFIG not in edit.secrets(text):
        return b""
    return collect(project=project.workspace.config, root=project.root).values.get(_CONFIG, "").encode()
