"""Which programs are services of their own: by existing files, or because they serve or work by themselves. Only reads.

look(...) -> tuple[ServiceFound, ...]      # none, where the project is one image
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.cargo import program_sources
from layerdoit.cargo.selection import Selection
from layerdoit.init import bound_address
from layerdoit.init.existing import NO_SERVICE
from layerdoit.init.run_time import SERVES

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.program_sources import Source
    from layerdoit.init.existing import Shape
    from layerdoit.init.hints import Hint
    from layerdoit.init.run_time import RunTime

_WORKS: Final = re.compile(
    r"(?i)(?:^|[-_])(?:workers?|consumers?|schedulers?|daemon|processor|indexer|crawler|jobs?|queue|cron|agent|relay|notifier"
    r"|mailer|ingest\w*|sync(?:er)?|poller|listener|dispatcher|subscriber|projector|runner)(?:[-_]|$)"
)
_LOOPS: Final = re.compile(
    r"\bloop\s*\{|\bwhile\s+let\s+(?:Some|Ok)\b|\.\s*tick\s*\(|\bMonitor::new\s*\(|\bWorker(?:Builder)?::new\s*\(|\.run_forever\s*\("
)
_COMMANDS: Final = re.compile(r"\bSubcommand\b|\bsubcommand\b")
_QUEUES: Final = frozenset((
    "amqprs", "apalis", "apalis-redis", "apalis-sql", "async-nats", "aws-sdk-sqs", "background-jobs", "celery",
    "clokwerk", "deadpool-lapin", "faktory", "fang", "google-cloud-pubsub", "graphile_worker", "kafka", "lapin", "nats",
    "pgmq", "pulsar", "rdkafka", "rskafka", "rusty-celery", "rusty-sidekiq", "sqlxmq", "tokio-cron-scheduler",
))  # fmt: skip
_BESIDE: Final = re.compile(r"(?:^|/)(?:examples?|tools?|xtask|tests?|benches|fuzz|scripts?)(?:/|$)")


class ServiceFound(NamedTuple):
    """`why`: what tells that it is one; `hints` and `runs`: as of a project that has no other program.

    `needs`: (service that it depends on, what tells it); `selection`: its package and program.
    """

    name: str
    why: str
    selection: Selection
    hints: tuple[Hint, ...]
    runs: RunTime
    needs: tuple[tuple[str, str], ...] = ()

    @property
    def program(self) -> str:
        """The binary that it starts."""
        return self.selection.bins[0][1]


def look(
    workspace: Workspace,
    selection: Selection,
    options: Options,
    every: Sequence[Source],
    hints: Sequence[Hint],
    shapes: Sequence[Shape],
    runs: Callable[[Selection, Sequence[Hint], Sequence[Source]], RunTime],
) -> tuple[ServiceFound, ...]:
    """The services of the selected programs. `runs`: what a program needs while it runs."""
    owners = {name: key for key, name in selection.bins}
    if shapes:
        known = [shape for shape in shapes if shape.program in owners]
        told = [(one.name, one.program, f"from {one.where}", one.hints, one.needs) for one in known]
    elif any(hint.kind in ("entrypoint", "script") for hint in hints):
        return ()
    else:
        by_itself = tuple(_by_themselves(workspace, selection, options, every))
        names = _names([program for program, _ in by_itself])
        told = [(names[program], program, why, tuple(hints), ()) for program, why in by_itself]
    if len(told) < 2:
        return ()
    found = []
    for name, program, why, own, needs in told:
        pair = (owners[program], program)
        chosen = Selection((pair[0],), (pair,))
        sources = program_sources.entry_only(workspace, every, *pair, options)
        beside = [hint.value for hint in hints if hint.kind == "beside" and hint.value not in needs]
        wanted = (*((one, why) for one in needs), *_addressed(sources, beside))
        found.append(ServiceFound(name, why, chosen, own, runs(chosen, own, sources), wanted))
    return tuple(found)


def _addressed(sources: Collection[Source], services: Collection[str]) -> Iterator[tuple[str, str]]:
    """The services of the compose file whose addresses are in the sources."""
    for service in services:
        host = re.compile(rf"(?:^|//|@){re.escape(service)}(?::\d|/)")
        for source in sources:
            named = next((one for one in source.code.literals if host.search(one.value)), None)
            if named is not None:
                yield service, source.where(named.at)
                break


def _by_themselves(
    workspace: Workspace, selection: Selection, options: Options, every: Sequence[Source]
) -> Iterator[tuple[str, str]]:
    """Programs that serve, and those that work beside them, each with what tells it; none where none serves."""
    candidates = [
        (key, name)
        for key, name in selection.bins
        if not NO_SERVICE.search(name) and not _BESIDE.search(workspace.packages[key].dir)
    ]
    sources = {pair: program_sources.entry_only(workspace, every, *pair, options) for pair in selection.bins}
    uses = Counter(source.path for own in sources.values() for source in own)
    alone = {pair: [source for source in sources[pair] if uses[source.path] == 1] for pair in candidates}
    serving = {pair: where for pair in candidates if (where := _serves(alone[pair])) is not None}
    if not serving:
        return
    for pair in candidates:
        if pair in serving:
            yield pair[1], f"{serving[pair]} serves"
        elif (why := _works(workspace.packages[pair[0]], pair[1], alone[pair])) is not None:
            yield pair[1], why


def _serves(sources: Collection[Source]) -> str | None:
    """Where a program serves, by sources that no other one has."""
    place = next(_places(sources, SERVES), None)
    if place is not None:
        return place
    bound = bound_address.chosen(bound_address.found(tuple(sources)))
    return next((one.where for one in bound if one.rank == bound_address.BIND), None)


def _works(package: Package, name: str, sources: Collection[Source]) -> str | None:
    """What tells that a program works without an end: its loop, and a queue that it uses or how it is called."""
    queue = next((one.package for one in package.dependencies if one.package in _QUEUES and one.kind == "normal"), None)
    loop = next(_places(sources, _LOOPS), None)
    by_hand = next(_places(sources, _COMMANDS), None) is not None
    if _WORKS.search(name) and loop is not None:
        return f"{loop} works in a loop"
    if queue is not None and (_WORKS.search(name) or (loop is not None and not by_hand)):
        return f"its package uses {queue}"
    return None


def _places(sources: Collection[Source], pattern: re.Pattern[str]) -> Iterator[str]:
    for source in sources:
        if match := pattern.search(source.code.shape):
            yield source.where(match.start())


def _names(programs: Sequence[str]) -> Mapping[str, str]:
    """Services are called like their programs, without the word that all begin with."""
    plain = {one: re.sub(r"[^a-z0-9]+", "-", one.lower()).strip("-") for one in programs}
    first = {one.partition("-")[0] for one in plain.values()}
    if len(first) == 1 and all("-" in one for one in plain.values()):
        plain = {one: name.partition("-")[2] for one, name in plain.items()}
    return plain
