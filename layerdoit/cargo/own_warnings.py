"""What cargo itself warns of beside rustc: of manifests and its configuration, and what build scripts of members say.

    Warned().read(line), .lines()             # while cargo prints: what of it to keep
    diagnostics(lines) -> tuple[Diagnostic, ...]

Pure. Compilers and macros print to the same stream, also `warning: …`: only what has a form of cargo's own is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from layerdoit.cargo.diagnostics import Diagnostic

_COLOURED: Final = "\x1b[1m\x1b[33mwarning\x1b[0m"
_WORD: Final = "warning: "
_OF_CARGO: Final = re.compile(
    r"""/.*Cargo\.toml:\ .
    | unused\ (manifest|config)\ key | unused\ workspace\ dependency | unknown\ lint:
    | virtual\ workspace\ defaulting\ to | some\ crates\ are\ on\ edition
    | \S+\ for\ the\ non\ root\ package\ will\ be\ ignored
    | no\ edition\ set | `package\.edition`\ is\ unspecified
    | file\ `.*`\ found\ to\ be\ present\ in\ multiple\ build\ targets
    | `default-features`\ is\ ignored | `[^`]+`\ is\ deprecated\ in\ favor\ of
    | `panic`\ setting\ is\ ignored | profile\ package\ spec
    | only\ one\ of\ `license` | [Pp]atch\ `.*`\ was\ not\ used | unused\ patch
    | output\ filename\ collision | An\ explicit\ \[\[
    | \S+\ v\S+\ \(.*\)\ ignoring\ invalid\ dependency""",
    re.VERBOSE,
)
_OF_SCRIPT: Final = re.compile(r"(?P<crate>[\w-]+)@\d[^\s:]*: .")
# Its paragraphs have no form of their own.
_LONG: Final = re.compile(r"only one of `license`|[Pp]atch `|output filename collision|An explicit \[\[|.* deprecated")
_GOES_ON: Final = re.compile(r"\s|note: |help: |package: |workspace: ")
_STATUS: Final = re.compile(r"(?=.{12} ) *([A-Z][a-z]+) ")
_NO_UNIT: Final = ("Updating", "Locking", "Downloading", "Downloaded", "Blocking", "Adding")
# What cargo is handed from the host, which is not there under this name.
_HANDED: Final = re.compile(r"`/cargo/")
_FAILED: Final = ("error", "layerdoit: ")


class _One(NamedTuple):
    lines: list[str]
    crate: str


class Warned:
    """Reads the lines of one or more runs of cargo, one after the other."""

    def __init__(self) -> None:
        self._found: list[_One] = []
        self._compiling: dict[str, str] = {}
        self._open: _One | None = None
        # Units begin when cargo has read all that it warns of.
        self._units = False

    def read(self, line: str) -> None:
        """A line, without colours."""
        if status := _STATUS.match(line):
            self._open = None
            self._units = self._units or status[1] not in _NO_UNIT
            if status[1] == "Compiling":
                self._compiling[line.split()[1]] = line
            elif status[1] == "Finished":
                self._units = False
        elif line.startswith(_WORD):
            self._open = self._begun(line)
            if self._open is not None:
                self._found.append(self._open)
        elif line.startswith(_FAILED):
            self._open = None
        elif self._open is not None:
            if _GOES_ON.match(line) or _LONG.match(self._open.lines[0], len(_WORD)):
                self._open.lines.append(line)
            else:
                self._open = None

    def _begun(self, line: str) -> _One | None:
        if script := _OF_SCRIPT.match(line, len(_WORD)):
            return _One([line], script["crate"])
        is_own = not self._units and _OF_CARGO.match(line, len(_WORD)) and not _HANDED.search(line)
        return _One([line], "") if is_own else None

    def lines(self) -> list[str]:
        """What to keep of them: this class reads the same in it."""
        own = [line for one in self._found if not one.crate for line in one.lines]
        scripts = [one for one in self._found if one.crate]
        crates = dict.fromkeys(one.crate for one in scripts)
        compiling = [self._compiling[crate] for crate in crates if crate in self._compiling]
        return [*own, *compiling, *(line for one in scripts for line in one.lines)]

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Each once: cargo may have run twice. Of a build script's crate it is known whether it compiled."""
        found = dict.fromkeys(("\n".join(one.lines).rstrip(), one.crate) for one in self._found)
        return tuple(
            Diagnostic(
                "warning",
                text.replace(_WORD[:-2], _COLOURED, 1),
                crate,
                compiled=not crate or crate in self._compiling,
                by="cargo",
            )
            for text, crate in found
        )


def diagnostics(lines: Iterable[str]) -> tuple[Diagnostic, ...]:
    """The warnings of cargo itself among lines, such as those that were kept."""
    warned = Warned()
    for line in lines:
        warned.read(line)
    return warned.diagnostics()
