"""What a workshop is sent, and whether the cargo that waits there has read what it would read now."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from layerdoit.tree.index import Entry
from layerdoit.tree.sources import Sources
from layerdoit.tree.staging import tree_text
from layerdoit.watch.sending import Frame, Sent

TREE = {"Cargo.toml": "[package]", "src/main.rs": "fn main() {}", "src/page.html": "<p>"}


class Tree:
    """Files in a folder, and links to nowhere."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries: dict[str, Entry] = {}
        self.control = {"env": b"", "arguments": b"CARGO_ARGS='-p app'\n"}
        for path, text in TREE.items():
            self.put(path, text)

    def put(self, path: str, text: str, kind: str = "f") -> None:
        target = self.root / path
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        if kind == "l":
            target.symlink_to(text)
        else:
            target.write_text(text)
            target.chmod(0o755 if kind == "x" else 0o644)
        self.entries[path] = Entry(kind, hashlib.sha256(text.encode()).hexdigest())

    def host_path(self, path: str) -> Path:
        return self.root / path

    def sent(self, to: Sent) -> Frame:
        listing: Mapping[str, Entry] = self.entries
        return to.frame(cast(Sources, self), tree_text(listing), self.control)


CHANGES: dict[str, tuple[Callable[[Tree], object], bool]] = {
    "nothing": (lambda _: None, True),
    "a source": (lambda tree: tree.put("src/main.rs", "fn main() { loop {} }"), True),
    "a manifest": (lambda tree: tree.put("Cargo.toml", "[workspace]"), False),
    "what a manifest may link to": (lambda tree: tree.put("src/page.html", "<b>"), False),
    "a source that may be run now": (lambda tree: tree.put("src/main.rs", "fn main() {}", "x"), False),
    "a source that is a link now": (lambda tree: tree.put("src/main.rs", "other.rs", "l"), False),
    "one source more": (lambda tree: tree.put("src/lib.rs", ""), False),
    "one source less": (lambda tree: tree.entries.pop("src/main.rs"), False),
    "a variable": (lambda tree: tree.control.update(env=b"A=1\n"), False),
    "arguments": (lambda tree: tree.control.update(arguments=b"CARGO_ARGS='-p b'\n"), False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_cargo_reads_the_same_where_only_the_content_of_rust_sources_differs(tmp_path: Path, name: str) -> None:
    change, steady = CHANGES[name]
    tree, to = Tree(tmp_path), Sent()
    assert not tree.sent(to).steady, "nothing was sent before"
    change(tree)
    assert tree.sent(to).steady is steady
    assert tree.sent(to).steady, "once more, it is as it was"


def test_a_link_that_leads_elsewhere_is_no_edit(tmp_path: Path) -> None:
    tree, to = Tree(tmp_path), Sent()
    tree.put("src/link.rs", "one.rs", "l")
    tree.sent(to)
    tree.put("src/link.rs", "two.rs", "l")
    assert not tree.sent(to).steady
