"""Push layers beside the work that goes on. What the registry lacks stays pending: the next run pushes it.

    begin(run, project, spec, name)            # after a build: the push goes on in the background
    late(run, project, plan, shared, names)    # what is here, and not known to be in the registry
    settle(run, project, engine, plans)        # at the end of a run: wait, and tell how it went

No push fails a build or a deployment: both have what they need on this machine. `registry.strict` makes it so.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from layerdoit.core.console import say, warn
from layerdoit.core.doing import Doing, heard_by
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.prose import listed
from layerdoit.core.units import duration_text, size_text
from layerdoit.engine import registry, registry_lookup
from layerdoit.engine.images import fits, label, labels_of
from layerdoit.engine.registry_access import RegistryError
from layerdoit.engine.registry_answers import Refusal
from layerdoit.layers.key import Spec, tag
from layerdoit.project import pending

if TYPE_CHECKING:
    from layerdoit.core.state import State
    from layerdoit.engine.handle import Engine
    from layerdoit.layers.plan import Plan
    from layerdoit.project.project import Project
    from layerdoit.project.run import Run

STALL: Final = 120.0
"""Seconds without any news after which a push is given up."""
_QUIET: Final = 0.3
"""What is over in so many seconds needs no display."""
_LOOK: Final = 0.1
# Pushes end at the same time.
_noting: Final = threading.Lock()


class Pushing:
    """An image on its way to a repository. `name`: for people; `asks`: whether the registry may have it already."""

    def __init__(self, spec: Spec, name: str, repository: str, state: State, *, asks: bool) -> None:
        self.spec = spec
        self.name = name
        self.repository = repository
        self.doing = Doing("pushing")
        self.begun = self.heard = time.monotonic()
        self.sent: Mapping[str, int] | None = None
        self.error: LayerdoitError | None = None
        self._state = state
        self._asks = asks
        self._over = threading.Event()
        with _noting:
            state.mark_unshared(spec.tag, repository)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            with heard_by(self._hear):
                if not (self._asks and registry_lookup.has(self.spec, self.repository)):
                    self.sent = registry.push(self.spec, self.repository).layers
            self._hear(Doing("pushed"))
            with _noting:
                self._state.mark_shared(self.spec.tag, self.repository)
        except LayerdoitError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it
            self.error = LayerdoitError(f"pushing {self.spec.tag} failed: {error!r}")
        finally:
            self._over.set()

    def _hear(self, doing: Doing) -> None:
        self.doing, self.heard = doing, time.monotonic()

    def wait(self, seconds: float) -> bool:
        """Whether it is over within so many seconds. One of which nothing is heard any more is given up."""
        if self._over.wait(seconds):
            return True
        if time.monotonic() - self.heard > STALL:
            remote = tag(self.repository, self.spec.layer, self.spec.key)
            answer = Refusal("silent", f"no news for {STALL:.0f} s")
            what = f"pushing {remote} failed: {answer}"
            self.error = RegistryError(what, answer, answer.advice(remote, "push"))
            return True
        return False


def begin(run: Run, project: Project, spec: Spec, name: str, *, asks: bool = False) -> None:
    """Push an image in the background, unless it is on its way."""
    repository = project.config.registry.repository
    if repository is not None and spec.tag not in run.pushes:
        run.pushes[spec.tag] = Pushing(spec, name, repository, project.state, asks=asks)


def late(run: Run, project: Project, plan: Plan, shared: Collection[str], names: Iterable[str]) -> None:
    """Push what is here of these layers, and not known to be in the registry: it may be there."""
    for step in pending.of(project, plan, shared):
        if step.spec.layer in names:
            begin(run, project, step.spec, project.service or step.spec.layer, asks=True)


def got(project: Project, spec: Spec, repository: str) -> None:
    """An image was pulled: the registry has it."""
    with _noting:
        project.state.mark_shared(spec.tag, repository)


def wait_for(run: Run, spec: Spec) -> None:
    """Have an image in the registry before something else goes on, or know that it does not come."""
    going = run.pushes.get(spec.tag)
    while going is not None and not going.wait(_LOOK):
        pass


def settle(run: Run, project: Project, engine: Engine, plans: Sequence[Plan]) -> None:
    """Wait for what is being pushed, and tell what came of it. EngineError only where `registry.strict` wants it.

    `plans`: what the tree stands for; other layers that an earlier run could not push are pushed, too, but no apps.
    """
    _left_over(run, project, engine, {step.spec.tag for plan in plans for step in plan.steps})
    going: list[Pushing] = list(run.pushes.values())
    if not going:
        return
    if not all(one.wait(_QUIET / len(going)) for one in going):
        _shown(run, going)
    run.pushes.clear()
    sent = [one for one in going if one.sent is not None and one.error is None]
    if sent:
        # Images that stand on one another share layers, which travel once.
        layers = {name: size for one in sent for name, size in (one.sent or {}).items()}
        size = size_text(sum(layers.values()))
        took = duration_text(max(one.heard for one in sent) - min(one.begun for one in sent))
        say(f"push    {listed([one.name for one in sent])} to {sent[0].repository} ({size} in {took})")
    _tell_failed([one for one in going if one.error is not None], strict=project.config.registry.strict)


def _left_over(run: Run, project: Project, engine: Engine, tags: Collection[str]) -> None:
    state, settings = project.state, project.config.registry
    for name in sorted(state.unshared() - set(tags) - run.pushes.keys()):
        labels = labels_of(engine.images.inspect(name) or {})
        layer, key = label(labels, "layer"), label(labels, "key")
        shared = "base" if layer == "runtime" else layer
        if not key or layer == "app" or shared not in settings.push or not fits(name, labels):
            # It is gone, or nobody waits for it.
            state.mark_unshared(name, None)
        else:
            spec = Spec.of_key(layer, key, name.rpartition(":")[0])  # type: ignore[arg-type]
            begin(run, project, spec, name.rpartition(":")[2], asks=True)


def _shown(run: Run, going: Sequence[Pushing]) -> None:
    """Show them while they are waited for."""
    from layerdoit.engine.board import Board
    from layerdoit.engine.display import Display

    with Display(Board(()), run.label).shown() as display, contextlib.ExitStack() as stack:
        left = list(going)
        for one in left:
            stack.enter_context(display.work(one.name, "pushing", folds=False))
        while left:
            for one in left:
                display.tell(one.name, one.doing)
            left = [one for one in left if not one.wait(_LOOK / len(left))]


def _tell_failed(failed: Sequence[Pushing], *, strict: bool) -> None:
    """One message for each cause."""
    errors = list(_errors(failed))
    for error in errors[1:] if strict else errors:
        warn(f"{error}")
    if strict and errors:
        raise errors[0]


def _errors(failed: Sequence[Pushing]) -> Iterator[LayerdoitError]:
    ranked = sorted(failed, key=_cause)
    for _, found in groupby(ranked, key=_cause):
        alike = list(found)
        error, names = alike[0].error, listed([one.name for one in alike])
        if not isinstance(error, RegistryError):
            assert error is not None  # noqa: S101 - each of them has failed
            yield error
            continue
        them = "it" if len(alike) == 1 else "them"
        what = f"{names} could not be pushed to {alike[0].repository}: {error.refusal}"
        yield RegistryError(what, error.refusal, f"{error.hint}; the next run pushes {them}, and builds nothing again")


def _cause(one: Pushing) -> str:
    return str(one.error.refusal.kind) if isinstance(one.error, RegistryError) else str(one.error)
