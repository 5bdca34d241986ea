"""Variables in a value of deploy.env: `${NAME}` and `${NAME:-default}`, as Compose has them; `$$` is a dollar sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from layerdoit.core.errors import ConfigError

_DOLLAR: Final = re.compile(r"\$(?:(?P<twice>\$)|(?P<brace>\{)|(?P<bare>[A-Za-z_]\w*))")
_INSIDE: Final = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?-)(?P<rest>.*))?", re.DOTALL)
_FORMS: Final = "the forms are ${NAME}, ${NAME:-default} and $$ for a dollar sign"


def filled(value: str, known: Mapping[str, str], path: str, where: str | None) -> str:
    """The value with its variables replaced by what is known. `path` and `where`: of the setting that has it."""
    found, at = [], 0
    while (match := _DOLLAR.search(value, at)) is not None:
        found.append(value[at : match.start()])
        at = match.end()
        if match["twice"]:
            found.append("$")
        elif match["bare"]:
            name = match["bare"]
            hint = f"write ${{{name}}} for the variable, or $${name} for these characters"
            raise ConfigError(f'{path}: "${name}" may mean a variable or itself', where=where, hint=hint)
        else:
            end = _closing(value, at)
            if end < 0:
                raise ConfigError(f"{path}: a ${{ is not closed", where=where, hint=_FORMS)
            found.append(_variable(value[at:end], known, path, where))
            at = end + 1
    return "".join([*found, value[at:]])


def _closing(value: str, at: int) -> int:
    """Where the brace closes that opened before `at`; -1 where it does not."""
    depth = 1
    for index in range(at, len(value)):
        if value[index] == "}":
            depth -= 1
            if not depth:
                return index
        elif value.startswith("${", index):
            depth += 1
    return -1


def _variable(inside: str, known: Mapping[str, str], path: str, where: str | None) -> str:
    match = _INSIDE.fullmatch(inside)
    if match is None:
        raise ConfigError(f'{path}: "${{{inside}}}" is no variable', where=where, hint=_FORMS)
    name, how, default = match["name"], match["how"], match["rest"]
    given = known.get(name)
    if given is not None and (given or how != ":-"):
        return given
    if how is not None:
        return filled(default, known, path, where)
    hint = f"set it (export {name}=…), or give a default: ${{{name}:-…}}"
    raise ConfigError(f"{path}: the variable {name} is not set", where=where, hint=hint)
