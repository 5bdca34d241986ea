"""Which packages of a workspace ask git when they are compiled: their build scripts, and macros of known crates.

    asked(workspace) -> Iterator[Asked]

A build has no `.git` unless `build.git` says so: what they find out there is not what they find out on this machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace
    from layerdoit.config import Config

_IN_SCRIPT: Final = re.compile(
    r'^(?![ \t]*//).*?(?:(?:Command::new|\b(?:\w*cmd|run\w*|exec\w*|command|call|git\w*))\(\s*"git"|'
    r'"git (?:describe|rev-parse|rev-list|log|status|show|tag|branch|diff)\b|'
    r"\bcmd!\([^)\n]*\bgit\b|\bgit2::|\bgix::|\bvergen\w*::|\bshadow_rs::|\bbuilt::|"
    r"\bgit_testament|\bgit_version|\bcrate_git_revision|\bbuild_data::|\.git/(?:HEAD|logs|refs|index))",
    re.MULTILINE,
)
_MACROS: Final = re.compile(
    r"^(?![ \t]*//).*?\b(?:git_version|git_describe|git_submodule_versions|git_testament)!", re.MULTILINE
)
# Those of them that start the program; the others are linked with a library.
_PROGRAM: Final = re.compile(
    r'"git|\bcmd!|\bvergen_gitcl\b|\bgit_version|\bgit_describe|\bgit_submodule|\bgit_testament'
    r"|\bcrate_git_revision|\bbuild_data"
)
# They ask git only with a feature of theirs.
_PERHAPS: Final = re.compile(r"\b(?P<crate>built|vergen)::$")
_FEATURES: Final = frozenset(("git", "git2", "gitcl", "gix", "gitoxide"))
_MACRO_CRATES: Final = frozenset(("git-version", "git-testament", "git-describe"))
_SKIPPED: Final = frozenset(("target", "node_modules", "tests", "examples", "benches"))


class Asked(NamedTuple):
    """`package` asks git at `where`, a `file:line` relative to the workspace. `program`: by the program `git`."""

    package: str
    where: str
    program: bool = True


def asked(workspace: Workspace) -> Iterator[Asked]:
    """The first place of each package, in the order of the packages."""
    for _, package in sorted(workspace.packages.items()):
        folder = workspace.root / package.dir
        silent = {name for name in ("built", "vergen") if not _has_feature(package, name)}
        places = [_first(path, _IN_SCRIPT, silent) for path in _scripts(package, folder)]
        if _MACRO_CRATES.intersection(dependency.package for dependency in package.dependencies):
            places += (_first(path, _MACROS) for path in _sources(folder))
        if place := next(filter(None, places), None):
            path, line, words = place
            where = f"{os.path.relpath(path, workspace.root)}:{line}"
            yield Asked(package.name, where, _PROGRAM.search(words) is not None)


def lacking(places: Iterable[Asked], config: Config) -> list[Asked]:
    """Those that call the program, where builds are told of git and our builder has no such program."""
    # An image or a Dockerfile of the project's own may have it.
    ours = config.base.image is None and config.dockerfiles.base is None
    lacks = config.build.git != "none" and ours and "git" not in config.base.packages
    return [one for one in places if one.program] if lacks else []


def _scripts(package: Package, folder: Path) -> Iterator[Path]:
    if package.build_script:
        named = package.manifest.get("package", {}).get("build")
        names = named if isinstance(named, list) else [named if isinstance(named, str) else "build.rs"]
        yield from (folder / str(name) for name in names)


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("src/**/*.rs")):
        if _SKIPPED.isdisjoint(path.relative_to(folder).parts):
            yield path


def _has_feature(package: Package, crate: str) -> bool:
    given = (one.spec.get("features", ()) for one in package.dependencies if one.package == crate)
    return any(_FEATURES.intersection(map(str, features)) for features in given)


def _first(path: Path, pattern: re.Pattern[str], silent: Collection[str] = frozenset()) -> tuple[Path, int, str] | None:
    """`silent`: crates that ask git only where the script names it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for found in pattern.finditer(text):
        perhaps = _PERHAPS.search(found[0])
        if perhaps is None or perhaps["crate"] not in silent or re.search(r"(?i)_git\b|\bgit_|Git", text):
            return (path, text.count("\n", 0, found.end()) + 1, found[0])
    return None
