"""Images of arm64, made on another machine: cross-compiled, with libraries of Debian for the other architecture.

What they hold is run by QEMU, which needs no registration where it is called by its name.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from layerdoit.components.rust_failures import NotBuilt
from layerdoit.core.platform import architecture
from layerdoit.engine.handle import Engine
from layerdoit.flows.ensure import ensure
from tests.support import qemu
from tests.support.checkout import Checkout

pytestmark = [
    pytest.mark.skipif(architecture() == "aarch64", reason="arm64 is this machine's own"),
    pytest.mark.skipif(shutil.which("cargo") is None, reason="no cargo here"),
]

MANIFEST = """\
[package]
name = "app"
version = "0.1.0"
edition = "2021"

[dependencies]
libz-sys = { version = "1", default-features = false, features = ["libc"] }

[build-dependencies]
cc = "1"
"""
MAIN = """\
extern "C" {
    fn part() -> i32;
    fn idn2_check_version(wanted: *const std::ffi::c_char) -> *const std::ffi::c_char;
}

fn main() {
    let version = unsafe { std::ffi::CStr::from_ptr(libz_sys::zlibVersion()) };
    println!("zlib {}", version.to_str().unwrap().split('.').next().unwrap());
    println!("C {}", unsafe { part() });
    println!("idn {}", unsafe { !idn2_check_version(c"2.0.0".as_ptr()).is_null() });
    println!("runs on {}, built on {}", std::env::consts::ARCH, env!("BUILT_ON"));
}
"""
BUILD = """\
fn main() {
    println!("cargo:rerun-if-changed=part.c");
    println!("cargo:rustc-link-lib=idn2");
    cc::Build::new().file("part.c").compile("part");
    println!("cargo:rustc-env=BUILT_ON={}", std::env::consts::ARCH);
}
"""
FILES = {
    "Cargo.toml": MANIFEST,
    "build.rs": BUILD,
    "part.c": "int part(void) { return 42; }\n",
    "src/main.rs": MAIN,
    "dodo.py": "import layerdoit\n\ntask_layerdoit = layerdoit.tasks()\n",
}
# Tests have the same systems to run on as far as they are not about them: on a new engine, each takes half a minute.
RUNTIME = ", runtime_packages: [zlib1g, libidn2-0]"
SETTINGS = f"""\
toolchain: 1.95.0
base: {{packages: [zlib1g-dev, libidn2-dev]{RUNTIME}}}
image: {{smoke: [--version]}}
"""


@pytest.fixture
def alone() -> Iterator[None]:
    """Nothing on this machine runs programs of arm64."""
    with qemu.settled(registered=False):
        if "linux/arm64" in Engine().platforms:
            # BuildKit never forgets what it has once run: other tests of this file register QEMU for a while.
            pytest.skip("this engine has run programs of arm64: it takes them for granted until it is started again")
        yield


@pytest.fixture(scope="module", autouse=True)
def _target() -> None:
    """This machine's toolchain compiles for arm64, as the message tells to have it where it does not."""
    if shutil.which("rustup") is not None:
        add = ["rustup", "target", "add", "--toolchain", "1.95.0", "aarch64-unknown-linux-gnu"]
        subprocess.run(add, capture_output=True, check=False)


def linked(checkout: Callable[..., Checkout]) -> Checkout:
    one = checkout(FILES, SETTINGS)
    done = subprocess.run(
        ["cargo", "generate-lockfile", "--manifest-path", one.root / "Cargo.toml"], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no crates here: {done.stderr.decode()}")
    return one


def unpacked(tag: str, folder: Path, engine: Any) -> Path:
    """The files of an image."""
    container = engine.api.create_container(tag, command=["x"], platform="linux/arm64")["Id"]
    try:
        folder.mkdir()
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as export:
            subprocess.run(["tar", "-x", "-C", folder, "--exclude=dev"], stdin=export.stdout, check=True)
        assert export.returncode == 0
    finally:
        engine.api.remove_container(container)
    return folder


@pytest.mark.usefixtures("alone")
def test_an_image_is_made_of_which_nothing_runs_here(
    checkout: Callable[..., Checkout], docker_engine: Any, tmp_path: Path
) -> None:
    one = linked(checkout)
    done = one.doit("image", "PLATFORM=arm64")
    assert done.returncode == 0, done.stderr
    assert "linux/arm64: cross-compiled on linux/amd64 with gcc" in done.stdout
    assert "the smoke test is not run: nothing here runs programs of linux/arm64" in done.stderr
    image = one.image("latest-arm64")
    assert image["Architecture"] == "arm64"
    assert one.image() is None, "the tag of this engine's own images is not taken"
    root = unpacked(f"{one.name}:latest-arm64", tmp_path / "root", docker_engine)
    run = [qemu.program(), "-L", str(root), str(root / "usr/local/bin/app")]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert said == f"zlib 1\nC 42\nidn true\nruns on aarch64, built on {architecture()}\n"
    # What programs ask of a system: its users, and whom to trust.
    assert "app:x:10001:" in (root / "etc/passwd").read_text()
    assert "root:" in (root / "etc/passwd").read_text()
    assert "BEGIN CERTIFICATE" in (root / "etc/ssl/certs/ca-certificates.crt").read_text()

    one.replace("src/main.rs", 'println!("C {}"', 'println!("part {}"')
    apps = ensure(one.session(variables={"PLATFORM": "arm64"}), "app")
    assert apps[-1].counts["compiled"] == 1, "an edit compiles what changed"
    one.forget_sessions()

    # Every system has zlib.
    one.configure(SETTINGS.replace(RUNTIME, ""))
    with pytest.raises(NotBuilt) as refused:
        ensure(one.session(variables={"PLATFORM": "arm64"}), "app")
    assert "app needs libidn2.so.0, which the image lacks (package libidn2-0)" in refused.value.what
    assert "runtime_packages: [libidn2-0]" in str(refused.value.hint)


# --- zig -------------------------------------------------------------------------------------------------------------

ZIG_MANIFEST = """\
[package]
name = "app"
version = "0.1.0"
edition = "2021"
"""
ZIG_BUILD = """\
use std::process::Command;

fn run(tool: &str, words: &[&str]) {
    let target = std::env::var("TARGET").unwrap().replace('-', "_");
    let program = std::env::var(format!("{tool}_{target}")).unwrap();
    assert!(Command::new(&program).args(words).status().unwrap().success(), "{program} {words:?}");
}

fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    let (one, two, library) = (format!("{out}/one.o"), format!("{out}/two.o"), format!("{out}/libparts.a"));
    run("CC", &["-c", "one.c", "-o", &one]);
    run("CXX", &["-c", "two.cc", "-o", &two]);
    run("AR", &["crs", &library, &one, &two]);
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=parts");
    println!("cargo:rustc-link-lib=z");
    println!("cargo:rustc-link-lib=stdc++");
    println!("cargo:rustc-env=BUILT_ON={}", std::env::consts::ARCH);
}
"""
ZIG_MAIN = """\
extern "C" {
    fn zlib() -> i32;
    fn length() -> i32;
}

fn main() {
    println!("zlib {} string {}", unsafe { zlib() }, unsafe { length() });
    println!("caught {}", std::panic::catch_unwind(|| panic!("it")).is_err());
    println!("runs on {}, built on {}", std::env::consts::ARCH, env!("BUILT_ON"));
}
"""
ZIG_FILES = {
    "Cargo.toml": ZIG_MANIFEST,
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "app"\nversion = "0.1.0"\n',
    "build.rs": ZIG_BUILD,
    "one.c": "#include <zlib.h>\nint zlib(void) { return zlibVersion()[0] - '0'; }\n",
    "two.cc": '#include <string>\n#include "two.h"\nextern "C" int length() { return std::to_string(SOME).size(); }\n',
    "two.h": "#define SOME 1000\n",
    "src/main.rs": ZIG_MAIN,
}
ZIG_SETTINGS = f"""\
toolchain: 1.95.0
cross: zig
target: aarch64-unknown-linux-gnu.2.28
base: {{packages: [zlib1g-dev]{RUNTIME}}}
"""


@pytest.fixture
def zig(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python that runs doit has zig."""
    found = subprocess.run([qemu.ROOT / "scripts/ensure-zig"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    monkeypatch.syspath_prepend(found.stdout.strip())


@pytest.mark.usefixtures("zig")
def test_zig_links_for_an_older_glibc(checkout: Callable[..., Checkout], docker_engine: Any, tmp_path: Path) -> None:
    one = checkout(ZIG_FILES, ZIG_SETTINGS)
    session = one.session(variables={"PLATFORM": "arm64"})
    assert session.project.way is not None
    assert "with zig" in session.project.way.why
    ensure(session, "app")
    root = unpacked(f"{one.name}:latest-arm64", tmp_path / "root", docker_engine)
    program = root / "usr/local/bin/app"
    run = [qemu.program(), "-L", str(root), str(program)]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert said == f"zlib 1 string 4\ncaught true\nruns on aarch64, built on {architecture()}\n"
    needed = subprocess.run(["readelf", "-VW", program], capture_output=True, text=True, check=True).stdout
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"Name: GLIBC_([\d.]+)", needed)}
    assert max(versions) <= (2, 28), "gcc links for the glibc of the builder"

    one.replace("two.h", "1000", "10")
    apps = ensure(one.session(variables={"PLATFORM": "arm64"}), "app")
    assert apps[-1].counts["compiled"] == 1, "what zig reads for a build script is known"
    again = unpacked(f"{one.name}:latest-arm64", tmp_path / "again", docker_engine)
    run = [qemu.program(), "-L", str(again), str(again / "usr/local/bin/app")]
    assert "string 2" in subprocess.run(run, capture_output=True, text=True, check=True).stdout


# --- what QEMU runs --------------------------------------------------------------------------------------------------

PLAIN = {
    "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "app"\nversion = "0.1.0"\n',
    "src/main.rs": 'fn main() { println!("runs on {}", std::env::consts::ARCH); }\n',
}


@pytest.fixture
def emulated() -> Iterator[None]:
    """This machine runs programs of arm64."""
    with qemu.settled(registered=True):
        yield


@pytest.mark.usefixtures("emulated")
def test_what_runs_is_tried(checkout: Callable[..., Checkout]) -> None:
    """The runtime image is made as ever, and the program is started in the build."""
    one = checkout(PLAIN, "toolchain: 1.95.0\nimage: {smoke: [--version]}\n")
    session = one.session(variables={"PLATFORM": "linux/arm64"})
    assert session.project.way is not None
    assert session.project.way.runs
    ensure(session, "app")
    assert one.run(f"{one.name}:latest-arm64") == "runs on aarch64\n"
    one.replace("src/main.rs", "fn main() {", "fn main() { std::process::exit(3);")
    with pytest.raises(NotBuilt) as refused:
        ensure(one.session(variables={"PLATFORM": "linux/arm64"}), "app")
    assert "the smoke test failed with exit code 3" in refused.value.what
