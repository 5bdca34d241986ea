"""Why a layer of a Rust project did not build, in words for the user: what happened, and the next step.

    explain(failed, config, stale_lock) -> BuildError

`failed` is the failing step as data: the exit code and the notes of our scripts, the last lines of what they ran.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from layerdoit.cargo import failures, lock_drift, output
from layerdoit.components import missing_libraries
from layerdoit.components.script_protocol import Exit, NoBinary, every
from layerdoit.core.errors import BuildError, ContextDiffers, LayerdoitError
from layerdoit.engine.buildx import StepFailed, whole_log

if TYPE_CHECKING:
    from layerdoit.cargo.failures import Advice
    from layerdoit.config import Config
    from layerdoit.project.inputs import Inputs


class NotBuilt(BuildError):
    """A layer did not build; `failed`: the step that failed, as data; `cause`: in one sentence, where it is known."""

    def __init__(self, what: str, failed: StepFailed, *, where: str | None = None, hint: str, cause: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.failed = failed
        self.cause = cause


def explain(
    failed: StepFailed,
    config: Config,
    stale_lock: Callable[[], LayerdoitError | None],
    hidden_files: Callable[[str], Advice | None] = lambda _: None,
) -> BuildError:
    """The error to raise: `ContextDiffers` where the sources must be sent again, else `NotBuilt`.

    `stale_lock`: what Cargo.lock lacks of the manifests; asked where cargo says that it lacks something.
    `hidden_files`: advice, by the output, for files that are there and were not sent.
    """
    if failed.code == Exit.RESEND:
        return ContextDiffers(f"{failed.layer}: the sources changed while they were sent to the build")
    if failed.code == Exit.RUNTIME_MISMATCH:
        what, hint = missing_libraries.told(failed.notes, config)
        return NotBuilt(what, failed, hint=hint)
    if failed.code == Exit.NO_BINARY:
        return _no_binary(failed)
    words = "\n".join(failed.tail)
    if failures.LOCKED in words:
        if stale := stale_lock():
            return _not_built(failed, f": {stale.what}", stale.hint, where=stale.where)
        return _not_built(failed, ": Cargo.lock is out of date: cargo would have to change it", lock_drift.UPDATE)
    # What a program prints in its smoke test says nothing of what the build lacks.
    if failed.code != Exit.SMOKE_TEST and (advice := hidden_files(words) or failures.advice(words, config)):
        cause = advice.sentence.partition("\n")[0]
        return _not_built(failed, f": {advice.sentence}", advice.setting, cause=cause)
    if not failed.tail:
        return _not_built(failed, f": {failed.text}")
    shown = "\n".join(output.relevant(failed.tail))
    return _not_built(failed, f"\n{shown}", "correct it and run again")


def stale_lock(inputs: Inputs) -> LayerdoitError | None:
    """What Cargo.lock lacks of the manifests."""
    try:
        lock_drift.check(inputs.project.workspace, inputs.tree.lock)
    except LayerdoitError as error:
        return error
    return None


def _not_built(
    failed: StepFailed, what: str, hint: str | None = None, *, where: str | None = None, cause: str = ""
) -> NotBuilt:
    log = whole_log(failed.log)
    hint = f"{hint}; {log}" if hint else log
    return NotBuilt(f"{failed.layer} did not build{what}", failed, where=where, hint=hint, cause=cause)


def _no_binary(failed: StepFailed) -> NotBuilt:
    names = [note.binary for note in every(NoBinary, failed.notes)]
    hint = "list under bins: in layerdoit.yaml only binaries that cargo makes under exactly that name"
    return _not_built(failed, f": cargo did not make {_listed(names)}", hint)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
