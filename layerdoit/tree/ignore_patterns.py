"""Patterns of `.dockerignore` and `.gitignore`, each with the meaning that docker or git gives it.

Own code, for there is no library that agrees with git: in pathspec, a pattern for folders in a nested `.gitignore`
also decides about the files in them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from layerdoit.core.errors import WorkspaceError


class Patterns:
    """Patterns as in `.dockerignore`: the last one that matches the path or a parent decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._groups: list[tuple[bool, re.Pattern[str]]] = []
        runs: list[tuple[bool, list[str]]] = []
        for line in lines:
            text = line.strip()
            drop = not text.startswith("!")
            text = text.removeprefix("!").strip()
            if not text:
                continue
            text = os.path.normpath(text).lstrip("/")
            if text in (".", ""):
                continue
            if not runs or runs[-1][0] != drop:
                runs.append((drop, []))
            runs[-1][1].append(_regex(text, docker=True))
        for drop, alternatives in runs:
            try:
                self._groups.append((drop, re.compile(f"(?:{'|'.join(alternatives)})(?:/.*)?", re.DOTALL)))
            except re.error as error:
                raise WorkspaceError(f"malformed pattern in .dockerignore or sources.exclude: {error}") from error

    def hides(self, folder: str) -> bool:
        """Whether a folder matches, and nothing in it can be an exception."""
        return all(drop for drop, _ in self._groups) and self.match(folder)

    def match(self, path: str) -> bool:
        for drop, pattern in reversed(self._groups):
            if pattern.fullmatch(path):
                return drop
        return False


def _regex(glob: str, *, docker: bool) -> str:
    """A glob as a regular expression; `**` in the middle of a name crosses folders for docker, not for git."""
    out, i, end = "", 0, len(glob)
    while i < end:
        char = glob[i]
        if glob.startswith("**", i):
            part, i = _stars(glob, i, docker)
            out += part
            continue
        i += 1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif char == "[" and (close := _class_end(glob, i)) > 0:
            body = glob[i:close]
            negated = body.startswith("^") or (not docker and body.startswith("!"))
            escaped = re.sub(r"([\[&~|])", r"\\\1", body[1:] if negated else body)
            escaped = "\\" + escaped if escaped.startswith("]") else escaped
            out += f"(?!/)[{'^' if negated else ''}{escaped}]"
            i = close + 1
        elif char == "\\" and i < end:
            out += re.escape(glob[i])
            i += 1
        else:
            out += re.escape(char)
    return out


def _stars(glob: str, i: int, docker: bool) -> tuple[str, int]:
    j = i
    while j < len(glob) and glob[j] == "*":
        j += 1
    bounded = (i == 0 or glob[i - 1] == "/") and (j == len(glob) or glob[j] == "/") and j - i == 2
    if not docker and not bounded:
        return "[^/]*", j
    if j == len(glob):
        return (".*" if docker else ".+"), j
    return "(?:.*/)?", j + 1 if glob[j] == "/" else j


def _class_end(glob: str, i: int) -> int:
    """Position of the `]` that ends the class whose body begins at i; a `]` in the first place is literal."""
    j = i + 1 if glob[i : i + 1] in ("^", "!") else i
    j += 1
    while j < len(glob):
        if glob[j] == "\\":
            j += 1
        elif glob[j] == "]":
            return j
        j += 1
    return -1


class GitIgnore:
    """One `.gitignore`: says yes, no or nothing about a path below its folder."""

    def __init__(self, base: str, text: str) -> None:
        self.base = len(base)
        self._rules: list[tuple[bool, bool, re.Pattern[str]]] = []
        for line in text.splitlines():
            rule = self._parse(line)
            if rule is not None:
                self._rules.append(rule)
        self._rules.reverse()

    @staticmethod
    def _parse(line: str) -> tuple[bool, bool, re.Pattern[str]] | None:
        line = re.sub(r"(?<!\\) +$", "", line)
        ignore = not line.startswith("!")
        line = line.removeprefix("!") if not ignore else line
        if not line or line.startswith("#"):
            return None
        only_dirs = line.endswith("/")
        line = line.rstrip("/") if only_dirs else line
        anchored = "/" in line
        try:
            pattern = re.compile(
                ("" if anchored else "(?:.*/)?") + _regex(line.removeprefix("/"), docker=False), re.DOTALL
            )
        except re.error:
            return None  # git ignores a malformed pattern, too
        return ignore, only_dirs, pattern

    def verdict(self, path: str, is_dir: bool) -> bool | None:
        inner = path[self.base :]
        for ignore, only_dirs, pattern in self._rules:
            if (is_dir or not only_dirs) and pattern.fullmatch(inner):
                return ignore
        return None


def ignored(rules: Sequence[GitIgnore], path: str, is_dir: bool) -> bool:
    for rule in reversed(rules):
        verdict = rule.verdict(path, is_dir)
        if verdict is not None:
            return verdict
    return False
