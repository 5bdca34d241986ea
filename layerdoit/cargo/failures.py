"""Turn a failed build's output into the missing Debian packages and the line of layerdoit.yaml that adds them.

    advice(words, config) -> Advice | None          # what happened, and the line to write
    diagnose(words, suite, runtime) -> Diagnosis | None

Pure; the expressions are in data/native.toml. Unrecognised output gives None: no advice is better than wrong advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from layerdoit.cargo.native import IMAGES, Provider, Table, suites, table
from layerdoit.core.platform import glibc_of

if TYPE_CHECKING:
    from layerdoit.config import Config

LOCKED: Final = "--locked was passed"
"""What cargo says when Cargo.lock is out of date."""
_SCRIPT = re.compile(r"failed to run custom build command for `(?P<crate>[\w-]+) v(?P<version>[^\s`]+)")
# What says that this is about something missing, where only the failing crate is known.
_MISSING = re.compile(
    r"(?i)no such file|not ?found|unable to find|could not find|cannot find|did not find|not installed|can't locate"
)
_NO_PACKAGE = re.compile(
    r"^E: (?:Unable to locate package (?P<name>[^\s:]+)|Package '(?P<of>[^']+)' has no installation candidate)",
    re.MULTILINE,
)
_GIT = re.compile(r"(?i)unable to update (?P<url>(?:https?|ssh|git)://[^\s#?]+)")
_LOGIN = re.compile(
    r"(?i)got 40[13]\b|failed to authenticate|authentication required|no authentication|permission denied"
)
# What git itself says before cargo does, with net.git-fetch-with-cli.
_LOGIN_OF_GIT = re.compile(r"(?i)could not read (?:username|password) for|authentication failed for")
_NO_STD = re.compile(r"note: the `([\w.-]+)` target may not be installed")
_NO_ZIG = re.compile(r"^error: (zig \S+ does not link for \S+)", re.MULTILINE)
_NO_HOST_KEY = "unknown SSH host key"
# cargo asks for a locked commit of github.com in this way; a mirror of it has to answer.
_BY_ID = "cannot fetch a specific object"
_GIVES_IDS = "git config uploadpack.allowReachableSHA1InWant true"
# A warning that the project makes an error; rustc's own errors have a code.
_DENIED = re.compile(
    r"^error: (?P<what>.+)\n(?:(?!warning|error).*\n)*?"
    r"(?:note: the lint level is defined here\n +--> (?P<where>\S+:\d+):\d+$"
    r"| += note: (?:`.+` implied by|requested on the command line with) `-D (?P<flag>[\w-]+)`)",
    re.MULTILINE,
)
_CAUSE = re.compile(r"Caused by:\n +(.+)")


_CAPPED = (
    "fix the code; or, if only a newer Rust complains, build with the Rust it was written for (TOOLCHAIN=…),"
    " or add to layerdoit.yaml: env: {RUSTFLAGS: --cap-lints=warn}"
)
# Lines of the compiler that are shown.
_SHOWN = 60


@dataclass(frozen=True)
class Diagnosis:
    """`lacks`: what is missing, as the build names it; `crate`: `name version` of the build script that failed."""

    lacks: tuple[str, ...]
    build: tuple[str, ...]
    run: tuple[str, ...]
    crate: str | None = None
    elsewhere: tuple[str, ...] = ()
    """The suites that have it, if this one does not."""

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        who = f"the build script of {self.crate}" if self.crate else "the build"
        return f"{who} lacks {' and '.join(self.lacks)}"


@dataclass(frozen=True)
class Advice:
    """`sentence`: what is missing; `setting`: the line of layerdoit.yaml that adds it, or another next step."""

    sentence: str
    setting: str


def advice(words: str, config: Config) -> Advice | None:
    """Advice for a failed build with this configuration; None if there is none."""
    if _SCRIPT.search(words) is None and (repository := _GIT.search(words)):
        return _not_fetched(repository["url"], words, words[repository.end() :], config)
    if "error[E" not in words and (denied := _DENIED.search(words)):
        who = denied["where"] or f"deny for {denied['flag']} ([lints] in Cargo.toml, or RUSTFLAGS)"
        # It may as well be what somebody has just written: the compiler's own words stay.
        said = words[denied.start() :].partition("error: could not compile")[0].rstrip().splitlines()[:_SHOWN]
        return Advice("\n".join([f"{who} turns a warning into an error", *said]), _CAPPED)
    base = config.base
    if of_builder := _no_zig(words) or _unknown_package(words, config):
        return of_builder
    if (absent := _NO_STD.search(words)) and absent[1] not in (*base.targets, glibc_of(config.target or "")[0]):
        targets = f"targets: [{', '.join([*base.targets, absent[1]])}]"
        where = config.where.get("base.targets") or config.where.get("base")
        return Advice(
            f"the builder's Rust cannot compile for {absent[1]}: it has the target that is built, and its own",
            f"add to layerdoit.yaml: base: {{{targets}}}"
            if where is None
            else f"set in {where}, under base: {targets}",
        )
    of = suites(config)
    found = diagnose(words, of.build, of.run)
    # Debian's libraries are of no use to another C library; and what is installed already is not what is missing.
    foreign = config.target is not None and "musl" in config.target
    if found is None or (foreign and (found.run or found.elsewhere)):
        return None
    if found.elsewhere:
        have = " and ".join(found.elsewhere)
        return Advice(found.sentence, f"it is available only in {have}: choose one with {IMAGES}")
    if set(found.build) <= set(base.packages):
        return None
    where = config.where.get("base.packages") or config.where.get("base.runtime_packages") or config.where.get("base")
    lists = ", ".join(setting(found, base.packages, base.runtime_packages))
    line = f"add to layerdoit.yaml: base: {{{lists}}}" if where is None else f"set in {where}, under base: {lists}"
    return Advice(found.sentence, f"{line}; {of.doubt}" if of.doubt else line)


def _no_zig(words: str) -> Advice | None:
    """zig does not know the target, or its glibc."""
    if (found := _NO_ZIG.search(words)) is None:
        return None
    said = "\n".join(line for line in words.splitlines() if line.lstrip().startswith(("error", "zig: error")))
    upgrade = "pip install --upgrade ziglang cargo-zigbuild, in the environment that runs doit"
    return Advice(f"{found[1]}\n{said}", f"{upgrade}; or name an older glibc (target:), or use cross: gcc")


def _unknown_package(words: str, config: Config) -> Advice | None:
    """Advice for a package of layerdoit.yaml that Debian does not have, as apt says it."""
    names = dict.fromkeys(match["name"] or match["of"] for match in _NO_PACKAGE.finditer(words))
    lists = {"base.packages": config.base.packages, "base.runtime_packages": config.base.runtime_packages}
    for setting_name, packages in lists.items():
        if unknown := [name for name in names if name in packages]:
            where = config.where.get(setting_name, "layerdoit.yaml")
            return Advice(
                f"the image's suite has no package {' and no package '.join(unknown)}",
                f"correct {setting_name} ({where})",
            )
    return None


def _not_fetched(url: str, words: str, after: str, config: Config) -> Advice:
    """Advice for a git dependency that cargo cannot download."""
    causes = _CAUSE.findall(after)
    # A rule of git may have led there.
    over_ssh = url.startswith("ssh://") or "ssh-agent authentication" in after
    if _LOGIN.search(after) and over_ssh:
        return Advice(
            f"{url} accepts none of the ssh agent's keys",
            "add a key that it accepts with ssh-add; `ssh-add -l` lists the agent's keys",
        )
    if _LOGIN.search(after) or (not over_ssh and _LOGIN_OF_GIT.search(words)):
        mount = "--mount=type=secret,id=git,target=/root/.gitconfig"
        own = f"; {config.dockerfiles.deps} has to mount the secret: RUN {mount}" if config.dockerfiles.deps else ""
        return Advice(
            f"{url} accepts no login that this machine has in git or ~/.netrc",
            "add a login to git (`gh auth setup-git`, or credential.helper and `git credential approve`) "
            f"or to ~/.netrc{own}",
        )
    if _BY_ID in after:
        return Advice(f"{url} comes from a server that does not serve commits by their id", f"run there: {_GIVES_IDS}")
    if _NO_HOST_KEY in after:
        return Advice(
            f"{url}: the key of its server is not in known_hosts",
            "connect to it once with ssh, which adds it to known_hosts",
        )
    why = f": {causes[-1].strip()}" if causes else ""
    return Advice(f"{url} cannot be fetched{why}", "`doit layers doctor` checks names, proxies and certificates")


def diagnose(words: str, suite: str, runtime: str | None = None) -> Diagnosis | None:
    """What is missing, according to a build's output; None if unknown, or if it failed for another reason.

    Package names are those of `suite`, and of `runtime` for the runtime image if that is another suite.
    """
    data = table()
    providers = data.providers(suite, runtime)
    script = next(reversed(list(_SCRIPT.finditer(words))), None)
    # Only the failing build script's output counts, not what came before it.
    text = words[script.start() :] if script else words
    crate = f"{script['crate']} {script['version']}" if script else None
    found = dict(_found(text, data, providers, strong=True))
    if not found and script:
        found = _of_crate(text, script["crate"], data, providers) or dict(_found(text, data, providers, strong=False))
    if not found:
        return None
    names = {provider.name for provider in found.values()}
    found = {word: provider for word, provider in found.items() if not names.intersection(provider.unless)}
    build = dict.fromkeys(name for provider in found.values() for name in provider.build)
    run = dict.fromkeys(name for provider in found.values() for name in provider.run)
    elsewhere = dict.fromkeys(name for provider in found.values() for name in provider.elsewhere)
    return Diagnosis(tuple(found), tuple(build), tuple(run), crate, tuple(elsewhere))


def _found(
    text: str, data: Table, providers: Mapping[str, Provider], *, strong: bool
) -> Iterator[tuple[str, Provider]]:
    """(what is missing, its provider), in the order of the table."""
    for entry in data.data["failure"]:
        if entry.get("strong", True) is not strong:
            continue
        for pattern in entry["patterns"]:
            for match in re.finditer(pattern, text, re.MULTILINE):
                for name in entry.get("needs", ()):
                    yield name, providers[name]
                for group, word in match.groupdict().items():
                    provider = _provider(group, word, providers)
                    if provider is not None:
                        yield _shown(group, word), provider


def _shown(group: str, word: str) -> str:
    return {"pc": f"{word}.pc", "lib": f"lib{word}"}.get(group, word)


def _provider(group: str, word: str, providers: Mapping[str, Provider]) -> Provider | None:
    """The entry of the table that has this library, header or program."""
    for provider in providers.values():
        if group == "pc":
            known = word in provider.pc
        elif group == "lib":
            known = any(word == name or re.fullmatch(rf"{re.escape(name)}[-_.\d]*", word) for name in provider.lib)
        elif group == "header":
            known = any(word.startswith(name) if name.endswith("/") else word == name for name in provider.header)
        elif group == "program":
            known = word in provider.programs
        else:
            known = word in provider.build
        if known:
            return provider
    if group == "pc" and (version := re.fullmatch(r"(.+?)(\s.*|>=.*)", word)):
        return _provider(group, version[1], providers)
    return None


def _of_crate(text: str, crate: str, data: Table, providers: Mapping[str, Provider]) -> dict[str, Provider]:
    """What a crate needs according to the table, if its build script complained that something was missing."""
    if not _MISSING.search(text):
        return {}
    rules = [rule for rule in data.rules.get(crate, ()) if rule["needs"] and "when_features" not in rule]
    return {name: providers[name] for rule in rules[:1] for name in rule["needs"]}


def setting(diagnosis: Diagnosis, packages: Sequence[str] = (), runtime_packages: Sequence[str] = ()) -> list[str]:
    """The settings of `base`, in YAML, with the missing packages added to the configured ones."""
    build = [*packages, *(name for name in diagnosis.build if name not in packages)]
    run = [*runtime_packages, *(name for name in diagnosis.run if name not in runtime_packages)]
    lists = [f"packages: [{', '.join(build)}]"]
    if len(run) > len(runtime_packages):
        lists.append(f"runtime_packages: [{', '.join(run)}]")
    return lists
