"""`doit layers VERB`: the command. It finds the verb, reads its options, runs it, and puts errors in words."""

from __future__ import annotations

import atexit
import contextlib
import io
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from doit.cmd_base import Command
from doit.cmdparse import CmdOption

from layerdoit.core import console, terminal
from layerdoit.core.errors import ConfigError, LayerdoitError, as_error
from layerdoit.front import help_text, loading, option_parsing
from layerdoit.front.verbs import CHANGES, COMMON, VERBS, Verb, load


class Layers(Command):  # type: ignore[misc]  # doit carries no types
    """The command, as doit knows it."""

    name = "layers"
    doc_purpose = "container images of a Rust project: init, plan, explain, doctor, bench, report"

    def help(self) -> str:
        """What `doit help layers` shows. doit prints it, so a reader that is gone is noticed only at exit."""
        atexit.register(loading.discard_unread)
        return "\n".join(_overview(self.doc_purpose))

    def get_options(self) -> list[CmdOption]:
        """Those of all verbs: for `doit tabcompletion`, which knows no verbs."""
        every = {option["name"]: option for name in VERBS for option in load(name).options}
        return [CmdOption(option) for option in (*every.values(), *COMMON)]

    def parse_execute(self, in_args: Sequence[str]) -> int:
        """Run what was typed; the return value is the exit code."""
        console.replace_unprintable()
        try:
            code = self._run(list(in_args))
            sys.stdout.flush()
        except (LayerdoitError, OSError) as cause:
            if isinstance(cause, BrokenPipeError) and console.unread():
                loading.end_unread()
            error = as_error(cause)
            console.warn(f"error: {error.shown(coloured=terminal.colour(sys.stderr))}")
            # With --exit-code, 2 means changes: an error of usage must not look like them.
            return 1 if error.exit_code == CHANGES and "--exit-code" in in_args else error.exit_code
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        finally:
            console.speak_for("")
        return code

    def _place(self, given: str) -> Mapping[str, Any]:
        from layerdoit.front import projects

        found = projects.find(given, Path.cwd(), self._dodo())
        if found.prefix or found.folder != Path.cwd():
            from layerdoit.front import tasks

            tasks.speak_for(found.prefix, found.folder)
        return {"root": str(found.folder), projects.CALL: found.call}

    def _prefixes(self) -> list[str]:
        """Those of the projects of the dodo.py; none where it cannot be run."""
        from layerdoit.front import projects

        try:
            return [one.prefix for one in projects.of_dodo(Path.cwd(), self._dodo())]
        except LayerdoitError:
            return []

    def _dodo(self) -> str:
        from layerdoit.front import projects

        return self.opt_vals.get("dodoFile") or self.config_vals.get("dodoFile") or projects.DODO

    def _run(self, typed: list[str]) -> int:
        typed = _without_prefix(typed)
        name = _verb_in(typed, self._prefixes)
        if name is None:
            loading.print_help(_overview(self.doc_purpose))
            return 0
        verb = load(name)
        if not {*help_text.ASKS, "help"}.isdisjoint(typed):
            loading.print_help(help_text.of_verb(name, verb, COMMON))
            return 0
        typed.remove(name)
        params, words = _parsed(name, verb, typed, self.config_vals, self._prefixes)
        if verb.of_project:
            params = {**params, **self._place(params["root"])}
        with _silenced(params["quiet"]):
            return verb.run(params, words)


def _without_prefix(typed: Sequence[str]) -> list[str]:
    """`api:plan` is `plan --root api`, as the tasks are typed."""
    first = next((word for word in typed if not word.startswith("-")), "")
    prefix, _, verb = first.rpartition(":")
    if not prefix or verb not in VERBS:
        return list(typed)
    at = typed.index(first)
    return [*typed[:at], verb, "--root", prefix, *typed[at + 1 :]]


def _verb_in(typed: Sequence[str], prefixes: Callable[[], Sequence[str]] = tuple) -> str | None:
    """The first word that is a verb: options may come before it. None where nothing but help was asked for."""
    for word in typed:
        if word in VERBS:
            return word
    words = [word for word in typed if not word.startswith("-")]
    if words and words[0] != "help":
        from layerdoit.front import guesses

        raise guesses.unknown_verb(words[0], prefixes())
    if set(typed).difference(help_text.ASKS, ["help"]):
        raise ConfigError(
            "doit layers: a verb is missing", hint=f"choose one of {', '.join(VERBS)}; see doit layers --help"
        )
    return None


def _parsed(
    name: str, verb: Verb, typed: list[str], defaults: Mapping[str, Any], prefixes: Callable[[], Sequence[str]] = tuple
) -> tuple[Mapping[str, Any], Sequence[str]]:
    usage = help_text.usage_of_verb(name, verb, COMMON)
    declared = (*verb.options, *COMMON)
    try:
        params, words = option_parsing.parse(declared, typed, defaults)
    except option_parsing.WrongOption as error:
        raise _wrong_option(name, error, [option["long"] for option in declared], usage) from None
    if words and not verb.words:
        if words[0] in prefixes():
            hint = f"the project is named by an option: doit layers {name} --root {words[0]}"
            raise ConfigError(f'doit layers {name} takes no "{words[0]}"', hint=hint)
        raise ConfigError(f'doit layers {name} takes no "{words[0]}"', hint=usage)
    return params, words


def _wrong_option(name: str, error: option_parsing.WrongOption, own: Sequence[str], usage: str) -> ConfigError:
    if not error.unknown:
        return ConfigError(f"doit layers {name}: {error}", hint=usage)
    from layerdoit.front import guesses

    guess = guesses.unknown_option(error.unknown, own)
    return ConfigError(f"doit layers {name} takes no {error.unknown}", hint=f"{guess} {usage}".strip())


@contextlib.contextmanager
def _silenced(quiet: bool) -> Iterator[None]:
    """Results go to standard output, everything else to standard error; errors are printed after this."""
    with contextlib.redirect_stderr(io.StringIO()) if quiet else contextlib.nullcontext():
        yield


# --- help ------------------------------------------------------------------------------------------------------------


def _overview(purpose: str) -> Iterator[str]:
    yield "usage: doit layers VERB [options] [NAME=value ...]"
    yield purpose
    yield ""
    yield "verbs:"
    for name in VERBS:
        yield f"  {name:<9} {load(name).purpose}"
    yield ""
    yield "Options and an example: doit layers VERB --help. Variables such as PROFILE=release work as for the tasks."
