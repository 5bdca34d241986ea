"""Logins for git dependencies over http, as a git configuration that a cook mounts.

    configuration(sources, environment, bundle) -> str      # '' where no repository needs one, or none is known

`url.….insteadOf` and no credential helper: cargo's libgit2, its curl and git itself follow it alike, and cargo notes
the plain address. Helpers are found by other rules in cargo than in git (not for a host with a port), and need a shell
that quotes. Curl sends a login unasked, also where everybody may read: one that has expired would be refused there.
"""

from __future__ import annotations

import contextlib
import netrc
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from layerdoit import process
from layerdoit.errors import ProcessError

PATIENCE: Final = 10.0
"""Seconds that git's credential helpers have, and a server that is asked whether it needs a login."""
# Nobody is there to answer: neither on the terminal nor in a window.
_UNASKED: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GCM_INTERACTIVE": "never"}
# What a build has of this machine's git: nothing.
_BARE: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "",
    "HOME": os.devnull,
    "XDG_CONFIG_HOME": os.devnull,
}


class Login(NamedTuple):
    """Not percent-encoded."""

    user: str
    password: str


def configuration(sources: Iterable[str], environment: Mapping[str, str], bundle: Path | None) -> str:
    """Git configuration with the logins of the repositories that need one. `sources`: `git+https://…`, as locked.

    Every login is masked in all text from now on.
    """
    places: dict[str, Login] = {}
    for address in sorted({_address(source) for source in sources}):
        parts = _parts(address)
        if parts is None:
            continue
        if parts.password:
            # cargo has it from the address.
            _register(Login(unquote(parts.username or ""), unquote(parts.password)))
            continue
        login = _of_git(address) or _of_netrc(parts, environment)
        host = f"{parts.scheme}://{parts.netloc}/"
        if login is None or places.get(host) == login:
            continue
        _register(login)
        if not _open(address, bundle):
            # The first one is the host's, for submodules too; a repository with another one has it for itself.
            places[address if host in places else host] = login
    return "".join(_instead(place, login) for place, login in sorted(places.items()))


def _address(source: str) -> str:
    return source.removeprefix("git+").partition("#")[0].partition("?")[0]


def _parts(address: str) -> SplitResult | None:
    """None for what is no address: cargo will say so."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname and address.isprintable() else None


def _of_git(address: str) -> Login | None:
    """What git on this machine would log in with, unless it had to ask for it."""
    command = ["git", "-c", "credential.interactive=false", "credential", "fill"]
    try:
        said = process.capture(command, env=_UNASKED, input=f"url={address}\n\n", seconds=PATIENCE).stdout
    except ProcessError:
        return None
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    password = found.get("password")
    return Login(found.get("username", ""), password) if password else None


def _of_netrc(parts: SplitResult, environment: Mapping[str, str]) -> Login | None:
    """git's own downloads look there, `git credential` does not."""
    home = Path(environment.get("HOME", "/"))
    for path in (home / ".netrc", home / "_netrc"):
        with contextlib.suppress(OSError, ValueError, netrc.NetrcParseError):
            found = netrc.netrc(path).authenticators(parts.hostname or "")
            if found and found[2] and parts.username in (None, found[0]):
                return Login(found[0], found[2])
    return None


def _open(address: str, bundle: Path | None) -> bool:
    """Whether everybody may read a repository: then no build script gets to see a login that is of no use."""
    certificates = {"GIT_SSL_CAINFO": str(bundle)} if bundle else {}
    command = ["git", "-c", "credential.helper=", "ls-remote", "--quiet", address, "HEAD"]
    try:
        process.capture(command, cwd="/", env={**_UNASKED, **_BARE, **certificates}, seconds=PATIENCE)
    except ProcessError:
        return False
    return True


def _register(login: Login) -> None:
    process.register_secret(login.password)
    if login.password == "x-oauth-basic":  # noqa: S105 - a custom: the user's name is the token
        process.register_secret(login.user)


def _instead(place: str, login: Login) -> str:
    scheme, _, rest = place.partition("://")
    host, slash, path = rest.partition("/")
    user, password = quote(login.user, safe=""), quote(login.password, safe="")
    logged_in = f"{scheme}://{user}:{password}@{host.rpartition('@')[2]}{slash}{path}"
    return f"[url {_quoted(logged_in)}]\n\tinsteadOf = {_quoted(place)}\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
