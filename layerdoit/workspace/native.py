"""What crates need of the system: C libraries and programs, as Debian packages. The table is data/native.toml.

    needed(ws, lock, selection, options, suite) -> tuple[Need, ...]     # sorted by crate; those that are certain first
    packages(needs) -> Packages(build, run)                             # unique, sorted
    table() -> Table                                                    # the data, for `diagnosis`

Crates that bring all they need give no `Need`. `unknown(…)` names `-sys` crates that the table does not know.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from layerdoit.resources import data_dir
from layerdoit.workspace.built import Crate, built

if TYPE_CHECKING:
    from layerdoit.workspace.lock import Lock
    from layerdoit.workspace.manifest import Workspace
    from layerdoit.workspace.selection import BuildOptions, Selection


@dataclass(frozen=True)
class Need:
    """One crate's need. `build` and `run` are Debian packages of the builder and the runtime image."""

    crate: str
    version: str
    build: tuple[str, ...]
    run: tuple[str, ...]
    why: str
    """Such as `links to openssl, through reqwest, native-tls`."""
    certain: bool
    """False: features that the lockfile does not tell decide; the packages do no harm if they are not needed."""


@dataclass(frozen=True)
class Packages:
    """Debian packages of the builder and the runtime image, each sorted."""

    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provider:
    """A library or a program of the table, in one suite; the last three are names that build scripts know it by."""

    name: str
    build: tuple[str, ...]
    run: tuple[str, ...]
    library: bool
    pc: tuple[str, ...] = ()
    lib: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


Asked = Mapping[str, tuple[frozenset[str], bool]]
"""Crate that is built -> features that local packages ask it for, and whether nobody else asks."""


@dataclass(frozen=True)
class Table:
    """native.toml as it was written."""

    data: Mapping[str, Any]

    @functools.cached_property
    def rules(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """Crate -> its rules, in the order of the file."""
        out: dict[str, tuple[Mapping[str, Any], ...]] = {}
        for rule in self.data["crate"]:
            for name in rule["names"]:
                out[name] = (*out.get(name, ()), rule)
        return out

    def providers(self, suite: str) -> Mapping[str, Provider]:
        """Name -> library or program, with the package names of `suite` (those of the newest known for another)."""
        out = {}
        for kind in ("library", "tool"):
            for name, entry in self.data[kind].items():
                own = {**entry, **entry.get(suite, {})}
                texts = ("build", "run", "pc", "lib", "header", "programs", "unless")
                lists: dict[str, Any] = {key: tuple(own.get(key, ())) for key in texts}
                out[name] = Provider(name=name, library=kind == "library", **lists)
        return out

    @functools.cached_property
    def suites(self) -> tuple[str, ...]:
        """Other suites than the one that the names are of."""
        entries = (entry for kind in ("library", "tool") for entry in self.data[kind].values())
        return tuple(sorted({name for entry in entries for name, value in entry.items() if isinstance(value, dict)}))

    def elsewhere(self, dependant: str, crate: str) -> bool:
        """Whether a dependency in the lockfile is not compiled on Linux."""
        return crate in self._elsewhere_of.get(dependant, ()) or self._elsewhere.match(crate) is not None

    def switched_on(self, dependant: str, crate: str, asked: Asked) -> bool | None:
        """Whether `dependant` uses an optional dependency of the table; None: not known, or always."""
        rules = self._optional.get((dependant, crate), ())
        known = [_switched_on(rule, asked) for rule in rules]
        if not known or None in known:
            return None
        return any(known)

    def idle(self, asked: Asked) -> frozenset[tuple[str, str]]:
        """(crate, dependency) of the table, of crates that are built, that nobody switches on."""
        edges = (edge for edge in self._optional if edge[0] in asked)
        return frozenset(edge for edge in edges if self.switched_on(*edge, asked) is False)

    @functools.cached_property
    def _optional(self) -> Mapping[tuple[str, str], tuple[Mapping[str, Any], ...]]:
        out: dict[tuple[str, str], tuple[Mapping[str, Any], ...]] = {}
        for rule in self.data["optional"]:
            for edge in ((rule["of"], crate) for crate in rule["crates"]):
                out[edge] = (*out.get(edge, ()), rule)
        return out

    @functools.cached_property
    def _elsewhere(self) -> re.Pattern[str]:
        names = (".*".join(map(re.escape, name.split("*"))) for name in self.data["elsewhere"])
        return re.compile(rf"(?:{'|'.join(names)})\Z")

    @functools.cached_property
    def _elsewhere_of(self) -> Mapping[str, frozenset[str]]:
        return {name: frozenset(crates) for name, crates in self.data["elsewhere_of"].items()}


@functools.cache
def table() -> Table:
    """The table that comes with the package."""
    with open(data_dir() / "native.toml", "rb") as file:
        return Table(tomllib.load(file))


def needed(ws: Workspace, lock: Lock, selection: Selection, options: BuildOptions, suite: str) -> tuple[Need, ...]:
    """What the crates that are built for `selection` need of Debian `suite`, besides what every builder has."""
    data = table()
    crates, asked = _crates(ws, lock, selection, options)
    providers = data.providers(suite)
    found = [
        _need(crate, rule, certain, providers, options.target)
        for crate in crates
        for rule in data.rules.get(crate.package.name, ())
        if rule["needs"] and (certain := _verdict(crate, rule, asked)) is not None
    ]
    merged = {(need.crate, need.version, need.build): need for need in sorted(found, key=lambda item: item.certain)}
    return tuple(sorted(merged.values(), key=lambda item: (not item.certain, item.crate, item.version, item.build)))


def unknown(ws: Workspace, lock: Lock, selection: Selection, options: BuildOptions) -> tuple[str, ...]:
    """`-sys` crates that are built and that the table does not know: they may need something."""
    data = table()
    names = {crate.package.name for crate in _crates(ws, lock, selection, options)[0]}
    return tuple(sorted(name for name in names if re.search(r"[-_]sys\d*$", name) and name not in data.rules))


def packages(needs: Iterable[Need]) -> Packages:
    """All packages of some needs."""
    listed = tuple(needs)
    build = {name for need in listed for name in need.build}
    return Packages(tuple(sorted(build)), tuple(sorted({name for need in listed for name in need.run})))


def _crates(ws: Workspace, lock: Lock, selection: Selection, options: BuildOptions) -> tuple[list[Crate], Asked]:
    """What is built, without the optional dependencies that nobody switches on, and who asks for what."""
    data = table()
    first = built(ws, lock, selection, options, data.elsewhere)
    asked = _asked(first.values())
    idle = data.idle(asked)

    def elsewhere(dependant: str, crate: str) -> bool:
        return (dependant, crate) in idle or data.elsewhere(dependant, crate)

    crates = list((built(ws, lock, selection, options, elsewhere) if idle else first).values())
    certain = {crate.package.name for crate in crates if crate.certain}

    def settled(crate: Crate) -> Crate:
        """What an inactive feature reaches as well is certain where an active one is known to."""
        if crate.certain or not certain.intersection(crate.via[-1:]):
            return crate
        return replace(crate, certain=data.switched_on(crate.via[-1], crate.package.name, asked) is True)

    return [settled(crate) for crate in crates], _asked(crates)


def _asked(crates: Iterable[Crate]) -> Asked:
    """Of several versions of a crate, all features that any of them is asked for."""
    out: dict[str, tuple[frozenset[str], bool]] = {}
    for crate in crates:
        features, complete = out.get(crate.package.name, (frozenset(), True))
        out[crate.package.name] = (features | crate.features, complete and crate.complete)
    return out


def _switched_on(rule: Mapping[str, Any], asked: Asked) -> bool | None:
    """Whether a feature of a rule `[[optional]]` is asked for; None where others may ask too."""
    none: tuple[frozenset[str], bool] = (frozenset(), True)
    pairs = [(asked.get(name, none), frozenset(features)) for name, features in rule["asked"].items()]
    hits = frozenset().union(*(features & wanted for (features, _), wanted in pairs))
    if hits - {"default"}:
        return True
    sure = rule.get("only_asked", False) or all(complete for (_, complete), _ in pairs)
    return False if sure and not hits else None


def _verdict(crate: Crate, rule: Mapping[str, Any], asked: Asked) -> bool | None:
    """Whether the rule's needs are certain (True), possible (False), or none (None)."""
    if not fits(crate.package.version, rule.get("versions", "")) or asked.keys() & rule.get("unless_built", ()):
        return None
    if any(name in asked and asked[name][0].intersection(on) for name, on in rule.get("unless_asked", {}).items()):
        return None
    certain = crate.certain
    locked = {reference.partition(" ")[0] for reference in crate.package.dependencies}
    shown = bool(locked.intersection(rule.get("unless_locked", ())))
    lacks = "when_locked" in rule and not locked.intersection(rule["when_locked"])
    if shown or lacks:
        # What an inactive feature put into the lockfile shows nothing.
        if lacks or not crate.tainted:
            return None
        certain = False
    if crate.features.intersection(rule.get("unless_features", ())):
        return None
    if "unless_features" in rule and not crate.complete and not ("unless_locked" in rule and not crate.tainted):
        certain = False
    if "when_features" in rule and not crate.features.intersection(rule["when_features"]):
        # Nobody known asks for it; others may, but rarely do: what is not asked for is not proposed.
        return None
    return certain


def _need(
    crate: Crate, rule: Mapping[str, Any], certain: bool, providers: Mapping[str, Provider], target: str | None
) -> Need:
    wanted = [providers[name] for name in rule["needs"]]
    static = target is not None and "musl" in target
    usable = [item for item in wanted if not (static and item.library and item.run)]
    verb = "links to" if any(item.library and item.run for item in wanted) else "is built with"
    why = f"{verb} {' and '.join(item.name for item in wanted)}"
    if len(usable) < len(wanted):
        why += f", which Debian does not have for {target}: use the crate's vendored or bundled feature"
    if len(crate.via) > 1:
        why += f", through {', '.join(crate.via[1:])}"
    build = tuple(dict.fromkeys(name for item in usable for name in item.build))
    run = tuple(dict.fromkeys(name for item in usable for name in item.run))
    return Need(crate.package.name, crate.package.version, build, run, why, certain)


def fits(version: str, conditions: str) -> bool:
    """Whether `1.2.3` fulfils all of `>=1, <2.5`; no condition always fits."""
    have = _numbers(version)
    for condition in filter(None, (part.strip() for part in conditions.split(","))):
        found = re.fullmatch(r"(>=|<=|<|>|=)\s*([\d.]+)", condition)
        if found is None:
            raise ValueError(f"no version condition: {condition}")
        wanted = _numbers(found[2])
        order = (have > wanted) - (have < wanted)
        if order not in {">=": (0, 1), "<=": (0, -1), "<": (-1,), ">": (1,), "=": (0,)}[found[1]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    core = re.match(r"[\d.]*", version)
    parts = [int(part) for part in (core[0] if core else "").split(".") if part.isdigit()]
    return (*parts, 0, 0, 0)[:3]
