"""What of the sources may be missing in a build: gathered here, judged in `source_checks`."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.cargo import embedded
from layerdoit.core import user_folder
from layerdoit.doctor.source_checks import SourceFacts, once
from layerdoit.tree import hidden, lfs, links, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerdoit.cargo.lock import Lock
    from layerdoit.config import Config
    from layerdoit.tree.hidden import Hidden
    from layerdoit.tree.lister import Lister
    from layerdoit.tree.sources import Sources


def collect(lister: Lister, sources: Sources, config: Config, lock: Lock | None = None) -> SourceFacts:
    """Look at the sources of a project."""
    names = {sources.own_path(path): entry.kind for path, entry in sources.entries.items()}
    read = embedded.named(lister.root, names)
    # What `sources.include` names again is sent although it is an asset, too.
    again = tuple(posixpath.normpath(path) for path in config.sources.include)
    assets = tuple(config.image.assets)
    # A component builds it, and builds have it from there.
    built = [
        posixpath.normpath(posixpath.join(one.path or name, one.output))
        for name, one in config.components.items()
        if one.embed
    ]

    def why(path: str) -> Hidden | None:
        own = posixpath.normpath(path)
        if any(f"{own}/".startswith(f"{output}/") for output in built):
            return None
        sent = any(f"{own}/".startswith(f"{name}/") for name in again)
        return hidden.why(lister, path, () if sent else assets)

    found = ((item.where, hit) for item in read if (hit := why(item.path)) is not None)
    return SourceFacts(
        hidden=once(found),
        pointers=tuple(lfs.pointers(lister.root, (name for name, kind in names.items() if kind != "l"))),
        links=tuple(_leading_out(lister, (name for name, kind in names.items() if kind == "l"))),
        configs=tuple(_configs(lister)),
        included=config.sources.include,
        query=_query(lister.root, lock) if lock else None,
    )


def _query(root: Path, lock: Lock) -> str | None:
    from layerdoit.init.found import first_query, prepared_queries

    return None if prepared_queries(root, lock) else first_query(root, lock)


def _leading_out(lister: Lister, names: Iterator[str]) -> Iterator[tuple[str, str]]:
    beyond = lister.top or str(lister.root)
    for name in names:
        end = links.way(str(lister.root), name).end
        if os.path.exists(lister.root / name) and (
            not end or not listing.within(os.path.normpath(lister.root / end), beyond)
        ):
            yield name, os.readlink(lister.root / name)


def _configs(lister: Lister) -> Iterator[Path]:
    home = user_folder.cargo()
    for folder in Path(lister.top or lister.root).parents:
        for name in ("config", "config.toml"):
            path = folder / ".cargo" / name
            if path.parent != home and path.is_file():
                yield path
