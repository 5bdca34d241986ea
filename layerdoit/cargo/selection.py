"""Which packages and binaries are built, and their names for cargo."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from layerdoit.cargo.lock import MASKED
from layerdoit.cargo.options import Options
from layerdoit.core.errors import WorkspaceError
from layerdoit.core.prose import suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from layerdoit.cargo.features import Resolved
    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.manifest import Package, Workspace

_HELPERS = frozenset(("xtask",))


class Selection(NamedTuple):
    """The selected packages (keys of `Workspace.packages`) and (package, binary) pairs, both sorted."""

    packages: tuple[str, ...]
    bins: tuple[tuple[str, str], ...]

    @property
    def owners(self) -> tuple[str, ...]:
        """The packages that a selected binary is of."""
        return tuple(sorted({key for key, _ in self.bins}))


def select(
    ws: Workspace,
    packages: Sequence[str] = (),
    bins: Sequence[str] = (),
    build: Options | None = None,
    places: Mapping[str, str] | None = None,
) -> Selection:
    """Select what to build: what is named, or else every default member with a binary, except `xtask`.

    Others are selected along where `cargo build` in the root gives a binary other features by them.

    `places`: file and line of the settings `packages` and `bins`, for what they name and the workspace does not have.
    """
    options = build or Options()
    named_in = places or {}
    members = {key: package for key, package in ws.packages.items() if package.member}
    for name in packages:
        if name not in members:
            raise _unknown("package", name, members, named_in.get("packages"), ws)
    pool = list(packages) or [key for key in ws.default_members if key not in _HELPERS]
    if bins:
        pairs = [_owner(ws, name, pool, members, named_in.get("bins"), restricted=bool(packages)) for name in bins]
        chosen = {*packages, *(key for key, _ in pairs)}
        return _made(ws, chosen, pairs)
    pairs, along = _enabled(ws, pool, options), set[str]()
    if not packages:
        pairs, along = _as_whole(ws, pool, pairs, options)
    for key in packages:
        if not members[key].bins:
            what = f"package `{key}` has no binary"
            raise WorkspaceError(what, where=_where(ws, members[key]), hint=_with_binaries(members))
    if not pairs:
        alone = len(members) == 1 and not any(package.bins for package in members.values())
        what = "this package has no binary" if alone else "no default member of this workspace has a binary"
        raise WorkspaceError(what, where=str(ws.root / "Cargo.toml"), hint=_with_binaries(members))
    return _made(ws, {key for key, _ in pairs} | along, pairs)


def together(found: Sequence[Selection]) -> Selection:
    """What any of several selections has."""
    if len(found) == 1:
        return found[0]
    packages = sorted({package for one in found for package in one.packages})
    return Selection(tuple(packages), tuple(sorted({pair for one in found for pair in one.bins})))


def _as_whole(
    ws: Workspace, pool: Sequence[str], pairs: list[tuple[str, str]], options: Options
) -> tuple[list[tuple[str, str]], set[str]]:
    """The binaries of `cargo build` in the root, and default members to select besides those that have one.

    What is selected has its default features on, whatever its dependents ask for. A member without a binary is
    selected only where this changes the features of a local package that a binary is made of.
    """
    chosen = {key for key, _ in pairs}
    others = set(pool) - chosen
    if not others or not chosen:
        return pairs, set()
    alone, whole = _resolved(ws, chosen, options), _resolved(ws, {*chosen, *others}, options)
    if not alone.changed_by(whole):
        return pairs, set()
    # Those that a binary is made of come first: the others bring dependencies of their own along.
    inside = {key for key in others if alone.of(key) is not None}
    least = _resolved(ws, {*chosen, *inside}, options)
    along = others if least.changed_by(whole) else inside
    found = whole if along is others else least
    every = [(key, name) for key in pool for name in ws.packages[key].bins]
    return [pair for pair in every if found.satisfies(pair[0], _required(ws, pair))], along


def _resolved(ws: Workspace, keys: Iterable[str], options: Options) -> Resolved:
    from layerdoit.cargo import features

    return features.resolve(ws, sorted(keys), options, unified=ws.resolver == "1")


def _required(ws: Workspace, pair: tuple[str, str]) -> Iterable[str]:
    key, name = pair
    return ws.packages[key].required_features.get(name, ())


def _made(ws: Workspace, packages: set[str], every: Iterable[tuple[str, str]]) -> Selection:
    """A selection without two binaries of one name: cargo would write one file for both, and an image hold either."""
    pairs = sorted(set(every))
    owners: dict[str, str] = {}
    for key, name in pairs:
        if name in owners:
            raise _collision(ws, pairs, name, owners[name], key)
        owners[name] = key
    return Selection(tuple(sorted(packages)), tuple(pairs))


def _collision(ws: Workspace, pairs: Sequence[tuple[str, str]], name: str, first: str, second: str) -> WorkspaceError:
    places = [f"{ws.packages[key].dir}/Cargo.toml".removeprefix("./") for key in (first, second)]
    what = f"two packages have a binary `{name}`, and an image holds only one of that name: {first} ({places[0]}) and"
    owners, namesakes = {key for key, _ in pairs}, {key for key, other in pairs if other == name}
    lines = [f"packages: [{', '.join(sorted(owners - namesakes | {kept}))}]" for kept in (first, second)]
    hint = f"build one of them, in layerdoit.yaml: {lines[0]} or {lines[1]}; or give one another name ([[bin]] name)"
    return WorkspaceError(f"{what} {second} ({places[1]})", where=str(ws.root / places[0]), hint=hint)


def package_ids(ws: Workspace, lock: Lock, selection: Selection, *, stubbed: Collection[str] | None) -> list[str]:
    """The selected packages in the form that `-p` accepts: name, and version if an external crate has the same name.

    `stubbed`: None for the workspace itself; for a workspace of stubs, the folders of the packages that are real there.
    """
    found = []
    for key in selection.packages:
        package = ws.packages[key]
        if all(entry.source is None for entry in lock.by_name.get(package.name, ())):
            found.append(package.name)
        else:
            real = stubbed is None or package.dir in stubbed
            found.append(f"{package.name}@{package.version if real else MASKED}")
    return found


def bin_arguments(ws: Workspace, selection: Selection) -> list[str]:
    """What asks cargo for the selected binaries, by their names.

    Where another selected package has one of such a name, which its `required-features` keep from being built, cargo
    would refuse the name; asked for all binaries, it leaves that one out.
    """
    names = [name for _, name in selection.bins]
    others = {name for key in selection.packages for name in ws.packages[key].bins if (key, name) not in selection.bins}
    if others.intersection(names):
        return ["--bins"]
    return [word for name in names for word in ("--bin", name)]


def _where(ws: Workspace, package: Package) -> str:
    return str(ws.root / package.dir / "Cargo.toml")


def _with_binaries(members: dict[str, Package]) -> str:
    names = [key for key, package in members.items() if package.bins]
    return f"packages with binaries: {', '.join(names)}" if names else "add a src/main.rs or a [[bin]] table"


def _unknown(what: str, name: str, valid: Iterable[str], place: str | None, ws: Workspace) -> WorkspaceError:
    hint = suggestion(name, sorted(valid), "valid names")
    return WorkspaceError(f"there is no {what} `{name}`", where=place or str(ws.root / "Cargo.toml"), hint=hint)


def _owner(
    ws: Workspace, name: str, pool: list[str], members: dict[str, Package], place: str | None, *, restricted: bool
) -> tuple[str, str]:
    """The package of a binary: one of `pool`, or any member unless packages were named."""
    owners = [key for key in pool if name in members[key].bins]
    if not owners and not restricted:
        owners = [key for key, package in members.items() if name in package.bins]
    if not owners:
        searched = pool if restricted else list(members)
        raise _unknown("binary", name, {item for key in searched for item in members[key].bins}, place, ws)
    if len(owners) > 1:
        what = f"binary `{name}` exists in {' and '.join(owners)}"
        raise WorkspaceError(what, where=str(ws.root / "Cargo.toml"), hint="name the package, too")
    return owners[0], name


def _enabled(ws: Workspace, pool: Iterable[str], options: Options) -> list[tuple[str, str]]:
    """The (package, binary) pairs that cargo builds, and does not skip because of their `required-features`."""
    keys = list(pool)
    pairs = [(key, name) for key in keys for name in ws.packages[key].bins]
    if not any(ws.packages[key].required_features for key in keys):
        return pairs
    while True:
        # What no binary is built of is not selected, and so switches nothing on for the others.
        chosen = {key for key, _ in pairs}
        resolved = _resolved(ws, chosen, options)
        kept = [pair for pair in pairs if resolved.satisfies(pair[0], _required(ws, pair))]
        if {key for key, _ in kept} == chosen or not kept:
            return kept
        pairs = kept
