"""The Dockerfiles of a tree and what lies around each: read here, judged in `dockerfiles`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from layerdoit.core import process
from layerdoit.core.prose import listed
from layerdoit.doctor import dockerfiles
from layerdoit.doctor.dockerfile_safety import Around
from layerdoit.doctor.finding import Fact, Item
from layerdoit.tree.listing import Place, decode, raw_listing

# Copied along with everything else, unless .dockerignore says no; git ignores most of them.
_DANGEROUS = (".env", ".netrc", ".npmrc", ".git-credentials", "id_rsa", "id_ed25519")
_LARGEST = 1_000_000


def checked(root: Path, own: Sequence[str], channel: str | None, msrv: tuple[str, str] | None) -> Iterator[Item]:
    """Judge every Dockerfile that compiles Rust. `own`: those of layerdoit.yaml, which follow rules of their own."""
    paths = decode(raw_listing(Place(str(root), ""), process.capture_quick))
    found = [path for path in dockerfiles.named(paths) if path not in own]
    if not found:
        return
    elsewhere = "\n".join(_text(root, path) or "" for path in dockerfiles.builders(paths))
    seen = []
    for path in found:
        text = _text(root, path)
        if text is None or not dockerfiles.of_rust(text):
            continue
        seen.append(path)
        ignores = (_text(root, name) for name in dockerfiles.ignore_files(path))
        present = frozenset(name for name in _DANGEROUS if (root / name).is_file())
        around = Around(
            next((ignore for ignore in ignores if ignore is not None), None), "/" not in path, present, channel, msrv
        )
        yield from dockerfiles.check(path, text, around, elsewhere)
    if seen:
        yield Fact("Dockerfiles", listed(seen))


def _text(root: Path, path: str) -> str | None:
    """A file's text; None where there is none, or where it is no Dockerfile by its size."""
    try:
        if os.path.getsize(root / path) > _LARGEST:
            return None
        return (root / path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
