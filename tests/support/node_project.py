"""A small workspace with a front end, for tests of components."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.files import write
from tests.support.git import commit_all, git

PACKAGE: Final[Mapping[str, Any]] = {
    "name": "web",
    "version": "1.0.0",
    "private": True,
    "scripts": {"build": "node build.mjs"},
    "dependencies": {"left": "^1.0.0"},
}
LOCK: Final[Mapping[str, Any]] = {
    "name": "web",
    "lockfileVersion": 3,
    "packages": {"": {"dependencies": {"left": "^1.0.0"}}, "node_modules/left": {"version": "1.0.2"}},
}
RUST: Final[Mapping[str, str]] = {
    "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "shop"\nversion = "0.1.0"\n',
    "src/main.rs": "fn main() {}\n",
    ".gitignore": "node_modules\ndist\n/target\n",
}
FILES: Final[Mapping[str, str]] = {
    **RUST,
    "web/package.json": json.dumps(PACKAGE, indent=2),
    "web/package-lock.json": json.dumps(LOCK, indent=2),
    "web/.node-version": "20\n",
    "web/build.mjs": "console.log(1);\n",
    "web/src/main.js": "1;\n",
    "layerdoit.yaml": "project: shop\ncomponents:\n  web: {into: /srv/web}\n",
}


def make(root: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """The workspace with some files in place of others, None for none; in git."""
    files = {path: text for path, text in {**FILES, **(changes or {})}.items() if text is not None}
    write(root, files)
    git(root, "init", "-q")
    commit_all(root)
    return root
