"""Which files `docker compose` itself would read, and where in them a service or a key of it stands."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from layerdoit.config import reading
from layerdoit.config.kinds import Node
from layerdoit.core.errors import ConfigError, DeployError
from layerdoit.deploy import env_file

# As docker compose prefers them.
_NAMES: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES: Final = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
_OWN_TAGS: Final = re.compile(rb"(?<=[:\s])!(reset|override)\b")
_DEEPEST: Final = 40
_NONE: Final[Mapping[str, Node]] = {}


def chosen(root: Path, named: Sequence[str], environ: Mapping[str, str], where: str | None = None) -> tuple[Path, ...]:
    """The files, the first of which says where the compose project is.

    `named`: what layerdoit.yaml says; else COMPOSE_FILE, of the environment or of `.env`; else the usual names, in the
    project's folder or one above it. DeployError where there is none.
    """
    root = Path(os.path.abspath(root))
    names = list(named) or _of_variable(root, environ)
    if names:
        found = [Path(os.path.normpath(root / Path(name).expanduser())) for name in names]
        for path in found:
            if not path.is_file():
                by = "deploy.compose.file" if named else "COMPOSE_FILE"
                raise DeployError(
                    f"{by} names {_shown(path, root)}, which does not exist",
                    where=where if named else None,
                    hint=_hint(root),
                )
        return tuple(found)
    for folder in (root, *root.parents):
        for name in _NAMES:
            if (folder / name).is_file():
                override = next((folder / other for other in _OVERRIDES if (folder / other).is_file()), None)
                return (folder / name, override) if override else (folder / name,)
    raise DeployError(
        f"there is no compose file in {root} or a folder above it",
        where=where,
        hint="write compose.yaml, or name it: deploy: {compose: {file: …}}",
    )


def _of_variable(root: Path, environ: Mapping[str, str]) -> list[str]:
    given = dict(environ)
    if not given.get("COMPOSE_FILE") and (root / ".env").is_file():
        try:
            given = {**env_file.read(root, ".env", None), **{key: value for key, value in given.items() if value}}
        except ConfigError:
            return []  # docker compose says what is wrong with it
    separator = given.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return [name for name in given.get("COMPOSE_FILE", "").split(separator) if name]


def project_name(files: Sequence[Path], named: str | None, environ: Mapping[str, str]) -> str | None:
    """What docker compose calls the project of these files; None where only it can tell."""
    if named or environ.get("COMPOSE_PROJECT_NAME"):
        return named or environ["COMPOSE_PROJECT_NAME"]
    folder = files[0].parent
    try:
        noted = env_file.read(folder, ".env", None) if (folder / ".env").is_file() else {}
        tops = [reading.parse(_OWN_TAGS.sub(b"", path.read_bytes()), path.name, deepest=_DEEPEST) for path in files]
    except (OSError, ConfigError):
        return None
    if noted.get("COMPOSE_PROJECT_NAME"):
        return None
    written = [one for one in (_inner(top, "name") for top in tops) if one is not None]
    if written:
        text = written[-1].text or str(written[-1].value)
        return None if "$" in text else text
    return re.sub(r"[^-_a-z0-9]", "", folder.name.lower()).lstrip("_-") or None


def _hint(root: Path) -> str:
    there = sorted(path.name for path in root.glob("*compose*.y*ml") if path.is_file())
    return f"the compose files there are: {', '.join(there)}" if there else "write it, or name another file"


def _shown(path: Path, root: Path) -> str:
    """Relative to the project where it is in it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def line(files: Sequence[Path], root: Path, service: str, *keys: str) -> str | None:
    """`file:line` of a service, or of the deepest of these keys of it; of the last file that has most of them."""
    best: tuple[int, str] | None = None
    for path in files:
        try:
            node = reading.parse(_OWN_TAGS.sub(b"", path.read_bytes()), path.name, deepest=_DEEPEST)
        except (OSError, ConfigError):
            continue
        depth, number = _deepest(node, ("services", service, *keys))
        if depth >= 2 and (best is None or depth >= best[0]):
            best = depth, f"{_shown(path, root)}:{number}"
    return best[1] if best else None


def profiles(files: Sequence[Path], service: str) -> tuple[str, ...]:
    """The profiles of a service that docker compose leaves out because none of them is active."""
    for path in files:
        try:
            node = reading.parse(_OWN_TAGS.sub(b"", path.read_bytes()), path.name, deepest=_DEEPEST)
        except (OSError, ConfigError):
            continue
        found = _inner(_inner(_inner(node, "services"), service), "profiles")
        if found is not None and isinstance(found.value, tuple):
            return tuple(one.text or str(one.value) for one in found.value)
    return ()


def _deepest(node: Node, keys: Sequence[str]) -> tuple[int, int]:
    depth, number = 0, node.line
    for key in keys:
        inner = _inner(node, key)
        if inner is None:
            break
        node, depth, number = inner, depth + 1, inner.line
    return depth, number


def _inner(node: Node | None, key: str) -> Node | None:
    values = node.value if node is not None and isinstance(node.value, Mapping) else _NONE
    return values.get(key)
