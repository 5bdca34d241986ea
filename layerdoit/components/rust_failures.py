"""Why a layer of a Rust project did not build, in words for the user: what happened, and the next step.

    explain(failed, config, stale_lock) -> BuildError

`failed` is the failing step as data: the exit code and the notes of our scripts, the last lines of what they ran.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.cargo import causes, failures, lock_drift, output
from layerdoit.components import missing_libraries, script_protocol
from layerdoit.components.script_protocol import Exit, NoBinary, Section, every
from layerdoit.core.errors import BuildError, ContextDiffers, LayerdoitError
from layerdoit.core.terminal import plain_lines
from layerdoit.core.units import count_text
from layerdoit.engine.buildx import StepFailed, whole_log

if TYPE_CHECKING:
    from layerdoit.cargo.diagnostics import Diagnostic
    from layerdoit.cargo.failures import Advice
    from layerdoit.config import Config
    from layerdoit.project.inputs import Inputs

_SIGKILL: Final = 128 + 9
_GAVE_UP: Final = "error: could not compile"


class NotBuilt(BuildError):
    """A layer did not build; `failed`: the step that failed, as data; `cause`: in one sentence, where it is known."""

    def __init__(self, what: str, failed: StepFailed, *, where: str | None = None, hint: str, cause: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.failed = failed
        self.cause = cause
        self.placed: Callable[[str], str] = str
        """Makes paths of the compiler's words such as can be opened from here."""

    def place(self, placed: Callable[[str], str]) -> None:
        """Have such paths in all that is said of it."""
        self.placed = placed
        self.what, self.cause = placed(self.what), placed(self.cause)

    @property
    def said(self) -> tuple[Diagnostic, ...]:
        """All that the compiler said; () where the message has its warnings, or a check has shown them as they came."""
        if self.failed.code == Exit.WARNINGS or every(Section, self.failed.notes):
            return ()
        said = script_protocol.diagnostics(self.failed.notes)
        return tuple(one._replace(text=self.placed(one.text)) for one in said)

    def shown(self, *, coloured: bool) -> str:
        """The compiler's own words in its own colours."""
        text = super().shown(coloured=coloured)
        for said in script_protocol.diagnostics(self.failed.notes) if coloured else ():
            text = text.replace(self.placed(plain_lines(said.text)), self.placed(said.text))
        return text


def explain(
    failed: StepFailed,
    config: Config,
    stale_lock: Callable[[], LayerdoitError | None],
    hidden_files: Callable[[str], Advice | None] = lambda _: None,
    asks_git: Callable[[str], str | None] = lambda _: None,
) -> BuildError:
    """The error to raise: `ContextDiffers` where the sources must be sent again, else `NotBuilt`.

    `stale_lock`: what Cargo.lock lacks of the manifests; asked where cargo says that it lacks something.
    `hidden_files`: advice, by the output, for files that are there and were not sent. `asks_git`: see `causes.AsksGit`.
    """
    if failed.code is not None and failed.code in _BY_CODE:
        return _BY_CODE[failed.code](failed, config)
    tail = _tail(failed)
    words = "\n".join([*tail, *(["Killed"] if failed.code == _SIGKILL else [])])
    if failures.LOCKED in words:
        if stale := stale_lock():
            return _not_built(failed, f": {stale.what}", stale.hint, where=stale.where)
        return _not_built(failed, ": Cargo.lock is out of date: cargo would have to change it", lock_drift.UPDATE)
    advice = (
        causes.advice(words, failed.layer, asks_git, told=config.build.git != "none")
        or hidden_files(words)
        or failures.advice(words, config)
        or causes.unknown(words)
    )
    if advice is not None:
        cause = advice.sentence.partition("\n")[0]
        return _not_built(failed, f": {advice.sentence}", advice.setting, cause=cause)
    if not tail:
        return _not_built(failed, f": {failed.text}")
    shown = "\n".join(output.relevant(tail))
    return _not_built(failed, f"\n{shown}", "correct it and run again")


def _tail(failed: StepFailed) -> Sequence[str]:
    """The last lines of the step, with the compiler's errors where cargo says that it could not compile."""
    said = script_protocol.diagnostics(failed.notes)
    errors = [line for one in said if one.level == "error" for line in (*plain_lines(one.text).split("\n"), "")]
    lines = failed.tail
    at = next((index for index, line in enumerate(lines) if line.startswith(_GAVE_UP)), len(lines))
    return (*lines[:at], *errors, *lines[at:])


def asks_git(inputs: Inputs) -> Callable[[str], str | None]:
    """Where a package of the workspace asks git, by its name; '' stands for any of them."""

    def where(package: str) -> str | None:
        from layerdoit.cargo import git_asked

        return next(
            (found.where for found in git_asked.asked(inputs.project.workspace) if package in ("", found.package)), None
        )

    return where


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


def _resend(failed: StepFailed, _: Config) -> ContextDiffers:
    return ContextDiffers(f"{failed.layer}: the sources changed while they were sent to the build")


def _runtime_mismatch(failed: StepFailed, config: Config) -> NotBuilt:
    what, hint = missing_libraries.told(failed.notes, config)
    return NotBuilt(what, failed, hint=hint)


def _no_binary(failed: StepFailed, _: Config) -> NotBuilt:
    names = [note.binary for note in every(NoBinary, failed.notes)]
    hint = "list under bins: in layerdoit.yaml only binaries that cargo makes under exactly that name"
    return _not_built(failed, f": cargo did not make {_listed(names)}", hint)


def _smoke_test(failed: StepFailed, config: Config) -> NotBuilt:
    """What the program prints says nothing of what the build lacks."""
    where = config.where.get("image.smoke", "layerdoit.yaml")
    shown = "\n".join(output.relevant(failed.tail))
    return _not_built(failed, f"\n{shown}", f"the program must end with 0 for each line of image.smoke ({where})")


def _warnings(failed: StepFailed, config: Config) -> NotBuilt:
    """Where they are denied."""
    said = [one for one in script_protocol.diagnostics(failed.notes) if one.level == "warning"]
    shown = "\n\n".join(plain_lines(one.text) for one in said)
    what = f": {count_text(len(said), 'warning')}, and `warnings: deny`\n{shown}"
    where = config.where.get("warnings")
    return _not_built(failed, what, "correct the code; `warnings: show` only shows them", where=where)


_BY_CODE: Final[Mapping[int, Callable[[StepFailed, Config], BuildError]]] = {
    Exit.RESEND: _resend,
    Exit.RUNTIME_MISMATCH: _runtime_mismatch,
    Exit.NO_BINARY: _no_binary,
    Exit.SMOKE_TEST: _smoke_test,
    Exit.WARNINGS: _warnings,
}


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)
