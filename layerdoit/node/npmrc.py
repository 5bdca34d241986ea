"""Settings of registries: what of .npmrc and .yarnrc.yml is public, and the logins, which only a download gets.

The public part of a project's file is sent and keyed as it is written. A secret file, made of the user's settings and
of the lines of the project's that hold logins, stands where package managers look for the user's: it is mounted for one
step. `${NAME}` is replaced by the value that the variable has on this machine.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

_LOGIN: Final = re.compile(
    r"(?:^|:)(?:_auth|_authToken|_password|username|email|cert|key|certfile|keyfile|tokenHelper)$", re.IGNORECASE
)
# What of the user's file says where packages come from; a cache folder or a colour is of this machine.
_SOURCES: Final = re.compile(
    r"^(?://.*|@[^:]+:registry|registry|always-auth|strict-ssl|proxy|https-proxy|http-proxy|noproxy|ca|ca\[\]"
    r"|fetch-.*|replace-registry-host|cert|key|_auth|_authToken|_password|username|email)$",
    re.IGNORECASE,
)
_VARIABLE: Final = re.compile(r"(?<!\\)\$\{(\w+)(?:(:?-)([^}]*)|\?)?\}")
_YARN_LOGINS: Final = frozenset({"npmAuthToken", "npmAuthIdent"})
_YARN_SOURCES: Final = (
    "npmRegistryServer",
    "npmRegistries",
    "npmScopes",
    "npmAlwaysAuth",
    "enableStrictSsl",
    "unsafeHttpWhitelist",
    "networkSettings",
    *sorted(_YARN_LOGINS),
)
_FROM_ENVIRONMENT: Final = re.compile(
    r"npm_config_((?://|@|registry$|_auth|https?.proxy$|noproxy$|strict.ssl$).*)", re.IGNORECASE
)


class Logins(NamedTuple):
    """The user's files as a download gets them; '' for none.

    `secrets`: what no log may show; `unset`: variables that the project's files name and this machine has not.
    """

    npmrc: str
    yarnrc: str
    secrets: tuple[str, ...]
    unset: tuple[str, ...]


# --- the public part -------------------------------------------------------------------------------------------------


def public(name: str, text: str) -> str:
    """A project's file without the lines that hold logins."""
    return _public_yaml(text) if name.endswith(".yml") else _public_ini(text)


def _public_ini(text: str) -> str:
    kept = []
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        login = equals and (_LOGIN.search(key.strip()) or "@" in value.partition("://")[2].partition("/")[0])
        if not login and not line.strip().startswith(("#", ";")) and line.strip() and not _of_this_machine(key):
            kept.append(line.strip())
    return "".join(f"{line}\n" for line in kept)


def _of_this_machine(key: str) -> bool:
    return key.strip() in ("cafile", "cache", "prefix", "userconfig", "globalconfig", "store-dir", "nodedir")


def _public_yaml(text: str) -> str:
    found = _yaml(text)
    kept = _without(found)
    return yaml.safe_dump(kept, sort_keys=True) if kept else ""


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _without(item) for key, item in value.items() if key not in _YARN_LOGINS and key != "httpsCaFilePath"
        }
    return value


def _yaml(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


# --- the logins ------------------------------------------------------------------------------------------------------


def logins(files: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> Logins:
    """What a download needs of this user. `files`: the project's own, by path."""
    home = Path(environment.get("HOME", "/"))
    named = _variable(environment, "npm_config_userconfig")
    user = _read(Path(named) if named else home / ".npmrc")
    lines = [line for line in _lines(user) if _SOURCES.match(line.partition("=")[0].strip())]
    lines += _from_environment(environment)
    unset: list[str] = []
    for path, text in files.items():
        if not path.endswith(".yml"):
            lines += [line for line in _lines(text) if line not in set(_lines(_public_ini(text)))]
    lines = [line for line in lines if not _of_this_machine(line.partition("=")[0])]
    npmrc = "".join(f"{_filled(line, environment, unset)}\n" for line in dict.fromkeys(lines))
    yarn = _sources_of(_yaml(_read(home / ".yarnrc.yml")))
    for path, text in files.items():
        if path.endswith(".yml"):
            _merge(yarn, _sources_of(_yaml(text)) if _has_login(_yaml(text)) else {})
    for variable, key in (("YARN_NPM_AUTH_TOKEN", "npmAuthToken"), ("YARN_NPM_REGISTRY_SERVER", "npmRegistryServer")):
        if environment.get(variable):
            yarn[key] = environment[variable]
    yarnrc = _filled(yaml.safe_dump(yarn, sort_keys=True), environment, unset) if yarn else ""
    return Logins(npmrc, yarnrc, tuple(_secret_values(npmrc, yarnrc)), tuple(dict.fromkeys(unset)))


def _lines(text: str) -> list[str]:
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith(("#", ";"))]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _from_environment(environment: Mapping[str, str]) -> list[str]:
    """npm's variables `npm_config_…` that say where packages come from."""
    found = []
    for name, value in environment.items():
        if value and (match := _FROM_ENVIRONMENT.fullmatch(name)):
            key = match[1] if match[1].startswith(("//", "@", "_")) else match[1].lower().replace("_", "-")
            found.append(f"{key}={value}")
    return found


def _filled(text: str, environment: Mapping[str, str], unset: list[str]) -> str:
    def value(found: re.Match[str]) -> str:
        known = environment.get(found[1])
        if known is None and found[2] is None:
            unset.append(found[1])
        return known if known is not None else found[3] or ""

    return _VARIABLE.sub(value, text)


def _sources_of(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in _YARN_SOURCES if name in found}


def _has_login(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(key in _YARN_LOGINS or _has_login(item) for key, item in value.items())
    return False


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _secret_values(npmrc: str, yarnrc: str) -> Iterable[str]:
    for line in _lines(npmrc):
        key, _, value = line.partition("=")
        if _LOGIN.search(key.strip()) and value.strip():
            yield value.strip()
        elif "@" in (authority := value.partition("://")[2].partition("/")[0]):
            yield authority.rpartition("@")[0]
    yield from _yaml_secrets(_yaml(yarnrc))


def _yaml_secrets(value: Any) -> Iterable[str]:
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if key in _YARN_LOGINS:
            yield str(item)
        else:
            yield from _yaml_secrets(item)
