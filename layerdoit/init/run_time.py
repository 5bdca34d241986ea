"""What a project's programs need while they run, as their sources and the files that they open say. Only reads.

look(lister, workspace, selection, options, hints, settings, every) -> RunTime
"""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerdoit.cargo import entrypoint, program_sources
from layerdoit.config import credentials
from layerdoit.init import bound_address, builds, configured_address, health_route, opened_files, sqlite_files
from layerdoit.init.bound_address import Listens
from layerdoit.init.health_route import Route
from layerdoit.init.opened_files import CUSTOMARY, Opened
from layerdoit.init.rust_files import text_of
from layerdoit.init.sqlite_files import Kept
from layerdoit.tree import hidden, layout

if TYPE_CHECKING:
    from layerdoit.cargo.manifest import Package, Workspace
    from layerdoit.cargo.options import Options
    from layerdoit.cargo.program_sources import Source
    from layerdoit.cargo.selection import Selection
    from layerdoit.config import Config
    from layerdoit.init.hints import Hint
    from layerdoit.tree.hidden import Hidden
    from layerdoit.tree.lister import Lister

_DOTENV: Final = re.compile(r"\bdotenv(?:y|_flow)?(?:_override)?\s*(?:::\s*\w+\s*)?\(|\bdotenvy?::(?:load|var)!?\b")
_ROCKET: Final = re.compile(
    r"#\[\s*(?:rocket::)?launch\s*\]|\brocket::(?:build|ignite|custom)\s*\(|\bRocket::(?:build|custom)\s*\("
)
SERVES: Final = re.compile(
    r"\b(?:TcpListener|TcpAcceptor|QuinnListener)::(?:bind|new)\s*\(|\b(?:axum|warp|hyper|rouille)::(?:serve|start_server)\s*\("
    r"|\b(?:Http)?Server::(?:new|bind|builder|http)\s*\(|\baxum_server::\w+\s*\(|\.\s*listen\s*\(|\.serve\s*\("
    r"|" + _ROCKET.pattern
)
"""Calls by which a program begins to serve."""
_ROCKET_TEMPLATES: Final = re.compile(r"\bTemplate::(?:fairing|custom|try_custom|render)\b")
_SECRET: Final = re.compile(
    r"(?i)(?:^|/)(?:\.env(?:\..*)?|id_(?:rsa|ed25519|ecdsa)|\.pgpass|\.netrc|\.git-credentials|[^/]*\.(?:key|p12|pfx|jks|keystore|kdbx)"
    r"|(?:secrets?|credentials?)(?:\.\w+)?)$"
)
_KEY_FILE: Final = re.compile(r"(?i)(?:^|[-_./])(?:key|privkey|private)[^/]*\.pem$")
_ENV_FILES: Final = (".env", ".env.example", ".env.sample", ".env.dist", ".env.template")
_LARGEST: Final = 1 << 20


@dataclass(frozen=True)
class RunTime:
    """`opened`: what belongs into the image, each path once; `secrets`: what is opened and does not, with why.

    `program`: the binary that the image runs, where it was chosen because it alone listens, with the `file:line`.
    `listens` and `health` are of the binary that the image runs.
    """

    opened: tuple[Opened, ...] = ()
    secrets: tuple[tuple[str, str, str], ...] = ()
    """(path, `file:line` of what opens it, what is secret)"""
    missing: tuple[tuple[str, str, str], ...] = ()
    """(path, what serves it, `file:line`) of folders that are not here."""
    ignored: tuple[tuple[str, Hidden], ...] = ()
    """Of what is opened, what builds do not get: path, and why."""
    program: tuple[str, str] | None = None
    listens: tuple[Listens, ...] = ()
    needs: tuple[str, int, str] | None = None
    """(variable, port, `file:line`) of a program that takes its port from a variable, and does not start without it."""
    health: Route | None = None
    dotenv: str | None = None
    """`file:line` where a program loads a `.env`."""
    dotenv_names: tuple[str, ...] = ()
    manifest_variable: str | None = None
    """`file:line` of a program that asks for its package's folder while it runs."""
    databases: tuple[Kept, ...] = ()
    package: str = "."
    """The folder of the package whose binary the image runs."""
    subcommands: bool = False
    """The program has any, so that an option of the command line may belong to one of them."""
    workdir: str | None = None
    """The working directory, where layerdoit.yaml says one."""
    in_dev: tuple[Opened, ...] = ()
    """What rust-embed reads in a dev build, whether it is here or not."""
    home: str = ""
    """Where the workspace lies in the context of a build, as `tree.layout` says."""


def look(
    lister: Lister,
    workspace: Workspace,
    selection: Selection,
    options: Options,
    hints: Sequence[Hint],
    settings: Config,
    every: Sequence[Source],
) -> RunTime:
    """Look through the sources of the selected binaries: `every`. `settings`: those of an existing layerdoit.yaml."""
    release = settings.profile == "release"
    root = workspace.root
    folders = {key: package.dir for key, package in workspace.packages.items()}
    told = _Address(workspace, selection, options, every, release=release)
    project = settings.project or builds.project_name(root, workspace, selection)
    owner, name, alone = _program(told, hints, project, root.name)
    own = told.sources(owner, name)
    opened, secrets = _sorted(root, lister, (*_everything(root, workspace, folders, every, release=release),), owner)
    listens = told.of(owner, name)
    dotenv = next(_places(every, _DOTENV), None)
    manifest = next(_places(every, opened_files.MANIFEST_AT_RUN_TIME), None)
    return RunTime(
        opened=opened,
        secrets=secrets,
        missing=tuple(dict.fromkeys(opened_files.missing(root, folders, every))),
        ignored=tuple((one.path, why) for one in opened if (why := hidden.why(lister, one.path)) is not None),
        program=alone,
        listens=bound_address.chosen(listens),
        needs=_needs(root, listens),
        health=health_route.found(own),
        dotenv=dotenv,
        dotenv_names=tuple(_dotenv(root)) if dotenv else (),
        manifest_variable=manifest,
        databases=sqlite_files.found(root, _configuration(root, opened_files.opened(root, folders, every)), every),
        package=folders[owner],
        in_dev=tuple(_in_dev(workspace, folders, every, release=release)),
        home=_home(lister, workspace),
        workdir=settings.image.workdir if "image.workdir" in settings.where else None,
        subcommands=any(re.search(r"\bSubcommand\b|\bsubcommand\b", source.code.shape) for source in own),
    )


def _home(lister: Lister, workspace: Workspace) -> str:
    return layout.home(str(lister.root), lister.top, workspace.extra, ()).prefix


class _Address:
    """Where each binary listens, looked up once."""

    def __init__(
        self, workspace: Workspace, selection: Selection, options: Options, every: Sequence[Source], *, release: bool
    ) -> None:
        self.workspace, self.selection = workspace, selection
        self._options, self._every, self._release = options, every, release
        self._found: dict[tuple[str, str], tuple[Listens, ...]] = {}

    def sources(self, owner: str, name: str) -> tuple[Source, ...]:
        return program_sources.entry_only(self.workspace, self._every, owner, name, self._options)

    def of(self, owner: str, name: str) -> tuple[Listens, ...]:
        """All that is said of where a binary listens."""
        if (owner, name) not in self._found:
            self._found[owner, name] = (*self._said(owner, name),)
        return self._found[owner, name]

    def _said(self, owner: str, name: str) -> Iterator[Listens]:
        sources, root = self.sources(owner, name), self.workspace.root
        yield from bound_address.found(sources)
        folders = {key: package.dir for key, package in self.workspace.packages.items()}
        opened = opened_files.opened(root, folders, sources)
        yield from configured_address.in_files(root, _configuration(root, opened), sources)
        yield from configured_address.deployed(root)
        for source in sources:
            package = self.workspace.packages[source.package]
            if _uses(package, "rocket") and (match := _ROCKET.search(source.code.text)):
                tops = dict.fromkeys((".", package.dir))
                yield from configured_address.rocket(
                    root, tops, release=self._release, uses=source.where(match.start())
                )


def _uses(package: Package, *names: str) -> bool:
    return any(dependency.package in names for dependency in package.dependencies)


def _program(
    told: _Address, hints: Sequence[Hint], project: str | None, folder: str
) -> tuple[str, str, tuple[str, str] | None]:
    """The binary that the image runs, and its package; where nothing names it, the only one that listens."""
    owners = {name: key for key, name in told.selection.bins}
    named = next((hint.value for hint in hints if hint.kind == "entrypoint" and hint.value in owners), None)
    if named is not None:
        return owners[named], named, None
    choice = entrypoint.choose(told.workspace, told.selection, project, folder)
    if choice.guessed:
        alone = _serving(told)
        if alone is not None:
            return owners[alone[0]], alone[0], alone
    return owners[choice.name], choice.name, None


def _serving(told: _Address) -> tuple[str, str] | None:
    """The only binary that serves, with the `file:line`: by sources that it alone has, by all, or by what is bound."""
    every = {(key, name): told.sources(key, name) for key, name in told.selection.bins}
    uses = Counter(source.path for sources in every.values() for source in sources)
    by_itself = {
        name: next(_places((one for one in sources if uses[one.path] == 1), SERVES), None)
        for (_, name), sources in every.items()
    }
    by_any = {name: next(_places(sources, SERVES), None) for (_, name), sources in every.items()}
    bound = {name: next((one.where for one in bound_address.chosen(told.of(key, name))), None) for key, name in every}
    for found in (by_itself, by_any, bound):
        serving = [(name, where) for name, where in found.items() if where is not None]
        if len(serving) == 1:
            return serving[0]
    return None


def _everything(
    root: Path, workspace: Workspace, folders: Mapping[str, str], sources: Sequence[Source], *, release: bool
) -> Iterator[Opened]:
    """What is opened: named by the sources, read by a crate's custom, or by rust-embed where it does not embed."""
    yield from opened_files.opened(root, folders, sources)
    yield from (one for one in _in_dev(workspace, folders, sources, release=release) if (root / one.path).is_dir())
    for source in sources:
        package = workspace.packages[source.package]
        if _uses(package, "rocket") and (match := _ROCKET.search(source.code.text)):
            yield from _by_custom(root, package.dir, source, match.start(), "Rocket.toml", "rocket")
        if _uses(package, "rocket_dyn_templates") and (match := _ROCKET_TEMPLATES.search(source.code.text)):
            yield from _by_custom(root, package.dir, source, match.start(), "templates", "rocket_dyn_templates")
        if _uses(package, "loco-rs") and (match := re.search(r"\bloco_rs::", source.code.text)):
            yield from _by_custom(root, package.dir, source, match.start(), "config", "loco")


def _in_dev(
    workspace: Workspace, folders: Mapping[str, str], sources: Sequence[Source], *, release: bool
) -> Iterator[Opened]:
    """What rust-embed does not embed, but reads."""
    for source in sources if not release else ():
        package = workspace.packages[source.package]
        if _uses(package, "rust-embed") and not _embeds(package):
            yield from opened_files.embedded_by_rust_embed(folders, source)


def _by_custom(root: Path, folder: str, source: Source, at: int, name: str, what: str) -> Iterator[Opened]:
    for top in dict.fromkeys((".", folder)):
        path = posixpath.normpath(posixpath.join(top, name))
        if (root / path).exists():
            yield Opened(path, name, "", what, source.where(at), source.package, source.program)
            return


def _embeds(package: Package) -> bool:
    """Whether rust-embed embeds in dev builds, too."""
    asked = (one.spec.get("features", []) for one in package.dependencies if one.package == "rust-embed")
    return any({"debug-embed", "deterministic-timestamps-always"} & set(names) for names in asked)


def _configuration(root: Path, opened: Iterable[Opened]) -> Iterator[str]:
    """The configuration files among what is opened, and in the folders among it."""
    seen: set[str] = set()
    for one in opened:
        names = [one.path]
        if (root / one.path).is_dir():
            names = [f"{one.path}/{name}" for name in sorted(os.listdir(root / one.path))]
        for name in names:
            if name.endswith((".toml", ".yaml", ".yml", ".json")) and name not in seen and (root / name).is_file():
                seen.add(name)
                yield name


def _places(sources: Iterable[Source], pattern: re.Pattern[str]) -> Iterator[str]:
    for source in sources:
        if match := pattern.search(source.code.text):
            yield source.where(match.start())


def _dotenv(root: Path) -> Iterator[str]:
    """The names in the `.env`, or in the example of one."""
    text = next((text for name in _ENV_FILES if (text := text_of(root / name))), "")
    for match in re.finditer(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=", text, re.MULTILINE):
        yield match[1]


def _needs(root: Path, listens: Iterable[Listens]) -> tuple[str, int, str] | None:
    """A variable that gives the port and has no default; the port as a `.env` or its example has it, or 8080."""
    one = next((one for one in listens if one.needs), None)
    if one is None or one.needs is None:
        return None
    for name in _ENV_FILES:
        match = re.search(
            rf"^[ \t]*(?:export[ \t]+)?{one.needs}[ \t]*=[ \t]*[\"']?(\d{{2,5}})\b",
            text_of(root / name) or "",
            re.MULTILINE,
        )
        if match:
            return one.needs, int(match[1]), one.where
    return one.needs, 8080, one.where


# --- which of it belongs into an image --------------------------------------------------------------------------------


def _sorted(
    root: Path, lister: Lister, found: Sequence[Opened], entry: str
) -> tuple[tuple[Opened, ...], tuple[tuple[str, str, str], ...]]:
    """Each path once, without what lies in another one of them; and what is secret."""
    secrets: dict[str, tuple[str, str, str]] = {}
    kept: dict[str, Opened] = {}
    for one in sorted(found, key=lambda one: (not one.sure, one.base != "", one.package != entry)):
        whole = _whole_folder(root, lister, one)
        inside = _secret(root, lister, whole.path)
        if inside is not None:
            secrets.setdefault(inside, (inside, one.where, _why_secret(root, inside)))
            if (root / whole.path).is_file():
                continue
            whole = whole._replace(sure=False)
        kept.setdefault(whole.path, whole)
    outer = tuple(
        one
        for one in kept.values()
        if not any(one.path.startswith(f"{other.path}/") and (other.sure or not one.sure) for other in kept.values())
    )
    return tuple(sorted(outer, key=lambda one: (one.package != entry, one.path))), tuple(secrets.values())


def _whole_folder(root: Path, lister: Lister, one: Opened) -> Opened:
    """The folder by custom of a file, unless there is something secret in it: its other files are read as well."""
    first, _, rest = one.name.partition("/")
    if not rest or first not in CUSTOMARY or not f"/{one.path}".endswith(f"/{one.name}"):
        return one
    path = one.path.removesuffix(f"/{rest}")
    if not (root / path).is_dir() or _secret(root, lister, path) is not None:
        return one
    return one._replace(path=path, name=first)


def _secret(root: Path, lister: Lister, path: str) -> str | None:
    """The first file at or below a path that holds a secret, of those that builds get."""
    if (root / path).is_file():
        return path if _why_secret(root, path) else None
    below = f"{path}/"
    return next((name for name in lister.files if name.startswith(below) and _why_secret(root, name)), None)


def _why_secret(root: Path, path: str) -> str:
    if _SECRET.search(path) or _KEY_FILE.search(path):
        return "it is called like a secret"
    try:
        if os.path.getsize(root / path) > _LARGEST:
            return ""
    except OSError:
        return ""
    text = text_of(root / path) or ""
    for form in credentials.FORMS:
        if any(literal in text for literal in form.literals) and re.search(form.strict, text):
            return f"it holds {form.kind}"
    return ""
