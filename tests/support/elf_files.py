"""ELF files made by hand: of any architecture, without a compiler for it."""

from __future__ import annotations

import struct

MACHINES = {"amd64": 62, "arm64": 183, "arm": 40, "386": 3}
LOADER = "/lib64/ld-linux-x86-64.so.2"
_STRINGS, _SONAME, _RUNPATH, _FLAGS, _PIE = 5, 14, 29, 0x6FFFFFFB, 0x08000000


def made(
    machine: str = "amd64",
    *,
    kind: int = 3,
    interpreter: str | None = None,
    runpath: str | None = None,
    soname: str | None = None,
    pie: bool = False,
    entry: int = 0x40,
    big: bool = False,
) -> bytes:
    """A file with the headers that are asked for, and nothing to run.

    `kind`: 1 is an object, 2 a program at a fixed address, 3 any other program or library.
    """
    wide = machine not in ("arm", "386")
    order, word = ">" if big else "<", "Q" if wide else "I"
    strings = b"\0" + b"".join(f"{text}\0".encode() for text in (runpath, soname) if text)
    header, part = (64, 56) if wide else (52, 32)
    count = 3
    at = header + part * count
    loader = f"{interpreter}\0".encode() if interpreter else b""
    tags = [(_STRINGS, at + len(loader))]
    tags += [(_RUNPATH, 1)] if runpath else []
    tags += [(_SONAME, 1 + (len(runpath) + 1 if runpath else 0))] if soname else []
    tags += [(_FLAGS, _PIE)] if pie else []
    dynamic = b"".join(struct.pack(order + 2 * word, *tag) for tag in [*tags, (0, 0)])
    body = loader + strings + dynamic
    whole = at + len(body)

    def entry_of(of: int, offset: int, size: int) -> bytes:
        if wide:
            return struct.pack(order + "IIQQQQQQ", of, 4, offset, offset, offset, size, size, 8)
        return struct.pack(order + "IIIIIIII", of, offset, offset, offset, size, size, 4, 8)

    parts = [(1, 0, whole), (2, at + len(loader) + len(strings), len(dynamic))]
    parts += [(3, at, len(loader))] if interpreter else [(0, 0, 0)]
    start = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1, 0]) + bytes(8)
    rest = struct.pack(
        order + "HHI" + 3 * word + "IHHHHHH",
        kind,
        MACHINES[machine],
        1,
        entry,
        header,
        0,
        0,
        header,
        part,
        count,
        0,
        0,
        0,
    )
    return start + rest + b"".join(entry_of(*each) for each in parts) + body
