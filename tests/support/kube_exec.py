"""What `kubectl exec` asks of a node, played: a command runs on this machine, its streams go through the API server.

The streams are SPDY/3.1, of which only what a client of Kubernetes sends is spoken. It opens its streams in one order:
error, stdin, stdout, stderr, as far as it asked for them; so their headers need not be read.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import struct
import subprocess
import threading
import zlib
from collections.abc import Mapping, Sequence
from io import BufferedIOBase
from typing import IO, Final

_CONTROL: Final = 0x8003_0000
_OPEN, _REPLY, _PING, _GOAWAY = 1, 2, 6, 7
_END: Final = 1
_ORDER: Final = (("input", "stdin"), ("output", "stdout"), ("error", "stderr"))
_VERSION: Final = "v4.channel.k8s.io"


def serve(handler: http.server.BaseHTTPRequestHandler, asked: Mapping[str, Sequence[str]], argv: Sequence[str]) -> None:
    """Answer a request for a command: run it with the streams that were asked for, to its end or the client's."""
    handler.send_response(101)
    for name, value in (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", _VERSION)):
        handler.send_header(name, value)
    handler.end_headers()
    handler.close_connection = True
    names = ["status", *(stream for key, stream in _ORDER if asked.get(key))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        try:
            _Streams(handler.rfile, handler.wfile, names, child).follow()
        finally:
            child.kill()


class _Streams:
    def __init__(
        self, source: BufferedIOBase, target: BufferedIOBase, names: Sequence[str], child: subprocess.Popen[bytes]
    ) -> None:
        self._source = source
        self._target = target
        self._names = list(names)
        self._child = child
        self._numbers: dict[str, int] = {}
        self._sending = threading.Lock()
        # Headers are one compressed text for the whole connection.
        self._packer = zlib.compressobj()

    def follow(self) -> None:
        """Until the client has gone."""
        with contextlib.suppress(OSError, struct.error):
            while True:
                head, length = struct.unpack(">II", self._exactly(8))
                flags, body = length >> 24, self._exactly(length & 0xFFFFFF)
                if head & 0x8000_0000 == 0:
                    self._given(head, flags, body)
                elif head == _CONTROL | _OPEN:
                    self._opened(struct.unpack(">I", body[:4])[0])
                elif head == _CONTROL | _PING:
                    self._send(_CONTROL | _PING, 0, body)
                elif head == _CONTROL | _GOAWAY:
                    return

    def _exactly(self, size: int) -> bytes:
        return self._source.read(size)

    def _given(self, number: int, flags: int, body: bytes) -> None:
        stdin = self._child.stdin
        if number == self._numbers.get("stdin") and stdin is not None and not stdin.closed:
            stdin.write(body)
            stdin.flush()
            if flags & _END:
                stdin.close()

    def _opened(self, number: int) -> None:
        name = self._names[len(self._numbers)]
        self._numbers[name] = number
        with self._sending:
            none = self._packer.compress(struct.pack(">I", 0)) + self._packer.flush(zlib.Z_SYNC_FLUSH)
            self._written(_CONTROL | _REPLY, 0, struct.pack(">I", number) + none)
        if len(self._numbers) == len(self._names):
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        """All that the command says, and that it has ended."""
        outputs = {"stdout": self._child.stdout, "stderr": self._child.stderr}
        pumps = [
            threading.Thread(target=self._pump, args=(self._numbers.get(name), output), daemon=True)
            for name, output in outputs.items()
        ]
        for one in pumps:
            one.start()
        for one in pumps:
            one.join()
        status = "Success" if self._child.wait() == 0 else "Failure"
        with contextlib.suppress(OSError):
            self._send(self._numbers["status"], _END, json.dumps({"metadata": {}, "status": status}).encode())

    def _pump(self, number: int | None, output: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := output.read1(1 << 16):  # type: ignore[attr-defined]
                if number is not None:
                    self._send(number, 0, data)
            if number is not None:
                self._send(number, _END, b"")

    def _send(self, head: int, flags: int, body: bytes) -> None:
        with self._sending:
            self._written(head, flags, body)

    def _written(self, head: int, flags: int, body: bytes) -> None:
        self._target.write(struct.pack(">II", head, flags << 24 | len(body)) + body)
        self._target.flush()
