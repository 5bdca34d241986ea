"""Platform conditions of dependency tables: does `[target.'cfg(…)'.dependencies]` apply to this target?

applies(condition, triple) -> bool       # conservative: an unknown condition applies
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'\s*(?:(?P<word>[\w.-]+)|(?P<text>"[^"]*")|(?P<sign>[(),=]))')
_POINTER_WIDTH = {"x86_64": "64", "aarch64": "64", "riscv64gc": "64", "s390x": "64", "powerpc64le": "64"}


def applies(condition: str | None, triple: str) -> bool:
    """Whether `condition`, the key of a `[target.…]` table, is true for `triple`; unknown names count as true."""
    if condition is None:
        return True
    text = condition.strip()
    if not text.startswith("cfg("):
        return text == triple
    try:
        tokens = _tokens(text)
        return _Parser(tokens, _facts(triple)).expression(next(tokens))[0] is not False
    except (StopIteration, ValueError, RecursionError):
        return True


def _facts(triple: str) -> dict[str, frozenset[str]]:
    arch, *rest = triple.split("-")
    unix = "linux" in rest or "darwin" in rest
    systems = {"linux": "linux", "darwin": "macos", "windows": "windows"}
    system = next((name for part, name in systems.items() if part in rest), rest[-1] if rest else "")
    environment = next((name for name in ("musl", "gnu", "msvc") if rest and rest[-1].startswith(name)), "")
    family = "unix" if unix else "windows" if system == "windows" else ""
    return {
        "target_os": frozenset((system,)),
        "target_family": frozenset((family,)),
        "target_arch": frozenset(("x86" if re.fullmatch("i[3-6]86", arch) else arch.removesuffix("gc"),)),
        "target_env": frozenset((environment,)),
        "target_vendor": frozenset(rest[:1]),
        "target_pointer_width": frozenset((_POINTER_WIDTH.get(arch, "32"),)),
        "target_endian": frozenset(("big" if arch in ("s390x", "powerpc64") else "little",)),
        "unix": frozenset(("unix",) if family == "unix" else ()),
        "windows": frozenset(("windows",) if family == "windows" else ()),
        "true": frozenset(("true",)),
        "false": frozenset(),
    }


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text.rstrip()):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(text)
        position = found.end()
        yield found["word"] or found["text"] or found["sign"]


class _Parser:
    """Parses expressions from `tokens`; None means unknown."""

    def __init__(self, tokens: Iterator[str], facts: dict[str, frozenset[str]]) -> None:
        self._tokens = tokens
        self._facts = facts

    def expression(self, word: str) -> tuple[bool | None, str]:
        """The value of the expression that begins with `word`, and the token after it."""
        after = next(self._tokens, "")
        if after == "(":
            values = []
            sign = next(self._tokens)
            while sign != ")":
                value, sign = self.expression(sign)
                values.append(value)
                if sign == ",":
                    sign = next(self._tokens)
                elif sign != ")":
                    raise ValueError(sign)
            return _combined(word, values), next(self._tokens, "")
        if after == "=":
            wanted = next(self._tokens).strip('"')
            known = self._facts.get(word)
            return (None if known is None else wanted in known), next(self._tokens, "")
        known = self._facts.get(word)
        return (None if known is None else bool(known)), after


def _combined(word: str, values: list[bool | None]) -> bool | None:
    if word == "not":
        return None if values[:1] in ([], [None]) else not values[0]
    if word == "any":
        return True if True in values else None if None in values else False
    if word in ("all", "cfg"):
        return False if False in values else None if None in values else True
    return None
