"""Ports of the services that the tests deploy, and of their own servers: each worker of pytest-xdist has a range.

A port is nobody's for some milliseconds while a container is replaced, or until a program that was told its port has
begun, and a search for a free one would find it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator
from typing import Final

PORT: Final = 8080 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""What a test's service listens on, and the first port that a deployment is published on."""

_OWN: Final = range(PORT + 500, PORT + 900)
"""Beyond what a deployment tries, and below what the system gives to connections."""
# Not the same one twice, and not the same ones as another test run on this machine.
_NEXT: Final = itertools.count(os.getpid())


def free_port() -> int:
    """A port for a server that has to be told one: only this worker looks there, and no connection is given it."""
    for number in itertools.islice(_NEXT, len(_OWN)):
        port = _OWN[number % len(_OWN)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As servers do it: connections in TIME_WAIT do not hold a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no port from {_OWN.start} on is free")


@contextlib.contextmanager
def unheard() -> Iterator[int]:
    """A port at which nobody listens. It is bound meanwhile, lest another program be given it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
