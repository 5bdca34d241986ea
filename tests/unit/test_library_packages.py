"""From a library's name to the Debian package that has it."""

from __future__ import annotations

import pytest

from layerdoit.cargo.library_packages import package
from layerdoit.config import Base, Config


@pytest.mark.parametrize(
    ("library", "suite", "name"),
    [
        ("libpq.so.5", "trixie", "libpq5"),
        ("libssl.so.3", "trixie", "libssl3t64"),
        ("libssl.so.3", "bookworm", "libssl3"),
        ("libcrypto.so.3", "bookworm", "libssl3"),
        ("libssl.so.1.1", "trixie", "libssl1.1"),
        ("libz.so.1", "trixie", "zlib1g"),
        ("libstdc++.so.6", "trixie", "libstdc++6"),
        ("libgcc_s.so.1", "trixie", "libgcc-s1"),
        ("libsqlite3.so.0", "trixie", "libsqlite3-0"),
        ("libbz2.so.1.0", "trixie", "libbz2-1.0"),
        ("libasound.so.2", "trixie", "libasound2t64"),
        ("libasound.so.2", "bookworm", "libasound2"),
        ("libcurl.so.4", "trixie", "libcurl4t64"),
        ("libown.so.7", "trixie", "libown7"),
        ("libown.so", "trixie", None),
        ("own.so.1", "trixie", None),
    ],
)
def test_package(library: str, suite: str, name: str | None) -> None:
    assert package(library, Config(base=Base(suite=suite))) == name
