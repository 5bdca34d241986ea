"""The container in which the edits of a watch are compiled: made once from the deps image, no build by buildx.

What it compiles is what an app build of the same tree would (dockerfiles/compile.sh), in the container's own layer.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.build.host_secrets import collect
from layerdoit.components import image_control, rust, script_protocol
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.resources import dockerfile_dir
from layerdoit.deploy.live import CONTROL, Live
from layerdoit.dockerfile import edit
from layerdoit.engine.buildx import StepFailed
from layerdoit.engine.ownership import FOLDER, LABEL
from layerdoit.engine.progress import Reader
from layerdoit.project.snapshot import APP_SCRIPTS
from layerdoit.watch.agent import Agent, options
from layerdoit.watch.sending import Sent

if TYPE_CHECKING:
    import threading

    from layerdoit.core.doing import Doing
    from layerdoit.flows.session import Session
    from layerdoit.project.inputs import Inputs

SCRIPTS: Final = (*(name for name in APP_SCRIPTS if name != "build.sh"), "workshop.sh")
PROGRAMS: Final = "/live"
"""In the workshop, the folder with a folder of programs for each deployment."""
_STEP: Final = ("workshop", 1)
_LOOK: Final = 0.02
"""Seconds between two looks whether a compilation is to be ended."""


class Cancelled(LayerdoitError):
    """A compilation was ended, as its caller wished."""


class Compiled(NamedTuple):
    """What came of a compilation. `crates`: how many; `seconds`: in all; `diagnostics`: warnings, in rustc's colours.

    `changed`: deployment -> those of its binaries that are not, byte for byte, what serves.
    """

    crates: int
    seconds: float
    changed: Mapping[str, tuple[str, ...]]
    diagnostics: str = ""


class Workshop:
    """The container of one project in a watch. `deps`: the key of the image that it was made from."""

    def __init__(self, deps: str, agent: Agent, deployments: Mapping[str, Sequence[str]], config: bytes) -> None:
        self.deps = deps
        self._agent = agent
        self._deployments = deployments
        self._config = config
        self._sent = Sent()
        self._trials: list[Trial] = []

    @classmethod
    def open(cls, session: Session, live: Live, deployments: Mapping[str, Sequence[str]]) -> Workshop:
        """Start it, from the deps image of the session's plan, which has to be there.

        `deployments`: name -> its binaries, of the one project or of all its services.
        """
        project, spec = session.project, session.plan.step("deps").spec
        labels = {"project": project.name, LABEL: project.owner.text, FOLDER: project.owner.folder, "live": live.watch}
        volumes = {live.control: CONTROL, **{live.programs(name): f"{PROGRAMS}/{name}" for name in deployments}}
        scripts = {name: (dockerfile_dir() / name).read_bytes() for name in SCRIPTS}
        agent = Agent(spec.tag, options(labels, volumes), scripts)
        return cls(spec.key, agent, deployments, cargo_config(session.inputs))

    @property
    def alive(self) -> bool:
        """Whether it can be asked; otherwise another one has to be opened."""
        return self._agent.runs

    def compile(self, inputs: Inputs, told: Callable[[Doing], None], cancelled: threading.Event) -> Compiled:
        """Compile a tree. `told`: hears what cargo does; `cancelled`: set by another thread, it ends the compilation.

        Raises BuildError as an ordinary build words it, ContextDiffers where the tree is no more what the scan saw,
        `Cancelled`, and `Gone`.
        """
        begun = time.monotonic()
        sources, control = inputs.compiled, self._control(inputs)
        frame = self._sent.frame(sources, control)
        with inputs.project.state.open_log("workshop") as log:
            reader = Reader(lambda line: print(line, file=log), rust.LISTENER, told=told)
            self._agent.output = lambda data: reader.hear(_STEP, data)
            sizes = str(len(frame.gone)), str(len(frame.archive))
            request = self._agent.ask("turn", *sizes, body=(frame.gone, frame.archive))
            changed: dict[str, list[str]] = {name: [] for name in self._deployments}
            while (answer := self._agent.answer(request, _LOOK)) is None or answer.word != "done":
                if answer is not None:
                    changed[answer.words[0]].append(answer.words[1])
                elif cancelled.is_set():
                    self._cancel()
                    self._sent.has(sources, control, frame)
                    raise Cancelled("the compilation was ended: there is a newer change")
            code = int(answer.words[0])
            if code:
                self._failed(reader, code, Path(log.name), inputs)
        self._sent.has(sources, control, frame)
        notes = reader.report.notes
        counts = script_protocol.counts(notes)
        warnings = "\n\n".join(one.text for one in script_protocol.diagnostics(notes))
        found = {name: tuple(bins) for name, bins in changed.items()}
        return Compiled(counts.compiled if counts else 0, time.monotonic() - begun, found, warnings)

    def _failed(self, reader: Reader, code: int, log: Path, inputs: Inputs) -> None:
        tail, notes = tuple(reader.tail(_STEP[0])), tuple(reader.report.notes)
        raise rust.explain(StepFailed("app", "workshop", code, tail, notes, log, ""), inputs)

    def _cancel(self) -> None:
        """End what runs."""
        self._agent.answer(self._agent.ask("cancel"))
        for trial in self._trials:
            trial.listen()

    def _control(self, inputs: Inputs) -> dict[str, bytes]:
        """The files of /control that may differ from one compilation to the next."""
        from layerdoit.tree.staging import tree_text

        cooked = inputs.specs[2]
        arguments = rust.app_arguments(inputs, cooked, tree_text(inputs.compiled.entries))
        served = "".join(f"{name} {bin}\n" for name, bins in self._deployments.items() for bin in bins)
        return {
            **rust.variables(inputs),
            **image_control.files(inputs),
            "arguments": "".join(f"{name}={shlex.quote(value)}\n" for name, value in arguments.items()).encode(),
            "deployments": served.encode(),
            "cargo-config": self._config,
        }

    def close(self) -> None:
        """End it: nothing of it is left."""
        self._agent.close(1)


class Trial:
    pass


def cargo_config(inputs: Inputs) -> bytes:
    """What Dockerfile.app mounts as cargo's configuration; empty for none."""
    project = inputs.project
    wanted = edit.secrets(inputs.tree.dockerfile("app").read_text(encoding="utf-8"))
    if "cargo-config" not in wanted:
        return b""
    secrets = collect(project=project.workspace.config, root=project.root)
    found = secrets.values.get("cargo-config")
    return found.encode() if found is not None else b""
