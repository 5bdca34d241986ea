"""Known causes of a failed build besides missing packages: each is a row, with its sentence and the next step.

    advice(words, layer, asks_git) -> Advice | None
    unknown(words) -> Advice | None       # where nobody knows the cause

Pure. In the app layer the workspace's own packages are compiled, without a network and without the history of git.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from layerdoit.cargo.failures import Advice
from layerdoit.core.platform import container_triple

AsksGit = Callable[[str], str | None]
"""Where a package of the workspace asks git: `file:line`, by the package's name; '' stands for any package."""

_SCRIPT: Final = re.compile(
    r"failed to run custom build command for `(?P<crate>[\w-]+) v(?P<version>[^\s`]+)(?: \((?P<folder>/[^)`]*)\))?`"
)
_OWN: Final = ("/build/src", "path+file://")
_PANIC: Final = re.compile(
    r"thread '[^']*'(?: \(\d+\))? panicked at (?:'(?P<old>.*)', )?(?P<where>[^\s:]+:\d+)(?::\d+)?:?\n?"
    r"(?P<said>(?:(?!\s*stack backtrace|\s*note: ).*\n?)*)"
)
# Lines that are shown of what a build script printed.
_SHOWN: Final = 20


def advice(words: str, layer: str, asks_git: AsksGit = lambda _: None, *, told: bool = False) -> Advice | None:
    """The first cause that is recognised, the surest first. `told`: whether builds are told of git."""
    rows: Sequence[Callable[[], Advice | None]] = (
        lambda: _killed(words),
        lambda: _too_old(words, layer),
        lambda: _only_nightly(words),
        lambda: _wrapper(words),
        lambda: _asks_git(words, layer, asks_git, told),
        lambda: _asks_network(words, layer),
        lambda: _unset_variable(words),
    )
    return next((found for row in rows if (found := row()) is not None), None)


# --- who failed ------------------------------------------------------------------------------------------------------


def _script(words: str) -> re.Match[str] | None:
    """The build script that failed last."""
    return next(reversed(list(_SCRIPT.finditer(words))), None)


def _own_script(words: str) -> re.Match[str] | None:
    script = _script(words)
    return script if script is not None and (script["folder"] or "").startswith(_OWN) else None


def _who(words: str) -> str:
    script = _script(words)
    return f"the build script of {script['crate']}" if script else "a macro"


# --- the machine -----------------------------------------------------------------------------------------------------

_KILLED: Final = re.compile(r"\(signal: 9\b|signal 9 \[Killed\]|terminated by signal 9\b|^Killed$", re.MULTILINE)
_COMPILED: Final = re.compile(r"could not compile `(?P<crate>[^`]+)`")


def _killed(words: str) -> Advice | None:
    if not _KILLED.search(words):
        return None
    crate = f" of {found['crate']}" if (found := _COMPILED.search(words)) else ""
    return Advice(
        f"a process{crate} was killed (signal 9), as a rule because the memory ran out",
        'give the engine more memory, or compile less at a time: add to layerdoit.yaml: env: {CARGO_BUILD_JOBS: "1"}',
    )


# --- the toolchain ---------------------------------------------------------------------------------------------------

_REQUIRES: Final = re.compile(r"^ +(?P<crate>\S+)@(?P<version>\S+) requires rustc (?P<rust>[\d.]+)", re.MULTILINE)
_HAS: Final = re.compile(r"rustc (?P<rust>\S+) is not supported by the following package")
_EDITION: Final = re.compile(
    r"older than the `(?P<a>\d{4})` edition|feature `edition(?P<b>\d{4})` is required"
    r"|supported edition values[^\n]*`(?P<c>\d{4})`"
)
_NEWER: Final = "build with a newer one: TOOLCHAIN=…, or the channel of rust-toolchain.toml"
_FIRST_WITH: Final = {"2021": "1.56", "2024": "1.85"}
_LOCKFILE: Final = re.compile(r"lock ?file version `?(?P<version>\d+)`?[^\n]*(?:was found|requires)")
_FEATURE: Final = re.compile(
    r"error\[E0554\]: (?P<what>`#!\[feature\]`)[^\n]*\n(?: *--> (?P<where>\S+?:\d+):\d+)?"
    r"|(?P<option>the option `?-?Z`?) is only accepted on the nightly compiler"
    r"|(?P<cargo>the cargo feature `[^`]+`|the `[^`]+` flag[^\n]{0,40}|feature `[^`]+`)"
    r" (?:requires|is required|is unstable)[^\n]*nightly"
)


def build_with(rust: str) -> str:
    """The next step where a newer Rust is needed."""
    return (
        f'build with it: TOOLCHAIN={rust} for once, toolchain: "{rust}" in layerdoit.yaml, '
        "or the channel of rust-toolchain.toml"
    )


def _too_old(words: str, layer: str) -> Advice | None:
    if required := list(_REQUIRES.finditer(words)):
        most = max(required, key=lambda found: [int(part) for part in found["rust"].split(".") if part])
        has = found["rust"] if (found := _HAS.search(words)) else "an older one"
        names = ", ".join(f"{found['crate']} {found['version']}" for found in required[:3])
        older = f"; or take an older version: cargo update {most['crate']} --precise …" if layer == "deps" else ""
        return Advice(
            f"{names} {'requires' if len(required) == 1 else 'require'} Rust {most['rust']}, and the builder has {has}",
            build_with(most["rust"]) + older,
        )
    if edition := _EDITION.search(words):
        year = edition["a"] or edition["b"] or edition["c"]
        first = _FIRST_WITH.get(year)
        return Advice(
            f"the builder's Rust is older than the edition {year}",
            build_with(first) if first else _NEWER,
        )
    if "does not understand this lock file" in words and (lock := _LOCKFILE.search(words)):
        what = f"the builder's Rust is too old for a Cargo.lock of version {lock['version']}"
        return Advice(what, build_with("1.78") if lock["version"] == "4" else _NEWER)
    return None


def _only_nightly(words: str) -> Advice | None:
    found = _FEATURE.search(words)
    if found is None:
        return None
    what = found["what"] or found["option"] or found["cargo"]
    where = f"{found['where']}: " if found["where"] else ""
    return Advice(
        f"{where}{what} is only for a nightly Rust, and the builder has another one",
        "build with one: TOOLCHAIN=nightly for once, or the channel of rust-toolchain.toml "
        "(nightly-YYYY-MM-DD stays the same); or do without it",
    )


_NOT_STARTED: Final = re.compile(r"could not execute process `(?P<program>\S+)(?P<rest>[^`]*)` \(never executed\)")


def _wrapper(words: str) -> Advice | None:
    found = _NOT_STARTED.search(words)
    if found is None or re.search(r"(?:^|/)rustc$", found["program"]):
        return None
    program = found["program"]
    if re.search(r"\brustc(?:\s|$)", found["rest"]):
        return Advice(
            f"the cargo configuration starts every compiler by `{program}`, which the builder lacks",
            'do without it: add to layerdoit.yaml: env: {RUSTC_WRAPPER: ""}; or add its package to base.packages',
        )
    return Advice(
        f"cargo starts `{program}`, which the builder lacks",
        "add its Debian package to base.packages, or take it out of the cargo configuration (linker, runner)",
    )


# --- what a build does not get ---------------------------------------------------------------------------------------

_NO_HISTORY: Final = re.compile(
    r"(?i)not a git repository|could not find (?:a git )?repository"
    r"|failed to (?:open|discover|find)[^\n]*git[^\n]*repositor"
    r"|\.git/(?:HEAD|logs|refs|index)[^\n]*(?:No such file|NotFound|not found|does not exist)"
)
_NO_GIT: Final = re.compile(
    r"(?i)(?<![\w.-])git(?:`|'|\")?(?:: (?:command )?not found|[^\n]{0,80}(?:No such file or directory|NotFound))"
    r"|(?:run|execut\w*|call|spawn|start|find|invok\w*)[^\n]{0,20}[ `'\"]git\b"
    r"[^\n]*(?:No such file|NotFound|not found|failed)"
    r"|is `git` not installed"
)
_NOT_FOUND: Final = re.compile(r"kind: NotFound|No such file or directory")
_TOLD: Final = "add to layerdoit.yaml: build: {git: commit}"
_PROGRAM: Final = "base: {packages: [git]}"


def _asks_git(words: str, layer: str, asks_git: AsksGit, told: bool) -> Advice | None:
    """A package of the workspace: what comes from a registry has no history anywhere."""
    script = _own_script(words)
    macro = script is None and _SCRIPT.search(words) is None and layer == "app"
    if script is None and not macro:
        return None
    text = words[script.start() :] if script else words
    where = asks_git(script["crate"] if script else "")
    says = _NO_HISTORY.search(text) or _NO_GIT.search(text)
    # A program that is not there is not always named; but the script is, and what it starts.
    if not says and not (script and where and _NOT_FOUND.search(text) and _PANIC.search(text)):
        return None
    if macro and not re.search(r"^error", words, re.MULTILINE):
        return None
    who = f"{_who(words)} asks git" + (f" ({where})" if where else "")
    repository = _NO_HISTORY.search(text) is not None
    if not told:
        more = "" if repository else f", {_PROGRAM}"
        return Advice(f"{who}, and builds are told nothing of git", f"{_TOLD}{more}")
    return None if repository else Advice(f"{who}, and the builder has no git", f"add to layerdoit.yaml: {_PROGRAM}")


_OFFLINE: Final = re.compile(
    r"(?i)could not resolve host[^\n]*|temporary failure in name resolution|failed to lookup address[^\n\"]*"
    r"|name or service not known|network is unreachable|dns error[^\n\"]*|could not resolve[^\n\"]*|EAI_AGAIN"
    r"|error sending request for url[^\n\"]*|unable to resolve[^\n\"]*|nodename nor servname[^\n\"]*"
)
_DOWNLOADER: Final = re.compile(
    r"(?<![\w.-])(?P<program>curl|wget)(?:`|'|\")?[^\n]{0,80}(?:not found|NotFound|No such file or directory)"
)
_DATABASE: Final = re.compile(r"error communicating with database|set `DATABASE_URL` to use query macros")


def _asks_network(words: str, layer: str) -> Advice | None:
    if _DATABASE.search(words):
        return Advice(
            "sqlx checks its queries against a database while it compiles, and a build has none",
            'run `cargo sqlx prepare`, commit .sqlx, and add to layerdoit.yaml: env: {SQLX_OFFLINE: "true"}',
        )
    script = _script(words)
    macro = re.search(r"^error: proc macro panicked", words, re.MULTILINE) is not None
    if script is None and not macro:
        return None
    text = words[script.start() :] if script else words
    failed = _OFFLINE.search(text)
    if layer != "app":
        if failed is None:
            return None
        said = f"{_who(words)} downloads something, and could not: {failed[0].strip()}"
        return Advice(said, "`doit layers doctor` checks names, proxies and certificates")
    asks = failed or _DOWNLOADER.search(text)
    if asks is None:
        return None
    what = f" ({failed[0].strip()})" if failed else f" (it starts {asks['program']})"
    return Advice(
        f"{_who(words)} wants the network{what}, and a project's own packages are compiled without one on purpose:"
        " an image follows from its sources",
        "keep the file among the sources, and have it read there: download it before the build; if git ignores it,"
        " sources.include sends it",
    )


_VARIABLE: Final = re.compile(r"environment variable `(?P<name>\w+)` not defined at compile time")


def _unset_variable(words: str) -> Advice | None:
    names = list(dict.fromkeys(found["name"] for found in _VARIABLE.finditer(words)))
    if not names or any(name.startswith(("CARGO_", "OUT_DIR")) for name in names):
        return None
    where = re.search(r"not defined at compile time\n *--> (\S+?:\d+)", words)
    place = f" ({where[1]})" if where else ""
    settings = ", ".join(f"{name}: …" for name in names)
    return Advice(
        f"the sources want {' and '.join(names)} while they compile{place}, and a build has none of this machine",
        f"add to layerdoit.yaml: env: {{{settings}}}",
    )


# --- where nobody knows ----------------------------------------------------------------------------------------------


def unknown(words: str) -> Advice | None:
    """A linker that nobody knows, or a build script's own last words, without the backtrace."""
    return _linker(words) or _script_failure(words)


_LINKER: Final = re.compile(r"linker `(?P<program>[^`]+)` not found")


def _linker(words: str) -> Advice | None:
    found = _LINKER.search(words)
    if found is None:
        return None
    variable = f"CARGO_TARGET_{container_triple().upper().replace('-', '_')}_LINKER"
    return Advice(
        f"the builder lacks the linker `{found['program']}`, which the cargo configuration or RUSTFLAGS names",
        f"add its Debian package to base.packages, or link with the usual one: "
        f"add to layerdoit.yaml: env: {{{variable}: cc}}",
    )


def _script_failure(words: str) -> Advice | None:
    script = _script(words)
    if script is None:
        return None
    text = words[script.end() :]
    who = f"the build script of {script['crate']} {script['version']}"
    if panic := _PANIC.search(text):
        said = [line.strip() for line in (panic["old"] or panic["said"]).strip().splitlines()]
        head = f"{who} failed at {panic['where']}"
        own = [head, *filter(None, said[:_SHOWN])]
    else:
        errors = text.partition("--- stderr\n")[2] or text.partition("Caused by:\n")[2]
        own = [f"{who} failed", *(line.strip() for line in errors.strip().splitlines()[-_SHOWN:])]
    # A variable of this machine is the usual thing that it misses.
    unset = re.search(r"(?i)NotPresent|environment variable not found|must be set|is not set", text)
    more = "; builds get no variables of this machine, only those of env: in layerdoit.yaml" if unset else ""
    return Advice("\n".join(own), f"correct it and run again{more}")
