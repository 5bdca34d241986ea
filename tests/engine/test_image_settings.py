"""What stands in `image:` arrives in the container as it was written. One project, few builds."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from tests.support.checkout import Checkout

MANIFEST = """\
[package]
name = "settings-probe"
version = "0.1.0"
edition = "2021"

[profile.dev]
debug = 0
"""
FILES: Mapping[str, str] = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "settings-probe"\nversion = "0.1.0"\n',
    "src/main.rs": "fn main() {}\n",
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
    one = checkout({**FILES, **files, **{f"web/{name}.txt": name for name in names}})
    folders = {f"web/{name}": f"/out/{name}" for name in PLACES}
    single = {f"web/{name}.txt": f"/single/{name}.txt" for name in PLACES}
    image: dict[str, Any] = {
        "env": VALUES,
        "labels": {f"org.example.{name}\"'$#ü": value for name, value in VALUES.items()},
        "cmd": list(VALUES.values()),
        "workdir": "/srv/a $HOME 'b' \"c\" ü \\",
        "assets": {**folders, **single},
    }
    one.configure(yaml.safe_dump({"image": image}, allow_unicode=True))
    one.build()
    found = one.image()["Config"]
    assert {name: value for name, value in (line.split("=", 1) for line in found["Env"]) if name in VALUES} == VALUES
    assert not any("LAYERDOIT" in line for line in found["Env"])
    assert {name: value for name, value in found["Labels"].items() if name.startswith("org.example.")} == image[
        "labels"
    ]
    assert (found["Cmd"], found["WorkingDir"]) == (image["cmd"], image["workdir"])
    assert below(one, "out", "single") == {
        **{f"out/{name}/{kind}": name for name in PLACES for kind in ("page", "deep/er")},
        **{f"single/{name}.txt": name for name in PLACES},
    }


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
