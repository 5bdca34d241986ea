"""What was done, why, how long it took, and what was there already: `.layerdoit/history.db` (SQLite).

Written only by runs that did something; deleting it costs only knowledge. Nothing in it decides what is built.
"""

from __future__ import annotations

from layerdoit.history.medians import (
    Expected,
    Figures,
    Part,
    expected,
    last_size,
    of_layer,
    of_phase,
    of_task,
    together,
)
from layerdoit.history.records import Ended, LayerRecord, RunRecord, save

__all__ = [
    "Ended",
    "Expected",
    "Figures",
    "LayerRecord",
    "Part",
    "RunRecord",
    "expected",
    "last_size",
    "of_layer",
    "of_phase",
    "of_task",
    "save",
    "together",
]
