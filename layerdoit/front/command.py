"""`doit layers VERB`: the command. It finds the verb, reads its options, runs it, and puts errors in words."""

from __future__ import annotations

import atexit
import contextlib
import io
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from doit.cmd_base import Command
from doit.cmdparse import CmdOption

from layerdoit.core import console, terminal
from layerdoit.core.errors import ConfigError, LayerdoitError, as_error
from layerdoit.front import loading
from layerdoit.front.verbs import CHANGES, COMMON, VERBS, Option, Verb, load

_HELP = ("-h", "--help")


class Layers(Command):  # type: ignore[misc]  # doit carries no types
    """The command, as doit knows it."""

    name = "layers"
    doc_purpose = "plan and explain the image layers of a Rust project"

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
        return code

    def _run(self, typed: list[str]) -> int:
        name = _verb_in(typed)
        if name is None:
            print("\n".join(_overview(self.doc_purpose)))
            return 0
        verb = load(name)
        if not set(_HELP).isdisjoint(typed):
            print("\n".join(verb_help(name, verb)))
            return 0
        typed.remove(name)
        params, words = _parsed(name, verb, typed, self.config_vals)
        with _silenced(params["quiet"]):
            return verb.run(params, words)


def _verb_in(typed: Sequence[str]) -> str | None:
    """The first word that is a verb: options may come before it. None where nothing but help was asked for."""
    for word in typed:
        if word in VERBS:
            return word
    words = [word for word in typed if not word.startswith("-")]
    if words:
        from layerdoit.core.prose import suggestion

        raise ConfigError(f'doit layers: there is no verb "{words[0]}"', hint=suggestion(words[0], [*VERBS], "verbs"))
    if set(typed).difference(_HELP):
        raise ConfigError(
            "doit layers: a verb is missing", hint=f"choose one of {', '.join(VERBS)}; see doit layers --help"
        )
    return None


def _parsed(
    name: str, verb: Verb, typed: list[str], defaults: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Sequence[str]]:
    usage = f"usage: {_usage(name, verb)}"
    try:
        params, words = loading.parse((*verb.options, *COMMON), typed, defaults)
    except loading.WrongOption as error:
        what = f" takes no {error.unknown}" if error.unknown else f": {error}"
        raise ConfigError(f"doit layers {name}{what}", hint=usage) from None
    if words and not verb.words:
        raise ConfigError(f'doit layers {name} takes no "{words[0]}"', hint=usage)
    return params, words


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


def verb_help(name: str, verb: Verb) -> Iterator[str]:
    """What `doit layers VERB --help` prints."""
    yield f"usage: {_usage(name, verb)} [NAME=value ...]"
    yield verb.purpose
    yield ""
    yield "options:"
    shown = [(_typed(option), _meaning(option)) for option in (*verb.options, *COMMON)]
    width = max(len(option) for option, _ in shown)
    yield from (f"  {option:<{width}}  {meaning}" for option, meaning in (*shown, ("-h, --help", "show this help")))
    yield ""
    if verb.ends:
        yield f"exit code: {verb.ends}"
    yield f"example: {verb.example}"


def _usage(name: str, verb: Verb) -> str:
    options = (f"[{_typed(option).split(', ')[-1]}]" for option in (*verb.options, *COMMON))
    return " ".join(filter(None, ("doit layers", name, verb.words, *options)))


def _typed(option: Option) -> str:
    """An option as users type it: `-q, --quiet`, `--from SIDE`."""
    short = f"-{option['short']}, " if option["short"] else ""
    return f"{short}--{option['long']}{' ' + option['metavar'] if 'metavar' in option else ''}"


def _meaning(option: Option) -> str:
    return f"{option['help']} (default: {option['default']})" if option["default"] else str(option["help"])
