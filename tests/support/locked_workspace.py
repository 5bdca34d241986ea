"""A tiny real workspace to change: two members, a few locked crates, a configuration; no cargo and no engine needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from layerdoit.explain import difference, sides
from layerdoit.explain.rendering import Explanation
from layerdoit.project import question
from layerdoit.project.inputs import Inputs
from layerdoit.project.project import Project
from layerdoit.project.snapshot import Tree
from tests.support.git import git
from tests.support.lockfile import entry, external, lockfile

API = """\
[package]
name = "api"
version = "0.1.0"
edition = "2021"

[features]
default = []
tls = ["http/tls"]

[dependencies]
core = { path = "../core" }
http = { version = "1.2", features = ["json"] }
log = "0.4"
"""
CORE = """\
[package]
name = "core"
version = "0.1.0"
edition = "2021"

[dependencies]
log = "0.4"
"""
FILES: Mapping[str, str] = {
    "Cargo.toml": '[workspace]\nmembers = ["api", "core"]\nresolver = "2"\n\n[profile.dev]\ndebug = 0\n',
    "api/Cargo.toml": API,
    "api/src/main.rs": "fn main() {}\n",
    "core/Cargo.toml": CORE,
    "core/src/lib.rs": "",
    "layerdoit.yaml": "project: tiny\ntoolchain: 1.95.0\nenv:\n  RUSTFLAGS: -g\nimage:\n  env: {PORT: '80'}\n"
    "  assets: {web: /web}\nbase:\n  packages: [cmake]\n",
    "web/page.html": "one",
}
# Name -> version and what it needs. `api` and `core` are local.
LOCK: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "api": ("0.1.0", ("core", "http", "log")),
    "body": ("0.3.0", ("bytes",)),
    "bytes": ("1.5.0", ()),
    "core": ("0.1.0", ("log",)),
    "http": ("1.2.0", ("body",)),
    "log": ("0.4.20", ()),
}


def lock(**changed: tuple[str, tuple[str, ...]] | None) -> str:
    """Cargo.lock with some packages changed; None: not there."""
    entries = []
    for name, package in {**LOCK, **changed}.items():
        if package is not None:
            version, needs = package
            checksum = f"{f'{name}{version}'.encode().hex():0<64.64}"
            local = name in ("api", "core")
            entries.append(entry(name, version, needs) if local else external(name, version, checksum, needs))
    return lockfile(*entries)


@dataclass
class Tiny:
    """The workspace in a folder."""

    root: Path

    def write(self, path: str, text: str) -> None:
        """Write a file; folders are made."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Exchange a text that must be there."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        self.write(path, text.replace(old, new))

    def inputs(self, **variables: str) -> Inputs:
        """What the layers are made from, as a new run reads it."""
        project = Project.open(self.root, variables)
        return Inputs(Tree(project), question.build(project, "linux/amd64"))

    def side(self, **variables: str) -> sides.Side:
        """The tree as a new run reads it."""
        return sides.of_inputs(self.inputs(**variables), "tree", "the tree")

    def git(self, *words: str) -> str:
        """git in this workspace."""
        return git(self.root, *words)


def make(root: Path) -> Tiny:
    """The workspace as it is at first."""
    tiny = Tiny(root)
    for path, text in {**FILES, "Cargo.lock": lock()}.items():
        tiny.write(path, text)
    return tiny


def told(old: sides.Side, new: sides.Side) -> dict[str, list[str]]:
    """What is said of each layer whose key changed."""
    explanation = Explanation(old, new, tuple(difference.between(old, new)))
    out: dict[str, list[str]] = {}
    for block in "\n".join(explanation.lines()).split("\n\n")[1:]:
        head, *lines = block.splitlines()
        if "the same key" not in head:
            out[head.partition(":")[0]] = [line.strip() for line in lines]
    return out
