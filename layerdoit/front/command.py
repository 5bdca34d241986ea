"""`doit layers <verb>`: the command. Each verb is a module of this package, imported when it is used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from doit.cmd_base import Command
from doit.cmdparse import CmdParseError
from doit.exceptions import InvalidCommand

# `plan --exit-code`: something would be pulled or built. 1 is an error.
CHANGES: Final = 2


@dataclass(frozen=True)
class Verb:
    """A verb: its line of help, the options it takes, and its words (such as `[LAYER]`).

    The module of its name has `run(params, words)`, which returns the exit code and may raise LayerdoitError.
    """

    purpose: str
    options: tuple[str, ...] = ()
    words: str = ""


VERBS: Final[Mapping[str, Verb]] = {
    "plan": Verb("what would be done to each layer, and why; builds nothing", ("json", "exit_code")),
    "explain": Verb("why a layer changed: two keys, images or commits in words", ("from", "to", "json"), "[LAYER]"),
    "doctor": Verb("what is wrong with engine, project and Dockerfiles, and the fix", ("json", "exit_code", "measure")),
    "report": Verb("hit rates, times per kind of change and sizes", ("html", "json", "check", "summary", "last")),
    "history": Verb("the recorded runs, newest last", ("json", "csv", "last")),
    "bench": Verb(
        "times of this project's image beside other ways to build it; works on a copy",
        ("against", "scenarios", "runs", "json", "html", "summary"),
    ),
    "init": Verb("look at a Rust project and write the dodo.py and layerdoit.yaml that it needs", ("yes",)),
    "version": Verb("versions of layerdoit, doit, engine and buildx", ("json",)),
}
_ALWAYS: Final = ("root",)


def _flag(name: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "long": name.replace("_", "-"), "type": bool, "default": False, "help": meaning}


def _text(name: str, default: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "long": name.replace("_", "-"), "type": str, "default": default, "help": meaning}


OPTIONS: Final = (
    _flag("json", "one JSON object on standard output"),
    _flag("exit_code", "plan: exit with 2 when anything would be done; doctor: when there are warnings"),
    _text("from", "", "explain: a key or its beginning, a tag, a git revision, tree or last (default: last)"),
    _text("to", "", "explain: the same (default: tree, the tree as it stands)"),
    _flag("yes", "init: do not ask"),
    _flag("measure", "doctor: measure what faster settings would save on this project; takes minutes"),
    _text("against", "plain,mount", "bench: ways to build, of plain, mount, chef, native (cargo on this machine)"),
    _text("scenarios", "", "bench: changes, such as leaf,nothing (default: all)"),
    _text("runs", "3", "bench: how often everything is measured"),
    _text("html", "", "report, bench: write one page with charts to this file"),
    _flag("check", "report: compare with the targets of layerdoit.yaml; exit with 1 when one is not met"),
    _text("summary", "", "report, bench: append markdown to this file, such as the job summary of a CI service"),
    _flag("csv", "history: one line for each layer of each run"),
    _text("last", "", "history, report: only so many of the newest runs"),
    _text("root", ".", "folder of the Rust project"),
)


def _usage(name: str) -> str:
    verb = VERBS[name]
    options = (f"[--{option.replace('_', '-')}]" for option in verb.options)
    return " ".join(filter(None, (name, verb.words, *options)))


class Layers(Command):  # type: ignore[misc]  # doit carries no types
    """The command; its verbs are a table."""

    name = "layers"
    doc_purpose = "plan and explain the image layers of a Rust project"
    doc_usage = " | ".join(map(_usage, VERBS))
    doc_description = "\n".join(
        [
            "Verbs:",
            *(f"  {name:<9} {verb.purpose}" for name, verb in VERBS.items()),
            "",
            "`plan --exit-code` exits with 2 when a layer would be pulled or built, with 0 when nothing would be done.",
            "`doctor` exits with 1 when it finds an error, otherwise with 0; with --exit-code with 2 for warnings.",
            "`report --check` exits with 1 when a target of layerdoit.yaml is missed or has no data.",
            "Variables such as PROFILE=release work as for the tasks.",
        ]
    )
    cmd_options = OPTIONS

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Run what was typed; doit's own words for an option that is not known show the insides of its parser."""
        if {"-h", "--help"}.intersection(in_args):
            print(self.help())
            return 0
        try:
            return int(super().parse_execute(in_args))
        except CmdParseError as error:
            verb = next((word for word in in_args if word in VERBS), None)
            told = f" {verb}: {error.__context__}; usage: {_usage(verb)}" if verb else f": {error.__context__}"
            raise InvalidCommand(f"doit layers{told}; all options: doit help layers") from None

    def execute(self, params: Any, args: Sequence[str]) -> int:
        """Run a verb; the return value is the exit code."""
        from layerdoit.core.errors import LayerdoitError, as_error

        # doit stops at the first word that is no option; ours may follow the verb.
        words, rest = list(args[:1]), list(args[1:])
        given = set(params._non_default_keys)  # noqa: SLF001 - doit merges options so, too
        while rest:
            after, rest = self.cmdparser.parse(rest)
            given |= set(after._non_default_keys)  # noqa: SLF001
            params.update({name: after[name] for name in after._non_default_keys})  # noqa: SLF001
            words, rest = words + rest[:1], rest[1:]
        verb = VERBS.get(words[0]) if words else None
        if verb is None or (words[1:] and not verb.words):
            told = f'there is no verb "{" ".join(words)}"' if words else "a verb is missing"
            raise InvalidCommand(f"doit layers: {told}; verbs: {', '.join(VERBS)}")
        for option in sorted(given.difference(verb.options, _ALWAYS) & {option["name"] for option in OPTIONS}):
            raise InvalidCommand(
                f"doit layers {words[0]} takes no --{option.replace('_', '-')}; usage: {_usage(words[0])}"
            )
        try:
            return int(importlib.import_module(f"layerdoit.front.verbs.{words[0]}").run(params, words[1:]))
        except (LayerdoitError, OSError) as cause:
            error = as_error(cause)
            print(f"layerdoit: error: {error}", file=sys.stderr)
            return error.exit_code if error.exit_code != CHANGES or not params["exit_code"] else 1
