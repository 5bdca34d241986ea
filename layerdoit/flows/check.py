"""`doit check`: tests and clippy for the whole workspace, in layers of their own beside those of the image.

A check asks another question of the same tree: all members instead of the chosen ones, their dev-dependencies too. So
it has a deps layer and a private target folder of its own, and never disturbs the build's;
everything else (keys, delta cooks, secrets, clearing) is the same. The image of its app layer is only the mark that
this very tree passed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.core.console import say
from layerdoit.core.errors import BuildError
from layerdoit.core.prose import listed
from layerdoit.core.units import count_text
from layerdoit.flows.ensure import ensure
from layerdoit.project import question

if TYPE_CHECKING:
    from layerdoit.flows.session import Session
    from layerdoit.layers.plan import Outcome

# Failed tests that the error names; all stand in what was printed.
NAMED = 8
_FAILED = re.compile(r"test (.+) \.\.\. FAILED")
_RESULT = re.compile(r"test result: \w+\. (\d+) passed; \d+ failed; (\d+) ignored")
_PROGRESS = re.compile(r"\s*(Compiling|Checking|Finished|Fresh|Blocking) ")
# Lines of check.sh.
_TESTS, _CLIPPY, _NO_CLIPPY = "layerdoit: tests", "layerdoit: clippy", "layerdoit: no-clippy"


def run(session: Session) -> tuple[list[Outcome], list[str]]:
    """Test and lint, unless this tree passed before; the outcomes of all layers, and what tests and clippy printed.

    That is shown as it comes. Raises BuildError when a test or clippy failed.
    """
    state = session.project.state
    before = set(state.logs("app"))
    outcomes = [outcome for layer in ("base", "deps") for outcome in ensure(session, layer)]
    try:
        outcomes += ensure(session, "app")
    except BuildError as error:
        said = printed(set(state.logs("app")) - before)
        what = f"the check failed: {failures(said)}" if said else error.what
        if _NO_CLIPPY in said:
            raise BuildError(
                f"{what}\nclippy was not run: the Rust toolchain in the base image has none",
                hint='name it in rust-toolchain.toml: [toolchain] components = ["clippy"]',
            ) from error
        raise BuildError(what, hint=error.hint) from error
    return outcomes, printed(set(state.logs("app")) - before) if outcomes[-1].step.action == "build" else []


def show(session: Session) -> None:
    """The task: say what was done, and what tests and clippy had to say."""
    from layerdoit.flows import reporting

    checking = session.asking(question.check)
    outcomes, said = run(checking)
    reporting.outcomes(checking, [outcome for outcome in outcomes[:-1] if outcome.step.action != "reuse"])
    last = outcomes[-1]
    done = f"in {last.seconds:.1f} s: {summary(said)} — {last.step.why}" if said else "this tree passed before"
    say(f"check   {done}")


def printed(new: Collection[Path]) -> list[str]:
    """What tests and clippy printed, by the logs of a check; empty where it did not come to that."""
    for path in sorted(new, reverse=True):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if _TESTS in lines:
            rest = lines[lines.index(_TESTS) + 1 :]
            ended = next(
                (index for index, text in enumerate(rest) if text.startswith("layerdoit: compiled=")), len(rest)
            )
            return [text for text in rest[:ended] if not text.startswith("# ") and text.strip()]
    return []


def failures(said: Sequence[str]) -> str:
    """`2 tests failed (a::b, c); clippy: 1 error`."""
    names = [found[1] for text in said if (found := _FAILED.match(text))]
    told = [f"{count_text(len(names), 'test')} failed ({listed(names, NAMED)})"] if names else []
    errors = sum(text.startswith("error") and "could not compile" not in text for text in clippy(said))
    told += [f"clippy: {count_text(errors, 'error')}"] if errors else []
    return "; ".join(told) or summary(said)


def summary(said: Sequence[str]) -> str:
    """`12 tests passed, 1 ignored; clippy: 2 warnings`."""
    results = [tuple(map(int, found.groups())) for text in said if (found := _RESULT.search(text))]
    passed, ignored = (sum(result[index] for result in results) for index in range(2))
    told = f"{count_text(passed, 'test')} passed" + (f", {ignored} ignored" if ignored else "")
    warnings = sum(text.startswith("warning: ") and " generated " not in text for text in clippy(said))
    return f"{told}; clippy: {count_text(warnings, 'warning') if warnings else 'no warnings'}"


def clippy(said: Sequence[str]) -> list[str]:
    """What clippy had to say, without cargo's own lines."""
    after = said[said.index(_CLIPPY) + 1 :] if _CLIPPY in said else []
    return [text for text in after if not _PROGRESS.match(text)]
