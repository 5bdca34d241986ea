"""Files that a program did not find although the project has them: the line that copies them into the image.

A name counts only where the project has such a file and the container has none at the place where it was looked for.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from layerdoit.core.prose import yaml_scalar
from layerdoit.deploy.docker import panics
from layerdoit.deploy.docker.case import Case, Cause

_ABSENT: Final = re.compile(
    r"no such file|os error 2\b|\bENOENT\b|NotFound\b|not found|cannot find|can'?t find|does(?:n'?t| not) exist|missing"
    r"|(?:failed|unable|could ?n[o']t|cannot|error)(?: to| while)* "
    r"(?:open|read|load|pars|find|canonicaliz|render|resolv)\w*",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|`([^`\n]{1,200})`")
_BARE: Final = re.compile(r"(?<![\w./@-])(/?(?:[\w@.-]+/)*[\w@.-]*\w)(?![\w/@-])")
_ALL_BELOW: Final = re.compile(r"(?<![\w./@-])((?:[\w@./-]+/)?[\w@.-]+)/[^\s/*]*\*")
_GLOB: Final = re.compile(r"(?:^|/)[^/]*[*?\[{].*$")
_PLACE: Final = re.compile(r"[\w@./-]+\.rs:\d+(?::\d+)?")
# What follows a path, or comes before it, in a line that says outright that it is not there.
_OUTRIGHT: Final = re.compile(r"no such file|os error 2\b|ENOENT", re.IGNORECASE)
_FILE: Final = re.compile(r"(?:\.?/)?(?:[\w@.-]+/)*[\w@-][\w@.-]*\.(?!sock)[A-Za-z]\w{0,6}")
_NEAR: Final = 4
_SOURCES: Final = (".rs", ".lock")
_SECRET: Final = re.compile(r"(?:^|/)\.env(?:\.[\w-]+)?$")
_OPENERS: Final = re.compile(
    r"(?:::new|::from|::open|::parse|_file\w*|_dir\w*|_path\w*|with_name|\bopen|\bread\w*|\bload\w*|\bjoin|ServeDir|ServeFile)"
    r"\s*\(\s*&?\s*$"
)
_COMPILED: Final = re.compile(r"(?:\binclude\w*!|\bmigrate!|\bquery_file\w*!|concat!|env!)\s*\(\s*[^)]*$|^\s*#!?\[")
_NOT_RUN: Final = re.compile(r"(?:^|/)(?:tests|benches|examples|target)/|(?:^|/)build\.rs$")


class Absent(NamedTuple):
    """`path`: in the project; `inside`: where the container would have to have it; `asked`: as it was asked for."""

    path: str
    inside: str
    asked: str


def cause(case: Case) -> Cause | None:
    """The files that its log, or the line where it panicked, names."""
    if found := list(dict.fromkeys(_absent(case, _named(case)))):
        return _told(case, found, "")
    if not any(_OUTRIGHT.search(line) for line in case.lines):
        return None
    if (told := argument(case)) is not None:
        return told
    asked = {literal.text: literal.where for literal in panics.places(case)}
    if found := list(dict.fromkeys(_absent(case, asked))):
        return _told(case, found, asked[found[0].asked])
    return _nowhere(case) or opened(case)


def opened(case: Case) -> Cause | None:
    """What the sources open, and the image lacks: for a log that names nothing."""
    found: dict[Absent, str] = {}
    for literal in _literals(case):
        for absent in _absent(case, [literal.text], fits=False):
            found.setdefault(absent, literal.where)
    if not found:
        return None
    names = ", ".join(f"{absent.path} ({where})" for absent, where in list(found.items())[:3])
    what = f"the sources open {names}: in the project, but not in the image"
    return Cause(what, _line(_assets(case, found)), certain=False)


def argument(case: Case) -> Cause | None:
    """A file that its arguments name."""
    for word in case.settings.config.args or case.settings.image.cmd:
        name = word.rpartition("=")[2]
        inside = posixpath.join(case.settings.image.workdir, name)
        if not _FILE.fullmatch(name) or case.lacks(inside) is not True:
            continue
        if found := list(_absent(case, [name])):
            return _told(case, found, "")
        hint = (
            f"mount one (deploy: {{volumes: [./FILE:{inside}]}}), copy one of the project there "
            f"(image: {{assets: {{PATH: {inside}}}}}), or change the arguments (deploy.args, image.cmd)"
        )
        return Cause(f"its arguments name {inside}, which the image does not have", hint, "deploy.args")
    return None


# --- what is named ---------------------------------------------------------------------------------------------------


def _named(case: Case) -> Iterator[str]:
    """Names in lines that say that something is not there, and then in those around them."""
    lines = [_PLACE.sub("", line) for line in case.lines]
    said = [at for at, line in enumerate(lines) if _ABSENT.search(line)]
    near = {other for at in said for other in range(max(0, at - _NEAR), min(len(lines), at + _NEAR + 1))}
    for at in (*said, *sorted(near - set(said))):
        yield from _names(lines[at])


def _names(line: str) -> Iterator[str]:
    for found in _QUOTED.finditer(line):
        yield next(filter(None, found.groups()))
    for found in _ALL_BELOW.finditer(line):
        yield found[1]
    for found in _BARE.finditer(_QUOTED.sub(" ", line)):
        if "/" in found[1] or "." in found[1].strip("."):
            yield found[1]


def _literals(case: Case) -> Iterator[panics.Literal]:
    for path in case.files:
        if path.endswith(".rs") and not _NOT_RUN.search(path):
            for number, line in enumerate(panics.source(case, path), 1):
                for literal in panics.literals(line, f"{path}:{number}"):
                    if not _COMPILED.search(literal.before) and (
                        "/" in literal.text or _OPENERS.search(literal.before)
                    ):
                        yield literal


# --- what of it is in the project, and not in the container ----------------------------------------------------------


def _absent(case: Case, names: Iterable[str], *, fits: bool = True) -> Iterator[Absent]:
    """`fits`: also by the end of its path, as templates are named."""
    for name in names:
        asked = _GLOB.sub("", name.strip()).removeprefix("./").rstrip("/")
        if not asked or ".." in asked.split("/") or asked.endswith(_SOURCES) or "://" in asked:
            continue
        for path, inside in _places(case, asked, fits=fits):
            if _SECRET.search(path) or case.lacks(inside) is not True:
                continue
            yield Absent(path, inside, name)
            break


def _places(case: Case, asked: str, *, fits: bool) -> Iterator[tuple[str, str]]:
    """Files and folders of the project that may be meant, with their places in the image."""
    workdir, root = case.settings.image.workdir, case.settings.root
    if asked.startswith("/"):
        parts = asked.strip("/").split("/")
        for at in range(len(parts)):
            # A folder alone, such as /app or /data, says too little.
            path = "/".join(parts[at:])
            if (root / path).is_file() or (at and (root / path).is_dir()):
                yield path, asked
                return
        return
    if (root / asked).exists() and asked not in (".", "src", "target"):
        yield asked, posixpath.join(workdir, asked)
        return
    if not fits:
        return
    # `config/default` of the crate config, and a template that is named within its folder.
    ends = [path for path in case.files if path.endswith(f"/{asked}") or posixpath.splitext(path)[0] == asked]
    for path in sorted((one for one in ends if not _NOT_RUN.search(one)), key=lambda one: (one.count("/"), one)):
        inner = path if posixpath.splitext(path)[0] == asked else _folder(case, path)[1]
        yield path, posixpath.join(workdir, inner)
        return


def _folder(case: Case, path: str) -> tuple[str, str]:
    """The folder that a program reads as a whole: the topmost without sources; and the path from its parent on."""
    with_sources = {
        posixpath.dirname(one) for one in case.files if one.endswith((".rs", "Cargo.toml")) and posixpath.dirname(one)
    }
    parts = path.split("/")
    for at in range(1, len(parts)):
        folder = "/".join(parts[:at])
        if not any(f"{one}/".startswith(f"{folder}/") for one in with_sources):
            return folder, "/".join(parts[at - 1 :])
    return path, parts[-1]


# --- the line to write -----------------------------------------------------------------------------------------------


def _told(case: Case, found: list[Absent], where: str) -> Cause:
    paths = [one.path for one in found]
    what = f"{', '.join(paths)} {'is' if len(paths) == 1 else 'are'} in the project but not in the image"
    what += f" ({where} opens it)" if where else ""
    assets = _assets(case, found)
    given = {posixpath.normpath(path): place for path, place in case.settings.image.assets.items()}
    elsewhere = [(path, given[path], place) for path, place in assets.items() if path in given]
    if elsewhere:
        path, has, wanted = elsewhere[0]
        what = f"image.assets copies {path} to {has}, but the program looks for {found[0].inside}"
        hint = f"write {yaml_scalar(path)}: {yaml_scalar(wanted)} in image.assets, or have the program look in {has}"
        return Cause(what, hint, "image.assets")
    return Cause(what, _line(assets), "image.assets" if given else "")


def _assets(case: Case, found: Iterable[Absent]) -> dict[str, str]:
    assets = {}
    for one in found:
        folder, _ = _folder(case, one.path)
        rest = one.path[len(folder) :]
        # What is asked for in another place than its own in the project goes there alone.
        if rest and one.inside.endswith(rest):
            assets[folder] = one.inside[: -len(rest)]
        else:
            assets[one.path] = one.inside
    return assets


def _line(assets: Mapping[str, str]) -> str:
    listed = ", ".join(f"{yaml_scalar(path)}: {yaml_scalar(place)}" for path, place in assets.items())
    return f"add to layerdoit.yaml: image: {{assets: {{{listed}}}}}"


def _nowhere(case: Case) -> Cause | None:
    """A path that the log says is not there, and that the project does not have either."""
    lines = [_PLACE.sub("", line) for line in case.lines]
    for at, line in enumerate(lines):
        if not _OUTRIGHT.search(line):
            continue
        names = [name for name in dict.fromkeys(_names(line)) if "/" in name.strip("/")]
        # "Error: cannot read /srv/prices.csv", some lines above "No such file or directory", as anyhow writes.
        above = [name for near in lines[max(0, at - _NEAR) : at] for name in _names(near) if name.startswith("/")]
        for told in (names, list(dict.fromkeys(above))):
            lacking = [name for name in told if case.lacks(posixpath.join(case.settings.image.workdir, name))]
            if len(lacking) == 1:
                return _wanted(posixpath.join(case.settings.image.workdir, lacking[0]))
    return None


def _wanted(inside: str) -> Cause:
    hint = (
        f"copy a file of the project there (image: {{assets: {{PATH: {inside}}}}}), mount one of this machine "
        f"(deploy: {{volumes: [./FILE:{inside}]}}), or name another place to the program"
    )
    return Cause(f"it wants {inside}, which neither the image nor the project has", hint)
