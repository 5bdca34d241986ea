"""The files that `doit layers init` writes: their texts, and writing all of them or none."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerdoit.core import files
from layerdoit.core.errors import LayerdoitError
from layerdoit.init.items import Item, kind_of
from layerdoit.init.proposal import Proposal

SCHEMA_LINE = "# yaml-language-server: $schema=.layerdoit/schema.json"
_HEAD = """\
# What detection cannot know; everything else has a default: docs/configuration.md, or completion in your editor.
"""
_NOTHING = """\
# This project needs no settings. Often used:
#   image:
#     assets: {static: /srv/static}      files copied into the image; a change never runs cargo
#   deploy:
#     port: 8080                         where the service listens: `doit cycle_fast` then runs it
"""
_PLAIN = re.compile(r"[A-Za-z_/][\w./+@-]*")
_PAIR = re.compile(r"\\u(?:d[89ab]..)\\u(?:d[c-f]..)")
_WORDS = frozenset(("y", "n", "yes", "no", "true", "false", "on", "off", "null"))
LINE = "from layerdoit import task_layerdoit"


@dataclass(frozen=True)
class Change:
    """A file to write; `added`: what of it is new, for people; `content`: the whole file."""

    path: Path
    content: bytes
    added: str
    new: bool


# --- layerdoit.yaml ---------------------------------------------------------------------------------------------------


def settings_text(proposal: Proposal) -> str:
    """layerdoit.yaml with every active setting, the others as comments, each with its reason."""
    if not proposal.items:
        return f"{SCHEMA_LINE}\n{_HEAD}{_NOTHING}"
    return f"{SCHEMA_LINE}\n{_HEAD}" + "\n".join(_lines(proposal.items, "", 0)) + "\n"


def added_text(proposal: Proposal) -> str:
    """The active settings alone, as they would stand in the file."""
    return "\n".join(_lines(proposal.active, "", 0))


def _lines(items: Sequence[Item], prefix: str, depth: int) -> Iterator[str]:
    """Settings below `prefix`, as the file nests them; a part in which nothing is active is a comment as a whole."""
    names = dict.fromkeys(item.path.removeprefix(prefix).partition(".")[0] for item in items)
    for name in names:
        own = [item for item in items if item.path == prefix + name]
        below = [item for item in items if item.path.startswith(f"{prefix}{name}.")]
        if below:
            yield _line(f"{name}:", depth, any(item.active for item in below))
            yield from _lines(below, f"{prefix}{name}.", depth + 1)
        if own:
            yield from _setting(name, own, depth)


def _setting(name: str, items: Sequence[Item], depth: int) -> Iterator[str]:
    if isinstance(items[0].value, tuple):
        yield _line(f"{name}:", depth, any(item.active for item in items))
        for item in items:
            key, value = item.value
            yield _line(f"{_scalar(key)}: {_scalar(value, text=True)}", depth + 1, item.active, item.why)
    elif kind_of(items[0].path).many:
        yield _line(f"{name}:", depth, any(item.active for item in items))
        for item in items:
            yield _line(f"- {_scalar(item.value)}", depth + 1, item.active, item.why)
    else:
        for item in items:
            yield _line(f"{name}: {_scalar(item.value)}", depth, item.active, item.why)


def _line(text: str, depth: int, active: bool, why: str = "") -> str:
    reason = f"  # {_comment(why)}" if why else ""
    return ("" if active else "# ") + "  " * depth + text + reason


def _comment(text: str) -> str:
    """Any text as one line of a comment."""
    return "".join(char if char.isprintable() else " " for char in text)


def _scalar(value: Any, *, text: bool = False) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return str(value)
    if not text and re.fullmatch(r"[1-9]\d{0,8}", value):
        return str(value)
    # YAML has no surrogate pairs.
    return _PAIR.sub(lambda pair: f"\\U{ord(_unescaped(pair[0])):08x}", json.dumps(value))


def _unescaped(escapes: str) -> str:
    return str(json.loads(f'"{escapes}"'))


# --- dodo.py ----------------------------------------------------------------------------------------------------------


def dodo(before: bytes | None, project: str, where: str, taken: frozenset[str]) -> tuple[bytes, str] | None:
    """The new dodo.py and what is added to it, None when it has our tasks; `project`: folder of the Rust project.

    `taken` are names of ours: where the file has a task of such a name, ours get a prefix. Raises LayerdoitError when
    the file is no Python.
    """
    if before is None:
        added = _added(project, prefix="")
        return f"{added}\n".encode(), added
    try:
        tree = ast.parse(before)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise LayerdoitError(
            "this is not valid Python", where=f"{where}:{line}", hint="correct it and run again"
        ) from None
    if _embeds(tree):
        return None
    own = {name.removeprefix("task_") for name in _bound(tree) if name.startswith("task_")}
    clash = bool(own & taken)
    added = _added(project, prefix="rust" if clash else "")
    newline = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before or before.endswith((b"\n", b"\r")) else newline
    return before + gap + added.encode().replace(b"\n", newline) + newline, added


def _added(project: str, *, prefix: str) -> str:
    if project == "." and not prefix:
        return LINE
    arguments = [json.dumps(project)] if project != "." else []
    arguments += [f'prefix="{prefix}"'] if prefix else []
    return f"import layerdoit\n\ntask_layerdoit = layerdoit.tasks({', '.join(arguments)})"


def _embeds(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "layerdoit":
            return True
        if isinstance(node, ast.Import) and any(alias.name.partition(".")[0] == "layerdoit" for alias in node.names):
            return True
    return False


def _bound(tree: ast.Module) -> Iterator[str]:
    """Names that the module binds at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


# --- writing ----------------------------------------------------------------------------------------------------------


def write(changes: Sequence[Change]) -> None:
    """Write all files, each whole or not at all; when one cannot be written, those before it are taken back."""
    done: list[tuple[Change, bytes | None]] = []
    try:
        for change in changes:
            old = change.path.read_bytes() if change.path.exists() else None
            mode = change.path.stat().st_mode & 0o7777 if old is not None else None
            files.write(os.path.realpath(change.path), change.content, mode=mode)
            done.append((change, old))
    except BaseException:
        for change, old in reversed(done):
            if old is None:
                change.path.unlink(missing_ok=True)
            else:
                change.path.write_bytes(old)
        raise
