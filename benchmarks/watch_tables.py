"""The tables of `python -m benchmarks.watch`: from a save to the answer, requests lost, a watch with nothing to do."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.tables import Verdict, table
from benchmarks.ways import CARGO, ENDS, OVERLAP, STARTS, WATCH, WATCHEXEC
from layerdoit.bench.results import Result, spread

OVER_CARGO: Final = 0.2
"""Seconds beyond cargo and the application's own start-up."""
IDLE_CPU: Final = 0.01
IDLE_MEGABYTES: Final = 100


def watch_table(result: Result) -> str:
    """All that was measured."""
    edits = [row["seconds"] for row in result.rows if "seconds" in row]
    lost = [row for row in result.rows if "lost" in row]
    idle = [row["idle"] for row in result.rows if "idle" in row]
    made = (make(found) for found, make in ((edits, _edits), (lost, _lost), (idle, _idle)) if found)
    return "\n".join(made)


def _edits(edits: Sequence[Mapping[str, float]]) -> str:
    """Each way, and how much slower it is than `doit watch` of the same edit."""
    rows = []
    for way in edits[0]:
        times = [edit[way] for edit in edits]
        beside, held = "", ""
        if WATCH in edits[0] and way not in (WATCH, OVERLAP, CARGO, STARTS, ENDS):
            ratio = statistics.median(times) / statistics.median(edit[WATCH] for edit in edits)
            beside, held = f"{ratio:.1f} ×", str(Verdict("watch is not slower", ratio >= 1))
        rows.append([f"**{way}**" if way == WATCH else way, spread(times), beside, held])
    for way in (WATCH, OVERLAP):
        if not {way, CARGO, STARTS} <= edits[0].keys():
            continue
        over = [edit[way] - edit[CARGO] - edit[STARTS] for edit in edits]
        held = str(Verdict(f"≤ {OVER_CARGO} s", statistics.median(over) <= OVER_CARGO))
        rows.append([f"{way} − {CARGO} − start", spread(over), "", held])
        if way == WATCH and ENDS in edits[0]:
            # watchexec has the program end before it compiles: nobody is answered meanwhile.
            over = [seconds - edit[ENDS] for seconds, edit in zip(over, edits, strict=True)]
            rows.append([f"{WATCH} − {CARGO} − the application's own end and start", spread(over), "", ""])
    return table(["saved, and the new program answers", "seconds", "beside doit watch", "budget"], rows)


def _lost(found: Sequence[Mapping[str, Any]]) -> str:
    """Per replacement."""
    by_name = {row["way"]: row["lost"] for row in found}
    rows = []
    for row in found:
        lost, held = row["lost"], ""
        if row["way"] == WATCH and WATCHEXEC in by_name:
            most = statistics.median(by_name[WATCHEXEC])
            held = str(Verdict("≤ a restart on the host", statistics.median(lost) <= most))
        counts = f"{statistics.median(lost):g} ({min(lost)}-{max(lost)}, n={len(lost)})"
        rows.append([row["way"], counts, f"{sum(lost)} of {row['asked']:,}", held])
    rate = found[0]["rate"]
    return table([f"under {rate} requests/s", "lost in a replacement", "of all that were sent", "budget"], rows)


def _idle(found: Sequence[Mapping[str, Any]]) -> str:
    """CPU and memory of all its processes."""
    rows = []
    for one in found:
        held = [
            Verdict(f"≤ {IDLE_CPU:.0%} of a core".replace("%", " %"), one["cpu"] <= IDLE_CPU),
            Verdict(f"≤ {IDLE_MEGABYTES} MB", one["megabytes"] <= IDLE_MEGABYTES),
        ]
        memory = f"{one['megabytes']:.0f} MB; of that {one['watch_megabytes']:.0f} MB without docker's client"
        cpu = f"{one['cpu'] * 100:.2f} % of a core over {one['seconds']:g} s"
        rows.append([f"{one['files']:,} files", cpu, memory, "<br>".join(map(str, held))])
    return table(["a watch while nothing happens", "CPU", "memory", "budget"], rows)
