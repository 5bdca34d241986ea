"""What stands in `image:` arrives in the container as it was written. One project, few builds."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from layerdoit.core.errors import BuildError
from tests.support.checkout import Checkout

MANIFEST = """\
[package]
name = "settings-probe"
version = "0.1.0"
edition = "2021"

[profile.dev]
debug = 0
"""
# Linked with a library of its own. `--words` must be followed by the words of the smoke tests.
MAIN = r"""
extern "C" {
    fn own_answer() -> i32;
}

const WORDS: [&[&str]; 2] = [&["a b", "*", "$HOME", "`x`", "", "\"", "'", "\\", "l1\nl2", "ü"], &[]];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--words") {
        assert!(WORDS.contains(&&words[1..].iter().map(String::as_str).collect::<Vec<_>>()[..]), "{words:?}");
    }
    println!("answer={}", unsafe { own_answer() });
}
"""
SMOKE = ["--words 'a b' * $HOME `x` '' \\\" \"'\" '\\' 'l1\nl2' ü".replace("\\n", "\n"), "--words"]
BUILD = """\
fn main() {
    println!("cargo:rustc-link-search=native={}/libs", std::env::var("CARGO_MANIFEST_DIR").unwrap());
    println!("cargo:rustc-link-lib=dylib=own");
}
"""
FILES: Mapping[str, str] = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "settings-probe"\nversion = "0.1.0"\n',
    "src/main.rs": MAIN,
    "build.rs": BUILD,
}
VALUES: Mapping[str, str] = {
    "LINES": "l1\nl2",
    "ONLY_LINES": "\n\nx\n",
    "RETURNS": "a\rb\r\n",
    "TABS": "\ta\tb\t",
    "QUOTES": "a\"b'c`d",
    "BACKSLASHES": "a\\b\\\\c\\nd\\",
    "BEFORE_A_LINE": "\\\n#x\\\n",
    "DOLLARS": "$HOME ${HOME} $$ \\$x ${X:-y}",
    "HASH": "# no comment #",
    "BLANKS": "  leading and trailing  ",
    "FAR": "ünï 日本 \u2028\u0085\u00a0 \U0001f600",
    "CONTROL": "\x01\x1b[1m\x7f\x0b\x0c",
    "EMPTY": "",
    "EQUALS": "=a=b=",
    "JSON": '{"a": "b\\n"}',
    "HEREDOC": "<<EOF",
}
# A backslash is refused in any source file's name.
PLACES = (
    *("x[id]", "y*z", "q?r", "d$ollar", "e${HOME}", "sp'q", 'dq"x', "trail ", " lead", "[[[]", "[!a]", "a]"),
    *("*", "?", "#h", "<<EOF", "--from=x", "a,b", "ü", "!n"),
)
# What a pattern would take as well.
DECOYS = ("xi", "yQz", "qQr")


def test_values_and_paths_arrive_as_they_are_written(checkout: Callable[..., Checkout]) -> None:
    names = [*PLACES, *DECOYS]
    files = {f"web/{name}/{kind}": name for name in names for kind in ("page", "deep/er")}
    files["start.sh"] = "#!/bin/sh\nexec settings-probe\n"
    one = checkout({**FILES, **files, **{f"web/{name}.txt": name for name in names}})
    add_library(one)
    (one.root / "start.sh").chmod(0o755)
    folders = {f"web/{name}": f"/out/{name}" for name in PLACES}
    single = {f"web/{name}.txt": f"/single/{name}.txt" for name in PLACES}
    image: dict[str, Any] = {
        "env": VALUES,
        "labels": {f"org.example.{name}\"'$#ü": value for name, value in VALUES.items()},
        "cmd": list(VALUES.values()),
        "workdir": "/srv/a $HOME 'b' \"c\" ü \\",
        "assets": {**folders, **single, "libs/libown.so": "/usr/local/lib/libown.so", "start.sh": "/opt/start"},
        "entrypoint": "/opt/start",
        "stop_signal": "SIGQUIT",
        "smoke": SMOKE,
    }
    configure(one, image)
    one.build()
    found = one.image()["Config"]
    assert {name: value for name, value in (line.split("=", 1) for line in found["Env"]) if name in VALUES} == VALUES
    assert not any("LAYERDOIT" in line for line in found["Env"])
    assert {name: value for name, value in found["Labels"].items() if name.startswith("org.example.")} == image[
        "labels"
    ]
    assert (found["Cmd"], found["WorkingDir"], found["User"]) == (image["cmd"], image["workdir"], "app")
    assert (found["Entrypoint"], found["StopSignal"]) == (["/opt/start"], "SIGQUIT")
    assert below(one, "out", "single") == {
        **{f"out/{name}/{kind}": name for name in PLACES for kind in ("page", "deep/er")},
        **{f"single/{name}.txt": name for name in PLACES},
    }
    assert one.run(f"{one.name}:latest") == "answer=42\n"


def test_a_library_of_the_project_counts_where_the_loader_looks(checkout: Callable[..., Checkout]) -> None:
    one = checkout(FILES)
    add_library(one)
    with pytest.raises(BuildError) as raised:
        one.build()
    assert (
        "settings-probe needs libown.so, which the image lacks (among the sources it is libs/libown.so)"
        in raised.value.what
    )
    advised = re.findall(r"(image|sources): (\{(?:[^{}]|\{[^}]*\})*\})", raised.value.hint or "")
    one.configure("".join(f"{name}: {value}\n" for name, value in advised[:2]))
    one.build()
    assert one.run(f"{one.name}:latest") == "answer=42\n", "what the message advises helps"

    place = {"assets": {"libs": "/srv/own libs/"}}
    configure(one, place)
    with pytest.raises(BuildError) as raised:
        one.build()
    assert "an asset puts it into /srv/own libs, where its loader does not look" in raised.value.what
    assert 'image: {env: {LD_LIBRARY_PATH: "/srv/own libs"}}' in (raised.value.hint or "")
    configure(one, {**place, "env": {"LD_LIBRARY_PATH": "/srv/own libs"}, "smoke": ["--words"]})
    one.build()
    assert one.run(f"{one.name}:latest") == "answer=42\n"
    one.replace("build.rs", "dylib=own", "dylib=own\\ncargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/own")
    configure(one, {"assets": {"libs": "/usr/local/lib/own"}})
    one.build()
    assert one.run(f"{one.name}:latest") == "answer=42\n"
    configure(one, {"check_libraries": False})
    one.build()
    assert below(one, "usr/local/lib/own") == {}


def configure(one: Checkout, image: Mapping[str, Any]) -> None:
    """The settings of the image; the compiler sees the library although it is an asset."""
    one.configure(yaml.safe_dump({"image": image, "sources": {"include": ["libs"]}}, allow_unicode=True))


def add_library(one: Checkout) -> None:
    """A shared library that no package has."""
    one.write({"libs/own.c": "int own_answer(void) { return 42; }\n"})
    command = ["cc", "-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libown.so", "-o", "libs/libown.so", "libs/own.c"]
    subprocess.run(command, cwd=one.root, check=True)


def below(one: Checkout, *folders: str) -> dict[str, str]:
    """The files of the image in these folders, and what is in them."""
    container = subprocess.run(
        ["docker", "create", f"{one.name}:latest"], capture_output=True, text=True, check=True
    ).stdout.strip()
    try:
        content = subprocess.run(["docker", "export", container], capture_output=True, check=True).stdout
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {
            entry.name: archive.extractfile(entry).read().decode()  # type: ignore[union-attr]
            for entry in archive
            if entry.isfile() and entry.name.startswith(tuple(f"{folder}/" for folder in folders))
        }
