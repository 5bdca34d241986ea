"""What builds need of the host and no image may hold: CA bundle, cargo's registries, logins, proxies with a login.

They reach `RUN` steps as BuildKit secrets: mounted for one step, in no layer, key, or log. What is no file of the host
travels in buildx's environment, so that nothing secret is ever written to a disk. What everyone may read is no secret
to BuildKit: it comes with the build context (`layers/dockerfile.py` tells what that saves).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from layerdoit.cargo.lock import CRATES_IO
from layerdoit.core import proxies, toml
from layerdoit.core.errors import ConfigError, WorkspaceError
from layerdoit.core.masking import register_secret

# Tables of $CARGO_HOME/config.toml that say where crates come from. Flags and profiles of one person's machine stay.
_SOURCES = ("source", "registries", "registry", "net", "http")
# What means nothing in a build: paths and programs of the host, and whether the host is on the network now.
_HOST_ONLY = frozenset(
    {"cainfo", "proxy-cainfo", "credential-provider", "global-credential-providers", "git-fetch-with-cli", "offline"}
)
_CREDENTIALS = frozenset({"token", "secret-key", "password"})
# Where systems keep the certificates that they trust: Debian, Fedora, SUSE, Alpine and macOS.
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# What git fetches, as a lock file names it. crates.io has been asked without git since cargo 1.70.
_GIT = tuple(f"{kind}+{scheme}://" for kind in ("git", "registry") for scheme in ("https", "http", "ssh", "git"))
# BuildKit's limit for one secret.
MAX_SECRET = 500 * 1024


@dataclass(frozen=True)
class Secrets:
    """Secret id -> file of the host, or -> content; and build arguments (proxies), which BuildKit keeps out of keys.

    `public`: the ids of those that everyone may read: certificates, a cargo configuration without a login.
    """

    files: Mapping[str, Path]
    values: Mapping[str, str]
    args: Mapping[str, str]
    ssh: bool
    public: frozenset[str] = frozenset()

    def open(self, wanted: Collection[str]) -> dict[str, bytes]:
        """Contents of those that are wanted and public. An unreadable file is left to buildx, which complains of it."""
        public = self.public.intersection(wanted)
        found = {name: self.values[name].encode() for name in public & self.values.keys()}
        for name in public & self.files.keys():
            with contextlib.suppress(OSError):
                content = self.files[name].read_bytes()
                if b"PRIVATE KEY" not in content:
                    found[name] = content
        return found

    def without(self, names: Iterable[str]) -> Secrets:
        """The others."""
        left = set(names)
        return replace(
            self,
            files={name: path for name, path in self.files.items() if name not in left},
            values={name: content for name, content in self.values.items() if name not in left},
        )


def collect(
    environment: Mapping[str, str] = os.environ,
    project: Mapping[str, Any] | None = None,
    repositories: Iterable[str] = (),
    root: Path | None = None,
) -> Secrets:
    """The host's secrets for a build; masked in all text from now on. `project`: its own cargo configuration.

    `root`: its folder. `repositories`: sources as Cargo.lock names them; git is asked for rewrites and logins for those
    that it fetches.
    """
    home = Path(environment.get("CARGO_HOME") or Path(environment.get("HOME", "/")) / ".cargo")
    host, stored, project = _toml(home, "config"), _toml(home, "credentials"), project or {}
    config = {name: kept for name in _SOURCES if (kept := _without(host.get(name), _HOST_ONLY | _CREDENTIALS))}
    _merge(config, _from_environment(environment, (host, project)))
    credentials = _only(project, _CREDENTIALS)
    for more in (_only(host, _CREDENTIALS), stored, _tokens(environment, (host, project))):
        _merge(credentials, more)
    if "source" not in config and "source" not in project:
        # crates.io itself asks for a token only when something is published.
        credentials.pop("registry", None)
    if credentials:
        # The host's own programs for credentials are not in the build; cargo reads a file only where it is told to.
        _merge(config, {"registry": {"global-credential-providers": ["cargo:token"]}})
    for content in (host, stored, project, config, credentials):
        _register(content)
    bundle = ca_bundle(environment, host, home, _own_bundle(project, root))
    git, keys = _of_git(_fetched(repositories, (host, project)), environment, bundle)
    if keys:
        keys += config.get("net", {}).get("ssh", {}).get("known-hosts", [])
        _merge(config, {"net": {"ssh": {"known-hosts": keys}}})
    values = {
        name: _written(content)
        for name, content in (("cargo-config", config), ("cargo-credentials", credentials))
        if content
    }
    if git:
        values["git"] = git
    proxied = proxies_of(environment)
    if proxied.secret:
        values["proxy"] = proxied.secret
    logged_in = any(map(_login, _texts(config)))
    return Secrets(
        {"ca": bundle} if bundle else {},
        values,
        proxied.public,
        Path(environment.get("SSH_AUTH_SOCK", "/")).is_socket(),
        frozenset([*(["ca"] if bundle else []), *(["cargo-config"] if config and not logged_in else [])]),
    )


class Proxies(NamedTuple):
    """The proxies of this machine. `secret`: a script that sets all of them, where one has a login, else ''."""

    public: Mapping[str, str]
    secret: str


def proxies_of(environment: Mapping[str, str]) -> Proxies:
    """The proxies; a login among them is masked in all text from now on."""
    found = proxies.found(environment)
    for value in found.values():
        _register_login(value)
    logins = {name for name, value in found.items() if "@" in value}
    # All of them, so that one file says which proxy is used for what.
    secret = proxies.script(found) if logins else ""
    return Proxies({name: value for name, value in found.items() if name not in logins}, secret)


def _own_bundle(project: Mapping[str, Any], root: Path | None) -> Path | None:
    """The certificates that the project's own configuration names, from a folder at or above the project."""
    named = project.get("http", {}).get("cainfo")
    if root is None or not isinstance(named, str):
        return None
    return next((path for folder in (root, *root.parents) if (path := folder / named).is_file()), None)


def ca_bundle(
    environment: Mapping[str, str], config: Mapping[str, Any], home: Path, own: Path | None = None
) -> Path | None:
    """The certificates that builds trust, in cargo's order: the environment's, the project's own, those of the host's
    cargo configuration, else of its system."""
    in_config = config.get("http", {}).get("cainfo")
    named = (
        ("CARGO_HTTP_CAINFO", environment.get("CARGO_HTTP_CAINFO")),
        ("http.cainfo in .cargo/config.toml", str(own) if own else None),
        # cargo takes a path in a configuration file from the folder above the one with the file.
        (f"http.cainfo in {home}/config.toml", str(home.parent / in_config) if in_config else None),
        ("SSL_CERT_FILE", environment.get("SSL_CERT_FILE")),
        ("CURL_CA_BUNDLE", environment.get("CURL_CA_BUNDLE")),
    )
    for name, value in named:
        if value:
            path = Path(value)
            if not path.is_file():
                raise ConfigError(f"{name} names {value}, which is not a file", hint=f"correct or unset {name}")
            if path.stat().st_size > MAX_SECRET:
                raise ConfigError(
                    f"{name} names {value}, which is larger than a build secret may be ({MAX_SECRET // 1024} KiB)",
                    hint="name a smaller bundle, with only the certificates that are needed",
                )
            return path
    usable = (path for path in map(Path, _SYSTEM_BUNDLES) if path.is_file() and path.stat().st_size <= MAX_SECRET)
    return next(usable, None)


def _fetched(sources: Iterable[str], configs: Iterable[Mapping[str, Any]]) -> list[str]:
    """The sources that git fetches from a server: repositories, and indexes of registries that are repositories."""
    found = set(sources)
    if found:
        tables = (table for config in configs for table in config.get("source", {}).values())
        # Instead of crates.io, or of one another.
        found |= {f"registry+{table['registry']}" for table in tables if "registry" in table}
    return sorted(source for source in found - {CRATES_IO} if source.startswith(_GIT))


def _of_git(sources: Sequence[str], environment: Mapping[str, str], bundle: Path | None) -> tuple[str, list[str]]:
    """A git configuration for these sources, and the keys of hosts that cargo may trust."""
    if not sources:
        return "", []
    from layerdoit.build import git_logins

    git = git_logins.configuration(sources, environment, bundle)
    return git, git_logins.host_keys(sources, git, Path(environment.get("HOME", "/")))


def _toml(home: Path, name: str) -> dict[str, Any]:
    for path in (home / name, home / f"{name}.toml"):
        try:
            return toml.read(path)
        except FileNotFoundError:
            continue
        except WorkspaceError as error:
            raise ConfigError(f"cargo's own {path.name}: {error.what}", where=error.where) from error
        except OSError:
            continue
    return {}


def _without(value: Any, names: frozenset[str]) -> Any:
    """The same, without the keys of these names at any depth, nor what is empty then."""
    if not isinstance(value, Mapping):
        return value
    kept = {key: _without(item, names) for key, item in value.items() if key not in names}
    return {key: item for key, item in kept.items() if item != {}}


def _only(config: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The credentials in the tables of a cargo configuration that may hold some."""
    registry = {key: value for key, value in config.get("registry", {}).items() if key in names}
    registries = {
        name: held
        for name, table in config.get("registries", {}).items()
        if (held := {key: value for key, value in table.items() if key in names})
    }
    return {key: held for key, held in (("registry", registry), ("registries", registries)) if held}


def _registries(
    environment: Mapping[str, str], end: str, configs: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Registry name and value of cargo's variables `CARGO_REGISTRIES_<NAME>_<end>`."""
    configured = {name for config in configs for name in config.get("registries", {})}
    for variable, value in environment.items():
        if not (variable.startswith("CARGO_REGISTRIES_") and variable.endswith(end) and value):
            continue
        written = variable.removeprefix("CARGO_REGISTRIES_").removesuffix(end)
        known = {name for name in configured if name.upper().replace("-", "_") == written}
        # The variable's name does not tell `my-registry` from `my_registry`.
        for name in sorted(known or {written.lower(), written.lower().replace("_", "-")}):
            yield name, value


def _tokens(environment: Mapping[str, str], configs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """cargo's token variables, in the form of its credentials file."""
    found: dict[str, Any] = {}
    if token := environment.get("CARGO_REGISTRY_TOKEN"):
        found["registry"] = {"token": token}
    for name, token in _registries(environment, "_TOKEN", configs):
        found.setdefault("registries", {})[name] = {"token": token}
    return found


def _from_environment(environment: Mapping[str, str], configs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """cargo's variables that say where crates come from, in the form of its configuration file."""
    found: dict[str, Any] = {}
    if default := environment.get("CARGO_REGISTRY_DEFAULT"):
        found["registry"] = {"default": default}
    if proxy := environment.get("CARGO_HTTP_PROXY"):
        found["http"] = {"proxy": proxy}
    for name, index in _registries(environment, "_INDEX", configs):
        found.setdefault("registries", {})[name] = {"index": index}
    return found


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, Mapping):
            if not isinstance(into.get(name), dict):
                into[name] = {}
            _merge(into[name], value)
        else:
            into[name] = value


def _register(content: Any, name: str = "") -> None:
    """Whatever is called a token, a password or a secret never reaches a log; nor does the login in an address."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            _register(value, key)
    elif isinstance(content, list):
        for value in content:
            _register(value, name)
    elif isinstance(content, str):
        if name in _CREDENTIALS:
            register_secret(content)
            # `Bearer …` and the like
            register_secret(content.rpartition(" ")[2])
        _register_login(content)


def _texts(content: Any) -> Iterator[str]:
    """Every text in a configuration."""
    if isinstance(content, Mapping):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)
    elif isinstance(content, str):
        yield content


def _login(address: str) -> str:
    """What stands before the @ of an address; '' where nothing does: `git@…` of an ssh address is no secret."""
    address = address.removeprefix("sparse+").removeprefix("registry+")
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
    except ValueError:
        # Not to be understood: it may hold one.
        return address if "@" in address else ""
    login, _, _ = parts.netloc.rpartition("@")
    return "" if ":" not in login and parts.scheme in ("", "ssh") else login


def _register_login(address: str) -> None:
    """The login in an address, and the password in it alone."""
    login = _login(address)
    if not login:
        return
    password = login.partition(":")[2]
    register_secret(login)
    register_secret(unquote(login))
    if password:
        register_secret(password)
        register_secret(unquote(password))


def _written(content: Mapping[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(content)
