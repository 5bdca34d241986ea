"""Where a service listens inside its container, and why nobody outside reaches it there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from layerdoit.deploy.docker.case import Cause

_LISTENS: Final = "0A"
_ESTABLISHED: Final = "01"
_ENGINE_DNS: Final = "127.0.0.11"


class Socket(NamedTuple):
    """A TCP socket that accepts connections."""

    host: str
    port: int
    loopback: bool


def sockets(tables: str) -> Iterator[Socket]:
    """The listening sockets in the text of /proc/net/tcp and tcp6, without the engine's own name server."""
    from ipaddress import IPv6Address, ip_address

    for line in tables.splitlines():
        words = line.split()
        if len(words) < 4 or words[3] != _LISTENS:
            continue
        written, _, port = words[1].partition(":")
        data = bytes.fromhex(written)
        if sys.byteorder == "little":
            data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
        found = ip_address(data)
        mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
        if str(found) != _ENGINE_DNS:
            yield Socket(str(mapped or found), int(port, 16), (mapped or found).is_loopback)


def connections(tables: str, port: int) -> int:
    """How many connections somebody has to a port; those from inside the container count too."""
    found = (line.split() for line in tables.splitlines())
    return sum(
        words[3] == _ESTABLISHED and int(words[1].rpartition(":")[2], 16) == port
        for words in found
        if len(words) > 3 and ":" in words[1]
    )


class Elsewhere(NamedTuple):
    """A service that listens where nobody asks. `port`: that it has on the container's own address only; 0: another."""

    cause: Cause
    port: int = 0


def why_unreachable(tables: str, port: int) -> Elsewhere | None:
    """What is wrong with where a service listens, and what to do; None where it can be reached, or nobody can tell."""
    if not tables.strip():
        return None
    found = sorted(set(sockets(tables)))
    at_port = [one for one in found if one.port == port]
    if any(not one.loopback for one in at_port):
        return None
    if at_port:
        only = ", ".join(f"{one.host}" for one in at_port)
        what = f"it listens on {only} only, port {port}, where nothing outside the container reaches it"
        hint = f"have the service listen on 0.0.0.0:{port} (its own setting or variable, which deploy.env can give)"
        return Elsewhere(Cause(what, hint, "deploy.port"), port)
    if not found:
        hint = "make the service listen, or set deploy.health (command, timeout)"
        return Elsewhere(Cause("nothing in it listens on a TCP port", hint, "deploy.port", certain=False))
    ports = sorted({one.port for one in found})
    inside = " (on 127.0.0.1 only: have it listen on 0.0.0.0, too)" if all(one.loopback for one in found) else ""
    numbers = " and ".join(str(number) for number in ports)
    what = f"it listens on port {numbers}, not on {port} (deploy.port){inside}"
    hint = f"write deploy: {{port: {ports[0]}}} in layerdoit.yaml, or have the service listen on 0.0.0.0:{port}"
    return Elsewhere(Cause(what, hint, "deploy.port"))
