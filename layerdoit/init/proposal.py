"""What layerdoit.yaml should hold for a tree: only what detection cannot know, each line with its reason. Pure.

propose(found) -> Proposal     # settings, active ones and ones that are only shown as comments
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layerdoit.config import credentials, repository_name
from layerdoit.core.platform import architecture
from layerdoit.core.prose import listed
from layerdoit.init import builds, front_end_items, package_items, remarks, service_items
from layerdoit.init.items import Item, checked, in_order, unique

if TYPE_CHECKING:
    from layerdoit.init.found import Found
    from layerdoit.init.service_items import Services

_BUILD_ENV = re.compile(
    r"(RUSTFLAGS|RUSTC_\w+|CARGO_(PROFILE|BUILD|FEATURE|INCREMENTAL|NET)\w*|SQLX_\w+|(HOST_|TARGET_)?C(XX)?(FLAGS)?)$"
)
# What tells build scripts where a library or program is, or how to link to it.
_LIBRARY_ENV = re.compile(
    r"PROTOC(_INCLUDE)?|LIBCLANG_PATH|LLVM_CONFIG_PATH|BINDGEN_EXTRA_CLANG_ARGS\w*|PKG_CONFIG_\w+|\w+_SYS_\w+"
    r"|\w+_(LIB_DIR|INCLUDE_DIR|LIB|LIBRARY_PATH|DIR|ROOT|PREFIX|STATIC|DYNAMIC|COMPILE|NO_VENDOR|NO_PKG_CONFIG"
    r"|USE_PKG_CONFIG|VENDORED)$"
)
_DEBIAN = re.compile(r"/usr/(lib|include|bin|share)(/|$)")
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
    services, components = service_items.proposed(found, front_end_items.proposed(found))
    found = front_end_items.relieved(found, components)
    services = service_items.of(found, services)
    every = [
        *_name(found),
        *_cargo(found, services),
        *_build_environment(found),
        *_git(found),
        *package_items.items(found),
        *_sources(found),
        *service_items.items(found, services, components, _project(found), _proposed_name(found)),
        *front_end_items.items(found, components),
    ]
    valid = [checked(item) for item in every]
    # A login is not even shown: a comment is committed as well.
    secret = {item: what for item in valid if (what := _credential(item))}
    # Without one of its words, a command is another command.
    paths = {item.path for item in secret if item.plain in _COMMANDS}
    kept = [item for item in valid if item not in secret and item.path not in paths]
    withheld = [f"{item.why}: {what}: give it at run time" for item, what in secret.items()]
    return Proposal(
        tuple(in_order(unique(kept))),
        (*withheld, *front_end_items.remarks(found, components), *remarks.of(found, services)),
    )


def _credential(item: Item) -> str | None:
    if item.plain in ("env", "image.env", "deploy.env"):
        return credentials.found(*item.value)
    held = credentials.in_value(item.value) if item.plain in _COMMANDS else None
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


def _cargo(found: Found, services: Services) -> Iterator[Item]:
    # The programs of services are what is built.
    if not services.programs:
        packages, bins = builds.chosen(found.workspace, found.hints)
        yield from packages
        yield from bins
    yield from builds.features(found.workspace, found.hints)
    for hint in found.hints:
        if hint.kind == "profile" and hint.value != "dev":
            yield Item("profile", hint.value, f"{hint.origin}; dev compiles much faster", active=False)
            break
    targets = [hint for hint in found.hints if hint.kind == "target" and "linux" in hint.value]
    own = [hint for hint in targets if hint.value.partition("-")[0] == architecture()]
    for hint in (own or targets)[:1]:
        yield Item("target", hint.value, hint.origin, active=False)
    for hint in [one for one in found.hints if one.kind == "toolchain" and "no rust-toolchain" in found.toolchain][:1]:
        yield Item("toolchain", hint.value, f"{hint.origin}; without it, this machine's own", active=False)


def _git(found: Found) -> Iterator[Item]:
    if found.asks_git:
        places = listed([one.where for one in found.asks_git], 3)
        why = f"{places} {'ask' if len(found.asks_git) > 1 else 'asks'} git; each commit compiles anew what asks"
        if not found.in_repository:
            why = f"{places} asks git; this folder is in no git repository yet"
        yield Item("build.git", "commit", why, active=found.in_repository)


def _build_environment(found: Found) -> Iterator[Item]:
    if found.sqlx is not None:
        yield Item("env", ("SQLX_OFFLINE", "true"), f"queries are checked against {found.sqlx}, not a database")
    for variable, program in found.wrappers:
        yield Item(
            "env", (variable, ""), f".cargo/config.toml starts every compiler by {program}, which the builder lacks"
        )
    for hint in found.hints:
        name, _, value = hint.value.partition("=")
        if hint.kind != "build-env" or not value or name.startswith(("CARGO_HOME", "CARGO_TARGET", "RUSTUP_")):
            continue
        if _LIBRARY_ENV.match(name):
            # Another path is that of a folder which only the Dockerfile's own image has.
            there = not value.startswith("/") or _DEBIAN.match(value) is not None
            why = "" if there else "; only the image that the Dockerfile builds in has this folder"
            yield Item("env", (name, value), f"{hint.origin}{why}", active=there)
        elif _BUILD_ENV.match(name):
            yield Item("env", (name, value), hint.origin, active=name == "SQLX_OFFLINE")


# --- sources ----------------------------------------------------------------------------------------------------------


def _sources(found: Found) -> Iterator[Item]:
    for where, one in found.hidden:
        if one.include:
            yield Item("sources.include", one.include, f"{where} reads it; {one.why}")
