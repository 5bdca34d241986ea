"""The files that builds get: is all there that the code reads, and is it what it seems?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.core.prose import listed
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.tree.hidden import Hidden

HIDDEN = Rule(
    "source-hidden",
    "warning",
    "Code reads a file that builds do not get.",
    "it is there for cargo on this machine, but not in a build, which fails",
    "name it in layerdoit.yaml: sources: {include: […]}",
)
POINTER = Rule(
    "lfs-pointer",
    "warning",
    "A file is a pointer of git LFS: its content is not here.",
    "what embeds it gets three lines of text instead, and builds all the same",
    "git lfs pull",
)
LINK = Rule(
    "link-outside",
    "hint",
    "A symbolic link leads to where builds cannot follow.",
    "what reads through it finds nothing in a build",
    "make it relative, and move what it leads to into the repository",
)
CONFIG_ABOVE = Rule(
    "cargo-config-outside",
    "warning",
    "A cargo configuration above the git repository holds on this machine only.",
    "cargo reads it here; a build does not, as no other clone would",
    "put what the project needs into a .cargo/config.toml of the repository",
)
SQLX = Rule(
    "sqlx-offline",
    "warning",
    "A macro of sqlx asks a database when it is compiled.",
    "the workspace's own crates compile without a network, so there is no database to ask",
    'run `cargo sqlx prepare`, commit .sqlx, and add to layerdoit.yaml: env: {SQLX_OFFLINE: "true"}',
)
RULES = tuple(rules(globals()))
# Findings of a kind that are shown one by one.
_SHOWN = 5


class SourceFacts(NamedTuple):
    """`hidden`: with the `file:line` that names it; `pointers`, `links` and `configs` by their paths.

    `query`: the `file:line` of a query that a database is asked to check.
    """

    hidden: tuple[tuple[str, Hidden], ...] = ()
    pointers: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    configs: tuple[Path, ...] = ()
    included: tuple[str, ...] = ()
    query: str | None = None


def sources(facts: SourceFacts) -> Iterator[Finding]:
    """Judge what was found out of the sources."""
    for where, one in facts.hidden[:_SHOWN]:
        fix = one.hint(facts.included)
        yield HIDDEN.found(f"{one.path} is not sent to builds: {one.why}", where, fix=fix)
    if facts.pointers:
        yield POINTER.found(f"{listed(facts.pointers, _SHOWN)}: only the pointers of git LFS are here")
    if facts.query:
        yield SQLX.found("this query is checked against a database, which no build has", facts.query)
    for link, target in facts.links[:_SHOWN]:
        yield LINK.found(f"this symbolic link leads to {target}, which no build gets", link)
    for path in facts.configs:
        yield CONFIG_ABOVE.found("builds do not read this: it is outside of the project", str(path))


def once(found: Iterable[tuple[str, Hidden]]) -> tuple[tuple[str, Hidden], ...]:
    """One for each line of the configuration that helps."""
    kept: dict[str, tuple[str, Hidden]] = {}
    for where, one in found:
        kept.setdefault(one.include or one.path, (where, one))
    return tuple(kept.values())
