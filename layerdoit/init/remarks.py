"""Sentences for the user about what was found and no setting expresses. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerdoit.core.prose import listed
from layerdoit.init import folders_of_user, image_settings, run_items

if TYPE_CHECKING:
    from layerdoit.init.found import Found


def of(found: Found) -> Iterator[str]:
    """All of them, what has to be mended first."""
    if found.unknown:
        shown = ", ".join(found.unknown[:6])
        yield f"{shown} may need Debian packages that we do not know; a failing build says which"
    if foreign := [hint for hint in found.hints if hint.kind == "apk"]:
        names = ", ".join(dict.fromkeys(hint.value for hint in foreign))
        yield f"Alpine packages whose Debian names we do not know: {names} ({foreign[0].where})"
    if found.suites.doubt:
        yield found.suites.doubt
    if len(found.submodules) == 1:
        path = found.submodules[0]
        yield f"the submodule {path} is not checked out: git submodule update --init {path}"
    elif found.submodules:
        first = ", ".join(found.submodules[:2])
        yield f"{len(found.submodules)} submodules are not checked out ({first}, …): git submodule update --init"
    for where, one in found.hidden:
        if not one.include:
            yield f"{where} reads {one.path}, which is not sent to builds: {one.why}; {one.cure}"
    if found.pointers:
        yield f"only the pointers of git LFS are here: {listed(found.pointers, 5)}; next: git lfs pull"
    arguments = [hint for hint in found.hints if hint.kind == "arg" and not hint.value.startswith(("TARGET", "BUILD"))]
    if arguments:
        names = ", ".join(dict.fromkeys(hint.value for hint in arguments))
        file = arguments[0].where.rpartition(":")[0]
        yield f"build arguments of {file} have no counterpart: {names} (see env, features)"
    yield from _asked_of_git(found)
    if found.asks_database:
        yield f"sqlx checks {found.asks_database} against a database, which no build has: run `cargo sqlx prepare`"
    yield from run_items.remarks(found)
    yield from folders_of_user.remarks(found)
    yield from image_settings.remarks(found)
    yield from (f"{hint.where}: {hint.value}" for hint in found.hints if hint.kind == "note")
    yield from found.notes


def _asked_of_git(found: Found) -> Iterator[str]:
    if found.asks_git:
        verb = "asks" if len(found.asks_git) == 1 else "ask"
        yield f"{listed(found.asks_git, 3)} {verb} git; the image has no commit: read a variable first, given by env:"
