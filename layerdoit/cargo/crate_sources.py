"""What the sources of external crates say that they link to, where this machine's cargo has them. Only reads.

    links(crates) -> {crate: library}          # of `links =` in their manifests
    doubtful(crates) -> those that may need a library or a program which no builder has

Asking downloads nothing: of a crate that is not here nothing is known, and so it stays doubtful.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from layerdoit.core import toml, user_folder

Version = tuple[str, str]
"""Name and version of a crate."""

# What C's own library and compiler bring.
_PLAIN: Final = r"(?:c|m|dl|rt|pthread|util|gcc|gcc_s|stdc\+\+|atomic|resolv)"
_LINKS: Final = re.compile(rf"rustc-link-lib=(?:\w+=)?+(?!{_PLAIN}\b)|#\[link\([^\])]*name\s*=\s*\"(?!{_PLAIN}\")")
_ASKS: Final = re.compile(r"pkg_config|pkg-config|bindgen|cmake|vcpkg|system_deps|metadeps|autotools|Command::new")
_ELSEWHERE: Final = re.compile(r"framework|raw-dylib|cfg\([^)]*(windows|macos|apple|ios|android)")
_MOST: Final = 4 << 20


def links(crates: Iterable[Version]) -> dict[str, str]:
    """The libraries that crates say they link to."""
    found = {}
    for name, version in crates:
        folder = _folder(name, version)
        named = _manifest(folder).get("package", {}).get("links") if folder else None
        if isinstance(named, str):
            found[name] = named
    return found


def doubtful(crates: Iterable[Version]) -> tuple[str, ...]:
    """Those of which some version is not here, or asks for something when it is built."""
    return tuple(dict.fromkeys(name for name, version in crates if not _needs_nothing(name, version)))


def _needs_nothing(name: str, version: str) -> bool:
    folder = _folder(name, version)
    if folder is None:
        return False
    manifest = _manifest(folder)
    named = manifest.get("package", {}).get("build")
    script = folder / (named if isinstance(named, str) else "build.rs")
    text = _text(script) if named is not False else ""
    if _ASKS.search(text) or _LINKS.search(text):
        return False
    return not any(_links_here(code) for code in _sources(folder))


def _links_here(code: str) -> bool:
    """Whether a source links to a library on Linux."""
    for found in _LINKS.finditer(code):
        before = code[max(0, found.start() - 200) : found.start()]
        attributes = before.rpartition("}")[2] + found[0] + code[found.end() :].partition("]")[0]
        if not _ELSEWHERE.search(attributes):
            return True
    return False


def _folder(name: str, version: str) -> Path | None:
    return next(iter(sorted((user_folder.cargo() / "registry/src").glob(f"*/{name}-{version}"))), None)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return toml.loads((folder / "Cargo.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _sources(folder: Path) -> Iterator[str]:
    left = _MOST
    for path in sorted((folder / "src").rglob("*.rs")):
        text = _text(path)
        left -= len(text)
        if left < 0:
            return
        yield text


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
