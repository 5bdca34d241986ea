"""Environments: which there are, which one is meant, and the rules that `environments:` in layerdoit.yaml sets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from layerdoit.config.kinds import Invalid, Kind, Node, boolean, many, text, wrong
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion

DEFAULT: Final = "dev"
"""The environment where neither ENV nor `environments.default` names one: layerdoit.yaml as it stands."""
NEVER_DEFAULT: Final = ("prod", "production", "live")
_OWN: Final = ("default", "require_environment")
_RULES: Final = ("require", "confirm")
_NAME: Final = r"[a-z0-9][a-z0-9-]{0,29}"
NAME: Final = text("the name of an environment", _NAME, hint="lower-case letters, digits and -, such as staging")
_FILE: Final = re.compile(rf"layerdoit\.({_NAME})\.yaml")
_CONDITIONS: Final = ("clean", "pushed", "branch")


class Rules(NamedTuple):
    """What must be true before an environment is deployed to.

    `require`: `clean`, `pushed`, and `branch=<pattern>`, of which any may be given; `confirm`: ask first.
    """

    require: tuple[str, ...] = ()
    confirm: bool = False


def file_of(name: str) -> str:
    """The file of an environment, beside layerdoit.yaml."""
    return f"layerdoit.{name}.yaml"


def is_name(word: str) -> bool:
    """Whether an environment can be called so."""
    return re.fullmatch(_NAME, word) is not None


def with_files(root: Path) -> tuple[str, ...]:
    """The environments that have a file."""
    found = (_FILE.fullmatch(path.name) for path in root.glob("layerdoit.*.yaml"))
    return tuple(sorted(match[1] for match in found if match))


def known(root: Path, given: Mapping[str, Any]) -> tuple[str, ...]:
    """All environments of a project, the default one first. `given`: the setting `environments`."""
    first = str(given.get("default", DEFAULT))
    others = {*with_files(root), *(name for name in given if name not in _OWN)} - {first}
    return (first, *sorted(others))


def chosen(root: Path, given: Mapping[str, Any], asked: str | None, where: Mapping[str, str]) -> str:
    """The environment that ENV names, else the default one. ConfigError that lists the known ones."""
    first = str(given.get("default", DEFAULT))
    if asked is None or asked == first:
        if asked is None and (first in NEVER_DEFAULT or rules(given, first) != Rules()):
            what = f'environments.default: "{first}" must be asked for: without ENV nothing may be deployed there'
            hint = f"name another environment here, and deploy with ENV={first}"
            raise ConfigError(what, where=where.get("environments.default"), hint=hint)
        return first
    names = known(root, given)
    if asked not in names:
        near = suggestion(asked, names, "known environments")
        hint = f"{near}; to have a new one, write {file_of(asked)}, with the settings that differ"
        raise ConfigError(f'ENV: there is no environment "{asked}"', hint=hint)
    return asked


def rules(given: Mapping[str, Any], name: str) -> Rules:
    """The rules of one environment."""
    found = given.get(name, {}) if name not in _OWN else {}
    return Rules(tuple(found.get("require", ())), bool(found.get("confirm", False)))


# --- the setting -----------------------------------------------------------------------------------------------------


def environments() -> Kind:
    """The kind of the setting `environments`."""
    expected = "a mapping of environments to rules"

    def parse(node: Node) -> dict[str, Any]:
        if node.value is None:
            return {}
        if not isinstance(node.value, Mapping):
            raise wrong(node, expected)
        for name, item in node.value.items():
            if name not in _OWN and not is_name(name):
                raise Invalid(item, f'"{name}" is no name of an environment', hint=NAME.expected)
        return {name: _within(name, item) for name, item in node.value.items()}

    rule = {"type": ["object", "null"], "properties": {"require": _REQUIRE.json, "confirm": {"type": "boolean"}}}
    own = {"default": NAME.json, "require_environment": {"type": "boolean"}}
    schema = {"type": ["object", "null"], "properties": own, "additionalProperties": rule}
    return Kind(expected, parse, json=schema)


def _within(name: str, item: Node) -> Any:
    try:
        if name == "default":
            return NAME.parse(item)
        if name == "require_environment":
            return boolean().parse(item)
        return _rules(item)
    except Invalid as invalid:
        raise invalid.within(f".{name}") from None


def _rules(item: Node) -> dict[str, Any]:
    if item.value is None:
        return {}
    if not isinstance(item.value, Mapping):
        raise wrong(item, "rules, such as {require: [clean, pushed, branch: main], confirm: true}")
    found: dict[str, Any] = {}
    for name, inner in item.value.items():
        if name not in _RULES:
            raise Invalid(inner, f'unknown key "{name}"', hint=suggestion(name, _RULES, "valid keys"))
        try:
            found[name] = _REQUIRE.parse(inner) if name == "require" else boolean().parse(inner)
        except Invalid as invalid:
            raise invalid.within(f".{name}") from None
    return found


def _condition() -> Kind:
    expected = "clean, pushed, or branch: <name>"

    def parse(node: Node) -> str:
        if isinstance(node.value, Mapping) and len(node.value) == 1:
            ((name, branch),) = node.value.items()
            if name == "branch" and isinstance(branch.value, str | int) and branch.text.strip():
                return f"branch={branch.text}"
        if node.value in ("clean", "pushed"):
            return str(node.value)
        hint = suggestion(node.value, _CONDITIONS, "valid conditions") if isinstance(node.value, str) else None
        raise wrong(node, expected, hint=hint)

    branch = {"type": "object", "properties": {"branch": {"type": "string"}}, "additionalProperties": False}
    return Kind(expected, parse, json={"anyOf": [{"enum": ["clean", "pushed"]}, branch]})


_REQUIRE: Final = many(_condition(), "conditions: clean, pushed, branch: <name>")


def conditions(require: Collection[str]) -> tuple[set[str], list[str]]:
    """The plain conditions, and the patterns of branches."""
    branches = [one.partition("=")[2] for one in require if one.startswith("branch=")]
    return {one for one in require if "=" not in one}, branches
