"""Where configuration files say that a program listens, and which environment variable overrides that.

in_files(root, files, sources) -> tuple[Listens, ...]      # files that the program opens: TOML, YAML, JSON
rocket(root, folder, release, uses) -> Listens             # rocket's own: Rocket.toml, or its defaults
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from layerdoit.cargo.program_sources import Source
from layerdoit.core import toml
from layerdoit.core.errors import ConfigError
from layerdoit.init.bound_address import FILE, FRAMEWORK, OF_OTHERS, Listens
from layerdoit.init.rust_files import text_of

_PORT: Final = re.compile(r"(?:http_?|listen_?|server_?|bind_?|service_?)?port")
_ADDRESS: Final = re.compile(
    r"(?:http_?|listen_?|server_?|bind_?|service_?)?(?:addr(?:ess)?|bind(?:_?addr(?:ess)?|ing)?|listen(?:_?addr(?:ess)?|_?on)?|host|ip)"
)
_VALUE: Final = re.compile(r"(?P<host>0\.0\.0\.0|127\.0\.0\.1|localhost|\[?::1?\]?)(?::(?P<port>\d{2,5}))?")
_SET_DEFAULT: Final = re.compile(
    r"\.\s*set_default\(\s*\"(?P<key>[\w.]+)\"\s*,\s*(?:\"(?P<text>[^\"\n]*)\"|(?P<number>\d{2,5})\b)"
)
# What stands first holds where nobody says another environment.
_FIRST: Final = ("default", "base", "common", "config", "settings", "local", "development", "dev")
_OTHERS: Final = re.compile(r"(?i)(?:^|[-_.])(?:test|testing|ci|prod|production|staging|example|sample)(?:[-_.]|$)")


class Override(NamedTuple):
    """How a variable is called that overrides a key: `APP_` and `__` of `APP_SERVER__PORT`."""

    prefix: str
    separator: str

    def variable(self, path: Sequence[str]) -> str | None:
        """The variable of a key; None where it cannot be said."""
        if len(path) > 1 and not self.separator:
            return None
        return self.prefix + self.separator.join(path).upper()


def in_files(root: Path, files: Iterable[str], sources: Sequence[Source]) -> tuple[Listens, ...]:
    """What the files say, those first that hold by default."""
    override = _override(sources)
    ranked = sorted((_rank(path), path) for path in files if not _OTHERS.search(posixpath.basename(path)))
    said = (one for _, path in ranked for one in _in_file(root, path, override))
    return (*said, *_in_code(sources, override))


def _in_code(sources: Sequence[Source], override: Override | None) -> Iterator[Listens]:
    """Defaults of the config crate: `.set_default("server.port", 8080)`."""
    for source in sources:
        for match in _SET_DEFAULT.finditer(source.code.text):
            keys = tuple(match["key"].split("."))
            if not any(OF_OTHERS.search(key) for key in keys):
                value = match["text"] if match["number"] is None else match["number"]
                yield from _of_key(keys, value, source.where(match.start()), override)


def deployed(root: Path) -> Iterator[Listens]:
    """The port that fly.toml forwards to."""
    text = text_of(root / "fly.toml") or ""
    match = re.search(r"^[ \t]*internal_port[ \t]*=[ \t]*\"?(\d{2,5})\b", text, re.MULTILINE)
    if match:
        yield Listens(FILE, int(match[1]), None, f"fly.toml:{_line(text, 'internal_port', match[1])}")


def _rank(path: str) -> int:
    stem = posixpath.basename(path).partition(".")[0].lower()
    return _FIRST.index(stem) if stem in _FIRST else len(_FIRST)


def _override(sources: Sequence[Source]) -> Override | None:
    """What the config crate's `Environment` and figment's `Env` are told."""
    for source in sources:
        text = source.code.text
        if match := re.search(
            r"\bEnvironment::(?:with_prefix\(\s*\"(?P<prefix>\w+)\"\s*|default\(|new\()\)(?P<more>(?:\s*\.\s*\w+\([^()]*\))*)",
            text,
        ):
            separator = re.search(r"\.\s*separator\(\s*\"([^\"]*)\"", match["more"])
            own = re.search(r"\.\s*prefix_separator\(\s*\"([^\"]*)\"", match["more"])
            between = own[1] if own else separator[1] if separator else "_"
            prefix = match["prefix"].upper() + between if match["prefix"] else ""
            return Override(prefix, separator[1] if separator else "")
        if match := re.search(r"\bEnv::prefixed\(\s*\"(\w+)\"\s*\)(?P<more>(?:\s*\.\s*\w+\([^()]*\))*)", text):
            separator = re.search(r"\.\s*split\(\s*\"([^\"]*)\"", match["more"])
            return Override(match[1].upper(), separator[1] if separator else "")
    return None


def _in_file(root: Path, path: str, override: Override | None) -> Iterator[Listens]:
    text = text_of(root / path) or ""
    for keys, value in _values(_parsed(path, text), ()):
        if any(OF_OTHERS.search(key) for key in keys) or len(keys) > 3:
            continue
        yield from _of_key(keys, value, f"{path}:{_line(text, keys[-1], value)}", override)


def _of_key(keys: Sequence[str], value: Any, where: str, override: Override | None) -> Iterator[Listens]:
    """What a key says, if it is called like a port or an address."""
    key, variable = keys[-1].lower(), override.variable(keys) if override else None
    if _PORT.fullmatch(key) and str(value).isdigit() and 0 < int(value) < 65536:
        yield Listens(FILE, int(value), None, where, port_variable=variable)
    elif _ADDRESS.fullmatch(key) and (match := _VALUE.fullmatch(str(value))):
        port = int(match["port"]) if match["port"] else None
        decides = (variable, "address" if port else "host") if variable else None
        yield Listens(FILE, port, match["host"], where, variable=decides)


def _parsed(path: str, text: str) -> Any:
    try:
        if path.endswith(".toml"):
            return toml.loads(text)
        if path.endswith((".yaml", ".yml")):
            from layerdoit.config import reading

            return _plain(reading.parse(text.encode(), path))
        return json.loads(text) if path.endswith(".json") else {}
    except (ValueError, ConfigError, RecursionError):
        return {}


def _plain(node: Any) -> Any:
    if isinstance(node.value, Mapping):
        return {key: _plain(inner) for key, inner in node.value.items()}
    return None if isinstance(node.value, tuple) else node.value if node.value is not None else node.text


def _values(table: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items() if isinstance(table, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _values(value, (*above, str(key)))
        elif isinstance(value, str | int) and not isinstance(value, bool):
            yield (*above, str(key)), value


def _line(text: str, key: str, value: Any) -> int:
    match = re.search(rf"^.*?\b{re.escape(key)}\b\"?\s*[:=]\s*[\"']?{re.escape(str(value))}", text, re.MULTILINE)
    return text.count("\n", 0, match.end()) + 1 if match else 1


def rocket(root: Path, folders: Iterable[str], *, release: bool, uses: str) -> Iterator[Listens]:
    """Where rocket listens: on 127.0.0.1:8000, unless Rocket.toml says otherwise. `uses`: `file:line` of its launch."""
    port, host, where = 8000, "127.0.0.1", uses
    path = next(
        (f"{folder}/Rocket.toml".removeprefix("./") for folder in folders if (root / folder / "Rocket.toml").is_file()),
        None,
    )
    if path is not None:
        text = text_of(root / path) or ""
        tables = _parsed(path, text)
        for name in ("default", "release" if release else "debug", "global"):
            table = tables.get(name) if isinstance(tables, Mapping) else None
            for key, value in table.items() if isinstance(table, Mapping) else ():
                if key == "port" and isinstance(value, int):
                    port, where = value, f"{path}:{_line(text, key, value)}"
                elif key == "address" and isinstance(value, str):
                    host, where = value, f"{path}:{_line(text, key, value)}"
    yield Listens(FRAMEWORK, port, host, where, ("ROCKET_ADDRESS", "host"), port_variable="ROCKET_PORT")
