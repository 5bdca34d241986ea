"""What cargo said of the own crates: its own warnings, and what it passed on of the compiler's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerdoit.cargo import own_warnings
from layerdoit.components import script_protocol

if TYPE_CHECKING:
    from layerdoit.cargo.diagnostics import Diagnostic


class Keeper:
    """Keeps the warnings of cargo's own that a step prints, until the note with which our scripts end its run."""

    def __init__(self) -> None:
        self._warned = own_warnings.Warned()

    def read(self, line: str) -> None:
        """See `engine/progress.py:Keeper`."""
        self._warned.read(line)

    def before(self, note: str) -> Sequence[str]:
        """See `engine/progress.py:Keeper`."""
        if not isinstance(script_protocol.parse(note), script_protocol.Counts):
            return ()
        found, self._warned = self._warned.lines(), own_warnings.Warned()
        return found


def said(notes: Sequence[str], *, steady: bool = False) -> tuple[Diagnostic, ...]:
    """All of it, by the notes of a build; cargo's own comes first, as cargo says it first.

    `steady`: what cargo reads before it looks at sources is as it was. What it says of that is no news, and it may have
    said so before anybody listened.
    """
    own = own_warnings.diagnostics(notes)
    return (*(one for one in own if one.crate or not steady), *script_protocol.diagnostics(notes))
