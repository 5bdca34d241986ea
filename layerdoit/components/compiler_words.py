"""What the compiler and cargo said of the workspace's own crates, by the setting `warnings`. Pure.

told(diagnostics, how) -> Told               # after a build
beside_errors(diagnostics, how) -> Told      # before the errors of one that failed
as_text(diagnostics) -> str                  # all of it, for a log
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core.prose import listed
from layerdoit.core.terminal import plain_lines
from layerdoit.core.units import count_text

if TYPE_CHECKING:
    from layerdoit.cargo.diagnostics import Diagnostic

# Crates in a line.
_NAMED = 4
# So many fill a screen.
_MANY = 8
MOST: Final = 20
"""Warnings that are shown before errors, so that these are not far below them."""


class Told(NamedTuple):
    """`shown`: warnings in the compiler's words, with colours; `line`: how many there are, '' for none."""

    shown: tuple[Diagnostic, ...]
    line: str


def told(diagnostics: Sequence[Diagnostic], how: str, *, verbose: bool = False, log: str = "") -> Told:
    """Warnings of the crates that were compiled in full, of the others only their number, as nobody has touched them.

    `how`: the setting, `show` or `count`; `verbose`: all in full; `log`: where they are, if `-v` does not show them.
    """
    warnings = _warnings(diagnostics)
    full = tuple(one for one in warnings if verbose or (how != "count" and one.compiled))
    if not warnings:
        return Told((), "")
    rest = [one for one in warnings if one not in full]
    fewer = "; WARNINGS=count only counts them" if len(full) >= _MANY and not verbose else ""
    if not rest:
        return Told(full, f"{_counted(full)}{fewer}")
    them = "it" if len(rest) == 1 and not full else "them"
    seen = f"{log} has {them}" if log else f"-v shows {them}"
    if full:
        more = f"{_counted(rest)} more, in crates that were not compiled again ({seen})"
        return Told(full, f"{_counted(full)}; {more}{fewer}")
    return Told(full, f"{_counted(rest)} ({seen})")


def beside_errors(diagnostics: Sequence[Diagnostic], how: str, *, verbose: bool = False) -> Told:
    """The same before errors: `MOST` at most, first of all of the crates that have one. `line`: what is left out."""
    warnings = _warnings(diagnostics)
    wanted = [one for one in warnings if verbose or (how != "count" and one.compiled)]
    if not verbose:
        wrong = {one.crate for one in diagnostics if one.level == "error"}
        wanted = sorted(wanted, key=lambda one: one.crate not in wrong)[:MOST]
    full = tuple(one for one in warnings if one in wanted)
    rest = [one for one in warnings if one not in wanted]
    if not rest:
        return Told(full, "")
    return Told(full, f"{_counted(rest)}{' more' if full else ''}, in the whole log, which the error names")


def as_text(diagnostics: Sequence[Diagnostic]) -> str:
    """All of it, without colours."""
    return "".join(f"{plain_lines(one.text)}\n\n" for one in diagnostics)


def _warnings(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    return [one for one in diagnostics if one.level == "warning"]


def _counted(warnings: Sequence[Diagnostic]) -> str:
    """`3 warnings (api 2, core)`."""
    by_crate = Counter(one.crate or one.by for one in warnings)
    names = [f"{name} {count}" if count > 1 else name for name, count in by_crate.most_common()]
    return f"{count_text(len(warnings), 'warning')} ({listed(names, _NAMED)})"
