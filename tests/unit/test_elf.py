"""What a file says of itself, read without any tool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from layerdoit.components.elf import Elf, NotElf, read
from tests.support.elf_files import LOADER, made


def of(folder: Path, content: bytes) -> Elf:
    file = folder / "file"
    file.write_bytes(content)
    return read(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (made(kind=2), Elf("amd64", "program")),
        (made(interpreter=LOADER), Elf("amd64", "program", LOADER)),
        (made(interpreter=LOADER, runpath="$ORIGIN/../lib"), Elf("amd64", "program", LOADER, None, "$ORIGIN/../lib")),
        (
            made("arm64", interpreter="/lib/ld-linux-aarch64.so.1"),
            Elf("arm64", "program", "/lib/ld-linux-aarch64.so.1"),
        ),
        (made("arm", kind=2), Elf("arm", "program")),
        (
            made("386", interpreter="/lib/ld-linux.so.2", runpath="/x"),
            Elf("386", "program", "/lib/ld-linux.so.2", None, "/x"),
        ),
        (made("arm64", kind=2, big=True), Elf("arm64", "program")),
        # Static, and at any address: Rust's programs for musl.
        (made(pie=True, entry=0), Elf("amd64", "program")),
        (made(), Elf("amd64", "program")),
        (made(soname="liba.so.1"), Elf("amd64", "library")),
        (made(entry=0), Elf("amd64", "library")),
        # The C library itself has a loader and a name.
        (made(soname="libc.so.6", interpreter=LOADER), Elf("amd64", "program", LOADER)),
        (made(kind=1), Elf("amd64", "object")),
    ],
)
def test_what_a_file_says(tmp_path: Path, content: bytes, said: Elf) -> None:
    assert of(tmp_path, content) == said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no program"),
        (b"hello\n", "no program"),
        (b"#!/bin/sh\n", "a script"),
        (b"MZ\x90", "a program for Windows"),
        (b"\xcf\xfa\xed\xfe\x07", "a program for macOS"),
        (b"PK\x03\x04", "an archive"),
        (b"\0asm\x01", "a WebAssembly module"),
        (b"!<arch>\n", "a static library"),
        (b"\x7fELF", "only a part of a program: the file is damaged"),
        (made(interpreter=LOADER)[:100], "only a part of a program: the file is damaged"),
        (made(interpreter=LOADER)[:-8], "only a part of a program: the file is damaged"),
        (
            made(kind=2).replace(b"\x7fELF\x02\x01\x01\x00", b"\x7fELF\x02\x01\x01\x09"),
            "a program for another system than Linux",
        ),
    ],
)
def test_what_else_a_file_is(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(NotElf) as raised:
        of(tmp_path, content)
    assert str(raised.value) == words


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
@pytest.mark.parametrize(
    ("options", "kind", "has_loader"),
    [
        ([], "program", True),
        (["-no-pie"], "program", True),
        (["-static"], "program", False),
        (["-static-pie"], "program", False),
        (["-shared", "-fPIC"], "library", False),
        (["-c"], "object", False),
    ],
)
def test_files_of_a_compiler(tmp_path: Path, options: list[str], kind: str, has_loader: bool) -> None:
    argv = ["gcc", "-x", "c", *options, "-o", "out", "-"]
    subprocess.run(argv, input="int main(void) { return 0; }", text=True, cwd=tmp_path, check=True)
    found = read(tmp_path / "out")
    assert (found.kind, found.interpreter is not None) == (kind, has_loader)
    if kind != "object":
        assert found.rpath is found.runpath is None
        argv = ["gcc", "-x", "c", *options, "-Wl,--enable-new-dtags,-rpath,/own/lib", "-o", "out", "-"]
        if "-static" not in " ".join(options):
            subprocess.run(argv, input="int main(void) { return 0; }", text=True, cwd=tmp_path, check=True)
            assert read(tmp_path / "out").runpath == "/own/lib"
