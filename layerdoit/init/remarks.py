"""Sentences for the user about what was found and no setting expresses. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerdoit.core.prose import listed
from layerdoit.init import folders_of_user, image_settings, run_items, service_items

if TYPE_CHECKING:
    from layerdoit.init.found import Found
    from layerdoit.init.service_items import Services


def of(found: Found, services: Services) -> Iterator[str]:
    """All of them, what has to be mended first."""
    if found.unknown:
        shown = [f"{one} (links to {found.links[one]})" if one in found.links else one for one in found.unknown]
        yield f"{listed(shown, 6)} may need Debian packages that we do not know; a failing build says which"
    if found.suites.doubt:
        yield found.suites.doubt
    yield from _submodules(found)
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
    if found.asks_database:
        yield f"sqlx checks {found.asks_database} against a database, which no build has: run `cargo sqlx prepare`"
    parts = service_items.parts(found, services)
    for told in (run_items.remarks, folders_of_user.remarks, image_settings.remarks):
        yield from dict.fromkeys(remark for part in parts for remark in told(part))
    yield from _not_served(found)
    yield from _notes(found, services)
    yield from found.notes
    if not found.configured and found.problem is None:
        yield (
            "images are built with the profile dev, which compiles fastest, and whose binaries are large, because they "
            "hold debug information; doit PROFILE=release builds what you would ship"
        )


def _not_served(found: Found) -> Iterator[str]:
    """Programs that no service has."""
    served = {name for one in found.services for _, name in one.selection.bins}
    if found.services and found.selection and (rest := [n for _, n in found.selection.bins if n not in served]):
        verb = "is" if len(rest) == 1 else "are"
        yield f"{listed(rest, 6)} {verb} in no service, and so not built: `bins:` of one may hold more than it starts"


def _submodules(found: Found) -> Iterator[str]:
    """Those that are not checked out; what packages are made of was checked when the workspace was read."""
    if not found.submodules:
        return
    named = [path for path in found.submodules if path in found.named_submodules]
    if named:
        verb = "is" if len(named) == 1 else "are"
        do = f"git submodule update --init {' '.join(named[:3])}"
        yield f"the submodule {listed(named, 3)} {verb} not checked out, and sources or a Dockerfile name it: {do}"
    elif len(found.submodules) == 1:
        yield f"the submodule {found.submodules[0]} is not checked out; nothing that is built names it"
    else:
        yield f"{len(found.submodules)} submodules are not checked out; nothing that is built names them"


def _notes(found: Found, services: Services) -> Iterator[str]:
    """What has no counterpart, by its line; what helps against those of a kind stands once, after the last."""
    kinds = ("note",) if services.programs else ("note", "note-beside")
    listed_notes = [hint for hint in found.hints if hint.kind in kinds]
    yield from (f"{hint.where}: {hint.value}" for hint in listed_notes if not hint.why)
    for advice in dict.fromkeys(hint.why for hint in listed_notes if hint.why):
        own = [f"{hint.where}: {hint.value}" for hint in listed_notes if hint.why == advice]
        yield from own[:-1]
        yield f"{own[-1]}; {advice}"
