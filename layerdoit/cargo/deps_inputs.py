"""The inputs of the deps layer as a readable listing, from which its key and explanations are made.

    inputs(ws, lock, selection, build) -> dict[str, str]     # sorted; see below

Entries: "package serde" -> "1.0.219 c0ffee12"; "dependency api: tokio", "build-dependency api: cc [cfg(unix)]",
"feature api: default", "kind api", "edition api", "build script api", "profile release", "patch crates-io: foo",
"config target.x86_64-unknown-linux-gnu", "option features", "env RUSTFLAGS", "resolver", "selection", "copy …".

Only the closure of the selected packages counts, so that the rest of a workspace may change freely. It is deliberately
conservative inside: dependency tables and features are keyed as written, not as resolved. Contents of `Stub.copies`
are hashed by the caller. Values that may be secret appear as digests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from layerdoit.cargo import cargo_config, profiles, stub
from layerdoit.cargo.discovery import relative
from layerdoit.cargo.options import shown
from layerdoit.cargo.stub_closure import Closure, closure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layerdoit.cargo.lock import Lock, LockPackage
    from layerdoit.cargo.manifest import Dependency, Package, Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.selection import Selection

_PREFIX = {"normal": "", "build": "build-", "dev": "dev-"}


def inputs(
    ws: Workspace, lock: Lock, selection: Selection, options: Options, reached: Closure | None = None
) -> dict[str, str]:
    """All that can change the compiled dependencies of `selection`, except toolchain, base and copies.

    `reached`: its closure, if already known.
    """
    reached = reached or closure(ws, lock, selection)
    out: dict[str, str] = {"resolver": ws.resolver, "selection": " ".join(selection.packages)}
    out.update(options.key_inputs(lock))
    for key in sorted(reached.local):
        out.update(_local(ws, key, reached))
    out.update(_locked(reached.external))
    out.update(_root_tables(ws, lock, options.profile))
    for source in stub.copies(ws, reached):
        out[f"copy {source}"] = "by content"
    return {name: cargo_config.redact(out[name]) for name in sorted(out)}


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def _local(ws: Workspace, key: str, reached: Closure) -> Iterator[tuple[str, str]]:
    package = ws.packages[key]
    yield f"edition {key}", package.edition
    yield f"kind {key}", "proc-macro" if package.proc_macro else ",".join(sorted(package.crate_types)) or "lib"
    if package.build_script:
        yield f"build script {key}", "yes"
    if key in reached.real:
        yield f"version {key}", package.version
        if package.manifest.get("lints", {}).get("workspace") is True:
            yield f"lints {key}", _canonical(ws.manifest.get("workspace", {}).get("lints", {}))
    for name, enables in package.features.items():
        yield f"feature {key}: {name}", _canonical(sorted(enables))
    yield from _cargo_features(key, package)
    for dependency in package.dependencies:
        if dependency.kind != "dev" or key in reached.roots:
            where = f" [{dependency.target}]" if dependency.target is not None else ""
            label = f"{_PREFIX[dependency.kind]}dependency {key}: {dependency.name}{where}"
            yield label, _canonical(_specification(ws, dependency))


def _cargo_features(key: str, package: Package) -> Iterator[tuple[str, str]]:
    names = package.manifest.get("cargo-features")
    if names:
        yield f"cargo-features {key}", _canonical(sorted(names))


def _specification(ws: Workspace, dependency: Dependency) -> dict[str, Any]:
    """A dependency in a canonical form; a local one by name, because its folder and version do not matter."""
    spec = dict(dependency.spec)
    defaults = spec.pop("default_features", True)
    spec["default-features"] = spec.get("default-features", defaults)
    spec["features"] = sorted(set(spec.get("features", ())))
    if dependency.path is not None:
        spec.pop("version", None)
        spec["path"] = ws.by_dir.get(dependency.path, dependency.path)
    plain = {"default-features": True, "features": [], "optional": False, "public": False}
    return {name: value for name, value in spec.items() if plain.get(name) != value}


def _locked(external: tuple[LockPackage, ...]) -> Mapping[str, str]:
    out: dict[str, list[str]] = {}
    for package in external:
        text = package.version
        if package.checksum:
            text += f" {package.checksum[:12]}"
        elif package.source:
            text += f" {package.source}"
        if package.source and not package.source.endswith("//github.com/rust-lang/crates.io-index"):
            text += f" from {package.source}" if package.checksum else ""
        # References carry a version only where several are locked: there the edges are a choice of their own.
        edges = [name for name in package.dependencies if " " in name]
        text += f" -> {', '.join(edges)}" if edges else ""
        text += f" replaced by {package.replace}" if package.replace else ""
        out.setdefault(package.name, []).append(text)
    return {f"package {name}": "; ".join(texts) for name, texts in out.items()}


def _root_tables(ws: Workspace, lock: Lock, profile: str) -> Iterator[tuple[str, str]]:
    own, configured = ws.manifest.get("profile", {}), ws.config.get("profile", {})
    for prefix, tables in (("profile", own), ("config profile", configured)):
        for name in profiles.chain(ws, profile):
            table = stub.profiles(ws, lock, tables).get(name, {})
            table = {item: value for item, value in table.items() if item != "package" or value}
            if table:
                yield f"{prefix} {name}", _canonical(table)
    for prefix, patches in (("patch", ws.manifest.get("patch", {})), ("config patch", ws.config.get("patch", {}))):
        for source, entries in patches.items():
            for name, spec in entries.items():
                yield f"{prefix} {source}: {name}", _canonical(_without_folder(ws, spec))
    for name, spec in ws.manifest.get("replace", {}).items():
        yield f"replace {name}", _canonical(_without_folder(ws, spec))
    if ws.root_package is None and ws.manifest.get("cargo-features"):
        yield "cargo-features", _canonical(sorted(ws.manifest["cargo-features"]))
    for name, value in cargo_config.for_key(ws.config).items():
        text = _canonical(value)
        yield f"config {name}", shown(name.removeprefix("env."), text) if name.startswith("env.") else text


def _without_folder(ws: Workspace, spec: Any) -> Any:
    if isinstance(spec, dict) and "path" in spec:
        folder = relative(spec["path"], ws.root)
        return {**spec, "path": ws.by_dir.get(folder, folder)}
    return spec
