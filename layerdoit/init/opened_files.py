"""What the running program opens, and what the compiler reads: told by the sources.

opened(tree, sources) -> tuple[Opened, ...]    # literal paths that are there, as the program names them
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from layerdoit.cargo.program_sources import Source
from layerdoit.cargo.rust_code import Around, Code, Literal

CUSTOMARY: Final = frozenset((
    "assets", "config", "configuration", "configs", "i18n", "locales", "migrations", "public", "static", "templates",
    "views", "www",
))  # fmt: skip
"""Folders that a program reads as a whole, where it reads any of their files."""
SERVED: Final = re.compile(
    r"(?:\w+::)*(?:(ServeDir|ServeFile|Files|NamedFile|FileServer|StaticDir|StaticFile|StaticFilesEndpoint|StaticFileEndpoint"
    r"|SpaRouter|Tera|fs)::(new|open|open_async|from|dir|file|parse)|\.?(serve_dir|serve_file|match_assets))"
)
_OPENS: Final = re.compile(
    r"open(_\w+)?|read(_\w+)?|load(_\w+)?|with_name|try_exists|canonicalize|metadata|(\w+_)?from_(file|path|dir|pem)(_\w+)?"
    r"|(?!create_|remove_|write_|rename_)\w+_(file|dir|directory|folder|path|loader|files|templates)(_\w+)?"
    r"|path_loader|init_file|pem_file_iter"
)
_OPENERS: Final = re.compile(
    SERVED.pattern + r"|(?:\w+::)*(?:(Toml|Yaml|Json)::file(_exact)?|File::(from|new|with_name)|Migrator::new)"
)
_PATHS: Final = re.compile(r"Path::new|(Path)?Buf::from|Path::from|Utf8Path(Buf)?::(new|from)")
_SPEAKS: Final = re.compile(
    r"(?:\w+::)*(e?print(ln)?|panic|info|warn|error|debug|trace|log|bail|ensure|anyhow|assert(_eq|_ne)?|unreachable|todo|write(ln)?"
    r"|event|span|eyre)!|\.(expect|expect_err|context|with_context|wrap_err|wrap_err_with|about|help|at)"
    r"|(\.|(\w+::)*)(warn|print|report)_\w+"
    r"|(\.|(\w+::)*)(route|nest|scope|resource|with_path|path|path!|mount|nest_service|route_service)"
)
_WRITES: Final = re.compile(r"(create|write|remove|rename|copy|symlink|hard_link|truncate)\w*$")
_COMPILED: Final = re.compile(
    r"(\w+::)*(include(_\w+)?|concat_bytes|migrate|embed_\w+|query_file\w*|query\w*|static_loader|i18n|import_types"
    r"|generate|load_assets|env|option_env|template|route|routes|path|cfg|rust_embed|include_proto)!|#"
)
_DEFAULTS: Final = re.compile(r"\.(unwrap_or|unwrap_or_else|map_or|or_else|or|default_value|get_or_insert_with)$")
_IN_ATTRIBUTE: Final = re.compile(r"\b(default_value(_os|_t|_os_t)?|default|default_missing_value)\s*=\s*$")
_MANIFEST: Final = re.compile(r"\benv!\s*\(\s*\"CARGO_MANIFEST_DIR\"")
MANIFEST_AT_RUN_TIME: Final = re.compile(r"\bvar(_os)?\s*\(\s*\"CARGO_MANIFEST_DIR\"")
_RUST_EMBED: Final = re.compile(
    r"#\[\s*derive\([^\]]*\b(?:RustEmbed|Embed)\b[^\]]*\)\s*\](?:\s*#\[[^\]]*\])*?\s*#\[\s*folder\s*=\s*\"(?P<folder>[^\"]+)\""
)
_BOUND: Final = r"\b(?:let(?:\s+mut)?|const|static)\s+(\w+)\b[^=;]*=[^;]*{}"
_NAMED: Final = re.compile(r"\b(?:let(?:\s+mut)?|const|static)\s+(\w+)\b[^=;]*=[^;]*$")
_NO_PATH: Final = re.compile(r"[\s<>|&;,\"'\\=%#@!]|://|^~|^-|^\$")
_SOURCES: Final = frozenset(
    ("src", "target", "tests", "benches", "examples", ".git", ".github", "Cargo.toml", "Cargo.lock")
)
_FORMATS: Final = ("toml", "yaml", "yml", "json", "json5", "ron", "ini")


class Opened(NamedTuple):
    """`path`: in the tree; `name`: as the program names it, relative to where it starts, or to its package's folder.

    `base`: "" for the working directory, `build` for the package's folder in the build (`env!`), `variable` for that
    folder by a variable of the running process; `what`: what opens it; `sure`: whether that is no guess.
    """

    path: str
    name: str
    base: str
    what: str
    where: str
    package: str
    program: str | None
    sure: bool = True


def opened(root: Path, folders: Mapping[str, str], sources: Sequence[Source]) -> tuple[Opened, ...]:
    """What is there of what the sources name. `folders`: of the packages, by their keys."""
    used = _arguments(sources)
    return tuple(
        one
        for source in sources
        for bound in [_bound(source.code)]
        for literal in source.code.literals
        if (one := _opened(root, folders[source.package], source, literal, bound, used)) is not None
    )


def missing(root: Path, folders: Mapping[str, str], sources: Sequence[Source]) -> Iterator[tuple[str, str, str]]:
    """Folders that a program serves and that are not here: path, what serves it, `file:line`."""
    for source in sources:
        bound = _bound(source.code)
        for literal in source.code.literals:
            heads = [around.name for around in literal.around]
            if not heads or not SERVED.fullmatch(heads[0]) or _mount(literal):
                continue
            base = _base(source.code, literal, bound)
            name = _plain(literal.value)
            if name and not base and not any((root / top / name).exists() for top in (".", folders[source.package])):
                yield name, heads[0], source.where(literal.at)


def naming(folders: Mapping[str, str], sources: Sequence[Source], wanted: str) -> Iterator[Opened]:
    """Where programs name a folder, or something in it, that need not be here."""
    for source in sources:
        bound = _bound(source.code)
        for literal in source.code.literals:
            if posixpath.basename(wanted) not in literal.value or _NO_PATH.search(literal.value) or _mount(literal):
                continue
            if any(_COMPILED.fullmatch(around.name) for around in literal.around if around.name != "#"):
                continue
            base = _base(source.code, literal, bound)
            name = posixpath.normpath(literal.value.lstrip("/") if base else literal.value)
            for top in (folders[source.package],) if base else dict.fromkeys((".", folders[source.package])):
                path = posixpath.normpath(posixpath.join(top, name))
                if f"{path}/".startswith(f"{wanted}/"):
                    whole = posixpath.normpath(posixpath.join(name, posixpath.relpath(wanted, path)))
                    what = literal.around[0].name.lstrip(".") if literal.around else "a string"
                    what = "a string" if what in ("{", "#") else what
                    if what == "a string" and "/" not in literal.value:
                        break
                    yield Opened(wanted, whole, base, what, source.where(literal.at), source.package, source.program)
                    break


def _opened(
    root: Path, folder: str, source: Source, literal: Literal, bound: Mapping[str, str], used: Collection[str]
) -> Opened | None:
    told = _told(source.code, literal, used)
    if told is None or _mount(literal):
        return None
    base = _base(source.code, literal, bound)
    what, sure = told[0], told[1] or bool(base)
    name = _plain(literal.value.lstrip("/") if base and not literal.value.startswith("//") else literal.value)
    if name is None or (not base and name.startswith("..")):
        return None
    tops = (folder,) if base else (".", folder)
    for top in dict.fromkeys(tops):
        path = posixpath.normpath(posixpath.join(top, name))
        if path in (".", folder) or path.startswith("..") or _is_source(path):
            continue
        if (there := _there(root, path)) is not None:
            name = posixpath.normpath(posixpath.join(name, posixpath.relpath(there, path)))
            sure = sure or (_custom(name) and "/" in literal.value.strip("./"))
            if not sure and (what == "a string" or not (_custom(name) or (what == "join" and _is_settings(name)))):
                continue
            return Opened(there, name, base, what, source.where(literal.at), source.package, source.program, sure)
    return None


def _told(code: Code, literal: Literal, used: Collection[str]) -> tuple[str, bool] | None:
    """What makes a string a path that is opened, and whether that is sure; None where it is something else."""
    for around in literal.around:
        name = around.name
        if name == "{":
            break
        if name == "#":
            clap = _IN_ATTRIBUTE.search(code.text[max(0, literal.at - 40) : literal.at])
            return ("a default value", False) if clap else None
        if _COMPILED.fullmatch(name) or _SPEAKS.fullmatch(name) or _WRITES.search(name):
            return None
        if name == "relative!" or _OPENERS.fullmatch(name) or _OPENS.fullmatch(around.last):
            return name.lstrip("."), True
        if _PATHS.search(name):
            return name, True
    start, _ = code.statement(literal.at)
    before = code.text[start : literal.at]
    named = _NAMED.search(before)
    if named and named[1] in used:
        return named[1], True
    if any(_DEFAULTS.search(around.name) for around in literal.around) and re.search(r"\bvar(_os)?\s*\(", before):
        return "the default of a variable", "/" in literal.value or "." in literal.value
    joined = next((around for around in literal.around if around.name == ".join"), None)
    if joined is not None:
        return "join", bool(re.search(r"\bcurrent_dir\s*\(", before)) or _joins_the_start(code, joined)
    return "a string", False


def _joins_the_start(code: Code, joined: Around) -> bool:
    """Whether a path is joined to what was the current directory."""
    found = re.search(r"(\w+)\s*\.\s*join\s*$", code.shape[max(0, joined.at - 80) : joined.at])
    return found is not None and bool(
        re.search(rf"\blet(\s+mut)?\s+{found[1]}\b[^=;]*=[^;]*\bcurrent_dir\s*\(", code.text)
    )


def _mount(literal: Literal) -> bool:
    """Whether it is where files are served, not where they lie."""
    around = literal.around[0] if literal.around else None
    return around is not None and around.name.endswith(("Files::new", "SpaRouter::new")) and around.nth == 0


def _arguments(sources: Iterable[Source]) -> set[str]:
    """Names of variables and constants that are given to what opens files."""
    found: set[str] = set()
    for source in sources:
        for call in re.finditer(r"([\w:]+|\.\w+)\s*\(\s*&?\s*(?:\w+::)*(\w+)\s*[,)]", source.code.shape):
            name = call[1]
            if (
                _OPENERS.fullmatch(name)
                or _OPENS.fullmatch(name.rpartition("::")[2].lstrip("."))
                or _PATHS.search(name)
            ):
                found.add(call[2])
    return found


def _bound(code: Code) -> Mapping[str, str]:
    """Variables and constants that hold the package's folder, and how."""
    found = {}
    for kind, pattern in (("build", _MANIFEST.pattern), ("variable", MANIFEST_AT_RUN_TIME.pattern)):
        for match in re.finditer(_BOUND.format(pattern), code.text):
            # Only what is nothing but that folder: a longer path is looked at where it stands.
            _, end = code.statement(match.start())
            if code.text[match.start() : end].count('"') == 2:
                found[match[1]] = kind
    return found


def _base(code: Code, literal: Literal, bound: Mapping[str, str]) -> str:
    start, end = code.expression(literal)
    said = code.text[start:end]
    if _MANIFEST.search(said) or any(around.name == "relative!" for around in literal.around):
        return "build"
    if MANIFEST_AT_RUN_TIME.search(said):
        return "variable"
    for name, kind in bound.items():
        if re.search(rf"\b{name}\b", said):
            return kind
    return ""


def _plain(value: str) -> str | None:
    """A literal as a relative path, without what stands for other names; None where it is none."""
    value = re.sub(r"^\{\w*\}/", "", value)
    cut = re.search(r"[*?{\[]", value)
    if cut:
        value = value[: cut.start()].rpartition("/")[0]
    if not value or value.startswith("/") or _NO_PATH.search(value) or len(value) > 200:
        return None
    plain = posixpath.normpath(value)
    return None if plain in (".", "..") else plain


def _there(root: Path, path: str) -> str | None:
    """The path, or the file that it names without its extension."""
    if os.path.exists(root / path):
        return path
    return next((f"{path}.{end}" for end in _FORMATS if os.path.isfile(root / f"{path}.{end}")), None)


def _is_settings(name: str) -> bool:
    return name.endswith(tuple(f".{end}" for end in _FORMATS))


def _custom(name: str) -> bool:
    return name.partition("/")[0] in CUSTOMARY


def _is_source(path: str) -> bool:
    return path.endswith(".rs") or not _SOURCES.isdisjoint(path.split("/"))


def embedded_by_rust_embed(folders: Mapping[str, str], source: Source) -> Iterator[Opened]:
    """Folders that rust-embed reads while a program without optimization runs, whether they are here or not."""
    for match in _RUST_EMBED.finditer(source.code.text):
        folder = folders[source.package]
        name = posixpath.normpath(re.sub(r"^\$\{?CARGO_MANIFEST_DIR\}?/", "", match["folder"]))
        path = posixpath.normpath(posixpath.join(folder, name))
        if not path.startswith(".."):
            what = "rust-embed in a dev build"
            yield Opened(path, name, "build", what, source.where(match.start()), source.package, source.program)


def is_opened(around: Around) -> bool:
    """Whether what a bracket belongs to opens a file while the program runs."""
    return bool(_OPENERS.fullmatch(around.name) or _OPENS.fullmatch(around.last) or _PATHS.search(around.name))
