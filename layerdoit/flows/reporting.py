"""What a run says of each layer as it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from layerdoit.components import cargo_words, script_protocol
from layerdoit.core.console import say, show, warn
from layerdoit.core.prose import listed
from layerdoit.core.units import count_text, duration_text
from layerdoit.tree import reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from layerdoit.components.compiler_words import Told
    from layerdoit.config import Config
    from layerdoit.core.errors import LayerdoitError
    from layerdoit.flows.session import Session
    from layerdoit.layers.outcome import Outcome
    from layerdoit.project.inputs import Inputs

_TOLD: Final = "told.json"


def each(made: Iterable[tuple[Session, Iterable[Outcome]]]) -> None:
    """Print the outcomes of several sessions. What one compilation said is said once."""
    said: set[tuple[str, ...]] = set()
    for session, done in made:
        outcomes(session, (_unless_said(outcome, said) for outcome in done))


def _unless_said(outcome: Outcome, said: set[tuple[str, ...]]) -> Outcome:
    if not outcome.notes or outcome.notes not in said:
        said.add(outcome.notes)
        return outcome
    return replace(outcome, notes=())


def outcomes(session: Session, done: Iterable[Outcome]) -> None:
    """Print each outcome and its warnings."""
    from layerdoit.flows import summary

    for outcome in done:
        session.run.reported.add(outcome.step.spec.layer)
        if session.whole is not None:
            session.whole.run.reported.add(outcome.step.spec.layer)
        # What is there and stays is said of the image as a whole.
        if session.run.verbose or outcome.step.works:
            say(line(outcome))
        past = session.past
        told = [*warnings(outcome), *_once(session, unseen(outcome)), *guessed(session.inputs, outcome)]
        told += unasked(session.project.config, outcome)
        for text in (*told, *summary.notes(past, outcome)):
            warn(text)
        if outcome.step.spec.layer == "app":
            _compiler(session, outcome)


def _compiler(session: Session, outcome: Outcome) -> None:
    """What the compiler and cargo said of the own crates."""
    said = cargo_words.said(outcome.notes)
    if not said:
        return
    from layerdoit.components import compiler_paths, compiler_words

    found = compiler_words.told(said, session.project.config.warnings, verbose=session.run.verbose)
    _show(found, lambda text: compiler_paths.opened_from_here(text, session.inputs))


def before_error(session: Session, error: LayerdoitError) -> None:
    """What the compiler warned of in a build that failed. The error comes after it."""
    from layerdoit.components.rust_failures import NotBuilt

    if not isinstance(error, NotBuilt):
        return
    from layerdoit.components import compiler_words

    how, verbose = session.project.config.warnings, session.run.verbose
    _show(compiler_words.beside_errors(error.said, how, verbose=verbose))


def _show(found: Told, placed: Callable[[str], str] = str) -> None:
    from layerdoit.core import terminal

    coloured = terminal.colour(sys.stderr)
    for one in found.shown:
        text = placed(one.text)
        show(text if coloured else terminal.plain_lines(text))
    if found.line:
        warn(found.line)


def line(outcome: Outcome) -> str:
    """One layer: what was done, how long it took, why."""
    step = outcome.step
    did = ""
    if step.works:
        compiled = outcome.counts.get("compiled")
        crates = "" if compiled is None else f"{count_text(compiled, 'crate') if compiled else 'no crate'} compiled"
        # "compiled, 1 crate compiled" would say it twice.
        how = outcome.how.removeprefix("compiled").removeprefix(", ") if crates else outcome.how
        how = ", ".join(filter(None, (crates, how) if outcome.step.spec.layer == "app" else (how, crates)))
        if shared := script_protocol.shared(outcome.notes):
            how += f" ({shared.hits} of {shared.hits + shared.misses} by sccache)"
        did = f" in {duration_text(outcome.seconds)}: {how}"
    return f"{step.spec.layer:<7} {step.action:<5} {step.spec.tag}{did} — {step.why}"


def warnings(outcome: Outcome) -> list[str]:
    """A miss is seen: external crates that the app build had to compile again; a store that was no help."""
    external = outcome.counts.get("external", 0)
    if outcome.step.spec.layer != "app" or not external:
        return [_without_store(off) for off in script_protocol.every(script_protocol.SharedOff, outcome.notes)]
    names = listed(outcome.not_fresh, 8)
    if read := script_protocol.every(script_protocol.Asks, outcome.notes):
        variables = sorted({message.variable for message in read})
        crates = listed(sorted({message.crate for message in read}), 8)
        what = f"{crates} may read {listed(variables)}, whose value is not the one that the deps layer was cooked with"
        line = f"deps: {{env: [{', '.join(variables)}]}}"
        again = f"{count_text(external, 'external crate')} compiled again"
        return [f"{what}: {again}; where that happens often, add to layerdoit.yaml: {line}"]
    what = f"{external} external crates were stale and compiled again in the app build: {names}"
    causes = (
        "flags set by a build script or .cargo/config.toml below the root, or features that the deps layer did not see"
    )
    return [f"{what}; likely causes: {causes}"]


def _without_store(off: script_protocol.SharedOff) -> str:
    """Why a cook compiled although compilers share a store, and what to do."""
    because = f" ({off.words})" if off.words else ""
    if off.why == "program":
        what = f"deps.sccache: no sccache could be used{because}: every crate was compiled"
        return f"{what}; next: name a program with deps.sccache.program, see docs/sccache.md"
    if off.why == "lost":
        return f"deps.sccache: the store failed while crates were compiled{because}: the rest was compiled without it"
    what = f"deps.sccache: the store did not answer, or refused{because}: every crate was compiled"
    return f"{what}; next: `doit layers doctor` asks it from here"


def unasked(config: Config, outcome: Outcome) -> list[str]:
    """A project's own Dockerfile.deps knows nothing of the store, which it names all the same."""
    cooked = outcome.step.spec.layer == "deps" and outcome.step.action == "build" and outcome.notes
    asked = (script_protocol.Shared, script_protocol.SharedOff)
    own = config.dockerfiles.deps
    if not cooked or own is None or config.deps.sccache.kind is None:
        return []
    if any(script_protocol.every(kind, outcome.notes) for kind in asked):
        return []
    mount = "--mount=type=secret,id=sccache,target=/run/secrets/sccache"
    return [f"deps.sccache: {own} does not ask the store; next: add to its RUN step: {mount}"]


def unseen(outcome: Outcome) -> str:
    """Why it cannot be seen here what is read while crates compile; '' where it can, or nobody says."""
    why = [note.words for note in script_protocol.every(script_protocol.ReadsUnknown, outcome.notes)]
    stale = script_protocol.every(script_protocol.Stale, outcome.notes)
    why += [note.path for note in stale if note.read == reads.OPAQUE and note.path != reads.BEFORE]
    if not why:
        return ""
    what = f"what crates read while they compile is not known here ({why[0]})"
    return f"{what}: they compile again whenever a file changes"


def _once(session: Session, text: str) -> list[str]:
    """A warning, the first time in this checkout."""
    state = session.project.state
    if not text or text in state.note(_TOLD):
        return []
    state.keep_note(_TOLD, {text: ""})
    return [text]


def guessed(inputs: Inputs, outcome: Outcome) -> list[str]:
    """A new image may run another program than the last one, only because a binary was added."""
    if outcome.step.spec.layer != "app" or outcome.step.action != "build":
        return []
    names = [name for _, name in inputs.bins]
    if not names or inputs.project.service or inputs.question.image.entrypoint is not None or not inputs.runs.guessed:
        return []
    runs = f"the image runs `{inputs.entrypoint}`, the first of {listed(names, 8)} by the alphabet"
    return [f"{runs}; choose with image.entrypoint in layerdoit.yaml"]
