"""Which binary an image runs where nobody says so: the one rule for builds, init and doctor. Pure.

choose(ws, selection, configured, folder) -> Choice
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace
    from layerdoit.cargo.selection import Selection

_WORDS = r"xtasks?|bench(es|marks?|ing)?|tests?|testing|examples?|fuzz|mocks?|codegen|gen|generator"
_HELPER = re.compile(rf"(^|[-_/])({_WORDS})([-_/]|$)")
_GUESS = 5


class Choice(NamedTuple):
    """`why`: what told it; '' where it is a guess, the first of several that are as likely."""

    name: str
    why: str

    @property
    def guessed(self) -> bool:
        """Whether nothing tells which of several binaries is meant."""
        return not self.why


def default_run(package: Package) -> str | None:
    """The binary that `cargo run` runs, if the manifest names it."""
    named = package.manifest.get("package", {}).get("default-run")
    return named if isinstance(named, str) else None


def private(package: Package) -> bool:
    """Never published: beside a published program, such a one is a helper."""
    return package.manifest.get("package", {}).get("publish") in (False, [])


def choose(ws: Workspace, selection: Selection, configured: str | None, folder: str) -> Choice:
    """The binary that the image runs; '' where it has none. `configured`: the project's name in layerdoit.yaml."""
    if len(selection.bins) < 2:
        return Choice(selection.bins[0][1] if selection.bins else "", "the only binary")
    published = any(not private(ws.packages[key]) for key, _ in selection.bins)

    def helps(key: str, name: str) -> bool:
        package = ws.packages[key]
        return (published and private(package)) or any(map(_HELPER.search, (key, name, package.dir)))

    ranked = []
    for key, name in selection.bins:
        rank, why = _rank(ws, key, name, configured, folder)
        # What layerdoit.yaml is named after is meant, whatever else it is.
        ranked.append((not _same(name, configured) and helps(key, name), rank, name, why))
    ranked.sort()
    (helper, rank, name, why), second = ranked[0], ranked[1]
    alone = second[:2] != (helper, rank)
    return Choice(name, why if alone and rank < _GUESS else "")


def _rank(ws: Workspace, key: str, name: str, configured: str | None, folder: str) -> tuple[int, str]:
    """How likely a binary is meant, lowest first, and what tells it."""
    package = ws.packages[key]
    root = ws.packages[ws.root_package].name if ws.root_package is not None else None
    told = (
        (default_run(package) == name, f"default-run in {package.dir}/Cargo.toml".replace(" ./", " ")),
        (_same(name, configured), "the project's name"),
        (_same(name, root), "the name of the root package"),
        (_same(name, _repository(ws)) or _same(name, folder), "the name of the repository"),
        (_same(name, package.name), "the name of its package"),
    )
    return next(((rank, why) for rank, (is_so, why) in enumerate(told) if is_so), (_GUESS, ""))


def _same(name: str, other: str | None) -> bool:
    return other is not None and name.lower().replace("_", "-") == other.lower().replace("_", "-")


def _repository(ws: Workspace) -> str | None:
    """The last part of the address in `package.repository`, of the root package or of the workspace."""
    tables = (ws.manifest.get("package", {}), ws.manifest.get("workspace", {}).get("package", {}))
    for table in tables:
        address = table.get("repository") if isinstance(table, dict) else None
        if isinstance(address, str):
            return address.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return None
