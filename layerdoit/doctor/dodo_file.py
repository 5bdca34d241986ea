"""The dodo.py beside the project: whether doit can read it at all. doit itself answers with a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from layerdoit.core import merge_conflict
from layerdoit.doctor.finding import Finding, Rule, rules

NAME = "dodo.py"
BROKEN = Rule(
    "dodo-broken",
    "error",
    "dodo.py is not valid Python.",
    "doit reads it first, so no task can run",
    "correct that line",
)
RULES = tuple(rules(globals()))


def dodo(root: Path) -> Iterator[Finding]:
    """Whether it parses; it is not run."""
    try:
        text = (root / NAME).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    try:
        compile(text, NAME, "exec")
    except (SyntaxError, ValueError) as error:
        if conflict := merge_conflict.line_of(text):
            yield BROKEN.found(merge_conflict.WHAT, f"{NAME}:{conflict}", fix=merge_conflict.next_step(NAME))
            return
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        yield BROKEN.found(f"Python cannot read it: {getattr(error, 'msg', error)}", f"{NAME}{line}")
