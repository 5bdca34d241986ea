"""System packages that crates need: C libraries and programs, as Debian packages. The table is data/native.toml.

    suites(config) -> Suites                                                    # whose package names to use
    needed(ws, lock, selection, options, suite, runtime) -> tuple[Need, ...]    # by crate; those that are certain first
    packages(needs) -> Packages(build, run)                             # unique, sorted
    table() -> Table                                                    # the data, for `diagnosis`

Crates that need no system package have no `Need`. `unknown(…)` names `-sys` crates that the table does not know.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from layerdoit.cargo.compiled_crates import Crate, built
from layerdoit.cargo.semver import satisfies
from layerdoit.cargo.suite import of_image
from layerdoit.core import toml
from layerdoit.core.resources import data_dir

if TYPE_CHECKING:
    from layerdoit.cargo.lock import Lock
    from layerdoit.cargo.manifest import Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection
    from layerdoit.config import Config

IMAGES = "base.suite, or base.image and base.runtime_image"
"""The settings that determine the suite."""


@dataclass(frozen=True)
class Need:
    """One crate's need. `build` and `run` are Debian packages of the builder and the runtime image."""

    crate: str
    version: str
    build: tuple[str, ...]
    run: tuple[str, ...]
    why: str
    """For example `links to openssl, through reqwest, native-tls`."""
    certain: bool
    """False if it depends on features that the lockfile does not show; unneeded packages do no harm."""
    elsewhere: tuple[str, ...] = ()
    """The suites, by their common names, that have what this one lacks; empty if nothing is lacking."""


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
    elsewhere: tuple[str, ...] = ()
    """The suites that have it, if this one does not and so there are no packages."""


@dataclass(frozen=True)
class Suites:
    """The suites whose package names builder and runtime image use. `doubt`: which of them is a guess."""

    build: str
    run: str
    doubt: str = ""
    """For example `these are names of Debian 13 (trixie): …`; empty if nothing is in doubt."""


Asked = Mapping[str, tuple[frozenset[str], bool]]
"""Built crate -> features that local packages request, and whether no one else requests any."""


@dataclass(frozen=True)
class Table:
    """The content of native.toml."""

    data: Mapping[str, Any]

    @functools.cached_property
    def rules(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """Crate -> its rules, in the order of the file."""
        out: dict[str, tuple[Mapping[str, Any], ...]] = {}
        for rule in self.data["crate"]:
            for name in rule["names"]:
                out[name] = (*out.get(name, ()), rule)
        return out

    def providers(self, suite: str, runtime: str | None = None) -> Mapping[str, Provider]:
        """Name -> library or program, with package names of `suite`, and of `runtime` for the runtime image.

        For a suite that is not in the table, the nearest one is used.
        """
        build, run = self.nearest(suite), self.nearest(runtime or suite)
        out = {}
        for kind in ("library", "tool"):
            for name, entry in self.data[kind].items():
                texts = ("pc", "lib", "header", "programs", "unless")
                lists: dict[str, Any] = {key: tuple(entry.get(key, ())) for key in texts}
                only = entry.get("suites", (build, run))
                if build in only and run in only:
                    lists["build"] = tuple(entry.get(build, {}).get("build", entry["build"]))
                    lists["run"] = tuple(entry.get(run, {}).get("run", entry.get("run", ())))
                else:
                    lists |= {"build": (), "run": (), "elsewhere": tuple(map(self.common_name, only))}
                out[name] = Provider(name=name, library=kind == "library", **lists)
        return out

    @functools.cached_property
    def programs(self) -> frozenset[str]:
        """Packages that run, or are loaded, while something is compiled."""
        entries = [*self.data["tool"].values(), self.data["library"]["libclang"]]
        return frozenset(name for entry in entries for name in entry["build"])

    @functools.cached_property
    def suites(self) -> tuple[str, ...]:
        """The suites besides the default one."""
        own = (name for name, entry in self.data["suites"].items() if "like" not in entry)
        return tuple(sorted(set(own) - {self.data["suite"]}))

    def nearest(self, suite: str) -> str:
        """The suite of the table to use for `suite`: itself, or the nearest one."""
        newest: str = self.data["suite"]
        entry = self.data["suites"].get(suite)
        return str(entry.get("like", suite)) if entry else newest

    def common_name(self, suite: str) -> str:
        """The common name, `Ubuntu 24.04 (noble)`; the bare name if the suite is not in the table."""
        entry = self.data["suites"].get(suite)
        return f"{entry['called']} ({suite})" if entry else suite

    @functools.cached_property
    def of_alpine(self) -> Mapping[str, str]:
        """Alpine package -> library or program."""
        out: dict[str, str] = {}
        for kind in ("tool", "library"):
            for name, entry in self.data[kind].items():
                if (own := entry.get("alpine")) is not None:
                    out |= dict.fromkeys((*own.get("build", entry["build"]), *own.get("run", ())), name)
        return out

    def elsewhere(self, dependant: str, crate: str) -> bool:
        """Whether a dependency in the lockfile is not compiled on Linux."""
        return crate in self._elsewhere_of.get(dependant, ()) or self._elsewhere.match(crate) is not None

    def switched_on(self, dependant: str, crate: str, asked: Asked) -> bool | None:
        """Whether `dependant` uses an optional dependency of the table; None: unknown, or always."""
        rules = self._optional.get((dependant, crate), ())
        known = [_switched_on(rule, asked) for rule in rules]
        if not known or None in known:
            return None
        return any(known)

    def idle(self, asked: Asked) -> frozenset[tuple[str, str]]:
        """(crate, dependency) pairs of the table, of built crates, that nothing enables."""
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
    """The table that ships with the package."""
    return Table(toml.read(data_dir() / "native.toml"))


def default_suites() -> Suites:
    """The suites of a project without a configuration."""
    newest: str = table().data["suite"]
    return Suites(newest, newest)


def suites(config: Config) -> Suites:
    """The suites of the configured images, from their names, or else from `base.suite`."""
    data, base = table(), config.base
    told = {image: of_image(image) for image in (base.image, base.runtime_image) if image}
    build, run = ((image and told[image]) or base.suite for image in (base.image, base.runtime_image))
    doubts = [
        f"these are names of {data.common_name(data.nearest(suite))}, the nearest known to {data.common_name(suite)}"
        for suite in dict.fromkeys((build, run))
        if data.nearest(suite) != suite
    ]
    silent = [image for image, suite in told.items() if suite is None]
    if silent and "base.suite" not in config.where:
        unknown = f"the suite of {' and '.join(silent)} is not known (set base.suite)"
        doubts.insert(0, f"these are names of {data.common_name(base.suite)}: {unknown}")
    return Suites(data.nearest(build), data.nearest(run), "; ".join(doubts))


def needed(
    ws: Workspace, lock: Lock, selection: Selection, options: Options, suite: str, runtime: str | None = None
) -> tuple[Need, ...]:
    """What the crates of `selection` need in addition to what every builder has.

    Package names are those of `suite`, and of `runtime` for the runtime image if that is another suite.
    """
    data = table()
    crates, asked = _crates(ws, lock, selection, options)
    providers = data.providers(suite, runtime)
    found = [
        _need(crate, rule, certain, providers, options.target)
        for crate in crates
        for rule in data.rules.get(crate.package.name, ())
        if rule["needs"] and (certain := _verdict(crate, rule, asked)) is not None
    ]
    merged = {(need.crate, need.version, need.build): need for need in sorted(found, key=lambda item: item.certain)}
    return tuple(sorted(merged.values(), key=lambda item: (not item.certain, item.crate, item.version, item.build)))


def unknown(ws: Workspace, lock: Lock, selection: Selection, options: Options) -> tuple[str, ...]:
    """Built `-sys` crates that the table does not know and that may need something."""
    data = table()
    names = {crate.package.name for crate in _crates(ws, lock, selection, options)[0]}
    return tuple(sorted(name for name in names if re.search(r"[-_]sys\d*$", name) and name not in data.rules))


def packages(needs: Iterable[Need]) -> Packages:
    """All packages of these needs."""
    listed = tuple(needs)
    build = {name for need in listed for name in need.build}
    return Packages(tuple(sorted(build)), tuple(sorted({name for need in listed for name in need.run})))


def _crates(ws: Workspace, lock: Lock, selection: Selection, options: Options) -> tuple[list[Crate], Asked]:
    """The built crates, without optional dependencies that nothing enables, and the requested features."""
    data = table()
    first = built(ws, lock, selection, options, data.elsewhere)
    asked = _asked(first.values())
    idle = data.idle(asked)

    def elsewhere(dependant: str, crate: str) -> bool:
        return (dependant, crate) in idle or data.elsewhere(dependant, crate)

    crates = list((built(ws, lock, selection, options, elsewhere) if idle else first).values())
    certain = {crate.package.name for crate in crates if crate.certain}

    def settled(crate: Crate) -> Crate:
        """Mark a crate as certain if an active feature is known to need it."""
        if crate.certain or not certain.intersection(crate.via[-1:]):
            return crate
        return replace(crate, certain=data.switched_on(crate.via[-1], crate.package.name, asked) is True)

    return [settled(crate) for crate in crates], _asked(crates)


def _asked(crates: Iterable[Crate]) -> Asked:
    """The features requested of each crate, merged over its versions."""
    out: dict[str, tuple[frozenset[str], bool]] = {}
    for crate in crates:
        features, complete = out.get(crate.package.name, (frozenset(), True))
        out[crate.package.name] = (features | crate.features, complete and crate.complete)
    return out


def _switched_on(rule: Mapping[str, Any], asked: Asked) -> bool | None:
    """Whether a feature of a rule `[[optional]]` is requested; None if others may request it."""
    none: tuple[frozenset[str], bool] = (frozenset(), True)
    pairs = [(asked.get(name, none), frozenset(features)) for name, features in rule["asked"].items()]
    hits = frozenset().union(*(features & wanted for (features, _), wanted in pairs))
    if hits - {"default"}:
        return True
    sure = rule.get("only_asked", False) or all(complete for (_, complete), _ in pairs)
    return False if sure and not hits else None


def _verdict(crate: Crate, rule: Mapping[str, Any], asked: Asked) -> bool | None:
    """Whether the rule's needs are certain (True), possible (False), or none (None)."""
    if not _fits(crate.package.version, rule.get("versions", "")) or asked.keys() & rule.get("unless_built", ()):
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
    verb = "links to" if any(item.library and (item.run or item.elsewhere) for item in wanted) else "is built with"
    why = f"{verb} {' and '.join(item.name for item in wanted)}"
    elsewhere = tuple(dict.fromkeys(name for item in usable for name in item.elsewhere))
    if elsewhere:
        why += f", available only in {' and '.join(elsewhere)}"
    if len(usable) < len(wanted):
        why += f", not available in Debian for {target}: use the crate's vendored or bundled feature"
    if len(crate.via) > 1:
        why += f", through {', '.join(crate.via[1:])}"
    build = tuple(dict.fromkeys(name for item in usable for name in item.build))
    run = tuple(dict.fromkeys(name for item in usable for name in item.run))
    return Need(crate.package.name, crate.package.version, build, run, why, certain, elsewhere)


def _fits(version: str, conditions: str) -> bool:
    """Whether a version meets all of `>=1, <2.5`. No condition always fits; a pre-release counts by its numbers."""
    return not conditions or satisfies(conditions, re.split(r"[-+]", version)[0]) is True
