"""Certificates, names, credentials and agents of this machine: gathered here, judged in `access`."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerdoit.core import command_errors, process, toml
from layerdoit.core.errors import LayerdoitError
from layerdoit.doctor.access import Probe
from layerdoit.engine.registry_answers import host_of

# Seconds that a host has to answer.
PATIENCE = 1.0
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")


def probe(host: str, bundle: str | None, port: int = 443) -> Probe:
    """Look a host up and shake hands with it."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Probe(host, "dns", error.strerror or str(error))
    try:
        context = ssl.create_default_context(cafile=bundle)
        with (
            socket.create_connection((str(found[0][4][0]), port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return Probe(host)
    except ssl.SSLCertVerificationError as error:
        return Probe(host, "tls", error.verify_message)
    except OSError as error:
        return Probe(host, "connect", f"it did not answer: {error.strerror or error}")


def proxies(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Names of the proxy variables that are set."""
    return tuple(name for name in _PROXIES if environment.get(name))


def docker_logins(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Registries that the docker client has a login for; `*`: a credential store decides."""
    folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "/")) / ".docker")
    try:
        config: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = {host_of(_bare(name)) for key in ("auths", "credHelpers") for name in config.get(key) or {}}
        return tuple(sorted(names | ({"*"} if config.get("credsStore") else set())))
    except (OSError, ValueError, AttributeError):
        return ()


def _bare(name: str) -> str:
    """`https://index.docker.io/v1/` or `ghcr.io`, as an image name would begin."""
    return f"{(name.partition('://')[2] or name).rstrip('/')}/"


def cargo_tokens(credentials: str | None) -> tuple[str, ...]:
    """Names of the registries in cargo credentials as they are handed to builds."""
    table = toml.loads(credentials or "")
    own = ["the default registry"] if table.get("registry") else []
    return (*own, *sorted(table.get("registries", {})))


def git_credentials(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Where git on this machine finds logins."""
    home = Path(environment.get("HOME", "/"))
    found = [f"~/{name}" for name in (".git-credentials", ".netrc") if (home / name).is_file()]
    try:
        helper = process.capture_quick(["git", "config", "--get", "credential.helper"]).decode().strip()
    except LayerdoitError:
        helper = ""
    return (*found, *([f"credential.helper {helper.split()[0]}"] if helper else []))


def agent_keys() -> int | None:
    """How many keys the ssh agent holds; None where it cannot be asked."""
    try:
        return len(process.capture_quick(["ssh-add", "-l"]).splitlines())
    except command_errors.CommandFailed as error:
        return 0 if error.code == 1 else None
    except LayerdoitError:
        return None
