"""What an ELF file says of itself: for which machine it is, whether it is a program, and how it finds its libraries.

read(file) -> Elf              # NotElf: it is something else
section(data, name) -> bytes   # what stands under a name
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")

_MACHINES: Final = {
    3: "386",
    21: "ppc64le",
    22: "s390x",
    40: "arm",
    62: "amd64",
    183: "arm64",
    243: "riscv64",
    258: "loong64",
}
"""Docker's name of an architecture, by its number."""
_OTHERS: Final = (
    (b"#!", "a script"),
    (b"MZ", "a program for Windows"),
    (b"\xcf\xfa\xed\xfe", "a program for macOS"),
    (b"\xca\xfe\xba\xbe", "a program for macOS"),
    (b"\x1f\x8b", "an archive"),
    (b"PK", "an archive"),
    (b"\0asm", "a WebAssembly module"),
    (b"!<arch>", "a static library"),
)
_LINUX: Final = (0, 3)
_RELOCATABLE, _DYNAMIC = 1, 3
_LOAD, _DYNAMIC_PART, _INTERPRETER = 1, 2, 3
_STRINGS, _SONAME, _RPATH, _RUNPATH, _FLAGS = 5, 14, 15, 29, 0x6FFFFFFB
_PIE: Final = 0x08000000


class NotElf(Exception):
    """It is no ELF file for Linux; the message is what it is instead, in words."""


class Elf(NamedTuple):
    """`machine`: Docker's name of the architecture; `kind`: `program`, `library` or `object`.

    `interpreter`: the loader, by its path, None where it needs none; `rpath`, `runpath`: where it has its libraries
    looked for.
    """

    machine: str
    kind: str
    interpreter: str | None = None
    rpath: str | None = None
    runpath: str | None = None


class _Part(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def read(file: Path) -> Elf:
    """Read the headers of a file."""
    return _whole(file.read_bytes(), _read)


def section(data: bytes, name: bytes) -> bytes:
    """The content of a section of a file's data; nothing where there is none of that name."""
    return _whole(data, lambda whole: _section(whole, name))


def _whole(data: bytes, reading: Callable[[bytes], _T]) -> _T:
    if not data.startswith(b"\x7fELF"):
        raise NotElf(next((words for start, words in _OTHERS if data.startswith(start)), "no program"))
    try:
        return reading(data)
    except (struct.error, IndexError, ValueError) as error:
        raise NotElf("only a part of a program: the file is damaged") from error


def _section(data: bytes, wanted: bytes) -> bytes:
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    (table,) = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)
    size, count, names = struct.unpack_from(order + "HHH", data, 58 if wide else 46)
    form = order + ("IIQQQQ" if wide else "IIIIII")
    sections = [struct.unpack_from(form, data, table + size * number) for number in range(count)]
    start = sections[names][4]
    for name, _, _, _, offset, length in sections:
        at = start + name
        if data[at : data.index(b"\0", at)] == wanted:
            return data[offset : offset + length]
    return b""


def _read(data: bytes) -> Elf:
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    if data[7] not in _LINUX:
        raise NotElf("a program for another system than Linux")
    kind, machine = struct.unpack_from(order + "HH", data, 16)
    entry, table = struct.unpack_from(order + ("QQ" if wide else "II"), data, 24)
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    parts = [_part(data, table + size * number, order, wide=wide) for number in range(count)]
    if any(part.offset + part.size > len(data) for part in parts):
        raise ValueError("cut off")
    name = _MACHINES.get(machine, f"machine {machine}")
    if kind == _RELOCATABLE:
        return Elf(name, "object")
    interpreter = next((_text(data, part.offset) for part in parts if part.kind == _INTERPRETER), None)
    tags = _tags(data, parts, order, wide=wide)
    runs = interpreter is not None or kind != _DYNAMIC or tags.get(_FLAGS, 0) & _PIE
    is_library = not runs and (_SONAME in tags or entry == 0)
    paths = (_string(data, parts, tags, tag) for tag in (_RPATH, _RUNPATH))
    return Elf(name, "library" if is_library else "program", interpreter, *paths)


def _part(data: bytes, at: int, order: str, *, wide: bool) -> _Part:
    if wide:
        kind, _, offset, address, _, size = struct.unpack_from(order + "IIQQQQ", data, at)
    else:
        kind, offset, address, _, size = struct.unpack_from(order + "IIIII", data, at)
    return _Part(kind, offset, address, size)


def _tags(data: bytes, parts: list[_Part], order: str, *, wide: bool) -> dict[int, int]:
    """The dynamic section: the first value of each tag."""
    part = next((part for part in parts if part.kind == _DYNAMIC_PART), None)
    found: dict[int, int] = {}
    if part is not None:
        form = struct.Struct(order + ("QQ" if wide else "II"))
        whole = data[part.offset : part.offset + part.size // form.size * form.size]
        for tag, value in form.iter_unpack(whole):
            if tag == 0:
                break
            found.setdefault(tag, value)
    return found


def _string(data: bytes, parts: list[_Part], tags: dict[int, int], tag: int) -> str | None:
    if tag not in tags or _STRINGS not in tags:
        return None
    address = tags[_STRINGS]
    loaded = (part for part in parts if part.kind == _LOAD and part.address <= address < part.address + part.size)
    part = next(loaded, None)
    return None if part is None else _text(data, part.offset + address - part.address + tags[tag])


def _text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode("utf-8", "surrogateescape")
