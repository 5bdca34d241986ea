"""Scripts that complete `doit` in bash, zsh and fish: tasks, levels, verbs, options, variables and their values.

All that is the same everywhere stands in the script, so that a key stroke starts no Python. Only the names of the
tasks of a dodo.py are asked of doit, once for each state of the file, and again after some minutes: it may import
others. Where doit cannot say them, it is asked again, and only a dodo.py without prefixes has names that are known.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from string import Template
from typing import Final, NamedTuple

from layerdoit.config import VARIABLES
from layerdoit.core.platform import PLATFORMS
from layerdoit.front.help_text import ASKS
from layerdoit.front.task_table import TASKS
from layerdoit.front.verbs import COMMON, VERBS, Option, load
from layerdoit.layers.key import LAYERS

VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "PROFILE": ("dev", "release"),
    "PLATFORM": tuple(one.name for one in PLATFORMS),
    "YES": ("yes", "no"),
    "ON_MISSING": ("pull,build", "pull", "build", "fail"),
    **{one.name: tuple(one.kind.json["enum"]) for one in VARIABLES if "enum" in one.kind.json},
}
"""Of variables that have few. CONFIG and `--root`, `--html`, `--summary` take paths."""
WORDS: Final[Mapping[str, tuple[str, ...]]] = {"explain": LAYERS, "completion": ("bash", "zsh", "fish")}
"""What may follow a verb."""


_VARIANTS: Final = r"sed -n '/^variants:/,/^[^ #]/s/^  \([a-z0-9][a-z0-9-]*\):.*/\1/p' layerdoit.yaml 2>/dev/null"
"""Prints the names of the variants, one a line, as the documentation writes them."""


class Word(NamedTuple):
    """What can be typed, and what it is."""

    text: str
    about: str


def commands() -> list[Word]:
    """Those of doit, and ours."""
    from doit.doit_cmd import DoitMain

    own = [Word(one.get_name(), one.doc_purpose) for one in DoitMain.DOIT_CMDS]
    return [*own, Word("layers", "container images of a Rust project: init, plan, explain, doctor, bench, report")]


def tasks() -> list[Word]:
    """Those of a dodo.py without prefixes."""
    return [Word(task.name, task.line) for task in TASKS]


def verbs() -> list[Word]:
    """Those of `doit layers`."""
    return [Word(name, load(name).purpose) for name in VERBS]


def variables() -> list[Word]:
    """Names with their equals sign."""
    return [Word(f"{variable.name}=", variable.doc) for variable in VARIABLES]


def of_tasks() -> list[tuple[str, list[Word]]]:
    """Task -> options."""
    return [(task.name, _options(task.params)) for task in TASKS]


def of_verbs() -> list[tuple[str, list[Word]]]:
    """Verb -> options."""
    return [(name, _options((*load(name).options, *COMMON))) for name in VERBS]


def _options(options: Iterable[Option]) -> list[Word]:
    found = [Word(f"--{option['long']}", str(option["help"])) for option in options]
    return [*found, Word(ASKS[-1], "show this help")]


def script(shell: str) -> str:
    """What `doit layers completion SHELL` prints."""
    return SHELLS[shell]()


# --- bash ------------------------------------------------------------------------------------------------------------

_BASH: Final = Template("""\
# Completion of doit in bash, with the tasks and verbs of layerdoit. Made by `doit layers completion bash`.
# To have it in every shell: doit layers completion bash > ~/.local/share/bash-completion/completions/doit
__layerdoit_tasks() {
  [ -f dodo.py ] || return
  local state="$$PWD $$((SECONDS / 300)) $$(stat -c %Y.%s dodo.py 2>/dev/null || stat -f %m.%z dodo.py)"
  if [ "$$state" != "$$__layerdoit_state" ]; then
    if __layerdoit_names=$$("$$1" list --quiet 2>/dev/null); then
      __layerdoit_names=$${__layerdoit_names// /}
      __layerdoit_state=$$state
    else
      __layerdoit_state=
      if grep -q 'prefix *=' dodo.py; then __layerdoit_names=; else __layerdoit_names=$tasks; fi
    fi
  fi
}
__layerdoit_task_options() {
  case $$1 in
$task_options
  esac
}
__layerdoit_verb_options() {
  case $$1 in
$verb_options
  esac
}
__layerdoit() {
  local line=$${COMP_LINE:0:COMP_POINT} words word cur before first= verb= task= found= i
  # Bash's own words end at colons and equals signs; tasks and variables have them.
  read -r -a words <<< "$$line"
  case $$line in *[[:space:]]) words+=("") ;; esac
  cur=$${words[$${#words[@]}-1]}
  before=$${words[$${#words[@]}-2]}
  __layerdoit_tasks "$${words[0]}"
  for ((i = 1; i < $${#words[@]} - 1; i++)); do
    word=$${words[i]}
    case $$word in -* | *=*) continue ;; esac
    if [ -z "$$first" ]; then first=$$word; fi
    case " "$verbs" " in *" $${word##*:} "*) [ -n "$$verb" ] || verb=$${word##*:} ;; esac
    case $$'\\n'"$$__layerdoit_names"$$'\\n' in *$$'\\n'"$$word"$$'\\n'*) task=$$word ;; esac
  done
  case $$cur in
    CONFIG=*) COMPREPLY=($$(compgen -f -- "$${cur#CONFIG=}")); return ;;
    VARIANT=*) COMPREPLY=($$(compgen -W "$$($variants)" -- "$${cur#VARIANT=}")); return ;;
$values
  esac
  case $$before in
    --root)
      for word in $$__layerdoit_names; do
        case $$word in *:image) found="$$found $${word%:image}" ;; esac
      done
      COMPREPLY=($$(compgen -W "$$found" -- "$$cur") $$(compgen -d -- "$$cur"))
      return
      ;;
    --html | --summary) COMPREPLY=($$(compgen -f -- "$$cur")); return ;;
  esac
  if [ "$$first" = layers ]; then
    if [ -z "$$verb" ]; then found=$verbs
    else
      case $$cur in
        -*) found=$$(__layerdoit_verb_options "$$verb") ;;
        *)
          found=$variables
          case $$verb in
$words
          esac
          ;;
      esac
    fi
  else
    case $$cur in
      -*) found=$$(__layerdoit_task_options "$$task") ;;
      *)
        found="$$__layerdoit_names "$variables
        if [ -z "$$first" ] || [ "$$first" = help ]; then found="$$found "$commands; fi
        ;;
    esac
  fi
  COMPREPLY=($$(compgen -W "$$found" -- "$$cur"))
  if [ $${#COMPREPLY[@]} -eq 1 ]; then
    case $${COMPREPLY[0]} in *=) compopt -o nospace 2>/dev/null ;; esac
  fi
  # What stands before a colon is a word of its own to bash.
  case $$cur in
    *:*) case $$COMP_WORDBREAKS in *:*) COMPREPLY=("$${COMPREPLY[@]#"$${cur%"$${cur##*:}"}"}") ;; esac ;;
  esac
}
complete -F __layerdoit doit
""")


def bash() -> str:
    """For bash 3.2 and later, without the package bash-completion."""
    return _BASH.substitute(
        variants=_VARIANTS,
        tasks=shlex.quote("\n".join(_texts(tasks()))),
        task_options=_cases(of_tasks(), "    {0} | *:{0}) echo {1} ;;"),
        verb_options=_cases(of_verbs(), "    {0}) echo {1} ;;"),
        verbs=shlex.quote(_together(verbs())),
        variables=shlex.quote(_together(variables())),
        commands=shlex.quote(_together(commands())),
        values="\n".join(
            f'    {name}=*) COMPREPLY=($(compgen -W {shlex.quote(" ".join(values))} -- "${{cur#{name}=}}")); return ;;'
            for name, values in VALUES.items()
        ),
        words="\n".join(
            f'            {verb}) found="$found "{shlex.quote(" ".join(words))} ;;' for verb, words in WORDS.items()
        ),
    )


# --- zsh -------------------------------------------------------------------------------------------------------------

_ZSH: Final = Template("""\
#compdef doit
# Completion of doit in zsh, with the tasks and verbs of layerdoit. Made by `doit layers completion zsh`.
# To have it in every shell: doit layers completion zsh > _doit, in a folder of $$fpath
__layerdoit_tasks() {
  [[ -f dodo.py ]] || return
  local names state="$$PWD $$((SECONDS / 300)) $$(stat -c %Y.%s dodo.py 2>/dev/null || stat -f %m.%z dodo.py)"
  if [[ $$state != $$__layerdoit_state ]]; then
    typeset -ga __layerdoit_names
    typeset -g __layerdoit_state=
    if names=$$($${1} list --quiet 2>/dev/null); then
      __layerdoit_names=("$${(@f)names// /}")
      __layerdoit_state=$$state
    elif grep -q 'prefix *=' dodo.py; then __layerdoit_names=()
    else __layerdoit_names=($tasks)
    fi
  fi
}
_doit() {
  local -A about
  local -a found shown __layerdoit_own
  local word first= verb= task= cur=$$words[CURRENT] before=$$words[CURRENT-1] i
  about=($about)
  __layerdoit_own=()
  if [[ -f dodo.py ]]; then __layerdoit_tasks $$words[1]; __layerdoit_own=($$__layerdoit_names); fi
  for ((i = 2; i < CURRENT; i++)); do
    word=$$words[i]
    case $$word in -* | *=*) continue ;; esac
    [[ -n $$first ]] || first=$$word
    case " "$verbs" " in *" $${word##*:} "*) [[ -n $$verb ]] || verb=$${word##*:} ;; esac
    (( $${__layerdoit_own[(Ie)$$word]} )) && task=$$word
  done
  case $$cur in
    CONFIG=*) compset -P '*='; _files; return ;;
    VARIANT=*) compset -P '*='; compadd -- $${(f)"$$($variants)"}; return ;;
$values
  esac
  case $$before in
    --root)
      found=($${$${(M)__layerdoit_own:#*:image}%:image})
      (( $$#found )) && compadd -- $$found
      _files -/
      return
      ;;
    --html | --summary) _files; return ;;
  esac
  if [[ $$first == layers ]]; then
    if [[ -z $$verb ]]; then found=($verbs_list)
    elif [[ $$cur == -* ]]; then
      case $$verb in
$verb_options
      esac
    else
      found=($variables)
      case $$verb in
$words
      esac
    fi
  elif [[ $$cur == -* ]]; then
    case $$task in
$task_options
    esac
  else
    found=($$__layerdoit_own $variables)
    if [[ -z $$first || $$first == help ]]; then found+=($commands); fi
  fi
  local -a open
  open=($${(M)found:#*=})
  found=($${found:#*=})
  for word in $$found; do shown+=("$${word//:/\\\\:}:$${about[$${word#*:}]:-$${about[$$word]}}"); done
  (( $$#shown )) && _describe -V doit shown
  (( $$#open )) && compadd -S '' -- $$open
  return 0
}
if [[ $$funcstack[1] == _doit ]]; then _doit "$$@"; else compdef _doit doit; fi
""")


def zsh() -> str:
    """A file for `$fpath`, which can be sourced, too."""
    return _ZSH.substitute(
        variants=_VARIANTS,
        tasks=" ".join(map(shlex.quote, _texts(tasks()))),
        about=" ".join(f"{shlex.quote(one.text)} {shlex.quote(one.about)}" for one in _each_once()),
        verbs=shlex.quote(_together(verbs())),
        verbs_list=_together(verbs()),
        variables=_together(variables()),
        commands=_together(commands()),
        values="\n".join(
            f"    {name}=*) compset -P '*='; compadd -- {' '.join(values)}; return ;;"
            for name, values in VALUES.items()
        ),
        verb_options=_cases(of_verbs(), "        {0}) found=({2}) ;;"),
        task_options=_cases(of_tasks(), "      {0} | *:{0}) found=({2}) ;;"),
        words="\n".join(f"        {verb}) found+=({' '.join(words)}) ;;" for verb, words in WORDS.items()),
    )


# --- fish ------------------------------------------------------------------------------------------------------------

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
        variants=_VARIANTS,
        tasks=" ".join(_texts(tasks())),
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


# --- parts -----------------------------------------------------------------------------------------------------------


def _texts(words: Sequence[Word]) -> list[str]:
    return [word.text for word in words]


def _together(words: Sequence[Word]) -> str:
    return " ".join(_texts(words))


def _cases(table: Sequence[tuple[str, list[Word]]], line: str) -> str:
    return "\n".join(line.format(name, shlex.quote(_together(options)), _together(options)) for name, options in table)


def _each_once() -> list[Word]:
    options = [option for _, found in (*of_tasks(), *of_verbs()) for option in found]
    return list({word.text: word for word in (*options, *verbs(), *commands(), *tasks())}.values())


SHELLS: Final[Mapping[str, Callable[[], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
