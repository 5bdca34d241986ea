"""Dependency tables of a manifest, with `workspace = true` resolved. Pure functions of TOML tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerdoit.cargo.discovery import package_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layerdoit.cargo.cargo_config import Table

KINDS = {"normal": "dependencies", "build": "build-dependencies", "dev": "dev-dependencies"}
"""The tables of dependencies, by kind."""


def dependency_tables(manifest: Table) -> Iterator[tuple[str, str | None, Table]]:
    """Every (kind, target, table) of a manifest, including the old spelling with underscores."""
    scopes: list[tuple[str | None, Table]] = [(None, manifest), *manifest.get("target", {}).items()]
    for target, scope in scopes:
        for kind, name in KINDS.items():
            table = scope.get(name) or scope.get(name.replace("-", "_"))
            if table:
                yield kind, target, table


def inherited(value: Any, name: str, table: Table) -> Any:
    """The value of a package's key, or that of its workspace's `table` if it inherits."""
    if isinstance(value, dict) and value.get("workspace") is True:
        return table.get("package", {}).get(name)
    return value


def inherits(manifest: Table) -> bool:
    """Whether a package inherits anything from its workspace."""
    tables = [package_table(manifest), *(table for _, _, table in dependency_tables(manifest))]
    values = (value for table in tables for value in table.values())
    return any(isinstance(value, dict) and value.get("workspace") is True for value in values)


def _default_features(spec: Table) -> Any:
    return spec.get("default-features", spec.get("default_features"))


def merged(shared: Table, own: Table) -> dict[str, Any]:
    """Merge `name = { workspace = true, … }` as cargo does: features add up, the member may enable defaults."""
    out = {name: value for name, value in shared.items() if name not in ("default_features", "optional")}
    features = [*shared.get("features", []), *own.get("features", [])]
    if features:
        out["features"] = list(dict.fromkeys(features))
    if _default_features(shared) is False:
        out["default-features"] = _default_features(own) is True
    else:
        out.pop("default-features", None)
    out.update({name: own[name] for name in ("optional", "public") if name in own})
    return out
