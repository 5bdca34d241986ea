"""The script that completes `doit` in fish."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from string import Template
from typing import Final

from layerdoit.config import VARIABLES
from layerdoit.front.completion_words import (
    VALUES,
    VARIANTS,
    WORDS,
    Word,
    commands,
    of_tasks,
    of_verbs,
    tasks,
    texts,
    verbs,
)
from layerdoit.front.verbs import VERBS

_FISH: Final = Template("""\
# Completion of doit in fish, with the tasks and verbs of layerdoit. Made by `doit layers completion fish`.
# To have it in every shell: doit layers completion fish > ~/.config/fish/completions/doit.fish
function __layerdoit_tasks
    test -f dodo.py; or return
    set -l state "$$PWD "(math -s0 (date +%s) / 300)" "(stat -c %Y.%s dodo.py 2>/dev/null; or stat -f %m.%z dodo.py)
    if test "$$state" != "$$__layerdoit_state"
        set -l typed (commandline -opc)
        set -g __layerdoit_state
        set -g __layerdoit_names
        if set -l names (eval (string escape -- $$typed[1]) list --quiet 2>/dev/null)
            set __layerdoit_names (string trim -- $$names)
            set __layerdoit_state $$state
        else if not grep -q 'prefix *=' dodo.py
            set __layerdoit_names $tasks
        end
    end
    string collect -- $$__layerdoit_names | string split \\n
end
function __layerdoit_roots
    string replace -rf -- '^(.*):image$$' '$$1' (__layerdoit_tasks)
    __fish_complete_directories
end
function __layerdoit_variants
    string replace -r '^' VARIANT= -- ($variants)
end
function __layerdoit_words
    set -l typed (commandline -opc)
    string match -v -r -- '^-|=' $$typed[2..-1]
end
function __layerdoit_first
    set -l words (__layerdoit_words)
    test (count $$words) -eq 0
end
function __layerdoit_layers
    set -l words (__layerdoit_words)
    test "$$words[1]" = layers
end
function __layerdoit_verb
    __layerdoit_layers; or return 1
    for word in (__layerdoit_words)
        set -l bare (string replace -r '.*:' '' -- $$word)
        if contains -- $$bare $verbs
            echo $$bare
            return 0
        end
    end
    return 1
end
function __layerdoit_task
    __layerdoit_layers; and return 1
    set -l known (__layerdoit_tasks)
    set -l found
    for word in (__layerdoit_words)
        contains -- $$word $$known; and set found $$word
    end
    test -n "$$found"; and string replace -r '^.*?((cache_clear:)?[^:]*)$$' '$$1' -- $$found
end
function __layerdoit_is
    contains -- "$$($$argv[1])" $$argv[2..-1]
end
complete -c doit -f
complete -c doit -n 'not __layerdoit_layers' -a '(__layerdoit_tasks)'
complete -c doit -n '__layerdoit_layers; and not __layerdoit_verb >/dev/null' -a '(__layerdoit_listed verbs)'
function __layerdoit_listed
    switch $$argv[1]
        case verbs
$verb_lines
    end
end
$lines
""")


def fish() -> str:
    """For fish 3.4 and later."""
    return _FISH.substitute(
        variants=VARIANTS,
        tasks=" ".join(texts(tasks())),
        verbs=" ".join(VERBS),
        verb_lines="\n".join(f"            printf '%s\\t%s\\n' {one.text} {shlex.quote(one.about)}" for one in verbs()),
        lines="\n".join(_fish_lines()),
    )


def _fish_lines() -> Iterator[str]:
    for word in commands():
        yield f"complete -c doit -n __layerdoit_first -a {word.text} -d {shlex.quote(word.about)}"
    taken = "'not __layerdoit_layers; or __layerdoit_verb >/dev/null'"
    for variable in VARIABLES:
        values = VALUES.get(variable.name, ())
        offered = " ".join([f"{variable.name}=", *(f"{variable.name}={value}" for value in values)])
        offered += " (__layerdoit_variants)" if variable.name == "VARIANT" else ""
        yield f"complete -c doit -n {taken} -a {shlex.quote(offered)} -d {shlex.quote(variable.doc)}"
    for verb, words in WORDS.items():
        yield f"complete -c doit -n '__layerdoit_is __layerdoit_verb {verb}' -a {shlex.quote(' '.join(words))}"
    for asked, table in (("__layerdoit_task", of_tasks()), ("__layerdoit_verb", of_verbs())):
        takers: dict[Word, list[str]] = {}
        for name, options in table:
            for option in options:
                takers.setdefault(option, []).append(name)
        for option, names in takers.items():
            where = shlex.quote(f"{asked} >/dev/null; and __layerdoit_is {asked} {' '.join(names)}")
            takes = " -x -a '(__layerdoit_roots)'" if option.text == "--root" else ""
            name = option.text.removeprefix("--")
            yield f"complete -c doit -n {where} -l {name}{takes} -d {shlex.quote(option.about)}"
