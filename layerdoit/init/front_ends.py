"""Packages that browsers run and no container: trunk's, dioxus', leptos' and others for wasm. Only reads.

told(workspace, hints) -> Iterator[Hint]    # `hints`: what other files tell
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from layerdoit.cargo.toml_lines import where as line_of
from layerdoit.init.hints import Hint, note
from layerdoit.init.rust_files import text_of

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace

_LINK: Final = re.compile(r"<link\b[^>]*\bdata-trunk\b[^>]*>", re.DOTALL)
_ATTRIBUTE: Final = r"""\b{}\s*=\s*["']([^"']*)["']"""
_ONLY_WASM: Final = re.compile(
    r"^#!\[cfg\(\s*(target_arch\s*=\s*\"wasm32\"|target_family\s*=\s*\"wasm\")\s*\)\]", re.MULTILINE
)


def told(workspace: Workspace, hints: Collection[Hint]) -> Iterator[Hint]:
    """What is a front end, how it is made, and what a server of it needs."""
    kinds = {hint.kind for hint in hints}
    given = {hint.value.partition("=")[0] for hint in hints if hint.kind in ("env", "deploy-env")}
    leptos = [
        hint
        for hint in _leptos(workspace)
        if not (hint.kind == "port" and "port" in kinds)
        and not (hint.kind == "env" and hint.value.partition("=")[0] in given)
    ]
    yield from leptos
    found = {hint.value for hint in leptos if hint.kind == "front-end"}
    for key, package in sorted(workspace.packages.items()):
        for hint in (*_trunk(workspace, package), *_dioxus(workspace, package), *_only_wasm(workspace, key, package)):
            if hint.kind != "front-end" or hint.value not in found:
                found.add(hint.value)
                yield hint
        if key not in found and package.member and not package.bins and _is_module(package):
            yield note(
                _manifest(package),
                f"{package.name} is compiled to wasm for browsers, which no layer of ours does: make it here, as with "
                f"hooks: {{before_build: [wasm-pack build {package.dir}]}}, then copy it by image.assets, or embed it "
                "by sources.include",
            )


def _manifest(package: Package) -> str:
    return posixpath.normpath(f"{package.dir}/Cargo.toml")


def _is_module(package: Package) -> bool:
    names = {dependency.package for dependency in package.dependencies if dependency.kind == "normal"}
    return "cdylib" in package.crate_types and "wasm-bindgen" in names and "pyo3" not in names


# --- trunk and dioxus -------------------------------------------------------------------------------------------------


def _trunk(workspace: Workspace, package: Package) -> Iterator[Hint]:
    """A page that trunk makes names the package that it compiles; without a name, the one beside it."""
    folder = workspace.root / package.dir
    settings = text_of(folder / "Trunk.toml")
    target = re.search(r"(?m)^\s*target\s*=\s*[\"']([^\"']+)", settings or "")
    page = posixpath.normpath(posixpath.join(package.dir, target[1] if target else "index.html"))
    text = text_of(workspace.root / page) or ""
    if settings is None and "data-trunk" not in text:
        return
    beside, binary = posixpath.dirname(page) or ".", None
    for link in _LINK.findall(text):
        rel, href = (re.search(_ATTRIBUTE.format(name), link) for name in ("rel", "href"))
        if rel and rel[1] == "rust":
            named = posixpath.normpath(posixpath.join(beside, href[1] if href else "."))
            beside = posixpath.dirname(named) or "." if named.endswith("Cargo.toml") else named
            chosen = re.search(_ATTRIBUTE.format("data-bin"), link)
            binary = chosen[1] if chosen else None
    key = workspace.by_dir.get(beside)
    if key is None:
        return
    dist = re.search(r"(?m)^\s*dist\s*=\s*[\"']([^\"']+)", settings or "")
    made = posixpath.normpath(posixpath.join(package.dir, dist[1] if dist else "dist"))
    origin = posixpath.normpath(f"{package.dir}/Trunk.toml") if settings is not None else f"{page}:1"
    one = workspace.packages[key]
    value = f"{key}/{binary}" if binary and len(one.bins) > 1 else key
    yield Hint("front-end", value, origin)
    yield _served(origin, binary or one.name, "trunk build --release", package.dir, made)


def _served(where: str, name: str, command: str, folder: str, made: str) -> Hint:
    inside, run = ("", command) if folder == "." else (f" in {folder}", f"cd {folder} && {command}")
    return note(
        where,
        f"{name} is a front end, which browsers run, and no program of the image: `{command}`{inside} makes {made}; "
        f"no layer of ours does: hooks: {{before_build: [{run}]}} runs it on this machine first; what serves it needs "
        f"image: {{assets: {{{made}: /srv/dist}}}}, or, where it embeds it, sources: {{include: [{made}]}}",
    )


def _dioxus(workspace: Workspace, package: Package) -> Iterator[Hint]:
    text = text_of(workspace.root / package.dir / "Dioxus.toml")
    if text and re.search(r"(?m)^\s*default_platform\s*=\s*[\"']web", text) and "server" not in package.features:
        origin = posixpath.normpath(f"{package.dir}/Dioxus.toml")
        yield Hint("front-end", _key(workspace, package), origin)
        yield _served(
            origin, package.name, "dx build --release", package.dir, posixpath.normpath(f"{package.dir}/dist")
        )


def _key(workspace: Workspace, package: Package) -> str:
    return workspace.by_dir[package.dir]


def _only_wasm(workspace: Workspace, key: str, package: Package) -> Iterator[Hint]:
    """Programs whose source says that there is nothing of them elsewhere."""
    for name in package.bins:
        for path in (f"src/bin/{name}.rs", f"src/bin/{name}/main.rs", "src/main.rs"):
            file = posixpath.normpath(f"{package.dir}/{path}")
            text = text_of(workspace.root / file)
            if text is None:
                continue
            if found := _ONLY_WASM.search(text):
                origin = f"{file}:{text.count(chr(10), 0, found.start()) + 1}"
                yield Hint("front-end", f"{key}/{name}" if len(package.bins) > 1 else key, origin)
                yield note(origin, f"{name} is for wasm only, and no program of the image")
            break


# --- leptos -----------------------------------------------------------------------------------------------------------


def _leptos(workspace: Workspace) -> Iterator[Hint]:
    """What cargo-leptos is told: the server with its features, the front end, and the site that both make."""
    shared = workspace.manifest.get("workspace", {}).get("metadata", {}).get("leptos", [])
    for entry in shared if isinstance(shared, list) else []:
        if isinstance(entry, dict):
            yield from _site(workspace, entry, "Cargo.toml", ("workspace", "metadata", "leptos"), None)
    for package in workspace.packages.values():
        entry = package.manifest.get("package", {}).get("metadata", {}).get("leptos")
        if isinstance(entry, dict) and package.member:
            yield from _site(workspace, entry, _manifest(package), ("package", "metadata", "leptos"), package)


def _site(
    workspace: Workspace, entry: Mapping[str, Any], file: str, path: tuple[str, ...], package: Package | None
) -> Iterator[Hint]:
    text = text_of(workspace.root / file) or ""

    def at(name: str) -> str:
        return line_of(file, text, (*path, name))

    def named(name: str, default: str = "") -> str:
        value = entry.get(name, default)
        return value if isinstance(value, str) else default

    server = named("bin-package", package.name if package else "")
    front = named("lib-package")
    if server in workspace.packages and workspace.packages[server].bins:
        prefix = f"{server}/" if workspace.packages[server].dir != "." else ""
        built = at("bin-features")
        yield Hint("package", server, built)
        features = entry.get("bin-features", [])
        if isinstance(features, list) and features:
            yield Hint("features", ",".join(f"{prefix}{feature}" for feature in features), built)
        if entry.get("bin-default-features") is False:
            yield Hint("default-features", "no", built)
    if front and front != server and front in workspace.packages:
        yield Hint("front-end", front, at("lib-package"))
    output, root = named("output-name", front or server), named("site-root", "target/site")
    if output:
        yield Hint("env", f"LEPTOS_OUTPUT_NAME={output}", at("output-name"))
    place = f"/srv/{posixpath.basename(root)}"
    yield Hint("env", f"LEPTOS_SITE_ROOT={place}", at("site-root"))
    address = named("site-addr", "127.0.0.1:3000")
    if found := re.search(r":(\d+)$", address):
        yield Hint("env", f"LEPTOS_SITE_ADDR=0.0.0.0:{found[1]}", at("site-addr"))
        yield Hint("port", found[1], at("site-addr"))
    made = (workspace.root / root).exists()
    yield Hint("asset", f"{root}:{place}", at("site-root"), "`cargo leptos build` makes it", sure=made)
    yield note(
        at("site-root"),
        f"`cargo leptos build --release` makes {root}, which no layer of ours does: hooks: {{before_build: [cargo "
        f"leptos build --release]}} runs it on this machine first; then image: {{assets: {{{root}: {place}}}}}",
    )
