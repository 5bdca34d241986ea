"""Which driver and platform a builder has, by what `docker buildx inspect` says."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from layerdoit.core.errors import EngineError
from layerdoit.engine.buildx_fields import field

# A name in place of an address is that of a docker context.
_HERE: Final = re.compile(r"unix://|tcp://(?:127\.|localhost\b|\[::1\])")


_PATIENCE: Final = 5.0
"""Seconds that a builder has to take a connection."""


@dataclass(frozen=True)
class Described:
    """A builder, as `docker buildx inspect` prints it. `platform`: its native one, listed first.

    `near`: whether it is on this machine.
    """

    driver: str
    platform: str
    platforms: tuple[str, ...] = ()
    near: bool = False


def _nodes(written: str, driver: str) -> list[dict[str, Any]]:
    """The nodes of a builder of a driver, by what the client wrote down of it."""
    try:
        known = json.loads(written)
        return [dict(node) for node in known["Nodes"]] if known["Driver"] == driver else []
    except (ValueError, KeyError, TypeError):
        return []


def pods(written: str) -> str:
    """How to see why the pods of a builder of the driver `kubernetes` do not come up; '' for other drivers."""
    commands = []
    for node in _nodes(written, "kubernetes"):
        namespace = (node.get("DriverOpts") or {}).get("namespace")
        where = f" --namespace {namespace}" if namespace else ""
        commands.append(f"kubectl describe pods{where} --selector app={node.get('Name')}")
    return "; ".join(commands)


def silent(written: str) -> str:
    """Why a builder of the driver `remote` does not answer, by what the client wrote down of it; '' if one listens.

    buildx itself says so after 20 seconds, and not what is wrong.
    """
    for address in [str(node.get("Endpoint")) for node in _nodes(written, "remote")]:
        parts = urlsplit(address)
        try:
            if parts.scheme == "unix":
                with socket.socket(socket.AF_UNIX) as asked:
                    asked.settimeout(_PATIENCE)
                    asked.connect(parts.path)
            elif parts.scheme == "tcp" and parts.hostname and parts.port:
                socket.create_connection((parts.hostname, parts.port), _PATIENCE).close()
        except OSError as error:
            return f"nothing answers at {address} ({error.strerror or error})"
    return ""


def described(name: str, text: str) -> Described:
    """Read the output of `docker buildx inspect NAME`. EngineError where it names no platform."""
    platforms = field(text, "Platforms")
    if not platforms:
        raise EngineError(
            f"builder {name} does not report the platforms that it builds for",
            hint=f"docker buildx inspect --bootstrap {name} shows why it does not start",
        )
    named = [one.strip().rstrip("*") for one in platforms.split(",")]
    # `linux/amd64/v2` is a variant that every amd64 image runs on; of ARM the variant is another instruction set.
    first = re.sub(r"^(linux/amd64)/v\d+$", r"\1", named[0])
    driver, endpoint = field(text, "Driver"), field(text, "Endpoint")
    near = driver != "kubernetes" and (not re.match(r"\w+://", endpoint) or bool(_HERE.match(endpoint)))
    return Described(driver, first, tuple(dict.fromkeys((first, *named))), near)
