"""tests/messages.txt: what users are told when something is wrong, in one file to be read from top to bottom.

Tests compare each message with what the file says. With LAYERDOIT_RECORD=1 they write it instead; then read the diff.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from layerdoit.core import files

FILE: Final = Path(__file__).resolve().parent.parent / "messages.txt"
RECORD: Final = "LAYERDOIT_RECORD"
_GROUP: Final = "### "
_CASE: Final = "# "
_HEAD: Final = "Every message below was made by a test. To write it again: LAYERDOIT_RECORD=1 and run that test.\n"
# What differs from run to run and from machine to machine.
_MASKS: Final = (
    (r"\b(base|runtime|deps|app)-[0-9a-f]{12}\b", r"\1-<key>"),
    (r"/logs/[\w.-]+\.log", "/logs/<log>"),
    (r"unix://[\w./-]+\.sock\b", "unix://<socket>"),
    (r"(valid TOML|broken YAML|sources\.exclude): .*", r"\1: <what the parser says>"),
    (r"TOOLCHAIN=[\w.-]+(?:, TOOLCHAIN=[\w.-]+)*", "TOOLCHAIN=<installed>"),
)

Messages = dict[str, dict[str, str]]
"""Group -> case -> message."""


def read(text: str) -> Messages:
    found: Messages = {}
    for part in re.split(rf"^{_GROUP}", text, flags=re.MULTILINE)[1:]:
        group, _, rest = part.partition("\n")
        cases = found.setdefault(group, {})
        for one in re.split(rf"^{_CASE}", rest, flags=re.MULTILINE)[1:]:
            case, _, message = one.partition("\n")
            cases[case] = message.rstrip("\n")
    return found


def written(messages: Messages) -> str:
    parts = [_HEAD]
    for group in sorted(messages):
        parts.append(f"\n{_GROUP}{group}\n")
        parts += [f"\n{_CASE}{case}\n{message}\n" for case, message in messages[group].items()]
    return "".join(parts)


def plain(message: str, names: Mapping[str, str]) -> str:
    """A message without what differs from run to run. `names`: text -> what stands for it."""
    for text in sorted(names, key=len, reverse=True):
        message = message.replace(text, names[text])
    for pattern, instead in _MASKS:
        message = re.sub(pattern, instead, message)
    return message


def check(group: str, case: str, message: str, names: Mapping[str, str] | None = None) -> None:
    """Compare a message with the file, or record it there."""
    said = plain(message, names or {})
    if os.environ.get(RECORD):
        with files.machine_lock("messages"):
            there = read(FILE.read_text())
            there.setdefault(group, {})[case] = said
            files.write(FILE, written(there))
    assert read(FILE.read_text()).get(group, {}).get(case) == said, f"another message than in {FILE.name}"


def check_group(group: str, said: Mapping[str, str]) -> None:
    """Compare a whole group with the file, in which nothing else of that group may be; or record it."""
    if os.environ.get(RECORD):
        with files.machine_lock("messages"):
            files.write(FILE, written({**read(FILE.read_text()), group: dict(said)}))
    assert read(FILE.read_text()).get(group, {}) == said
