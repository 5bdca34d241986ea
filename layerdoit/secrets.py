"""What builds need of the host and no image may hold: CA bundle, cargo's registries, credentials.

They reach `RUN` steps as BuildKit secrets: files that are mounted for one step and are in no layer, key, or log.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerdoit.errors import ConfigError
from layerdoit.process import register_secret

# Tables of $CARGO_HOME/config.toml that say where crates come from. Flags and profiles of one person's machine stay there.
_SOURCES = ("source", "registries", "registry", "net", "http", "credential-alias")
# Paths of the host mean nothing in a build.
_HOST_PATHS = ("cainfo", "proxy-cainfo")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class Secrets:
    """Secret id -> file, and build arguments (proxies) that BuildKit itself keeps out of keys and history."""

    files: Mapping[str, Path]
    args: Mapping[str, str]
    ssh: bool


@contextlib.contextmanager
def gathered(environment: Mapping[str, str] = os.environ) -> Iterator[Secrets]:
    """The host's secrets for the time of one build; what had to be written is readable by its owner only, and removed."""
    folder = Path(tempfile.mkdtemp(prefix="layerdoit-"))
    try:
        yield _gather(environment, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _gather(environment: Mapping[str, str], folder: Path) -> Secrets:
    files: dict[str, Path] = {}
    if bundle := ca_bundle(environment):
        files["ca"] = bundle
    home = Path(environment.get("CARGO_HOME") or Path(environment.get("HOME", "/")) / ".cargo")
    config = {name: table for name, table in _toml(home, "config").items() if name in _SOURCES}
    for name in _HOST_PATHS:
        config.get("http", {}).pop(name, None)
    credentials = _toml(home, "credentials")
    _merge(credentials, _tokens(environment))
    for name, content in (("cargo-config", config), ("cargo-credentials", credentials)):
        if content:
            files[name] = _written(folder / name, content)
    _register(config)
    _register(credentials)
    args = {name: environment[name] for proxy in _PROXIES for name in (proxy, proxy.lower()) if environment.get(name)}
    for value in args.values():
        if "@" in value:
            register_secret(value.split("//")[-1].split("@")[0])
    return Secrets(files, args, bool(environment.get("SSH_AUTH_SOCK")))


def ca_bundle(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The certificates that the host trusts, where its environment names a file."""
    for name in ("CARGO_HTTP_CAINFO", "SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        if value := environment.get(name):
            path = Path(value)
            if not path.is_file():
                raise ConfigError(f"{name} names {value}, which is no file", hint=f"correct or unset {name}")
            return path
    return None


def _toml(home: Path, name: str) -> dict[str, Any]:
    for path in (home / name, home / f"{name}.toml"):
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"cargo's own {path.name} is not valid TOML: {error}", where=str(path)) from error
        except OSError:
            continue
    return {}


def _tokens(environment: Mapping[str, str]) -> dict[str, Any]:
    """cargo's token variables, in the form of its credentials file."""
    found: dict[str, Any] = {}
    if token := environment.get("CARGO_REGISTRY_TOKEN"):
        found["registry"] = {"token": token}
    for name, token in environment.items():
        if name.startswith("CARGO_REGISTRIES_") and name.endswith("_TOKEN") and token:
            registry = name.removeprefix("CARGO_REGISTRIES_").removesuffix("_TOKEN").lower().replace("_", "-")
            found.setdefault("registries", {})[registry] = {"token": token}
    return found


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value


def _register(content: Any, name: str = "") -> None:
    """Whatever is called a token, a password or a secret never reaches a log; nor does what stands before the @ of an address."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            _register(value, key)
    elif isinstance(content, list):
        for value in content:
            _register(value, name)
    elif isinstance(content, str):
        if any(word in name for word in ("token", "password", "secret")):
            register_secret(content)
        elif "://" in content and "@" in content:
            register_secret(content.split("://")[1].split("@")[0])


def _written(path: Path, content: Mapping[str, Any]) -> Path:
    import tomli_w

    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        tomli_w.dump(content, stream)
    return path
