"""Which features of local packages are on, resolved as cargo does; and which of external crates they ask for.

    resolve(ws, packages, options) -> Resolved

Of an external crate only the features are known that local packages ask for: what its own `default` implies stands in
its manifest, which is not here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from layerdoit.cargo import cfg
from layerdoit.core.platform import container_triple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from layerdoit.cargo.manifest import Dependency, Package, Workspace
    from layerdoit.cargo.options import Options


class Unit(NamedTuple):
    """A local package as it is compiled: for the target, or for the host, where build scripts and macros run."""

    key: str
    host: bool


def asked(dependency: Dependency) -> tuple[frozenset[str], bool]:
    """The features that a dependency names, and whether it wants `default`."""
    spec = dependency.spec
    default = spec.get("default-features", spec.get("default_features", True)) is not False
    return frozenset(spec.get("features", ())), default


def implicit(package: Package) -> frozenset[str]:
    """Optional dependencies that are features by their name, because no feature says `dep:name`."""
    named = {item for enables in package.features.values() for item in enables if item.startswith("dep:")}
    optional = {item.name for item in package.dependencies if item.spec.get("optional")}
    return frozenset(name for name in optional if f"dep:{name}" not in named and name not in package.features)


@dataclass
class Resolved:
    """`features`: what is on in each unit, `dep/feature` and `dep:name` among it; `used`: names of its dependencies."""

    ws: Workspace
    options: Options
    unified: bool
    features: dict[Unit, set[str]] = field(default_factory=lambda: defaultdict(set))
    used: dict[Unit, set[str]] = field(default_factory=lambda: defaultdict(set))
    external: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """External package -> features that active local packages ask for."""
    _todo: list[tuple[Unit, str]] = field(default_factory=list)
    _reached: set[Unit] = field(default_factory=set)
    _weak: dict[tuple[Unit, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def of(self, key: str) -> set[str] | None:
        """What is on in a package, however it is compiled; None if it is not."""
        units = [unit for unit in self._reached if unit.key == key]
        return {name for unit in units for name in self.features[unit]} if units else None

    def uses(self, key: str) -> set[str]:
        """The active dependencies of a package, by their names in its manifest."""
        return {name for unit in self._reached if unit.key == key for name in self.used[unit]}

    def changed_by(self, other: Resolved) -> bool:
        """Whether a package that is compiled here has other features where more packages are selected."""
        return any(self._own(unit) != other._own(unit) for unit in self._reached)

    def satisfies(self, key: str, required: Iterable[str]) -> bool:
        """Whether cargo builds a target of a selected package with these `required-features`."""
        on = self._visible(Unit(key, host=False))
        return set(required) <= on

    def _visible(self, unit: Unit) -> set[str]:
        """What `required-features` may name: the package's own features, and `dep/feature` of its dependencies."""
        package = self.ws.packages[unit.key]
        own = {*package.features, *implicit(package)}
        seen = self.features[unit] & own
        for dependency in package.dependencies:
            if not self._applies(dependency, host=unit.host or dependency.kind == "build"):
                continue
            # For cargo a weak feature is reason enough to look at what a dependency has on, once others have it.
            known = dependency.name in self.used[unit] or (unit, dependency.name) in self._weak
            if dependency.spec.get("optional") and not known:
                continue
            if dependency.path is None:
                on = self.external.get(dependency.package, set())
            else:
                below = self._unit_of(unit, dependency)
                on = self._own(below) if below is not None and below in self._reached else set()
            seen |= {f"{dependency.name}/{feature}" for feature in on}
        return seen

    def _own(self, unit: Unit) -> set[str]:
        package = self.ws.packages[unit.key]
        return self.features[unit] & {*package.features, *implicit(package)}

    # --- resolving ---------------------------------------------------------------------------------------------------

    def run(self, packages: Iterable[str]) -> None:
        """Switch on what the command line does, and all that follows."""
        chosen = {key: self.ws.packages[key] for key in packages}
        names = {package.name for package in chosen.values()}
        for key, package in chosen.items():
            kinds = (False, True) if package.proc_macro and not self.unified else (False,)
            for host in kinds:
                self._reach(Unit(key, host), self._named(package, names), default=self.options.default_features)
        while self._todo:
            self._switch_on(*self._todo.pop())

    def _named(self, package: Package, selected: set[str]) -> Iterator[str]:
        if self.options.all_features:
            yield from (*package.features, *implicit(package))
        dependencies = {item.name for item in package.dependencies}
        for name in self.options.features:
            owner, slash, rest = name.partition("/")
            if not slash or owner == package.name:
                yield rest or name
            elif owner.removesuffix("?") in dependencies and owner not in selected:
                yield name

    def _reach(self, unit: Unit, features: Iterable[str], *, default: bool) -> None:
        self._todo += [(unit, name) for name in features]
        if default:
            self._todo.append((unit, "default"))
        if unit in self._reached:
            return
        self._reached.add(unit)
        for dependency in self._dependencies(unit):
            if not dependency.spec.get("optional"):
                self._use(unit, dependency)

    def _dependencies(self, unit: Unit) -> Iterator[Dependency]:
        """Those of this platform, without dev-dependencies; the old resolver knows no such differences."""
        package = self.ws.packages[unit.key]
        for dependency in package.dependencies:
            if self.unified:
                if dependency.kind != "dev" or package.member:
                    yield dependency
            elif dependency.kind != "dev" and self._applies(dependency, host=unit.host or dependency.kind == "build"):
                yield dependency

    def _applies(self, dependency: Dependency, *, host: bool) -> bool:
        target = None if host else self.options.target
        return cfg.applies(dependency.target, target or container_triple())

    def _unit_of(self, unit: Unit, dependency: Dependency) -> Unit | None:
        key = self.ws.by_dir.get(dependency.path or "")
        if key is None:
            return None
        host = unit.host or dependency.kind == "build" or self.ws.packages[key].proc_macro
        return Unit(key, host and not self.unified)

    def _use(self, unit: Unit, dependency: Dependency) -> None:
        self.used[unit].add(dependency.name)
        features, default = asked(dependency)
        self._ask(unit, dependency, features, default=default)
        for feature in self._weak.pop((unit, dependency.name), ()):
            self._todo.append((unit, f"{dependency.name}?/{feature}"))
            self.features[unit].discard(f"{dependency.name}?/{feature}")

    def _ask(self, unit: Unit, dependency: Dependency, features: Iterable[str], *, default: bool) -> None:
        if dependency.path is None:
            self.external[dependency.package].update(features, ("default",) if default else ())
        elif (below := self._unit_of(unit, dependency)) is not None:
            self._reach(below, features, default=default)

    def _switch_on(self, unit: Unit, name: str) -> None:
        package = self.ws.packages[unit.key]
        if name in self.features[unit]:
            return
        self.features[unit].add(name)
        target, slash, feature = name.partition("/")
        if slash:
            self._feature_of(unit, package, target, feature)
        elif name in package.features:
            self._todo += [(unit, enables) for enables in package.features[name]]
        else:
            for dependency in self._dependencies(unit):
                if dependency.name == name.removeprefix("dep:") and dependency.spec.get("optional"):
                    self._use(unit, dependency)

    def _feature_of(self, unit: Unit, package: Package, target: str, feature: str) -> None:
        """`dep/feature`, which implies an optional dependency, and `dep?/feature`, which waits for it."""
        weak, target = target.endswith("?"), target.removesuffix("?")
        for dependency in self._dependencies(unit):
            if dependency.name != target:
                continue
            if dependency.spec.get("optional"):
                if weak and target not in self.used[unit]:
                    self._weak[unit, target].add(feature)
                    continue
                self._use(unit, dependency)
                if not weak and (target in package.features or target in implicit(package)):
                    self._todo.append((unit, target))
            self._ask(unit, dependency, (feature,), default=False)


def resolve(ws: Workspace, packages: Iterable[str], options: Options, *, unified: bool = False) -> Resolved:
    """What is on when these packages are built. `unified`: as the old resolver does it."""
    resolved = Resolved(ws, options, unified)
    resolved.run(packages)
    return resolved
