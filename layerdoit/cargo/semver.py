"""Whether a locked version satisfies a manifest's requirement, as cargo decides: caret by default."""

from __future__ import annotations

import re

Triple = tuple[int, int, int]

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
_PART = re.compile(
    r"(\^|~|=|>=|<=|>|<)?\s*(\d+|\*|x|X)(?:\.(\d+|\*|x|X))?(?:\.(\d+|\*|x|X))?(-[0-9A-Za-z.-]+)?(?:\+\S*)?"
)
_WILD = frozenset("*xX")


def satisfies(requirement: str, version: str) -> bool | None:
    """Whether cargo would accept `version` for `requirement`; None if not decided here (pre-releases)."""
    found = _VERSION.fullmatch(version)
    if found is None or found[4]:
        return None
    have = (int(found[1]), int(found[2]), int(found[3]))
    for part in requirement.split(","):
        parsed = _PART.fullmatch(part.strip())
        if parsed is None or parsed[5]:
            return None
        numbers = [int(text) for text in parsed.group(2, 3, 4) if text is not None and text not in _WILD]
        wild = any(text in _WILD for text in parsed.group(2, 3, 4) if text is not None)
        if not _fits(parsed[1] or ("=" if wild else "^"), numbers, have):
            return False
    return True


def _fits(operator: str, numbers: list[int], have: Triple) -> bool:
    low, high = _span(numbers)
    if operator == "^":
        return low <= have < _caret(numbers)
    if operator == "~":
        return low <= have < _span(numbers[:2])[1]
    if operator == "=":
        return low <= have < high
    if operator in (">=", "<"):
        return (have >= low) == (operator == ">=")
    return (have >= high) == (operator == ">")


def _span(numbers: list[int]) -> tuple[Triple, Triple]:
    """The range that the numbers stand for: its first version and the first after it. 1.2: from 1.2.0 to 1.3.0."""
    low = (*numbers, 0, 0, 0)[:3]
    if not numbers:
        return (0, 0, 0), (2**63, 0, 0)
    raised = [*numbers[:-1], numbers[-1] + 1]
    high = (*raised, 0, 0, 0)[:3]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _caret(numbers: list[int]) -> Triple:
    """The first incompatible version: the leftmost nonzero number plus one."""
    for index, number in enumerate(numbers):
        if number:
            return _span(numbers[: index + 1])[1]
    return _span(numbers)[1]
