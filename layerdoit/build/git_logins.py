"""Rewrites of addresses and logins for git dependencies, as a git configuration that a cook mounts.

    configuration(sources, environment, bundle) -> str      # '' where no repository needs any
    over_ssh(configuration) -> bool                         # whether it leads to a server that takes a key
    host_keys(sources, configuration, home) -> list[str]    # of such servers, as this machine knows them

`url.….insteadOf` and no credential helper: cargo's libgit2, its curl and git itself follow it alike, and cargo notes
the plain address. Helpers are found by other rules in cargo than in git (not for a host with a port), and need a shell
that quotes. Curl sends a login unasked, also where everybody may read: one that has expired would be refused there.

Rules that this machine's git has for an address already (a company's mirror, ssh in place of https) are followed too:
git applies one rule only, so that its rule and our login have to be the same.
"""

from __future__ import annotations

import contextlib
import netrc
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from layerdoit.core import masking, process
from layerdoit.core.errors import ProcessError

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


# ssh, or `git@host:path`: not another `scheme://…`, a transport of a program (`name::…`), or a drive.
_SSH: Final = re.compile(r"(?:ssh|git\+ssh|ssh\+git)://|[^/:\s\"]{2,}:(?!//|:)")


class Login(NamedTuple):
    """Not percent-encoded."""

    user: str
    password: str


class Place(NamedTuple):
    """`plain`: how the addresses begin that are meant; `real`: what stands there instead, without a login."""

    plain: str
    real: str


def configuration(sources: Iterable[str], environment: Mapping[str, str], bundle: Path | None) -> str:
    """Git configuration with the rewrites and logins of the repositories that need one. `sources`: as locked.

    Every login is masked in all text from now on.
    """
    rules = _rules()
    found: dict[str, tuple[str, Login | None]] = {}
    for address in sorted({_address(source) for source in sources}):
        asked = _rewritten(address) if rules else address
        given = _given(asked)
        if not _usable(asked) or (given and asked == address):
            # For what is no address, cargo will say so; a login in one cargo has from there.
            continue
        place = _place(address, asked, rules)
        if given:
            asked, place = _bare(asked), place._replace(real=_bare(place.real))
        login = given or _known(asked, environment)
        if login and found.get(place.plain) == (place.real, login):
            continue
        if login:
            _register(login)
        if login is None or _open(asked, bundle):
            if place.real != place.plain:
                found.setdefault(place.plain, (place.real, None))
        elif found.get(place.plain, ("", None))[1] is None:
            # The first one is the host's, for submodules too; a repository with another one has it for itself.
            found[place.plain] = (place.real, login)
        else:
            found[address] = (asked, login)
    return "".join(_instead(plain, real, login) for plain, (real, login) in sorted(found.items()))


def over_ssh(configuration: str) -> bool:
    """Whether a rewrite leads to a server over ssh."""
    return any(map(_SSH.match, _led(configuration)))


def host_keys(sources: Iterable[str], configuration: str, home: Path) -> list[str]:
    """Lines of `known_hosts` for the servers that are reached over ssh: cargo goes to no other, but for github.com."""
    found: list[str] = []
    addresses = (*map(_address, sources), *_led(configuration))
    for host in sorted({_host(address) for address in addresses if _SSH.match(address)}):
        for path in (home / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts")):
            # It understands hashed names, and patterns.
            command = ["ssh-keygen", "-F", host, "-f", str(path)]
            try:
                said = process.capture(command, seconds=PATIENCE).stdout if path.is_file() else ""
            except ProcessError:
                continue
            # With the plain name: whose key it is, is no secret. What cargo does not take stays: other marks.
            lines = (line.split() for line in said.splitlines() if not line.startswith(("#", "@")))
            found += [" ".join([host, *words[1:3]]) for words in lines if len(words) > 2]
    return found


def _led(configuration: str) -> list[str]:
    """The addresses to which the rules of a configuration lead."""
    lines = (line for line in configuration.splitlines() if line.startswith('[url "'))
    return [line.removeprefix('[url "').removesuffix('"]') for line in lines]


def _host(address: str) -> str:
    """The host of an address over ssh, as `known_hosts` has it."""
    if "://" not in address:
        return address.partition(":")[0].rpartition("@")[2]
    name, colon, port = address.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")
    return f"[{name}]:{port}" if colon and port != "22" else name


def _address(source: str) -> str:
    return source.removeprefix("registry+").removeprefix("git+").partition("#")[0].partition("?")[0]


def _parts(address: str) -> SplitResult | None:
    """None for what is no address."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _http(address: str) -> SplitResult | None:
    parts = _parts(address)
    return parts if parts and parts.scheme in ("http", "https") else None


def _usable(address: str) -> bool:
    """Whether a build could go there, and a configuration can say so."""
    reached = _http(address) or address.startswith("git://") or _SSH.match(address)
    return bool(reached) and address.isprintable()


def _given(address: str) -> Login | None:
    """The login in an address, masked from now on; over ssh, there is none."""
    parts = _parts(address)
    if parts is None or parts.password is None:
        return None
    written = Login(parts.username or "", parts.password)
    login = Login(*map(unquote, written))
    _register(written)
    _register(login)
    return login if _http(address) else None


def _bare(address: str) -> str:
    """An address without the login in it."""
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _rules() -> list[Place]:
    """The rules of the user and the system. Those of a checkout are not for what cargo downloads."""
    command = ["git", "config", "-z", "--get-regexp", r"^url\..*\.insteadof$"]
    try:
        said = process.capture(command, cwd="/", seconds=PATIENCE).stdout
    except ProcessError:
        return []
    entries = (entry.partition("\n") for entry in said.split("\0") if entry)
    return [Place(plain, name.removeprefix("url.").removesuffix(".insteadof")) for name, _, plain in entries]


def _rewritten(address: str) -> str:
    """Where this machine's git would go, if a build can go there."""
    try:
        said = process.capture(["git", "ls-remote", "--get-url", address], cwd="/", seconds=PATIENCE).stdout
    except ProcessError:
        return address
    asked = said.removesuffix("\n")
    if (parts := _http(asked)) and parts.username and asked != address:
        # A name alone may be a token.
        masking.register_secret(f"{parts.username}@")
    return asked if _usable(asked) else address


def _place(address: str, asked: str, rules: Iterable[Place]) -> Place:
    """The rule by which git came from one to the other: it holds for submodules too. Without one, the host."""
    if asked == address:
        scheme, _, rest = address.partition("://")
        host = f"{scheme}://{rest.partition('/')[0]}/"
        return Place(host, host)
    led = (rule for rule in rules if address.startswith(rule.plain) and asked == rule.real + address[len(rule.plain) :])
    return next(led, Place(address, asked))


def _known(address: str, environment: Mapping[str, str]) -> Login | None:
    parts = _http(address)
    return (_of_git(address) or _of_netrc(parts, environment)) if parts else None


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
    masking.register_secret(login.password)
    if login.password in ("", "x-oauth-basic"):
        # Customs: the user's name is the token.
        masking.register_secret(login.user)


def _instead(plain: str, real: str, login: Login | None) -> str:
    if login:
        scheme, _, rest = real.partition("://")
        user, password = quote(login.user, safe=""), quote(login.password, safe="")
        host, slash, path = rest.partition("/")
        real = f"{scheme}://{user}:{password}@{host.rpartition('@')[2]}{slash}{path}"
    return f"[url {_quoted(real)}]\n\tinsteadOf = {_quoted(plain)}\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
