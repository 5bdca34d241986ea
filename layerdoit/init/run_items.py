"""What a program needs while it runs, as settings and remarks. Pure.

items(found, project) -> Iterator[Item]
remarks(found) -> Iterator[str]
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from layerdoit.config import Image
from layerdoit.core.prose import listed
from layerdoit.init import folders_of_user
from layerdoit.init.bound_address import EVERYWHERE
from layerdoit.init.items import Item
from layerdoit.tree import layout

if TYPE_CHECKING:
    from layerdoit.init.bound_address import Listens
    from layerdoit.init.found import Found
    from layerdoit.init.opened_files import Opened

_UNREACHABLE: Final = "nobody outside of the container reaches it there"


def items(found: Found, project: str) -> Iterator[Item]:
    """The settings; what an existing Dockerfile says is not repeated."""
    yield from _program(found)
    yield from _assets(found)
    yield from _port(found)
    yield from _reachable(found)
    yield from _health(found)
    yield from _volumes(found, project)
    if found.runs.manifest_variable and "CARGO_MANIFEST_DIR" not in _set(found):
        value = posixpath.normpath(posixpath.join(workdir(found), found.runs.package))
        yield Item("image.env", ("CARGO_MANIFEST_DIR", value), f"{found.runs.manifest_variable} asks for it")


def _program(found: Found) -> Iterator[Item]:
    if found.runs.program is not None:
        name, where = found.runs.program
        yield Item("image.entrypoint", name, f"the only program that listens: {where}")


# --- files ------------------------------------------------------------------------------------------------------------


def workdir(found: Found) -> str:
    """The working directory of the program."""
    if found.runs.workdir is not None:
        return found.runs.workdir
    named = [item.value for item in folders_of_user.items(found, "") if item.path == "image.workdir" and item.active]
    return str(named[-1]) if named else Image().workdir


def _assets(found: Found) -> Iterator[Item]:
    copied = [hint.value.rpartition(":")[0] for hint in found.hints if hint.kind == "asset"]
    ignored = dict(found.runs.ignored)
    targets: dict[str, str] = {}
    for one in found.runs.opened:
        if any(f"{one.path}/".startswith(f"{name}/") for name in copied):
            continue
        place = place_of(found, one)
        why = f"{one.where}: {one.what}"
        taken = targets.setdefault(place, one.path)
        if taken != one.path:
            yield Item("image.assets", (one.path, place), f"{why}; {taken} is copied there", active=False)
            continue
        yield Item("image.assets", (one.path, place), why, active=one.sure)
        if one.sure and one.path in ignored and ignored[one.path].include:
            yield Item("sources.include", ignored[one.path].include, ignored[one.path].why)
        elif one.sure and one.path in found.compiled:
            yield Item("sources.include", one.path, f"{found.compiled[one.path]} compiles it in")


def place_of(found: Found, one: Opened) -> str:
    """Where the program looks: below its working directory, or where its package lay when it was compiled."""
    folder = found.workspace.packages[one.package].dir if one.base else "."
    if one.base == "build":
        return posixpath.join(layout.IN_BUILD, layout.context_path(found.runs.home, posixpath.join(folder, one.name)))
    return posixpath.normpath(posixpath.join(workdir(found), folder, one.name))


# --- the address ------------------------------------------------------------------------------------------------------


def _ports(found: Found) -> list[int]:
    """The ports that existing files name."""
    told = (hint.value for hint in found.hints if hint.kind == "port" and not hint.value.endswith("/udp"))
    return list(dict.fromkeys(int(port.partition("/")[0]) for port in told))


def _set(found: Found) -> dict[str, str]:
    """The variables that an existing Dockerfile or compose file gives the program."""
    return dict(hint.value.partition("=")[::2] for hint in found.hints if hint.kind in ("env", "deploy-env"))


def _listens(found: Found) -> list[Listens]:
    """Where the program listens with the variables that an existing Dockerfile sets."""
    given = _set(found)
    out = []
    for one in found.runs.listens:
        by_address = given.get(one.variable[0], "") if one.variable and one.variable[1] == "address" else ""
        port = given.get(one.port_variable or "", "") or by_address.rpartition(":")[2]
        out.append(one._replace(port=int(port), fixed=False) if port.isdigit() and int(port) else one)
    return out


def _port(found: Found) -> Iterator[Item]:
    """What existing files say is not said again, unless the program binds another port, whatever they say."""
    told, listens = _ports(found), _listens(found)
    if not told and not listens and found.runs.needs is not None:
        variable, port, where = found.runs.needs
        if variable not in _set(found):
            yield Item("image.env", (variable, str(port)), f"{where} needs it")
        yield Item("deploy.port", int(_set(found).get(variable, port)), where)
        return
    both = [one for one in listens if one.port in told] if told else listens
    if len(told) == 1 and len(listens) == 1 and listens[0].fixed and not both:
        yield Item("deploy.port", listens[0].port, f"{listens[0].where}, whatever {_where_told(found)} says")
    elif len(told) != 1:
        yield from (Item("deploy.port", one.port, one.where, active=len(both) == 1) for one in both if one.port)


def _where_told(found: Found) -> str:
    return next((hint.where for hint in found.hints if hint.kind == "port"), "another file")


def _reachable(found: Found) -> Iterator[Item]:
    """The variable or option that makes a program listen on all addresses."""
    for one in _closed(found):
        why = f"{one.where} listens on {one.host} otherwise"
        if one.variable is not None:
            yield Item("image.env", (one.variable[0], _everywhere(one, one.variable[1])), why)
        elif one.flag is not None and not any(hint.kind in ("cmd", "args") for hint in found.hints):
            active = not found.runs.subcommands
            yield Item("image.cmd", one.flag[0], why, active=active)
            yield Item("image.cmd", _everywhere(one, one.flag[1]), why, active=active)


def _everywhere(one: Listens, form: str) -> str:
    return f"{EVERYWHERE}:{one.port}" if form == "address" else EVERYWHERE


def _closed(found: Found) -> Iterator[Listens]:
    """Where the program listens so that only its own container reaches it, unless a Dockerfile sets it right."""
    listens, told = _listens(found), _ports(found)
    if any(hint.kind in ("cmd", "args") for hint in found.hints):
        return  # its arguments may say another address
    for one in listens:
        given = one.variable is not None and one.variable[0] in _set(found)
        if one.loopback and not given and (len(listens) == 1 or one.port in told):
            yield one


def _health(found: Found) -> Iterator[Item]:
    route = found.runs.health
    if route is None or any(hint.kind in ("health", "health-command") for hint in found.hints):
        return
    ports = [item for item in _port(found) if item.path == "deploy.port" and item.active]
    if ports or len(_ports(found)) == 1:
        yield Item("deploy.health.path", route.path, route.where, active=route.sure)


# --- data that outlives a container -----------------------------------------------------------------------------------


def _volumes(found: Found, project: str) -> Iterator[Item]:
    """For the folder of a SQLite database, unless existing files mount one there."""
    assets = [place_of(found, one) for one in found.runs.opened if one.sure]
    for one in found.runs.databases:
        target = posixpath.normpath(posixpath.join(workdir(found), one.folder))
        if not one.folder or one.folder == "/" or _is_mounted(found, target):
            continue
        name = re.sub(r"[^\w.-]+", "-", one.folder.strip("/"))
        # A volume hides what a later image has there.
        free = not any(f"{asset}/".startswith(f"{target}/") for asset in assets)
        why = f"{one.where}: {posixpath.basename(one.path)} outlives a container there"
        yield Item("deploy.volumes", f"{project}-{name}:{target}", why, active=free)


def _is_mounted(found: Found, target: str) -> bool:
    targets = [hint.value for hint in found.hints if hint.kind in ("volume", "folder")]
    targets += [hint.value.split(":")[1] for hint in found.hints if hint.kind == "mount"]
    return any(f"{target}/".startswith(f"{one.rstrip('/')}/") for one in targets)


# --- remarks ----------------------------------------------------------------------------------------------------------


def remarks(found: Found) -> Iterator[str]:
    """What no setting can do."""
    runs = found.runs
    for one in _closed(found):
        if one.variable is None and (one.flag is None or runs.subcommands):
            yield f"{one.where} listens on {one.host}, and {_UNREACHABLE}: let it listen on {EVERYWHERE}"
    for path, where, why in runs.secrets:
        yield f"{where} opens {path}, which stays out of the image, as {why}: mount it by deploy: volumes:"
    for path, what, where in runs.missing:
        if not any(hint.kind in ("asset", "note") and path in hint.value for hint in found.hints):
            line = f"image: {{assets: {{{path}: {posixpath.join(workdir(found), path)}}}}}"
            yield f"{where} names {path} ({what}), which is not here; once it is made, add to layerdoit.yaml: {line}"
    for kept in runs.databases:
        if not kept.folder:
            goes = f"{kept.where} keeps {kept.path} in the working directory, so that it goes with the container"
            yield f"{goes}: keep it in a folder, and mount that by deploy: volumes:"
    if runs.dotenv is not None and runs.dotenv_names:
        names = [name for name in runs.dotenv_names if name not in _set(found)]
        if names:
            given = f"give what it needs of {listed(names, 6)} under deploy: env:"
            yield f"{runs.dotenv} loads a .env, which no image gets: {given}"
    built = [one for one in runs.opened if one.base == "build"]
    if built:
        yield (
            f"{built[0].where} looks for {built[0].path} where it was compiled ({place_of(found, built[0])}), so it is "
            "copied there; a path relative to the working directory would not need that"
        )
