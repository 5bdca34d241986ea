"""Asks a service whether it is up: over HTTP, or by a TCP connection. Knows nothing of where the service runs."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Collection, Iterator
from typing import Final

PROBE_TIMEOUT: Final = 2.0
"""Seconds one probe may take."""
FIRST_PAUSE: Final = 0.02
"""Seconds between the first two probes; then twice as many each time, up to:"""
PAUSE: Final = 0.1
GROWS_AFTER: Final = 2.0
"""Seconds after which the pauses grow, up to:"""
LONGEST_PAUSE: Final = 2.0
GROWTH: Final = 1.3
RELAYED: Final = 0.1
"""Seconds after which a connection counts that something else accepts for the service."""
BODY: Final = 1 << 20
"""Bytes of an answer in which a text is looked for."""
_QUOTED: Final = 60


def pauses() -> Iterator[float]:
    """Seconds between one probe and the next: few at first, for most services are up at once."""
    spent, pause = 0.0, FIRST_PAUSE
    while True:
        yield pause
        spent += pause
        pause = min(2 * pause, PAUSE) if spent < GROWS_AFTER else min(pause * GROWTH, LONGEST_PAUSE)


def probe_http(
    host: str,
    port: int,
    path: str,
    timeout: float = PROBE_TIMEOUT,
    *,
    statuses: Collection[int] = (),
    text: str | None = None,
    tls: bool = False,
) -> str | None:
    """None when GET answers with one of these statuses (without any: 2xx or 3xx) and this text, else why not."""
    ends = time.monotonic() + timeout
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        expected = answer.status in statuses if statuses else 200 <= answer.status < 400
        if not expected:
            return f"GET {path} answered {answer.status}"
        if text is None:
            return None
        body = _body(answer, connection, ends)
    except (OSError, http.client.HTTPException) as error:
        return f"GET {path}: {_why(error)}"
    finally:
        connection.close()
    if text in body:
        return None
    begins = " ".join(body.split())[:_QUOTED]
    return f'GET {path} answered {answer.status} without the text "{text}": {begins or "nothing"}'


def _body(answer: http.client.HTTPResponse, connection: http.client.HTTPConnection, ends: float) -> str:
    """As much of it as comes in time."""
    read: list[bytes] = []
    size = 0
    while size < BODY and (left := ends - time.monotonic()) > 0:
        if connection.sock is not None:
            connection.sock.settimeout(left)
        part = answer.read1(BODY - size)
        if not part:
            break
        read.append(part)
        size += len(part)
    return b"".join(read).decode(errors="replace")


def probe_tcp(host: str, port: int, timeout: float = PROBE_TIMEOUT, *, relayed: bool = False) -> str | None:
    """None when something accepts connections, else why not.

    `relayed`: something stands before the service that accepts connections also for one that is not there (the
    engine's proxy for a published port, a forwarded port): it hangs up at once then.
    """
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            if relayed:
                connection.settimeout(RELAYED)
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1):
                        return f"port {port}: it hangs up at once"
    except OSError as error:
        return f"port {port}: {_why(error)}"
    return None


def _why(error: Exception) -> str:
    """Without the number that Python puts before the system's words."""
    words = error.strerror if isinstance(error, OSError) else None
    return words or str(error) or type(error).__name__
