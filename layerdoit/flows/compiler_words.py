"""What the compiler said of the workspace's own crates, after a build, by the setting `warnings`. Pure.

told(diagnostics, how) -> Told        # what is printed of it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.prose import listed
from layerdoit.core.units import count_text

if TYPE_CHECKING:
    from layerdoit.cargo.diagnostics import Diagnostic

# Crates in a line.
_NAMED = 4
# So many fill a screen.
_MANY = 8


class Told(NamedTuple):
    """`texts`: warnings in the compiler's words, with colours; `line`: how many there are, '' for none."""

    texts: tuple[str, ...]
    line: str


def told(diagnostics: Sequence[Diagnostic], how: str, *, verbose: bool = False) -> Told:
    """Warnings of the crates that were compiled in full, of the others only their number, as nobody has touched them.

    `how`: the setting, `show` or `count`; `verbose`: all in full.
    """
    warnings = [one for one in diagnostics if one.level == "warning"]
    full = [one for one in warnings if verbose or (how == "show" and one.compiled)]
    if not warnings:
        return Told((), "")
    texts = tuple(one.text for one in full)
    rest = [one for one in warnings if one not in full]
    fewer = "; WARNINGS=count only counts them" if len(full) >= _MANY and not verbose else ""
    if not rest:
        return Told(texts, f"{_counted(full)}{fewer}")
    what = _counted(rest)
    if full:
        more = f"{what} more, in crates that were not compiled again (-v shows them)"
        return Told(texts, f"{_counted(full)}; {more}{fewer}")
    return Told(texts, f"{what} (-v shows {'it' if len(rest) == 1 else 'them'})")


def _counted(warnings: Sequence[Diagnostic]) -> str:
    """`3 warnings (api 2, core)`."""
    by_crate = Counter(one.crate for one in warnings)
    names = [f"{name} {count}" if count > 1 else name for name, count in by_crate.most_common()]
    return f"{count_text(len(warnings), 'warning')} ({listed(names, _NAMED)})"
