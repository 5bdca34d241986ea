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
    """Packages and binaries that existing files build; else all with binaries, where no default member has one.

    What browsers run is none of them. What would be built anyway is not named.
    """
    fronts = {hint.value: hint for hint in hints if hint.kind == "front-end"}
    programs = {
        key: [name for name in package.bins if key not in fronts and f"{key}/{name}" not in fronts]
        for key, package in workspace.packages.items()
        if package.member
    }
    default = [key for key in workspace.default_members if key != "xtask"]
    packages = [Item("packages", h.value, h.origin) for h in hints if h.kind == "package" and programs.get(h.value)]
    names = {name for key in (item.value for item in packages) for name in programs[key]} or {
        name for bins in programs.values() for name in bins
    }
    bins = [Item("bins", h.value, h.origin) for h in hints if h.kind == "bin" and h.value in names]
    # What is copied into the image is what it is for.
    bins = bins or [Item("bins", h.value, h.origin) for h in hints if h.kind == "copied" and h.value in names]
    if not packages and not bins:
        packages, bins = _by_default(workspace, default, programs, fronts)
    found = _unique(packages), _unique(bins)
    return _needed(workspace, default, *found)


def _by_default(
    workspace: Workspace, default: Sequence[str], programs: Mapping[str, Sequence[str]], fronts: Mapping[str, Hint]
) -> tuple[list[Item], list[Item]]:
    """What to name where existing files name nothing."""
    rest = [key for key in default if programs.get(key)]
    if not any(workspace.packages[key].bins for key in default):
        why = "no default member has a binary" if len(programs) > 1 else "the package has a binary"
        return [Item("packages", key, why) for key, bins in programs.items() if bins and key != "xtask"], []
    whole = [hint for value, hint in fronts.items() if value in default and workspace.packages[value].bins]
    if whole:
        why = f"{whole[0].value} is a front end ({whole[0].where})"
        named = rest or [key for key, bins in programs.items() if bins and key != "xtask"]
        return [Item("packages", key, why) for key in named], []
    parts = [hint for value, hint in fronts.items() if value.partition("/")[0] in default and "/" in value]
    if parts and rest:
        why = f"{parts[0].value.partition('/')[2]} is a front end ({parts[0].where})"
        return [], [Item("bins", name, why) for key in rest for name in programs[key]]
    return list(_of_one_name_each({key: programs.get(key, ()) for key in default})), []


def _needed(
    workspace: Workspace, default: Sequence[str], packages: list[Item], bins: list[Item]
) -> tuple[list[Item], list[Item]]:
    """Without those that say what is built anyway."""
    with_bins = {key for key in default if workspace.packages[key].bins}
    if {item.value for item in packages} == with_bins and with_bins == set(default):
        packages = []
    keys = {item.value for item in packages} or with_bins
    every = {name for key in keys for name in workspace.packages[key].bins}
    return packages, [] if {item.value for item in bins} == every else bins


def _unique(items: Sequence[Item]) -> list[Item]:
    return list({item.value: item for item in reversed(items)}.values())[::-1]


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
