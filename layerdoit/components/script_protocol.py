"""What the scripts that run inside a build say to layerdoit: every kind of line, and the exit codes.

    parse(line) -> Message | None        # None: not one of ours, such as a line of cargo's
    every(Linked, lines) -> list[Linked]

The scripts are dockerfiles/*.sh. A line begins with `layerdoit: ` and one word that tells its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, TypeVar

from layerdoit.core import packed_text
from layerdoit.engine.progress import NOTE

if TYPE_CHECKING:
    from layerdoit.cargo.diagnostics import Diagnostic


class Exit(IntEnum):
    """Exit codes of the scripts that mean more than that something failed."""

    RESEND = 86
    RUNTIME_MISMATCH = 87
    NO_BINARY = 88
    SMOKE_TEST = 89
    WARNINGS = 90
    NO_OUTPUT = 92
    NOT_THIS_MOUNT = 93


class Section(Enum):
    """`tests`, `clippy`: what is printed from here to the next note is for the user, as it comes."""

    TESTS = "tests"
    CLIPPY = "clippy"


@dataclass(frozen=True)
class Begun:
    """`begun`: the script runs, so its mounts are there."""


@dataclass(frozen=True)
class NoClippy:
    """`no-clippy`: the toolchain in the base image has no clippy."""


class Counts(NamedTuple):
    """`compiled=1 units=9 external=0 cold=1`: units of the build, how many of them compiled, how many are external.

    `cold`: nothing had been compiled in this target folder before. Cooks do not say it.
    """

    compiled: int
    units: int
    external: int
    cold: bool = False

    def as_dict(self) -> dict[str, int]:
        """The numbers by name, as the history keeps them."""
        return {"compiled": self.compiled, "units": self.units, "external": self.external}


class Crate(NamedTuple):
    """`crate NAME VERSION SECONDS`: a crate that a cook compiled, and the seconds of all its units."""

    name: str
    version: str
    seconds: float


class Shared(NamedTuple):
    """`sccache hits=12 misses=1 written=1 failed=0`: crates that came from the store, and that were compiled for it.

    `written`: how many of these it has now; `failed`: how often it could not be asked or written to.
    """

    hits: int
    misses: int
    written: int
    failed: int


class SharedOff(NamedTuple):
    """`sccache-off program|store|lost WORDS`: this cook went without the store, from its begin or later (`lost`)."""

    why: str
    words: str


class Taken(NamedTuple):
    """`taken units=283 taken=212 1=150 2=62`: external units of a cook, and how many each donor lent, by its place."""

    units: int
    taken: int
    donors: Mapping[int, int]


class NotFresh(NamedTuple):
    """`not-fresh NAME@VERSION`: an external crate that the app build had to compile again."""

    crate: str


class Fingerprint(NamedTuple):
    """`fingerprint cooked|used CRATE-HASH/UNIT.json {…}`: what cargo noted of a unit, cooked or in this build."""

    side: str
    crate: str
    unit: str
    content: str


class Stale(NamedTuple):
    """`stale CRATE rustc|script stat|open|opaque PATH`: a unit that runs again, as PATH is not what it was.

    `unit`: `rustc` compiles the crate, `script` is its build script; `read`: what it did with the path, which is
    relative to the build context. Of an `opaque` one it is not known what it read: PATH says why.
    """

    crate: str
    unit: str
    read: str
    path: str


class Reads(NamedTuple):
    """`reads BASE64`: a part of the list of all that was read for the image (see `tree/reads.py`)."""

    packed: str


class ReadsUnknown(NamedTuple):
    """`reads-unknown WORDS`: nothing can be recorded here; WORDS are the C compiler's."""

    words: str


class Diagnostics(NamedTuple):
    """`diagnostics BASE64`: a part of what the compiler said of the own crates (see `cargo/diagnostics.py`)."""

    packed: str


class Asks(NamedTuple):
    """`asks VARIABLE CRATE`: a crate that may read a variable with another value than it was compiled with."""

    variable: str
    crate: str


class Linked(NamedTuple):
    """`linked BINARY`: a binary that this build linked."""

    binary: str


class NoBinary(NamedTuple):
    """`no-binary BINARY`: a binary that is wanted in the image and that cargo did not make."""

    binary: str


class Missing(NamedTuple):
    """`missing binary=B library=L package=P`, with ` placed=PATH`, ` source=PATH` or ` made=PATH` behind it.

    A library that the image lacks. `package`: the builder's Debian package that holds it; None where no package does.
    Then it may be among the assets, in a folder of the image where no loader looks (`placed`), among the sources, at
    that path (`source`), or something that the build made (`made`).
    """

    binary: str
    library: str
    package: str | None
    found: str | None = None
    path: str = ""


class TooNew(NamedTuple):
    """`too-new binary=B WORDS`: a symbol version that the runtime image lacks, in the words of its loader."""

    binary: str
    words: str


class OtherMachine(NamedTuple):
    """`other-machine binary=B WORDS`: a binary for another machine than the image, in the words of readelf."""

    binary: str
    machine: str


class OtherContext(NamedTuple):
    """`context WORDS`: the sources that arrived are not those that the image is keyed by."""

    words: str


class Measured(NamedTuple):
    """`measured MS BYTES NAME`: milliseconds from an edit to the linked programs (the median of three), their size."""

    name: str
    ms: int
    size: int


class Unmeasured(NamedTuple):
    """`unmeasured NAME`: a setting that could not be measured."""

    name: str


class Packed(NamedTuple):
    """`packed PROGRAM SHA256 FILES BYTES`: a target mount was packed, by that program; BYTES are those of its files."""

    program: str
    digest: str
    files: int
    size: int


class OfMount(NamedTuple):
    """`mount WORD`: how a target mount was found, or what became of it.

    It is `empty` or `interrupted`, so that there is nothing to save; it is `used`, so that it stays as it is; what was
    to be loaded is `damaged`, or `differs` from the image of the dependencies; it is `loaded`.
    """

    word: str


Message: TypeAlias = (
    Section
    | Begun
    | NoClippy
    | Counts
    | Crate
    | Shared
    | SharedOff
    | Taken
    | NotFresh
    | Fingerprint
    | Stale
    | Reads
    | ReadsUnknown
    | Diagnostics
    | Asks
    | Linked
    | NoBinary
    | Missing
    | TooNew
    | OtherMachine
    | OtherContext
    | Measured
    | Unmeasured
    | Packed
    | OfMount
)
AMessage = TypeVar("AMessage", bound=Message)

_FORMS: Final[Mapping[str, tuple[str, Callable[..., Message]]]] = {
    "tests": ("tests", lambda: Section.TESTS),
    "clippy": ("clippy", lambda: Section.CLIPPY),
    "begun": ("begun", Begun),
    "no-clippy": ("no-clippy", NoClippy),
    "compiled": (
        r"compiled=(\d+) units=(\d+) external=(\d+)(?: cold=([01]))?",
        lambda compiled, units, external, cold: Counts(int(compiled), int(units), int(external), cold == "1"),
    ),
    "crate": (r"crate (\S+) (\S+) (\d+(?:\.\d+)?)", lambda name, version, spent: Crate(name, version, float(spent))),
    "sccache": (
        r"sccache hits=(\d+) misses=(\d+) written=(\d+) failed=(\d+)",
        lambda *counted: Shared(*map(int, counted)),
    ),
    "sccache-off": (r"sccache-off (program|store|lost) ?(.*)", SharedOff),
    "taken": (
        r"taken units=(\d+) taken=(\d+)((?: \d+=\d+)*)",
        lambda units, taken, each: Taken(
            int(units), int(taken), {int(one): int(n) for one, n in (part.split("=") for part in each.split())}
        ),
    ),
    "not-fresh": (r"not-fresh (\S+)", NotFresh),
    "fingerprint": (r"fingerprint (cooked|used) ([\w.-]+)-[0-9a-f]{16}/(\S+)\.json (\{.*\})", Fingerprint),
    "stale": (r"stale (\S*) (rustc|script) (stat|open|opaque) (.*)", Stale),
    "reads": (r"reads ([A-Za-z0-9+/=]+)", Reads),
    "reads-unknown": (r"reads-unknown ?(.*)", ReadsUnknown),
    "diagnostics": (r"diagnostics ([A-Za-z0-9+/=]+)", Diagnostics),
    "asks": (r"asks (\S+) (\S+)", Asks),
    "linked": (r"linked (\S+)", Linked),
    "no-binary": (r"no-binary (\S+)", NoBinary),
    "missing": (
        r"missing binary=(\S*) library=(\S*) package=(\S+)(?: (placed|source|made)=(.+))?",
        lambda binary, library, package, found, path: Missing(
            binary, library, None if package == "?" else package, found, path or ""
        ),
    ),
    "too-new": (r"too-new binary=(\S*) (.+)", TooNew),
    "other-machine": (r"other-machine binary=(\S*) (.+)", OtherMachine),
    "context": (r"context (.+)", OtherContext),
    "measured": (r"measured (\d+) (\d+) (.+)", lambda ms, size, name: Measured(name, int(ms), int(size))),
    "unmeasured": (r"unmeasured (.+)", Unmeasured),
    "packed": (
        r"packed (\w+) ([0-9a-f]{64}) (\d+) (\d+)",
        lambda program, digest, files, size: Packed(program, digest, int(files), int(size)),
    ),
    "mount": (r"mount (empty|interrupted|used|damaged|differs|loaded)", OfMount),
}
"""By the first word of a line: the form of the line, and what makes a message of its parts."""


def parse(line: str) -> Message | None:
    """The message of a line, or None: it is somebody else's, or no line that the scripts of this version print."""
    if not line.startswith(NOTE):
        return None
    text = line[len(NOTE) :].rstrip()
    form, make = _FORMS.get(re.split("[ =]", text, maxsplit=1)[0], (None, None))
    if form is None or make is None or (found := re.fullmatch(form, text)) is None:
        return None
    return make(*found.groups())


def every(kind: type[AMessage], lines: Iterable[str]) -> list[AMessage]:
    """The messages of one kind among the lines, in their order."""
    return [message for line in lines if isinstance(message := parse(line), kind)]


def counts(lines: Iterable[str]) -> Counts | None:
    """What cargo compiled, by the last line that tells; None where cargo did not come to its end."""
    return next(reversed(every(Counts, lines)), None)


def shared(lines: Iterable[str]) -> Shared | None:
    """What a cook had from the store of compilers; None where it had none to ask."""
    return next(reversed(every(Shared, lines)), None)


def taken(lines: Iterable[str]) -> Taken | None:
    """What a cook had from donors; None where it had none to ask."""
    return next(reversed(every(Taken, lines)), None)


def diagnostics(lines: Iterable[str]) -> tuple[Diagnostic, ...]:
    """What the compiler said of the own crates."""
    packed = [message.packed for message in every(Diagnostics, lines)]
    if not packed:
        return ()
    from layerdoit.cargo import diagnostics as said

    return said.read((packed_text.unpack(packed) or "").splitlines())


def aloud(line: str) -> bool:
    """Whether what is printed after this line is for the user, as it comes."""
    return isinstance(parse(line), Section)
