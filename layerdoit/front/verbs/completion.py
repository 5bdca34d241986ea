"""`doit layers completion`: a script with which a shell completes what is typed after `doit`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import suggestion
from layerdoit.front.verbs import Verb


def run(_params: Any, words: Sequence[str]) -> int:
    """Print the script."""
    from layerdoit.front import completion

    shells = list(completion.SHELLS)
    if len(words) != 1:
        raise ConfigError("doit layers completion: name one shell", hint=f"choose one of {', '.join(shells)}")
    if words[0] not in shells:
        raise ConfigError(
            f'doit layers completion: there is no script for "{words[0]}"', hint=suggestion(words[0], shells, "shells")
        )
    print(completion.script(words[0]), end="")
    return 0


VERB: Final = Verb(
    "print a script that completes tasks, verbs, options and variables in bash, zsh or fish",
    run,
    words="SHELL",
    example="doit layers completion bash > ~/.local/share/bash-completion/completions/doit",
    when="Once on each machine. The first lines of the script say where your shell looks for it.",
    of_project=False,
)
