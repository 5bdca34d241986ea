"""Rust source code as text in which comments, tests and strings are told apart. No parser: brackets and calls only.

read(text) -> Code
Code.literals    # every string, with the calls, macros and attributes around it
Code.chain(at)   # the calls before `.name(` in a chain of methods
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"(?P<line>//[^\n]*)|(?P<block>/\*)"
    r"|(?<!\w)(?:b|c)?r(?P<hashes>#*)\"(?P<raw>.*?)\"(?P=hashes)"
    r"|(?P<bytes>(?<!\w)[bc])?\"(?P<text>(?:[^\"\\]|\\.)*)\""
    r"|b?'(?:[^'\\\n]|\\[^\n][^'\n]{0,8})'",
    re.DOTALL,
)
_BLOCK: Final = re.compile(r"/\*|\*/")
_MARK: Final = re.compile(r"[()\[\]{}\",;]")
_HEAD: Final = re.compile(r"(?P<dot>\.\s*)?(?P<name>(?:\w+(?:::<[^<>()]*>)?\s*::\s*)*\w+!?)\s*(?:::\s*<[^()]*>\s*)?$")
_TURBOFISH: Final = re.compile(r"::\s*<[^<>]*>|\s+")
_TESTS: Final = re.compile(r"#\[\s*(?:cfg\(\s*(?:test\b|all\(\s*test\b)|(?:\w+::)*(?:test|rstest|test_case)\b)")
_MODULE: Final = re.compile(r"\s*(?:pub\s*(?:\([^)]*\))?\s*)?mod\s+(\w+)\s*;")
_KEYWORDS: Final = frozenset(("if", "match", "for", "in", "while", "return", "let", "else", "move", "async", "await"))
_CLOSING: Final = {")": "(", "]": "[", "}": "{"}
_LONGEST_HEAD: Final = 120


class Around(NamedTuple):
    """A bracket around something, which opens at `at`. `nth`: which argument it stands in, from 0.

    `name`: `ServeDir::new`, `.join`, `include_str!`; `#` for an attribute, `{` for a block.
    """

    name: str
    nth: int
    at: int

    @property
    def last(self) -> str:
        """The name without what is before it: `new`."""
        return self.name.rpartition("::")[2].lstrip(".")


class Literal(NamedTuple):
    """A string. `around`: the brackets around it, the innermost first."""

    value: str
    at: int
    end: int
    around: tuple[Around, ...]


@dataclass(frozen=True)
class Code:
    """`text`: without comments and tests; `shape`: also without what stands in strings, each of which begins with `"`.

    Both are as long as the file. `tests`: modules in files of their own that only tests have.
    """

    text: str
    shape: str
    values: Mapping[int, tuple[str, int]]
    tests: tuple[str, ...] = ()

    def line(self, at: int) -> int:
        """The number of the line."""
        return bisect_right(self._lines, at)

    @cached_property
    def _lines(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    @cached_property
    def literals(self) -> tuple[Literal, ...]:
        """All strings, in their order."""
        return tuple(self._literals())

    def _literals(self) -> Iterator[Literal]:
        stack: list[list[object]] = []
        for mark in _MARK.finditer(self.shape):
            char, at = mark[0], mark.start()
            if char == '"' and at in self.values:
                around = tuple(Around(*entry) for entry in reversed(stack))  # type: ignore[arg-type]
                value, end = self.values[at]
                yield Literal(value, at, end, around)
            elif char in "([{":
                stack.append([self.head(at), 0, at])
            elif char in ")]}":
                if stack:
                    stack.pop()
            elif char == "," and stack:
                stack[-1][1] += 1  # type: ignore[operator]

    @cached_property
    def pairs(self) -> Mapping[int, int]:
        """Where each bracket opens -> where it closes, and the other way round."""
        found: dict[int, int] = {}
        stack: list[int] = []
        for mark in re.finditer(r"[()\[\]{}]", self.shape):
            if mark[0] in "([{":
                stack.append(mark.start())
            elif stack and self.shape[stack[-1]] == _CLOSING[mark[0]]:
                opened = stack.pop()
                found[opened], found[mark.start()] = mark.start(), opened
        return found

    def head(self, at: int) -> str:
        """What is called, or which macro or attribute it is, where a bracket opens."""
        before = self.shape[max(0, at - _LONGEST_HEAD) : at]
        if self.shape[at] == "[" and re.search(r"#!?\s*$", before):
            return "#"
        found = _HEAD.search(before)
        if self.shape[at] == "{" and not (found and found["name"].endswith("!")):
            return "{"
        if found is None or found["name"] in _KEYWORDS:
            return ""
        return ("." if found["dot"] else "") + _TURBOFISH.sub("", found["name"])

    def inside(self, at: int) -> str:
        """The text between a bracket that opens at `at` and its end."""
        return self.text[at + 1 : self.pairs.get(at, at + 1)]

    def statement(self, at: int) -> tuple[int, int]:
        """Where the statement around a place begins and ends; a block around it is not part of it."""
        start = max(self.shape.rfind(char, 0, at) for char in ";{}") + 1
        ends = [end for char in ";{}" if (end := self.shape.find(char, at)) >= 0]
        return start, min(ends, default=len(self.shape))

    def expression(self, literal: Literal) -> tuple[int, int]:
        """Where the expression around a string begins and ends: a statement, an argument of a block, an arm."""
        outer = None
        for around in literal.around:
            if around.name == "{":
                break
            outer = around
        at = literal.at if outer is None else outer.at
        end = literal.end if outer is None else self.pairs.get(outer.at, literal.end) + 1
        while at > 0:
            char = self.shape[at - 1]
            if char in ")]" and at - 1 in self.pairs:
                at = self.pairs[at - 1]
            elif char in ";{}([," or self.shape[at - 2 : at] == "=>":
                break
            else:
                at -= 1
        return at, end

    def chain(self, at: int) -> Iterator[tuple[str, int]]:
        """The calls of a chain before the call whose bracket opens at `at`, the nearest first: name, bracket."""
        while True:
            name = self.head(at)
            before = self.shape[:at].rstrip()
            if not name.startswith("."):
                return
            before = before[: before.rfind(".")].rstrip()
            if not before.endswith(")") or len(before) - 1 not in self.pairs:
                return
            at = self.pairs[len(before) - 1]
            yield self.head(at), at

    def function(self, at: int) -> str | None:
        """The name of the function around a place."""
        best: tuple[int, str] | None = None
        for found in re.finditer(r"\bfn\s+(\w+)", self.shape[:at]):
            opened = self.shape.find("{", found.end())
            if 0 <= opened < at < self.pairs.get(opened, 0):
                best = (opened, found[1])
        return best[1] if best else None


def read(text: str) -> Code:
    """Read a source file."""
    plain, shape, values = _told_apart(text)
    found: list[str] = []
    code = Code(plain, shape, values)
    for start, end, name in _tests(code):
        plain, shape = _blank(plain, start, end), _blank(shape, start, end)
        found += [name] if name else []
    return Code(plain, shape, values, tuple(found)) if shape is not code.shape else code


def _told_apart(text: str) -> tuple[str, str, dict[int, tuple[str, int]]]:
    plain, shape, values, at = list[str](), list[str](), dict[int, tuple[str, int]](), 0
    while (token := _TOKEN.search(text, at)) is not None:
        start, end = token.span()
        if token["block"]:
            end = _end_of_comment(text, start)
        before, inside = text[at:start], text[start:end]
        blank = re.sub(r"[^\n]", " ", inside)
        comment = token["line"] is not None or token["block"] is not None
        value = token["text"] if token["raw"] is None else token["raw"]
        plain += (before, blank if comment else inside)
        shape += (before, blank if comment or value is None else f'"{blank[1:]}')
        if value is not None and not token["bytes"]:
            values[start] = (value, end)
        at = end
    return "".join((*plain, text[at:])), "".join((*shape, text[at:])), values


def _end_of_comment(text: str, start: int) -> int:
    """Block comments nest."""
    depth = 0
    for mark in _BLOCK.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def _tests(code: Code) -> Iterator[tuple[int, int, str | None]]:
    """Where the items are that only tests have; and the module's name, where it is in another file."""
    done = 0
    for found in _TESTS.finditer(code.shape):
        if found.start() < done:
            continue
        end = code.pairs.get(found.start() + 1)
        while end is not None and (more := re.compile(r"\s*#(?=\[)").match(code.shape, end + 1)):
            end = code.pairs.get(more.end())
        if end is None:
            continue
        module = _MODULE.match(code.shape, end + 1)
        done = module.end() if module else _end_of_item(code, end + 1)
        yield found.start(), done, module[1] if module else None


def _end_of_item(code: Code, at: int) -> int:
    while (mark := re.compile(r"[;{(\[]").search(code.shape, at)) is not None:
        end = code.pairs.get(mark.start(), mark.start())
        if mark[0] in ";{":
            return end + 1
        at = end + 1
    return len(code.shape)


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
