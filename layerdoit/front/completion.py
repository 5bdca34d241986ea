"""Scripts that complete `doit` in bash, zsh and fish: tasks, levels, verbs, options, variables and their values.

All that is the same everywhere stands in the script, so that a key stroke starts no Python. Only the names of the
tasks of a dodo.py are asked of doit, once for each state of the file, and again after some minutes: it may import
others. Where doit cannot say them, it is asked again, and only a dodo.py without prefixes has names that are known.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from string import Template
from typing import Final

from layerdoit.front.completion_fish import fish
from layerdoit.front.completion_words import (
    VALUES,
    VARIANTS,
    WORDS,
    cases,
    commands,
    each_once,
    of_tasks,
    of_verbs,
    tasks,
    texts,
    together,
    variables,
    verbs,
)


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
        variants=VARIANTS,
        tasks=shlex.quote("\n".join(texts(tasks()))),
        task_options=cases(of_tasks(), "    {0} | *:{0}) echo {1} ;;"),
        verb_options=cases(of_verbs(), "    {0}) echo {1} ;;"),
        verbs=shlex.quote(together(verbs())),
        variables=shlex.quote(together(variables())),
        commands=shlex.quote(together(commands())),
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
        variants=VARIANTS,
        tasks=" ".join(map(shlex.quote, texts(tasks()))),
        about=" ".join(f"{shlex.quote(one.text)} {shlex.quote(one.about)}" for one in each_once()),
        verbs=shlex.quote(together(verbs())),
        verbs_list=together(verbs()),
        variables=together(variables()),
        commands=together(commands()),
        values="\n".join(
            f"    {name}=*) compset -P '*='; compadd -- {' '.join(values)}; return ;;"
            for name, values in VALUES.items()
        ),
        verb_options=cases(of_verbs(), "        {0}) found=({2}) ;;"),
        task_options=cases(of_tasks(), "      {0} | *:{0}) found=({2}) ;;"),
        words="\n".join(f"        {verb}) found+=({' '.join(words)}) ;;" for verb, words in WORDS.items()),
    )


SHELLS: Final[Mapping[str, Callable[[], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}
