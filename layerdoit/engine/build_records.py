"""What BuildKit keeps of a build that is never asked for again: its records are removed when it is over."""

from __future__ import annotations

import contextlib
from typing import Final

from layerdoit.core import process
from layerdoit.core.errors import ProcessError
from layerdoit.engine.buildx_fields import field
from layerdoit.engine.buildx_program import buildx
from layerdoit.engine.mounts import records

_REMOVED: Final = ("regular", "source.local")
_SECONDS: Final = 5
"""Nobody waits longer for each call: where many measure or remove records at once, BuildKit takes minutes."""


def forget(word: str, builder: str) -> None:
    """Remove the records whose description has a word, which no other build has; mounts stay.

    They are only bytes: what cannot be removed, BuildKit collects in its time.
    """
    # See `mounts.question`: buildx knows no filter for descriptions before 0.15.
    named = f"id=|.|,description~=|{word}|"
    with contextlib.suppress(ProcessError):
        asked = [*buildx(), "du", "--verbose", "--filter", named, "--builder", builder]
        listing = process.capture(asked, seconds=_SECONDS).stdout
        found = [record for record, text in records(listing) if field(text, "Type") in _REMOVED]
        # What came last goes first: one that another one stands on cannot go.
        for record in reversed(found):
            removing = [*buildx(), "prune", "--force", "--filter", f"id={record}", "--builder", builder]
            process.capture(removing, seconds=_SECONDS)
