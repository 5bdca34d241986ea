"""Options as doit's parser reads them, and what is wrong with one in a few words instead of the parser's inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self


class WrongOption(ValueError):
    """What is wrong with an option, in a few words; `unknown` is the option as typed, if there is no such option."""

    def __init__(self, text: str, unknown: str = "") -> None:
        super().__init__(text)
        self.unknown = unknown

    @classmethod
    def of(cls, error: Exception, options: Sequence[Mapping[str, Any]]) -> Self:
        """Of an error of doit's parser: what that is made from says it shorter."""
        cause = error.__context__ or error
        name = getattr(cause, "opt", None)
        if name is None:
            return cls(_wrong_value(str(error), str(cause), options))
        known = {option["short"] for option in options if option.get("short")}
        longs = {option["long"] for option in options if option.get("long")}
        there = name in known if len(name) == 1 else any(one.startswith(name) for one in longs)
        dashed = f"{'-' if len(name) == 1 else '--'}{name}"
        return cls(str(cause), "" if there else dashed)


def _wrong_value(said: str, cause: str, options: Sequence[Mapping[str, Any]]) -> str:
    """Of a value that is not of its option's type."""
    option = next((one for one in options if f"'{one['name']}'" in said), None)
    value = cause.rpartition(": ")[2].strip()
    if option is None or not value:
        return cause
    return f"--{option['long']} takes {'a whole number' if option.get('type') is int else 'another value'}, not {value}"


def parse(
    options: Sequence[Mapping[str, Any]], words: list[str], defaults: Mapping[str, Any]
) -> tuple[Mapping[str, Any], list[str]]:
    """Values of options, and the words between them. `defaults` are those of doit's configuration files."""
    from doit.cmdparse import CmdOption, CmdParse, CmdParseError

    parser = CmdParse([CmdOption(option) for option in options])
    try:
        parser.overwrite_defaults(defaults)
        params, rest = parser.parse(words)
        found: list[str] = []
        # doit stops at the first word that is no option.
        while rest:
            found.append(rest[0])
            params, rest = parser.parse_only(rest[1:], params)
    except CmdParseError as error:
        raise WrongOption.of(error, options) from None
    return params, found


def parse_first(options: Sequence[Mapping[str, Any]], words: list[str]) -> tuple[Mapping[str, Any], list[str]]:
    """Values of the options that come first, and the words from the first one that is no option."""
    from doit.cmdparse import CmdOption, CmdParse, CmdParseError

    try:
        params, rest = CmdParse([CmdOption(option) for option in options]).parse(words)
    except CmdParseError as error:
        raise WrongOption.of(error, options) from None
    return params, rest


def of_task(task: Any) -> list[Mapping[str, Any]]:
    """The options of a task that doit has made."""
    return [*task.creator_params, *task.params]
