"""Which of some files the compiler reads: by macros, attributes and build scripts, as the sources say.

readers(workspace, files, wanted) -> dict[str, str]    # path -> `file:line` of what compiles it in
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from layerdoit.cargo import embedded, rust_code
from layerdoit.core import toml
from layerdoit.init.opened_files import is_opened
from layerdoit.init.rust_files import text_of

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace
    from layerdoit.cargo.rust_code import Code, Literal

_AT_RUN_TIME: Final = re.compile(
    r"(?:\w+::)*(?:e?print(?:ln)?|format|format_args|vec|json|concat|matches|assert\w*|debug_assert\w*|write(?:ln)?|panic|todo"
    r"|info|warn|error|debug|trace|log|bail|ensure|anyhow|eyre|html|select|routes|catchers|relative|lazy_static|thread_local"
    r"|dbg|option_env|unreachable|path|join|try_join|event|span)!"
)
# Attributes whose strings are for users, or for who asks over the network.
_OF_OPTIONS: Final = re.compile(
    r"(?:\w+::)*(?:arg|clap|command|structopt|value|serde|doc|cfg|cfg_attr|envconfig|get|post|put|patch|delete|head|route|error"
    r"|instrument|deprecated|must_use|allow|expect|display|strum|oai|tokio::main)"
)
# What reads a folder of the package where it is told nothing else.
_BY_CUSTOM: Final = (
    (re.compile(r"\b(?:migrate|embed_migrations)!\s*[({\[]\s*[)}\]]"), "migrations"),
    (re.compile(r"\bquery(?:_as|_scalar)?(?:_unchecked)?!\s*[({]"), ".sqlx"),
    (re.compile(r"\bquery(?:_as|_scalar)?(?:_unchecked)?!\s*[({]"), "sqlx-data.json"),
)
_TEMPLATE: Final = re.compile(r"#\[\s*(?:\w+::)*template\s*\([^\]]*\bpath\s*=")


def readers(workspace: Workspace, files: Iterable[str], wanted: Collection[str]) -> Mapping[str, str]:
    """Those of the wanted files and folders that something compiles in. `files`: what builds get."""
    if not wanted:
        return {}
    found: dict[str, str] = {}
    listed = [name for name in files if name.endswith(".rs")]
    named = [(item.path, item.where) for item in embedded.named(workspace.root, listed)]
    for path, where in (*named, *_named(workspace, listed, wanted)):
        for one in wanted:
            if _same(posixpath.normpath(path), posixpath.normpath(one)):
                found.setdefault(one, where)
    return found


def _same(path: str, wanted: str) -> bool:
    """Whether one is, or lies in, the other."""
    return f"{path}/".startswith(f"{wanted}/") or f"{wanted}/".startswith(f"{path}/")


def _named(workspace: Workspace, files: Iterable[str], wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    folders = sorted((package.dir for package in workspace.packages.values()), key=len, reverse=True)
    packages = {package.dir: package for package in workspace.packages.values()}
    names = {posixpath.basename(one) for one in wanted}
    for file in files:
        text = text_of(workspace.root / file) or ""
        if not any(name.partition(".")[0] in text or "!" in text for name in names):
            continue
        folder = next((one for one in folders if one == "." or file.startswith(f"{one}/")), ".")
        package = packages.get(folder)
        code = rust_code.read(text)
        script = _is_script(file, folder, package)
        for literal in code.literals:
            for path in _of_literal(literal, file, folder, names, script=script):
                yield path, f"{file}:{code.line(literal.at)}"
        for pattern, name in _BY_CUSTOM:
            if match := pattern.search(code.shape):
                where = f"{file}:{code.line(match.start())}"
                yield from ((posixpath.join(top, name), where) for top in dict.fromkeys((folder, ".")))
        yield from _templates(workspace, folder, code, file)


def _is_script(file: str, folder: str, package: Package | None) -> bool:
    named = package.manifest.get("package", {}).get("build") if package else None
    return posixpath.relpath(file, folder) in (named if isinstance(named, str) else "build.rs", "build.rs")


def _of_literal(literal: Literal, file: str, folder: str, names: Collection[str], *, script: bool) -> Iterator[str]:
    """The paths that a string may mean to the compiler, or to a build script."""
    value = literal.value.partition("rerun-if-changed=")[2] or literal.value
    if not value or re.search(r"[\s<>|*?]", value):
        return
    value = re.sub(r"^\$\{?CARGO_MANIFEST_DIR\}?", "", value).lstrip("/")
    if not value or not (script or _to_the_compiler(literal)):
        return
    tops = (folder, ".", posixpath.dirname(file))
    if "/" in value or "." in value or value in names:
        yield from (posixpath.join(top, value) for top in dict.fromkeys(tops))


def _to_the_compiler(literal: Literal) -> bool:
    """Whether a macro or an attribute has it, and nothing that opens files while the program runs."""
    for around in literal.around:
        if _OF_OPTIONS.fullmatch(around.name) and literal.around[-1] is not around:
            return False
        if around.name == "#":
            return True
        if is_opened(around):
            return False
        if around.name.endswith("!"):
            return not _AT_RUN_TIME.fullmatch(around.name)
    return False


def _templates(workspace: Workspace, folder: str, code: Code, file: str) -> Iterator[tuple[str, str]]:
    """askama, rinja and sailfish: `templates`, or what askama.toml says."""
    match = _TEMPLATE.search(code.text)
    if match is None:
        return
    dirs = ["templates"]
    try:
        general = toml.loads(text_of(workspace.root / folder / "askama.toml") or "").get("general", {})
        dirs = [str(name) for name in general.get("dirs", dirs)]
    except (ValueError, AttributeError):
        pass
    where = f"{file}:{code.line(match.start())}"
    yield from ((posixpath.join(folder, name), where) for name in dirs)
