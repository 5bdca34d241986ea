"""What was read for the last app images of a checkout, so that one is found again although its key is another tree's.

The state file `reads`, of which each service has one, holds a record for each of the last images. Deleting it costs one
build after a change of what nothing reads.
"""

from __future__ import annotations

import marshal
import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.core import files
from layerdoit.layers.key import key
from layerdoit.project import git_sent
from layerdoit.tree import reads
from layerdoit.tree.reads import Files, Read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from layerdoit.layers.key import Spec
    from layerdoit.project.inputs import Inputs

_FORMAT: Final = 2
# A branch or two, and the way back.
_KEPT: Final = 4
# What cargo itself reads wherever it looks.
_SETTINGS: Final = (".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain")


class Trace(NamedTuple):
    """One app image.

    `others`: digest of all inputs but the sources; `compiled`: of those among them that the compiler sees;
    `files`: the sources that it was made from.
    """

    key: str
    others: str
    compiled: str
    files: Files
    reads: tuple[Read, ...]


class Same(NamedTuple):
    """An image that a tree gives too. `unread`: what differs between the trees, which nothing reads; sorted paths."""

    key: str
    unread: tuple[str, ...]


class Rereading(NamedTuple):
    """A crate that compiles again, for a read of its own, or of its build script, finds something else."""

    crate: str
    read: Read
    listed: bool


def same(inputs: Inputs, spec: Spec) -> list[Same]:
    """The images that what is read in this tree gives, the most recent first; they may be gone. `spec`: of the app."""
    if inputs.question.kind != "build":
        return []
    here, others, found = inputs.readable, _others(spec), []
    for trace in _load(inputs):
        if trace.others != others:
            continue
        paths = reads.differing(trace.files, here)
        if not _differs(inputs, trace, here, paths):
            found.append(Same(trace.key, _shown(inputs, paths)))
    return found


def idle(inputs: Inputs, image: str) -> frozenset[str]:
    """Sources that differ from those of an app image, by its key, and that nothing read for it: no reason to build."""
    trace = next((one for one in _load(inputs) if one.key == image), None)
    here = inputs.readable
    # Where links are, or somebody's reads are not known, a path tells too little.
    if trace is None or trace.files.links or here.links:
        return frozenset()
    own = _of_own(inputs, trace.reads)
    if any(read.kind == reads.OPAQUE for read in own):
        return frozenset()
    read, looked_for = set[str](), set[str]()
    for one in own:
        path = posixpath.normpath(one.path) if "." in one.path[:1] or "/." in one.path else one.path
        (looked_for if one.kind == reads.PRESENT else read).add(path)
    listed = {one.path for one in own if one.kind == reads.OPENED}

    def is_idle(path: str) -> bool:
        if path in read or path.rpartition("/")[2] == "Cargo.toml":
            return False
        there = path in trace.files.entries and path in here.entries
        return there or (path not in looked_for and not listed.intersection(("", ".", *reads.ancestry(path))))

    differing = reads.differing(trace.files, here)
    busy = _shown(inputs, [path for path in differing if not is_idle(path)])
    return frozenset(_shown(inputs, differing)).difference(busy)


def _shown(inputs: Inputs, paths: Iterable[str]) -> tuple[str, ...]:
    """As the user knows them, in their order."""
    return tuple(dict.fromkeys(git_sent.shown(inputs.sources.own_path(path)) for path in paths))


def rereadings(inputs: Inputs) -> list[Rereading]:
    """Crates that will compile again since the last build for what they read beside their own source code."""
    if inputs.question.kind != "build" or not (known := _load(inputs)):
        return []
    last = known[0]
    here, shown = inputs.readable, inputs.sources.own_path
    beside = [
        read
        for read in _of_own(inputs, last.reads)
        if not read.path.endswith(".rs") and read.kind != reads.OPAQUE and read.crate != _CARGO
    ]
    told: dict[str, Rereading] = {}
    for read in reads.changed(beside, last.files, here, reads.differing(last.files, here)):
        listed = read.kind == reads.OPENED and posixpath.normpath(read.path) not in last.files.entries
        told.setdefault(read.crate, Rereading(read.crate, read._replace(path=shown(read.path)), listed))
    return list(told.values())


def keep(inputs: Inputs, spec: Spec, told: Sequence[Read]) -> None:
    """Remember what was read for an image."""
    if inputs.question.kind == "build":
        _keep(inputs, spec, complete(inputs, told))


def keep_assembled(inputs: Inputs, spec: Spec) -> None:
    """Remember the same for an image for which nothing was compiled: it has the programs of an earlier one."""
    if inputs.question.kind != "build":
        return
    compiled = _compiled(spec)
    # Another service may have been the first to have them compiled.
    for known in (inputs, *inputs.siblings()):
        for trace in _load(known):
            if trace.compiled == compiled and trace.files == inputs.readable:
                _keep(inputs, spec, trace.reads)
                return


def _keep(inputs: Inputs, spec: Spec, every: tuple[Read, ...]) -> None:
    trace = Trace(spec.key, _others(spec), _compiled(spec), inputs.readable, every)
    _save(inputs, [trace, *(one for one in _load(inputs) if one.key != spec.key)][:_KEPT])


def _differs(inputs: Inputs, trace: Trace, here: Files, paths: Sequence[str]) -> bool:
    """Whether a read, of cargo or of a unit, finds something else here."""
    if any(path.rpartition("/")[2] == "Cargo.toml" for path in paths if path not in trace.files.entries):
        return True
    return any(True for _ in reads.changed(_of_own(inputs, trace.reads), trace.files, here, paths))


def _of_own(inputs: Inputs, every: Sequence[Read]) -> Sequence[Read]:
    """Without what only the binaries of other services are made of; where a name may mean either, it counts."""
    others = inputs.crates_of_others
    return [read for read in every if read.crate not in others] if others else every


# --- what cargo itself reads -----------------------------------------------------------------------------------------

_CARGO: Final = ""


def by_cargo(packages: Iterable[str]) -> Iterator[Read]:
    """What cargo reads to know what to build. `packages`: their folders in the build context.

    Manifests of packages and of folders above them, the lock file, settings, and which targets there are (The Cargo
    Book, "Target auto-discovery").
    """
    above = {""}
    for folder in packages:
        for name in ("build.rs", "src/lib.rs", "src/main.rs"):
            yield Read(_CARGO, reads.PRESENT, posixpath.join(folder, name))
        yield Read(_CARGO, reads.OPENED, posixpath.join(folder, "src/bin"))
        above |= set(reads.ancestry(folder))
    for folder in above:
        for name in ("Cargo.toml", "Cargo.lock", *_SETTINGS):
            yield Read(_CARGO, reads.OPENED, posixpath.join(folder, name))


def complete(inputs: Inputs, told: Iterable[Read]) -> tuple[Read, ...]:
    """What units read, and what cargo read."""
    folders = [inputs.sources.context_path(path) for path in (".", *inputs.project.workspace.by_dir)]
    binaries = {
        posixpath.dirname(path)
        for path in inputs.sources.entries
        if "/src/bin/" in f"/{path}" and path.endswith("/main.rs")
    }
    inside = [Read(_CARGO, reads.OPENED, folder) for folder in binaries]
    return (*told, *by_cargo("" if folder == "." else folder for folder in folders), *inside)


# --- what else an image is made from ---------------------------------------------------------------------------------


def _others(spec: Spec) -> str:
    return key({name: value for name, value in spec.inputs.items() if name != "sources"})


def _compiled(spec: Spec) -> str:
    afterwards = ("sources", "assets", "runtime", "binaries", "image ", "component ")
    return key({name: value for name, value in spec.inputs.items() if not name.startswith(afterwards)})


# --- the state file --------------------------------------------------------------------------------------------------


def _place(inputs: Inputs) -> Path:
    part = inputs.project.part
    return inputs.project.state / (f"reads-{part}" if part else "reads")


def _load(inputs: Inputs) -> tuple[Trace, ...]:
    place = _place(inputs)
    try:
        found = place.stat()
    except OSError:
        return ()
    return _loaded(place, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=16)
def _loaded(place: Path, _inode: int, _written: int) -> tuple[Trace, ...]:
    try:
        kind, *rows = marshal.loads(place.read_bytes())  # noqa: S302 - our own file
        if kind != _FORMAT:
            return ()
        return tuple(
            Trace(image, others, compiled, Files(entries, links), tuple(map(Read._make, told)))
            for image, others, compiled, entries, links, told in rows
        )
    except (OSError, EOFError, ValueError, TypeError):
        return ()


def _save(inputs: Inputs, traces: Sequence[Trace]) -> None:
    rows = [
        (*one[:3], dict(one.files.entries), dict(one.files.links), [tuple(read) for read in one.reads])
        for one in traces
    ]
    files.write(_place(inputs), marshal.dumps((_FORMAT, *rows), 2))
