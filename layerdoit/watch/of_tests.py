"""What tests printed, without what passed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from layerdoit.core.terminal import plain

MOST: Final = 200
"""Lines that are shown at most: the last ones."""
_PASSED: Final = re.compile(r"\s*(test .+ \.\.\. (ok|ignored\b.*)|running \d+ tests?|test result: ok\..*)")
_TARGET: Final = re.compile(r"\s*(Running .*|Doc-tests .*)")

_SUM: Final = re.compile(r"error: \d+ targets? failed:")


def failed(lines: Iterable[str]) -> list[str]:
    """The lines that tell of what failed, with the target that it is of."""
    kept: list[str] = []
    for line in lines:
        bare = plain(line)
        if _PASSED.fullmatch(bare) or (not bare.strip() and (not kept or not plain(kept[-1]).strip())):
            continue
        if _TARGET.fullmatch(bare) or _SUM.fullmatch(bare):
            _without_end(kept)
        kept.append(line)
    _without_end(kept)
    return kept[-MOST:]


def _without_end(kept: list[str]) -> None:
    """Take away empty lines at the end, and a target of which nothing is told."""
    while kept and not plain(kept[-1]).strip():
        kept.pop()
    if kept and _TARGET.fullmatch(plain(kept[-1])):
        kept.pop()
