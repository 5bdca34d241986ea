"""Debian packages: those that crates need, and those of an existing Dockerfile. Each comment has its reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from layerdoit.init.items import Item

if TYPE_CHECKING:
    from layerdoit.cargo.native import Provider
    from layerdoit.init.found import Found
    from layerdoit.init.hints import Hint

# In every builder, or of use only to those who write Dockerfiles.
_ALWAYS: Final = frozenset((
    "apt-transport-https", "apt-utils", "build-essential", "ca-certificates", "cargo", "debian-archive-keyring",
    "dpkg-dev", "g++", "gcc", "gnupg", "gnupg2", "libc-dev", "libc6-dev", "lsb-release", "make", "pkg-config",
    "pkgconf", "rustc", "rustup", "software-properties-common",
))  # fmt: skip
# Tools of which a Dockerfile says only that it used them itself.
_HELPERS: Final = frozenset(("curl-program", "git", "nodejs", "rsync", "sqlite3-shell", "unzip", "wget", "xz"))
_HARMLESS: Final = frozenset(("tzdata", "netbase", "media-types", "mime-support"))
_INITS: Final = frozenset(("tini", "dumb-init", "catatonit"))
_UNASKED: Final = "no crate of Cargo.lock is known to ask for it"
_TOOL: Final = "no source starts it; the Dockerfile may need it for itself"


def items(found: Found) -> Iterator[Item]:
    """The crates' first, because their reasons are the better ones."""
    for need in found.needs:
        sure = "" if need.certain else "perhaps, "
        through = need.why.partition(", through ")[2]
        why = f"{sure}{need.crate} {need.version}" + (f", through {through}" if through else "")
        yield from (Item("base.packages", name, why) for name in need.build)
        yield from (Item("base.runtime_packages", name, why) for name in need.run)
    for name, why in found.linkers:
        yield Item("base.packages", name, why)
    program = next((one.where for one in found.asks_git if one.program), None)
    if program is not None:
        yield Item("base.packages", "git", f"{program} calls it", active=found.in_repository)
    for hint in found.hints:
        if hint.kind in ("apt-build", "apt-run") and hint.value.partition(":")[0] not in _ALWAYS:
            yield from _of_dockerfile(hint, found)
        elif hint.kind == "apk":
            path = "base.packages" if hint.why == "apt-build" else "base.runtime_packages"
            why = f"from {hint.where}, by Alpine's name; Debian's may be another"
            yield Item(path, hint.value, why, active=False)


def _of_dockerfile(hint: Hint, found: Found) -> Iterator[Item]:
    """A package of an existing Dockerfile, by the name that it has in the suites of our images."""
    from layerdoit.cargo.native import table

    name = hint.value.partition(":")[0]
    if name in ("musl-tools", "musl-dev"):
        if any(one.kind == "target" and "musl" in one.value for one in found.hints):
            yield Item("base.packages", name, f"{hint.origin}, for a musl target", active=False)
        return
    data = table()
    ours = data.providers(found.suites.build, found.suites.run)
    build = hint.kind == "apt-build"
    path = "base.packages" if build else "base.runtime_packages"
    for suite in (data.data["suite"], *data.suites):
        for provider in data.providers(suite).values():
            if name in (*provider.build, *provider.run):
                here = ours[provider.name]
                if here.elsewhere:
                    only = f"only {' and '.join(here.elsewhere)} have it"
                    yield Item(path, name, f"{hint.origin}; {only}", active=False)
                else:
                    yield from _provided(hint, here, found)
                return
    if name in _HARMLESS:
        yield from () if build else (Item(path, name, hint.origin),)
    elif crate := _asked_by(name, found):
        yield Item(path, name, f"{hint.origin}, for {crate}")
    elif hint.why:
        yield Item(path, name, hint.origin)
    elif name in _INITS:
        yield Item(path, name, f"{hint.origin}; the image starts the program by itself", active=False)
    else:
        why = _UNASKED if build or name.startswith("lib") else _TOOL
        yield Item(path, name, f"{hint.origin}; {why}", active=False)


def _provided(hint: Hint, here: Provider, found: Found) -> Iterator[Item]:
    """A package of the table; `here`: what it is called in our images."""
    name, build = hint.value.partition(":")[0], hint.kind == "apt-build"
    path = "base.packages" if build else "base.runtime_packages"
    names = ((name,) if name in here.build else here.build) if build else here.run
    if not build and not names and not here.library and name in here.build:
        names = (name,)
    reason = ""
    if here.name in _HELPERS or not (here.library or build):
        reason = "" if hint.why else _TOOL
    elif here.library and not _is_asked_for(here, found):
        reason = _UNASKED
    for one in names:
        yield Item(path, one, f"{hint.origin}; {reason}" if reason else hint.origin, active=not reason)


def _is_asked_for(provider: Provider, found: Found) -> bool:
    """Whether a locked crate may need a library; a build script of the project's own may link to anything."""
    from layerdoit.cargo.native import table

    if any(package.build_script for package in found.workspace.packages.values()):
        return True
    rules = table().rules
    wanted = (rule for crate in found.locked for rule in rules.get(crate, ()))
    return any(provider.name in rule["needs"] for rule in wanted)


def _asked_by(package: str, found: Found) -> str | None:
    """The crate, among those that nobody knows here, that is called like a package or links to what it is called."""
    stem = _stem(re.sub(r"(-dev|t64)$", "", package))
    for crate in found.unknown:
        for name in (re.sub(r"[-_]sys\d*$", "", crate), found.links.get(crate, "")):
            other = _stem(name)
            if stem and other and (stem == other or (len(stem) > 3 and other.startswith(stem))):
                return crate
    return None


def _stem(name: str) -> str:
    """`hwloc` of libhwloc15, libhwloc-dev and hwloc."""
    return re.sub(r"[-_.\d]+$", "", name.removeprefix("lib")).replace("_", "-").lower()
