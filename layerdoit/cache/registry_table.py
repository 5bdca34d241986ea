"""What the registry holds of a project, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from layerdoit.cache import registry_gc, registry_policy
from layerdoit.cache.registry_policy import FAMILIES, Holding, Stored
from layerdoit.core.units import age_text, count_text, size_text

if TYPE_CHECKING:
    from layerdoit.cache.registry_gc import Repository

HEAD: Final = ("FAMILY", "IMAGES", "OWN", "SHARED", "NEWEST", "OLDEST", "PLATFORMS")
KINDS: Final = (*FAMILIES, "attached", "other")


def render(project: str, found: Sequence[Repository], *, idle: bool) -> str:
    """A table for people, and what follows from it. `idle`: whether retention sets no limit."""
    return "\n".join(line for one in found for line in _lines(project, one, idle=idle))


def _lines(project: str, one: Repository, *, idle: bool) -> Iterable[str]:
    where, stored = one.contents.repository, one.contents.stored
    if not one.contents.tags:
        yield f"project {project} in {where}: nothing is there; what is pushed is named in registry.push"
        return
    yield f"project {project} in {where}"
    grouped = _grouped(stored)
    rows = [HEAD, *(_row(kind, grouped, one) for kind in grouped)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    total = Holding(stored).bytes_of(each.digest for each in stored)
    yield f"total: {count_text(len(one.contents.tags), 'tag')}, {size_text(total)}"
    for each in stored:
        if each.digest in one.kept:
            yield f"  protected: {registry_gc.name_of(each)}: {one.kept[each.digest]}"
    yield from registry_gc.foreign(one.contents)
    if idle:
        yield "registry.retention sets no limit: doit registry_gc removes nothing"
    else:
        size = size_text(registry_policy.freed(stored, one.going))
        yield f"doit registry_gc would remove {count_text(len(one.going), 'manifest')}, at most {size}"


def _grouped(stored: Iterable[Stored]) -> dict[str, list[Stored]]:
    """What has a tag or is attached, by kind; parts of indexes count with those."""
    found: dict[str, list[Stored]] = {}
    for one in stored:
        kind = registry_gc.kind_of(one)
        if kind != "part":
            found.setdefault("other" if one.whose == "nobody" and not one.subject else kind, []).append(one)
    return {kind: found[kind] for kind in KINDS if kind in found}


def _bytes(holding: Holding, several: Iterable[Stored]) -> dict[str, int]:
    """With what indexes list; what is attached is a kind of its own."""
    blobs: dict[str, int] = {}
    for name in holding.parts_of(one.digest for one in several):
        blobs |= holding.by_digest[name].blobs
    return blobs


def _sizes(kind: str, grouped: Mapping[str, Sequence[Stored]], one: Repository) -> tuple[int, int]:
    """Bytes that only this kind needs, and those that others need as well."""
    holding = Holding(one.contents.stored)
    mine = _bytes(holding, grouped[kind])
    others = {name for other, several in grouped.items() if other != kind for name in _bytes(holding, several)}
    own = sum(size for name, size in mine.items() if name not in others)
    return own, sum(mine.values()) - own


def _row(kind: str, grouped: Mapping[str, Sequence[Stored]], one: Repository) -> tuple[str, ...]:
    several = grouped[kind]
    own, shared = _sizes(kind, grouped, one)
    # What is attached seldom says when it was made.
    ages = [age_text(age) for age in sorted(one.at - each.made for each in several)] if kind != "attached" else [""]
    platforms = sorted({name for each in several for name in each.platforms})
    return (
        kind,
        str(len(several)),
        size_text(own),
        size_text(shared),
        ages[0],
        ages[-1],
        ", ".join(platforms),
    )


# --- for programs ----------------------------------------------------------------------------------------------------


def as_json(project: str, found: Sequence[Repository]) -> dict[str, Any]:
    """The documented form: bytes, seconds since 1970."""
    return {"project": project, "repositories": [_repository(one) for one in found]}


def _repository(one: Repository) -> dict[str, Any]:
    stored, holding = one.contents.stored, Holding(one.contents.stored)
    grouped, going = _grouped(stored), {each.digest for each in one.going}
    sizes = {kind: _sizes(kind, grouped, one) for kind in grouped}
    return {
        "repository": one.contents.repository,
        "bytes": holding.bytes_of(holding.by_digest),
        "families": {
            kind: {"images": len(several), "own": sizes[kind][0], "shared": sizes[kind][1]}
            for kind, several in grouped.items()
        },
        "images": [
            {
                "digest": each.digest,
                "family": kind,
                "tags": list(each.tags),
                "made": round(each.made),
                "bytes": holding.bytes_of(holding.all_of([each.digest])),
                "platforms": list(each.platforms),
                "attached_to": each.subject or None,
                "protected": one.kept.get(each.digest),
                "removable": each.digest in going,
            }
            for kind, several in grouped.items()
            for each in several
        ],
        "removable": {"manifests": len(one.going), "bytes": registry_policy.freed(stored, one.going)},
    }
