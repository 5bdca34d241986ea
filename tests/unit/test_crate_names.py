"""Which crates of a workspace cannot be part of some binaries: what only they read concerns no other image."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import crate_names, manifest
from tests.support.files import write

FILES = {
    "Cargo.lock": "version = 4\n",
    "Cargo.toml": '[workspace]\nmembers = ["api", "macros", "shared", "tools"]\nresolver = "2"\n',
    "api/Cargo.toml": '[package]\nname = "shop-api"\nversion = "0.1.0"\n',
    "api/src/main.rs": "",
    "shared/Cargo.toml": '[package]\nname = "shop-shared"\nversion = "0.1.0"\n[lib]\nname = "goods"\n',
    "shared/src/lib.rs": "",
    "macros/Cargo.toml": '[package]\nname = "shop-macros"\nversion = "0.1.0"\n[lib]\nproc-macro = true\n',
    "macros/src/lib.rs": "",
    # Two programs and a library in one package; one program is called like another package's library.
    "tools/Cargo.toml": '[package]\nname = "tools"\nversion = "0.1.0"\n',
    "tools/src/lib.rs": "",
    "tools/src/bin/mail-sender.rs": "",
    "tools/src/bin/goods.rs": "",
}


@pytest.mark.parametrize(
    ("packages", "bins", "foreign"),
    [
        # The api is not made of tools, nor of the macros; `goods` may be its own library.
        (
            ("shop-api", "shop-shared"),
            ("shop-api",),
            {"tools", "mail_sender", "shop-macros", "shop_macros"},
        ),
        # One of two programs of a package: the other one is none of its own, the library is.
        (
            ("tools",),
            ("mail-sender",),
            {"goods", "shop-api", "shop_api", "shop-macros", "shop_macros", "shop-shared", "shop_shared"},
        ),
        # Everything that a program may be made of is its own.
        (("shop-api", "shop-shared", "shop-macros", "tools"), ("shop-api", "goods", "mail-sender"), set()),
    ],
)
def test_what_no_binary_is_made_of(
    packages: tuple[str, ...], bins: tuple[str, ...], foreign: set[str], tmp_path: Path
) -> None:
    write(tmp_path, FILES)
    assert crate_names.foreign(manifest.load(tmp_path), packages, bins) == foreign
