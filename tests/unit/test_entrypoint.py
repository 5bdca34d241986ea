"""Which binary an image runs where nobody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerdoit.cargo import entrypoint, manifest
from layerdoit.cargo.selection import select
from tests.support.files import write
from tests.support.manifest import package

PRIVATE = "publish = false"
Package = tuple[str, str, list[str]]
"""Name, more lines of its [package] table, names of its binaries."""

ONE: list[tuple[str, list[Package], str | None, str, bool]] = [
    # what it shows, packages, the configured name, the binary, whether it is a guess
    ("the only one", [("a", "", ["x"])], None, "x", False),
    ("default-run", [("a", 'default-run = "z"', ["a", "x", "z"])], None, "z", False),
    ("default-run, whatever the project is called", [("a", 'default-run = "z"', ["x", "z"])], "x", "z", False),
    ("default-run of one of several", [("a", "", ["a"]), ("b", 'default-run = "z"', ["b", "z"])], None, "z", False),
    ("two defaults", [("a", 'default-run = "x"', ["x"]), ("b", 'default-run = "z"', ["z"])], None, "x", True),
    ("named as the project", [("a", "", ["a", "x"])], "x", "x", False),
    ("named as the package", [("serve", "", ["admin", "serve"])], None, "serve", False),
    ("named as the folder", [("a", "", ["x"]), ("b", "", ["my_shop"])], None, "my_shop", False),
    ("named as its address says", [("a", "", ["a"]), ("b", "", ["orders"])], None, "orders", False),
    ("several, each named as its package", [("b", "", ["b"]), ("a", "", ["a"])], None, "a", True),
    ("nothing tells", [("a", "", ["y", "x"])], None, "x", True),
    ("never published beside one that is", [("a", PRIVATE, ["a"]), ("b", "", ["b"])], None, "b", False),
    ("none is published", [("a", PRIVATE, ["a"]), ("b", PRIVATE, ["x"])], None, "a", False),
    ("a benchmark", [("bench", "", ["bench"]), ("server", "", ["server"])], None, "server", False),
    ("a helper that has a default", [("a-tests", 'default-run = "q"', ["q", "r"]), ("s", "", ["t"])], None, "t", True),
    ("a generator beside it", [("a", "", ["code-gen", "main"])], None, "main", True),
    ("named after a helper", [("bench", PRIVATE, ["bench"]), ("b", "", ["b"])], "bench", "bench", False),
]  # fmt: skip


def made(root: Path, packages: list[Package]) -> manifest.Workspace:
    names = [name for name, _, _ in packages]
    address = 'repository = "https://example.org/team/Orders.git/"' if "orders" in str(packages) else ""
    files = {"Cargo.toml": f'[workspace]\nmembers = {names}\nresolver = "2"\n[workspace.package]\n{address}\n'}
    for name, head, binaries in packages:
        files[f"{name}/Cargo.toml"] = package(name, head=head)
        files |= {f"{name}/src/bin/{binary}.rs": "" for binary in binaries}
    return manifest.load(write(root / "my-shop", {"Cargo.lock": "", **files}))


@pytest.mark.parametrize(
    ("packages", "configured", "name", "guessed"), [case[1:] for case in ONE], ids=[c[0] for c in ONE]
)
def test_entry_point(packages: list[Package], configured: str | None, name: str, guessed: bool, tmp_path: Path) -> None:
    ws = made(tmp_path, packages)
    found = entrypoint.choose(ws, select(ws), configured, ws.root.name)
    assert (found.name, found.guessed) == (name, guessed)


def test_the_root_package_and_its_helpers(tmp_path: Path) -> None:
    files = dict.fromkeys(("src/main.rs", "src/bin/aaa.rs", "Cargo.lock"), "")
    ws = manifest.load(write(tmp_path, {**files, "Cargo.toml": package("shop")}))
    found = entrypoint.choose(ws, select(ws), None, "elsewhere")
    assert found == ("shop", "the name of the root package")


def test_no_binary_is_no_entry_point(tmp_path: Path) -> None:
    ws = made(tmp_path, [("a", "", ["x"])])
    assert entrypoint.choose(ws, select(ws)._replace(bins=()), None, "a").name == ""
