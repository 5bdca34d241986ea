"""What layerdoit.yaml should hold for a tree: only what detection cannot know, each line with its reason. Pure.

propose(found) -> Proposal     # settings, active ones and ones that are only shown as comments
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.config import credentials, repository_name
from layerdoit.init import builds, folders_of_user, image_settings, remarks, run_items
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
_COMMANDS = frozenset(("image.cmd", "deploy.args"))


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
    every = [
        *_name(found),
        *_cargo(found),
        *_build_environment(found),
        *_packages(found),
        *_sources(found),
        *run_items.items(found),
        *image_settings.items(found, _proposed_name(found)),
        *folders_of_user.items(found, _project(found)),
    ]
    valid = [checked(item) for item in every]
    # A login is not even shown: a comment is committed as well.
    secret = {item: what for item in valid if (what := _credential(item))}
    # Without one of its words, a command is another command.
    paths = {item.path for item in secret if item.path in _COMMANDS}
    kept = [item for item in valid if item not in secret and item.path not in paths]
    withheld = [f"{item.why}: {what}: give it at run time" for item, what in secret.items()]
    return Proposal(tuple(in_order(unique(kept))), (*withheld, *remarks.of(found)))


def _credential(item: Item) -> str | None:
    if item.path in ("env", "image.env", "deploy.env"):
        return credentials.found(*item.value)
    held = credentials.in_value(item.value) if item.path in _COMMANDS else None
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
