"""Front ends are no programs of an image: they are left out, and what they and their servers need is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from layerdoit.init import proposal
from layerdoit.init.found import Found, look
from tests.support.files import write

WASM_MAIN = '#![cfg(target_arch = "wasm32")]\nfn main() {}\n'


TRUNK = '[build]\ntarget = "www/index.html"\ndist = "out"\n'
PAGE = '<link data-trunk rel="rust" href="../Cargo.toml">'


def workspace(folder: Path, members: dict[str, str], files: dict[str, str], root: str = "") -> Found:
    """`members`: name -> more of its manifest; each has a program unless `files` say otherwise."""
    made = {"Cargo.toml": f"[workspace]\nmembers = {list(members)!r}\n{root}", **files}
    entries = ""
    for name, more in members.items():
        made[f"{name}/Cargo.toml"] = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}'
        made.setdefault(f"{name}/src/main.rs", "fn main() {}\n")
        entries += f'[[package]]\nname = "{name}"\nversion = "0.1.0"\n\n'
    return look(write(folder, {**made, "Cargo.lock": f"version = 3\n\n{entries}"}))


def proposed(found: Found) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for item in proposal.propose(found).active:
        out.setdefault(item.path, []).append(item.value)
    return out


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"ui/Trunk.toml": "[build]\n"}, "ui/Trunk.toml: ui is a front end"),
        ({"ui/Trunk.toml": TRUNK, "ui/www/index.html": PAGE}, "makes ui/out;"),
        ({"web/index.html": "", "ui/index.html": '<link data-trunk rel="rust">'}, "ui/index.html:1: ui is a front end"),
        ({"ui/Dioxus.toml": '[application]\ndefault_platform = "web"\n'}, "`dx build --release` in ui"),
        ({"ui/src/main.rs": WASM_MAIN}, "ui/src/main.rs:1: ui is for wasm only"),
    ],
)  # fmt: skip
def test_a_member_that_browsers_run_is_left_out(tmp_path: Path, files: dict[str, str], words: str) -> None:
    found = workspace(tmp_path, {"api": "", "ui": ""}, files)
    assert proposed(found)["packages"] == ["api"]
    assert found.selection is not None
    assert found.selection.bins == (("api", "api"),)
    assert any(words in remark for remark in proposal.propose(found).remarks)


def test_a_page_may_name_another_package_or_one_of_its_programs(tmp_path: Path) -> None:
    page = '<link data-trunk rel="rust" href="../ui/Cargo.toml" data-bin="app" />'
    files = {"api/index.html": page, "ui/src/bin/app.rs": "fn main() {}", "ui/src/bin/tool.rs": "fn main() {}"}
    found = workspace(tmp_path, {"api": "", "ui": ""}, files)
    assert found.selection is not None
    assert [name for _, name in found.selection.bins] == ["api", "tool", "ui"]


def test_an_ordinary_member_stays(tmp_path: Path) -> None:
    found = workspace(tmp_path, {"api": "", "ui": ""}, {"ui/index.html": "<html>", "ui/src/main.rs": "fn main() {}"})
    assert "packages" not in proposed(found)


def test_a_library_for_browsers_is_told(tmp_path: Path) -> None:
    more = '[lib]\ncrate-type = ["cdylib"]\n[dependencies]\nwasm-bindgen = "0.2"\n'
    files = {"ui/src/lib.rs": "", "ui/src/main.rs": ""}
    found = workspace(tmp_path / "a", {"api": "", "ui": more}, files)
    assert not any("for browsers" in remark for remark in proposal.propose(found).remarks), "it has a program"
    (tmp_path / "a/ui/src/main.rs").unlink()
    remarks = proposal.propose(look(tmp_path / "a")).remarks
    assert any(remark.startswith("ui/Cargo.toml: ui is compiled to wasm for browsers") for remark in remarks)


LEPTOS = """\
[[workspace.metadata.leptos]]
name = "site"
bin-package = "server"
lib-package = "ui"
site-root = "target/site"
site-addr = "127.0.0.1:4000"
bin-features = ["ssr"]
bin-default-features = false
"""


def test_leptos_tells_server_features_and_site(tmp_path: Path) -> None:
    members = {"server": "[features]\nssr = []\n", "ui": ""}
    found = workspace(tmp_path, members, {}, LEPTOS)
    got = proposed(found)
    assert got["packages"] == ["server"]
    assert (got["features"], got["default_features"]) == (["server/ssr"], [False])
    assert got["image.env"] == [
        ("LEPTOS_OUTPUT_NAME", "ui"),
        ("LEPTOS_SITE_ROOT", "/srv/site"),
        ("LEPTOS_SITE_ADDR", "0.0.0.0:4000"),
    ]
    assert got["deploy.port"] == [4000]
    assert "image.assets" not in got
    assert any("`cargo leptos build --release` makes target/site" in text for text in proposal.propose(found).remarks)
    write(tmp_path, {"target/site/a": "", "Dockerfile": "FROM debian\nENV LEPTOS_SITE_ADDR=0.0.0.0:80\nEXPOSE 80\n"})
    got = proposed(look(tmp_path))
    assert got["image.assets"] == [("target/site", "/srv/site")]
    assert (got["deploy.port"], ("LEPTOS_SITE_ADDR", "0.0.0.0:80") in got["image.env"]) == ([80], True)


def test_one_package_of_leptos_is_server_and_front_end(tmp_path: Path) -> None:
    manifest = (
        '[package]\nname = "one"\nversion = "0.1.0"\n[lib]\ncrate-type = ["cdylib", "rlib"]\n[features]\nssr = []\n'
        '[package.metadata.leptos]\nbin-features = ["ssr"]\n'
    )
    lock = 'version = 3\n\n[[package]]\nname = "one"\nversion = "0.1.0"\n'
    files = {"Cargo.toml": manifest, "Cargo.lock": lock, "src/main.rs": "fn main() {}\n", "src/lib.rs": ""}
    got = proposed(look(write(tmp_path, files)))
    assert got["features"] == ["ssr"]
    assert "packages" not in got
