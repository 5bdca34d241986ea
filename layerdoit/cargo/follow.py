"""Follow cargo while it works: its words, the crates that it compiles, and the bar that it prints of itself."""

from __future__ import annotations

import re
from typing import Final

from layerdoit.core.doing import Doing

# Cargo sets its words to the right of twelve columns.
_UNIT: Final = re.compile(r"\s+(Compiling|Checking) (\S+) v")
_STEP: Final = re.compile(r"\s+(Downloaded|Downloading|Updating|Fresh|Blocking)\b")
_END: Final = re.compile(r"\s+Finished\b.* in ")
_BAR: Final = re.compile(r"\s*(Building|Downloading|Updating|Fetch) \[[=> -]*\]\s*(.*)")
_FETCHED: Final = re.compile(r"\s+Downloading \d+ crates?\b")
_UNITS: Final = re.compile(r"(\d+)/(\d+)(?:: (.*))?")
# Entries of an index that is asked over HTTP, which cargo paints in the words of git.
_ENTRIES: Final = re.compile(r"\d+ complete; \d+ pending")
_WORDS: Final = {
    "Downloaded": "downloading crates",
    "Downloading": "downloading crates",
    "Updating": "updating the index of crates",
    "Fetch": "fetching with git",
    "Blocking": "waiting for another cargo",
}


class Follower:
    """Reads lines one after the other. `expected`: how many crates will compile; None where nobody knows."""

    def __init__(self, expected: int | None = None) -> None:
        self._expected = expected
        self._begun = 0
        self._done = 0
        self._first: int | None = None
        self._units = (0, 0)
        self._jobs: tuple[str, ...] = ()
        self._verb = "compiling"

    def read(self, line: str) -> Doing | None:
        """What cargo does by a line; None for other lines, such as warnings or a program's output."""
        if unit := _UNIT.match(line):
            self._begun += 1
            self._verb = unit[1].lower()
            if not self._units[1]:
                # Before the first bar this is all that is known.
                self._jobs = (unit[2],)
            return self._compiling()
        if _END.match(line):
            # There may be another cargo after this one.
            self._jobs, self._first, self._units = (), None, (0, 0)
            return Doing("checking what was built")
        if step := _STEP.match(line):
            return None if step[1] == "Fresh" else Doing(_WORDS[step[1]])
        return None

    def bar(self, text: str) -> Doing | None:
        """What cargo does by what it paints over; None where that is no bar of cargo's."""
        found = _BAR.match(text)
        if found is None:
            return Doing(_WORDS["Downloading"]) if _FETCHED.match(text) else None
        units = _UNITS.match(found[2])
        if found[1] != "Building":
            return self._downloading("Updating" if _ENTRIES.match(found[2]) else found[1], units)
        if units is None:
            return self._compiling()
        self._units = int(units[1]), int(units[2])
        self._jobs = tuple(job for job in re.split(r",\s*", (units[3] or "").strip()) if job and job != "...")
        if self._first is None and self._begun:
            # What was fresh is over before anything compiles.
            self._first = self._units[0]
        return self._compiling()

    def _downloading(self, word: str, units: re.Match[str] | None) -> Doing:
        if units is None:
            return Doing(_WORDS[word])
        done, total = int(units[1]), int(units[2])
        return Doing(_WORDS[word], done, total, "", done / total if total else None)

    def _compiling(self) -> Doing:
        """Crates are counted where it is known how many there are, otherwise cargo's own units of work."""
        if self._expected and self._begun <= self._expected:
            running = len({job.partition("(")[0] for job in self._jobs})
            # One whose build script is done, and that waits for others, is neither.
            self._done = max(self._done, self._begun - running)
            return self._counted(self._done, self._expected)
        first, (done, total) = self._first, self._units
        if first is None or total <= first:
            return Doing(self._verb if self._begun else "looking what is fresh", jobs=self._jobs)
        return self._counted(done - first, total - first)

    def _counted(self, done: int, total: int) -> Doing:
        return Doing(self._verb, done, total, "crates", done / total, self._jobs)
