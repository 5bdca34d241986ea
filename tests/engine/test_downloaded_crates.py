"""What cargo has downloaded on this machine, a cook does not download again."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from layerdoit.flows import check
from layerdoit.project import question
from tests.support.checkout import Checkout
from tests.support.lockfile import entry, external, lockfile
from tests.support.scratch import docker

ITOA: Final = ("1.0.11", "49f1f14873335454500d59611f1cf4a4b0f786f9ac11f4312a78e4cf2566695b")
RYU: Final = ("1.0.18", "f3cb5ba0dc43242ce17de99c180e96db90b235b8a9fdc9543c96d2209116bd9f")
OPTIONAL: Final = """\
fn main() {
    #[cfg(feature = "itoa")]
    print!("{}", itoa::Buffer::new().format(12));
}
"""
ALONE: Final = "deps: {{donors: false}}\nenv: {{RUST_ALONE: {}}}\n"
NOBODY: Final = "http://127.0.0.1:9"
CALLED_OTHERWISE: Final = "index.crates.io-0123456789abcdef"


def files(crates: Mapping[str, tuple[str, str]], says: str, table: str = "dependencies") -> dict[str, str]:
    """A program that needs crates, as a table of its manifest says."""
    needs = "".join(f'{name} = "1"\n' for name in crates)
    locked = [external(name, version, checksum) for name, (version, checksum) in crates.items()]
    return {
        "Cargo.toml": f'[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n\n[{table}]\n{needs}',
        "Cargo.lock": lockfile(entry("app", needs=list(crates)), *locked),
        "src/main.rs": f'fn main() {{ println!("{{}}", {says}); }}\n',
    }


@pytest.fixture
def one(checkout: Callable[..., Checkout], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout whose crates cargo has downloaded into a home of its own, and nobody has compiled."""
    made = checkout(files({"itoa": ITOA}, "itoa::Buffer::new().format(12)"))
    made.configure(ALONE.format(made.name))
    home = tmp_path / "cargo-home"
    home.mkdir()
    monkeypatch.setenv("CARGO_HOME", str(home))
    fetch(made)
    return made


def fetch(one: Checkout) -> None:
    """Have cargo download all that is locked."""
    subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=one.root, check=True)


def test_it_needs_no_network_for_what_is_here(one: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as cut:
        cut.setenv("HTTPS_PROXY", NOBODY)
        first = one.build()
    assert one.said(first["app"].step.spec.tag) == "12\n"

    one.write(files({"itoa": ITOA, "ryu": RYU}, "ryu::Buffer::new().format(1.5)"))
    fetch(one)
    monkeypatch.setenv("HTTPS_PROXY", NOBODY)
    second = one.build()
    assert second["deps"].how == f"cooked from {first['deps'].step.spec.tag}"
    assert one.said(second["app"].step.spec.tag) == "1.5\n"
    sent = [path.name for path in (one.root / ".layerdoit/context/deps/crates").rglob("*.crate")]
    assert sent == [f"ryu-{RYU[0]}.crate"], "the image that it is cooked from has the other one"


def test_what_tests_need_and_what_a_feature_adds_is_given_too(one: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = one.read("Cargo.toml").replace('itoa = "1"', 'itoa = { version = "1", optional = true }')
    one.write(
        {
            "Cargo.toml": f'{manifest}\n[dev-dependencies]\nryu = "1"\n',
            "Cargo.lock": files({"itoa": ITOA, "ryu": RYU}, "")["Cargo.lock"],
            "src/main.rs": OPTIONAL,
            "tests/it.rs": '#[test]\nfn it() { assert_eq!(ryu::Buffer::new().format(1.5), "1.5"); }\n',
        }
    )
    fetch(one)
    monkeypatch.setenv("HTTPS_PROXY", NOBODY)
    assert one.said(one.build()["app"].step.spec.tag) == ""
    _, said = check.run(one.session(question.check))
    assert said is not None
    assert check.summary(said).startswith("1 test passed")
    one.configure("features: [itoa]\n" + ALONE.format(one.name))
    assert one.said(one.build()["app"].step.spec.tag) == "12"


def test_an_archive_that_is_not_the_locked_one_is_downloaded_and_what_cargo_does_not_use_stays_nowhere(
    one: Checkout,
) -> None:
    registry = Path(os.environ["CARGO_HOME"]) / "registry"
    (folder,) = (registry / "cache").iterdir()
    for part in ("cache", "index"):
        shutil.copytree(registry / part / folder.name, registry / part / CALLED_OTHERWISE)
    (archive,) = folder.iterdir()
    archive.write_bytes(archive.read_bytes()[:-1])
    made = one.build()
    assert one.said(made["app"].step.spec.tag) == "12\n"

    look = "cd /cargo/registry; ls cache index; sha256sum cache/*/*"
    said = docker("run", "--rm", "--entrypoint", "sh", made["deps"].step.spec.tag, "-c", look).split()
    assert CALLED_OTHERWISE not in said
    assert ITOA[1] in said


def test_where_no_crate_is_needed_the_index_stays(one: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    one.write(files({"itoa": ITOA}, '"none"', "target.'cfg(windows)'.dependencies"))
    monkeypatch.setenv("HTTPS_PROXY", NOBODY)
    made = one.build()
    assert one.said(made["app"].step.spec.tag) == "none\n"
    look = "find /cargo/registry -name '*.crate'"
    assert docker("run", "--rm", "--entrypoint", "sh", made["deps"].step.spec.tag, "-c", look) == ""
