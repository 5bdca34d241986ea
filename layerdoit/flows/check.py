"""`doit check`: tests and clippy for the whole workspace, in layers of their own beside those of the image.

A check asks another question of the same tree: all members instead of the chosen ones, their dev-dependencies too. So
it has a deps layer and a private target folder of its own, and never disturbs the build's;
everything else (keys, delta cooks, secrets, clearing) is the same. The image of its app layer is only the mark that
this very tree passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.components.rust_failures import NotBuilt
from layerdoit.components.script_protocol import NoClippy, Section, every, parse
from layerdoit.core.console import say
from layerdoit.core.errors import BuildError, WorkspaceError
from layerdoit.core.prose import listed
from layerdoit.core.units import count_text, duration_text
from layerdoit.flows.ensure import ensure
from layerdoit.project import question

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.layers.outcome import Outcome

# Failed tests that the error names; all stand in what was printed.
NAMED = 8
_FAILED = re.compile(r"test (.+) \.\.\. FAILED")
_RESULT = re.compile(r"test result: \w+\. (\d+) passed; \d+ failed; (\d+) ignored")


def run(session: Session) -> tuple[list[Outcome], Printed | None]:
    """Test and lint, unless this tree passed before; the outcomes of all layers, and what tests and clippy printed.

    That is shown as it comes. Raises BuildError when a test or clippy failed.
    """
    if not session.project.has_rust:
        what = f"nothing is compiled in {session.project.root}, so there is nothing to test"
        raise WorkspaceError(what, hint="test the program where it is compiled")
    outcomes = [outcome for layer in ("base", "deps") for outcome in ensure(session, layer)]
    try:
        outcomes += ensure(session, "app")
    except NotBuilt as error:
        raise _failed(error) from error
    return outcomes, printed(outcomes[-1].notes)


def _failed(error: NotBuilt) -> BuildError:
    notes = error.failed.notes
    said = printed(notes)
    cause = f": {error.cause}" if error.cause else ""
    what = f"the check failed: {failures(said)}{cause}" if said else error.what
    if not every(NoClippy, notes):
        return BuildError(what, where=error.where, hint=error.hint)
    return BuildError(
        f"{what}\nclippy did not run: the Rust toolchain of the base image does not have it",
        hint='add it to rust-toolchain.toml: [toolchain] components = ["clippy"]',
    )


def show(session: Session) -> None:
    """The task: say what was done, and what tests and clippy had to say."""
    from layerdoit.flows import reporting

    checking = session.asking(question.check)
    outcomes, said = run(checking)
    reporting.outcomes(checking, [outcome for outcome in outcomes[:-1] if outcome.step.works])
    last = outcomes[-1]
    done = f"in {duration_text(last.seconds)}: {summary(said)} — {last.step.why}" if said else "this tree passed before"
    say(f"check   {done}")


@dataclass(frozen=True)
class Printed:
    """The lines that tests and clippy printed, without cargo's progress."""

    tests: tuple[str, ...]
    clippy: tuple[str, ...]


def printed(notes: Iterable[str]) -> Printed | None:
    """What tests and clippy printed, by the notes of a check; None where it did not come to that."""
    lines: dict[Section, list[str]] = {}
    section = None
    for line in notes:
        if (message := parse(line)) is not None:
            section = message if isinstance(message, Section) else None
            if section is not None:
                lines[section] = []
        elif section is not None and line.strip():
            lines[section].append(line)
    return Printed(tuple(lines.get(Section.TESTS, ())), tuple(lines.get(Section.CLIPPY, ()))) if lines else None


def failures(said: Printed) -> str:
    """`2 tests failed (a::b, c); clippy: 1 error`."""
    names = [found[1] for text in said.tests if (found := _FAILED.match(text))]
    told = [f"{count_text(len(names), 'test')} failed ({listed(names, NAMED)})"] if names else []
    errors = sum(text.startswith("error") and "could not compile" not in text for text in said.clippy)
    told += [f"clippy: {count_text(errors, 'error')}"] if errors else []
    return "; ".join(told) or summary(said)


def summary(said: Printed) -> str:
    """`12 tests passed, 1 ignored; clippy: 2 warnings`."""
    results = [tuple(map(int, found.groups())) for text in said.tests if (found := _RESULT.search(text))]
    passed, ignored = (sum(result[index] for result in results) for index in range(2))
    told = f"{count_text(passed, 'test')} passed" + (f", {ignored} ignored" if ignored else "")
    warnings = sum(text.startswith("warning: ") and " generated " not in text for text in said.clippy)
    return f"{told}; clippy: {count_text(warnings, 'warning') if warnings else 'no warnings'}"
