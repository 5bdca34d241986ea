"""What existing files have cargo build: packages, binaries and features, as far as the workspace has them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from layerdoit.config import repository_name
from layerdoit.init.hints import Hint
from layerdoit.init.items import Item

if TYPE_CHECKING:
    from pathlib import Path

    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection


def cargo_options(workspace: Workspace, hints: Sequence[Hint]) -> Options:
    """The features that existing files build with, as far as they agree and the workspace has them."""
    from layerdoit.cargo.options import Options

    active = [item for item in features(workspace, hints) if item.active]
    settings = {item.path for item in active}
    return Options(
        features=tuple(item.value for item in active if item.path == "features"),
        all_features="all_features" in settings,
        default_features="default_features" not in settings,
    )


def features(workspace: Workspace, hints: Sequence[Hint]) -> list[Item]:
    """The features that existing files name; inactive where two of the builds differ."""
    from layerdoit.cargo import choices

    known = choices.features(workspace)
    kinds = ("features", "default-features", "all-features")
    builds: dict[str, set[tuple[str, str]]] = {}
    for hint in hints:
        if hint.kind in (*kinds, "profile", "bin", "package", "target"):
            builds.setdefault(hint.where, set()).update(((hint.kind, hint.value),) if hint.kind in kinds else ())
    # Two builds that differ: which one is meant, a person must say.
    agree = len({frozenset(said) for said in builds.values()}) <= 1 and not _contradictory(hints)
    items = []
    for hint in hints:
        if hint.kind == "features":
            for name in filter(None, hint.value.split(",")):
                plain = name.rpartition("/")[2] in known or "/" in name
                if name != "default" and (plain or name in known):
                    items.append(Item("features", name, hint.origin, active=agree))
        elif hint.kind == "default-features":
            items.append(Item("default_features", False, hint.origin, active=agree))
        elif hint.kind == "all-features":
            items.append(Item("all_features", True, hint.origin, active=agree))
    return items


def _contradictory(hints: Sequence[Hint]) -> bool:
    """One RUN with an `if` in it builds in two ways."""
    places: dict[tuple[str, str], set[str]] = {}
    for hint in hints:
        if hint.kind in ("features", "profile"):
            places.setdefault((hint.kind, hint.where), set()).add(hint.value)
    kinds = {hint.kind for hint in hints}
    return any(len(values) > 1 for values in places.values()) or {"features", "all-features"} <= kinds


def chosen(workspace: Workspace, hints: Sequence[Hint]) -> tuple[list[Item], list[Item]]:
    """Packages and binaries that existing files build; else all with binaries, where no default member has one."""
    members = {key: package for key, package in workspace.packages.items() if package.member}
    packages = [Item("packages", h.value, h.origin) for h in hints if h.kind == "package" and h.value in members]
    packages = [item for item in packages if members[item.value].bins]
    names = {name for key in (item.value for item in packages) for name in members[key].bins} or {
        name for package in members.values() for name in package.bins
    }
    bins = [Item("bins", h.value, h.origin) for h in hints if h.kind == "bin" and h.value in names]
    if not packages and not bins and not any(members[key].bins for key in workspace.default_members):
        why = "no default member has a binary"
        packages = [Item("packages", key, why) for key, package in members.items() if package.bins and key != "xtask"]
    if not packages and not bins:
        packages = list(_of_one_name_each({key: members[key].bins for key in workspace.default_members}))
    unique = list({item.value: item for item in reversed(packages)}.values())[::-1]
    return unique, list({item.value: item for item in reversed(bins)}.values())[::-1]


def _of_one_name_each(members: Mapping[str, Iterable[str]]) -> Iterator[Item]:
    """Where two have a binary of one name, all but the second: an image holds one, and somebody has to choose.

    `members`: their binaries.
    """
    owners: dict[str, str] = {}
    rivals: dict[str, str] = {}
    for key, names in members.items():
        taken = next((name for name in names if name in owners), None)
        if taken is None:
            owners |= dict.fromkeys(names, key)
        else:
            why = f"or {key} in its place: both have a binary `{taken}`, and an image holds one of that name"
            rivals[owners[taken]] = why
    if rivals:
        for key in dict.fromkeys(owners.values()):
            yield Item("packages", key, rivals.get(key, "its binaries have names of their own"))


def project_name(root: Path, workspace: Workspace, selection: Selection | None) -> str | None:
    """The name to write down: without a root package it would follow the folder, or the only package."""
    if workspace.root_package is not None or selection is None:
        return None
    chosen = selection.owners
    return repository_name(chosen[0] if len(chosen) == 1 else root.name)
