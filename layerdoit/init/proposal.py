"""What layerdoit.yaml should hold for a tree: only what detection cannot know, each line with its reason. Pure.

propose(found) -> Proposal     # settings, active ones and ones that are only shown as comments
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.cargo.entrypoint import choose
from layerdoit.config import credentials, repository_name
from layerdoit.core.prose import listed
from layerdoit.init import builds, folders_of_user, run_items
from layerdoit.init.hints import Hint
from layerdoit.init.items import Item, checked, in_order, unique

if TYPE_CHECKING:
    from layerdoit.cargo.native import Suites
    from layerdoit.init.found import Found

# In every builder, or of use only to those who write Dockerfiles.
_ALWAYS = frozenset((
    "apt-transport-https", "apt-utils", "build-essential", "ca-certificates", "debian-archive-keyring", "dpkg-dev",
    "g++", "gcc", "gnupg", "gnupg2", "libc-dev", "libc6-dev", "lsb-release", "make", "pkg-config", "pkgconf",
    "software-properties-common",
))  # fmt: skip
# Tools of which a Dockerfile says only that it used them itself.
_HELPERS = frozenset(("curl-program", "git", "nodejs", "rsync", "sqlite3-shell", "unzip", "wget", "xz"))
_HARMLESS = frozenset(("tzdata", "netbase", "media-types", "mime-support"))
_BUILD_ENV = re.compile(
    r"(RUSTFLAGS|RUSTC_\w+|CARGO_(PROFILE|BUILD|FEATURE|INCREMENTAL|NET)\w*|SQLX_\w+|(HOST_|TARGET_)?C(XX)?(FLAGS)?)$"
)
_IMAGE_ENV_SKIPPED = re.compile(r"(PATH|DEBIAN_FRONTEND|HOME|TERM|LANG|LC_\w+|CARGO_\w+|RUSTUP_\w+|RUSTFLAGS|DIR)$")


@dataclass(frozen=True)
class Proposal:
    """Items in the order of the schema; `remarks` are sentences for the user that no setting expresses."""

    items: tuple[Item, ...]
    remarks: tuple[str, ...] = ()

    @property
    def active(self) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.active)


def propose(found: Found) -> Proposal:
    """The settings for a tree; every active one is valid by the schema."""
    listed = [
        *_name(found),
        *_cargo(found),
        *_build_environment(found),
        *_packages(found),
        *_sources(found),
        *_image(found),
        *_deploy(found),
        *folders_of_user.items(found, _project(found)),
        *run_items.items(found),
    ]
    valid = [checked(item) for item in listed]
    # A login is not even shown: a comment is committed as well.
    secret = {item: what for item in valid if (what := _credential(item))}
    # Without one of its words, a command is another command.
    paths = {item.path for item in secret if item.path == "image.cmd"}
    kept = [item for item in valid if item not in secret and item.path not in paths]
    withheld = [f"{item.why}: {what}: give it at run time" for item, what in secret.items()]
    return Proposal(tuple(in_order(unique(kept))), (*withheld, *_remarks(found)))


def _credential(item: Item) -> str | None:
    if item.path in ("env", "image.env"):
        return credentials.found(*item.value)
    held = credentials.in_value(item.value) if item.path == "image.cmd" else None
    return held and f"the command holds {held}"


def _name(found: Found) -> Iterator[Item]:
    """Without a root package the name would follow the folder, or the only package until there is a second one."""
    if (name := _proposed_name(found)) is not None:
        yield Item(
            "project",
            name,
            "names images and container; the same in every folder, and when packages are added",
        )


def _proposed_name(found: Found) -> str | None:
    return builds.project_name(found.root, found.workspace, found.selection)


def _project(found: Found) -> str:
    """The name that the project will have."""
    return _proposed_name(found) or repository_name(found.workspace.root_package or found.root.name)


# --- what cargo builds ------------------------------------------------------------------------------------------------


def _cargo(found: Found) -> Iterator[Item]:
    packages, bins = builds.chosen(found.workspace, found.hints)
    yield from packages
    yield from bins
    yield from builds.features(found.workspace, found.hints)
    for hint in found.hints:
        if hint.kind == "profile" and hint.value != "dev":
            yield Item("profile", hint.value, f"{hint.origin}; dev compiles much faster", active=False)
            break
    for hint in found.hints:
        if hint.kind == "target" and "linux" in hint.value:
            yield Item("target", hint.value, hint.origin, active=False)
            break


def _build_environment(found: Found) -> Iterator[Item]:
    if found.sqlx is not None:
        yield Item("env", ("SQLX_OFFLINE", "true"), f"queries are checked against {found.sqlx}, not a database")
    for variable, program in found.wrappers:
        yield Item(
            "env", (variable, ""), f".cargo/config.toml starts every compiler by {program}, which the builder lacks"
        )
    for hint in found.hints:
        name, _, value = hint.value.partition("=")
        if hint.kind == "build-env" and _BUILD_ENV.match(name) and value:
            yield Item("env", (name, value), hint.origin, active=name == "SQLX_OFFLINE")


# --- Debian packages --------------------------------------------------------------------------------------------------


def _packages(found: Found) -> Iterator[Item]:
    for need in found.needs:
        sure = "" if need.certain else "perhaps, "
        through = need.why.partition(", through ")[2]
        why = f"{sure}{need.crate} {need.version}" + (f", through {through}" if through else "")
        yield from (Item("base.packages", name, why) for name in need.build)
        yield from (Item("base.runtime_packages", name, why) for name in need.run)
    for name, why in found.linkers:
        yield Item("base.packages", name, why)
    for hint in found.hints:
        if hint.kind in ("apt-build", "apt-run") and hint.value.partition(":")[0] not in _ALWAYS:
            yield from _translated(hint, found.suites)


def _translated(hint: Hint, suites: Suites) -> Iterator[Item]:
    """A package of an existing Dockerfile, by the name that it has in the suites of our images."""
    from layerdoit.cargo.native import table

    name = hint.value.partition(":")[0]
    data = table()
    ours = data.providers(suites.build, suites.run)
    build = hint.kind == "apt-build"
    path = "base.packages" if build else "base.runtime_packages"
    for suite in (data.data["suite"], *data.suites):
        for provider in data.providers(suite).values():
            if name in (*provider.build, *provider.run):
                here = ours[provider.name]
                if here.elsewhere:
                    only = f"only {' and '.join(here.elsewhere)} have it"
                    yield Item(path, name, f"{hint.origin}; {only}", active=False)
                    return
                names = ((name,) if name in here.build else here.build) if build else here.run
                active = provider.name not in _HELPERS and (provider.library or build)
                for one in names or ((name,) if name in here.build else ()):
                    yield Item(path, one, hint.origin, active=active and bool(names))
                return
    yield Item(path, name, hint.origin, active=name in _HARMLESS and not build)


# --- sources ----------------------------------------------------------------------------------------------------------


def _sources(found: Found) -> Iterator[Item]:
    for where, one in found.hidden:
        if one.include:
            yield Item("sources.include", one.include, f"{where} reads it; {one.why}")


# --- image and container ----------------------------------------------------------------------------------------------


def _image(found: Found) -> Iterator[Item]:
    names = [name for _, name in found.selection.bins] if found.selection else []
    entry = next((hint for hint in found.hints if hint.kind == "entrypoint" and hint.value in names), None)
    if len(names) > 1 and entry is not None:
        yield Item("image.entrypoint", entry.value, entry.origin)
    elif found.selection is not None and len(names) > 1:
        runs = choose(found.workspace, found.selection, _proposed_name(found), found.root.name)
        told = f"{runs.why}; " if runs.why else ""
        why = f"{told}one of {', '.join(names[:12])}: what the image runs"
        yield Item("image.entrypoint", runs.name, why, active=False)
    for hint in found.hints:
        if hint.kind == "cmd" and entry is not None:
            yield from (Item("image.cmd", word, hint.origin) for word in json.loads(hint.value))
        elif hint.kind == "env" and not _IMAGE_ENV_SKIPPED.match(hint.value.partition("=")[0]):
            name, _, value = hint.value.partition("=")
            yield Item("image.env", (name, value), hint.origin)
        elif hint.kind == "port":
            yield Item("image.expose", hint.value, hint.origin)
        elif hint.kind == "asset":
            source, _, target = hint.value.rpartition(":")
            yield Item("image.assets", (source, folders_of_user.reachable(target)), hint.origin)
            if source in found.compiled:
                yield Item("sources.include", source, f"{found.compiled[source]} compiles it in")


def _deploy(found: Found) -> Iterator[Item]:
    ports = list(dict.fromkeys(hint.value.partition("/")[0] for hint in found.hints if hint.kind == "port"))
    for hint in found.hints:
        if hint.kind == "port" and "/udp" not in hint.value:
            yield Item("deploy.port", int(hint.value.partition("/")[0]), hint.origin, active=len(ports) == 1)
            if len(ports) == 1:
                break
    for hint in found.hints:
        if hint.kind == "publish" and len(ports) == 1 and hint.value not in ports:
            yield Item("deploy.publish", int(hint.value), hint.origin)
        elif hint.kind == "health" and ports:
            yield Item("deploy.health.path", hint.value, hint.origin, active=len(ports) == 1)


def _remarks(found: Found) -> Iterator[str]:
    if found.unknown:
        shown = ", ".join(found.unknown[:6])
        yield f"{shown} may need Debian packages that we do not know; a failing build says which"
    if foreign := [hint for hint in found.hints if hint.kind == "apk"]:
        names = ", ".join(dict.fromkeys(hint.value for hint in foreign))
        yield f"Alpine packages whose Debian names we do not know: {names} ({foreign[0].where})"
    if found.suites.doubt:
        yield found.suites.doubt
    if len(found.submodules) == 1:
        path = found.submodules[0]
        yield f"the submodule {path} is not checked out: git submodule update --init {path}"
    elif found.submodules:
        first = ", ".join(found.submodules[:2])
        yield f"{len(found.submodules)} submodules are not checked out ({first}, …): git submodule update --init"
    for where, one in found.hidden:
        if not one.include:
            yield f"{where} reads {one.path}, which is not sent to builds: {one.why}; {one.cure}"
    if found.pointers:
        yield f"only the pointers of git LFS are here: {listed(found.pointers, 5)}; next: git lfs pull"
    arguments = [hint for hint in found.hints if hint.kind == "arg" and not hint.value.startswith(("TARGET", "BUILD"))]
    if arguments:
        names = ", ".join(dict.fromkeys(hint.value for hint in arguments))
        file = arguments[0].where.rpartition(":")[0]
        yield f"build arguments of {file} have no counterpart: {names} (see env, features)"
    yield from _asked_of_git(found)
    if found.asks_database:
        yield f"sqlx checks {found.asks_database} against a database, which no build has: run `cargo sqlx prepare`"
    yield from run_items.remarks(found)
    yield from folders_of_user.remarks(found)
    yield from found.notes


def _asked_of_git(found: Found) -> Iterator[str]:
    if found.asks_git:
        verb = "asks" if len(found.asks_git) == 1 else "ask"
        yield f"{listed(found.asks_git, 3)} {verb} git; the image has no commit: read a variable first, given by env:"
