"""Parse Dockerfiles: instructions, stages, and the commands of a RUN. Reads as much of a broken file as it can.

    parse(text, file) -> Dockerfile                 # stages with their instructions, each with its line
    commands(instruction, known) -> list[Command]   # a RUN (or CMD in shell form) as simple commands
    apt_packages(command) -> list[str]              # Debian packages that a command installs
    apk_packages(command) -> list[str]              # Alpine's

`Instruction.where` is `file:line`. Only the text is read; nothing is executed.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from layerdoit.dockerfile.escape import escape_in

_HEREDOC = re.compile(r"<<(?P<dash>-?)(?P<quote>['\"]?)(?P<word>[A-Za-z_]\w*)(?P=quote)")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?\s+")
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::?[-+](?P<other>[^}]*))?\}|(?P<plain>\w+))")
_HEREDOC_INSTRUCTIONS = frozenset(("RUN", "COPY", "ADD"))
_OPERATORS = frozenset(("&&", "||", ";", "|", "&", "(", ")", "{", "}", "\n", "|&", ";;"))
# Words that only introduce a command.
_BEFORE = frozenset(("sudo", "env", "exec", "eatmydata", "time", "then", "do", "else", "if", "!", "nice", "command"))
_APT_WITH_VALUE = frozenset(("-t", "-o", "-c", "--target-release", "--default-release", "--option", "--config-file"))
_APK_WITH_VALUE = frozenset((
    "-t", "--virtual", "-X", "--repository", "-p", "--root", "--arch", "--keys-dir", "--repositories-file", "--wait",
))  # fmt: skip
# Of `openssl-dev~3.1`, `rust@edge`; not of `.build-deps`, which is only a name for the others.
_APK = re.compile(r"(?P<name>[A-Za-z0-9][\w+.-]*)(?:[=<>~@].*)?")
_PACKAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?P<arch>:[a-z0-9]+)?(?:[=/].*)?")


@dataclass(frozen=True)
class Instruction:
    """One instruction. `value`: what follows keyword and flags, continued lines joined; `bodies`: its heredocs."""

    keyword: str
    """In upper case."""
    value: str
    where: str
    line: int
    flags: tuple[tuple[str, str], ...] = ()
    """`--name=value`, in order; several `--mount` are several entries."""
    bodies: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    """The lines as written in the file, from `line` on."""

    def where_is(self, word: str) -> str:
        """`file:line` of its first line that contains `word`, or of the instruction itself."""
        boundary = re.compile(rf"(?<![\w.+-]){re.escape(word)}(?![\w.+-])")
        number = next((index for index, line in enumerate(self.raw) if boundary.search(line)), 0)
        return f"{self.where.rpartition(':')[0]}:{self.line + number}"

    @property
    def json(self) -> tuple[str, ...] | None:
        """The words of the JSON form (`["a", "b"]`), None for the shell form."""
        if not self.value.startswith("["):
            return None
        try:
            words = json.loads(self.value)
        except (ValueError, RecursionError):
            return None
        return tuple(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    def flag(self, name: str) -> str | None:
        """The value of the first `--name`."""
        return next((value for key, value in self.flags if key == name), None)


@dataclass(frozen=True)
class Stage:
    """A FROM and what follows it."""

    index: int
    name: str | None
    base: str
    """The image or stage as written, with variables of earlier ARGs filled in."""
    where: str
    line: int
    instructions: tuple[Instruction, ...] = ()


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile; `args` are those before the first FROM, name -> default (None without one)."""

    file: str
    stages: tuple[Stage, ...]
    args: Mapping[str, str | None] = field(default_factory=dict)
    before: tuple[Instruction, ...] = ()
    """Instructions before the first FROM."""

    def parent(self, stage: Stage) -> Stage | None:
        """The stage that `stage` builds on; None if it builds on an image."""
        for other in reversed(self.stages[: stage.index]):
            if other.name is not None and other.name.lower() == stage.base.lower():
                return other
        return None

    def lineage(self, stage: Stage) -> tuple[Stage, ...]:
        """The stages that make up an image of `stage`, in order."""
        found = [stage]
        while (parent := self.parent(found[-1])) is not None:
            found.append(parent)
        return tuple(reversed(found))

    @property
    def final(self) -> Stage | None:
        """The stage that a build without `--target` builds."""
        return self.stages[-1] if self.stages else None


@dataclass(frozen=True)
class Command:
    """A simple command of a shell text: its words without quotes, and its line, if known."""

    words: tuple[str, ...]
    where: str


# --- text -> instructions --------------------------------------------------------------------------------------------


def parse(text: str, file: str = "Dockerfile", given: Mapping[str, str] | None = None) -> Dockerfile:
    """Parse a Dockerfile; anything that is not an instruction is skipped. `given`: values of its first ARGs."""
    stages: list[tuple[Instruction, list[Instruction]]] = []
    before: list[Instruction] = []
    for instruction in _instructions(text, file):
        if instruction.keyword == "FROM":
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        else:
            before.append(instruction)
    args: dict[str, str | None] = {}
    for instruction in before:
        if instruction.keyword == "ARG":
            args.update(assignments(instruction))
    known: dict[str, str] = {}
    for name, value in {**args, **{name: value for name, value in (given or {}).items() if name in args}}.items():
        if value is not None:
            known[name] = expand(value, known)
    listed = tuple(_stage(index, head, body, known) for index, (head, body) in enumerate(stages))
    return Dockerfile(file, listed, args, tuple(before))


def _stage(index: int, head: Instruction, body: Sequence[Instruction], known: Mapping[str, str]) -> Stage:
    words = head.value.split()
    name = words[2] if len(words) >= 3 and words[1].lower() == "as" else None
    base = expand(words[0], known) if words else ""
    return Stage(index, name, base, head.where, head.line, tuple(body))


def _instructions(text: str, file: str) -> Iterator[Instruction]:
    lines = text.replace("\r\n", "\n").removeprefix("\ufeff").split("\n")
    escape = escape_in(lines)
    number = 0
    while number < len(lines):
        first = number
        stripped = lines[number].strip()
        number += 1
        if not stripped or stripped.startswith("#"):
            continue
        parts = []
        while True:
            continued = stripped.endswith(escape)
            parts.append(stripped.removesuffix(escape).rstrip() if continued else stripped)
            if not continued:
                break
            # Comments and empty lines within a continued instruction do not end it.
            while number < len(lines) and (not lines[number].strip() or lines[number].lstrip().startswith("#")):
                number += 1
            if number >= len(lines):
                break
            stripped = lines[number].strip()
            number += 1
        joined = " ".join(filter(None, parts))
        keyword, _, rest = joined.partition(" ")
        keyword = keyword.upper()
        if not re.fullmatch(r"[A-Z]+", keyword):
            continue
        bodies: list[str] = []
        for heredoc in _HEREDOC.finditer(rest) if keyword in _HEREDOC_INSTRUCTIONS else ():
            body, number = _body(lines, number, heredoc["word"], strip_tabs=bool(heredoc["dash"]))
            bodies.append(body)
        flags, value = _flags(rest.strip())
        where, raw = f"{file}:{first + 1}", tuple(lines[first:number])
        yield Instruction(keyword, value, where, first + 1, flags, tuple(bodies), raw)


def _body(lines: Sequence[str], start: int, word: str, *, strip_tabs: bool) -> tuple[str, int]:
    """A heredoc's text and the number of the line after it; without an end marker it runs to the end of the file."""
    body: list[str] = []
    for number in range(start, len(lines)):
        line = lines[number].lstrip("\t") if strip_tabs else lines[number]
        if line.rstrip() == word:
            return "\n".join(body), number + 1
        body.append(line)
    return "\n".join(body), len(lines)


def _flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags = []
    text += " "
    while found := _FLAG.match(text):
        flags.append((found[1], found[2] or ""))
        text = text[found.end() :]
    return tuple(flags), text.strip()


# --- values ----------------------------------------------------------------------------------------------------------


def expand(text: str, known: Mapping[str, str]) -> str:
    """`text` with `$name` and `${name:-default}` filled in; unknown variables stay as they are."""

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["plain"]
        if name in known:
            return known[name]
        return found["other"] if found["other"] is not None else found[0]

    return _VARIABLE.sub(value, text)


def assignments(instruction: Instruction) -> dict[str, str | None]:
    """The assignments of an ARG, ENV or LABEL: name -> value, None for an ARG without a default."""
    words = split(instruction.value)
    if instruction.keyword == "ENV" and words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])}
    out: dict[str, str | None] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if re.fullmatch(r"[\w.-]+", name):
            out[name] = value if sign else None
    return out


def split(text: str) -> list[str]:
    """The words of a shell text without quotes; a text with an unclosed quote is split at spaces."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


# --- shell commands --------------------------------------------------------------------------------------------------


def commands(instruction: Instruction, known: Mapping[str, str] | None = None) -> list[Command]:
    """The simple commands of a RUN, CMD or ENTRYPOINT, with `known` variables filled in."""
    words = instruction.json
    if words is not None:
        if len(words) == 3 and words[1].lstrip("-").endswith("c"):
            return _simple(words[2], instruction.where, known or {})
        return [Command(words, instruction.where)] if words else []
    texts = [_HEREDOC.sub(" ", instruction.value), *instruction.bodies]
    return [command for text in texts for command in _simple(text, instruction.where, known or {})]


def _simple(text: str, where: str, known: Mapping[str, str]) -> list[Command]:
    found = []
    # What a command in a command says is a word like any other.
    text = re.sub(r"\$\([^()\n]*\)|`[^`\n]*`", "$_", text)
    for line in re.sub(r"\\\n", " ", text).split("\n"):
        for words in _between_operators(_tokens(expand(line, known))):
            first = next(
                (i for i, word in enumerate(words) if word not in _BEFORE and not re.match(r"\w+=", word)), None
            )
            if first is not None:
                found.append(Command(tuple(words[first:]), where))
    return found


def _tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return line.split()


def _between_operators(tokens: Sequence[str]) -> Iterator[list[str]]:
    words: list[str] = []
    for word in tokens:
        if word in _OPERATORS or (word and set(word) <= set("();|&")):
            yield words
            words = []
        elif word == "#":
            break
        else:
            words.append(word)
    yield words


def apt_packages(command: Command) -> list[str]:
    """The Debian packages that a command such as `apt-get install` installs, without versions and files."""
    words = _arguments(command, ("apt-get", "apt", "aptitude", "xx-apt-get", "xx-apt"), "install", _APT_WITH_VALUE)
    names = (_PACKAGE.fullmatch(word) for word in words if not word.endswith((".deb", "-")))
    return [name["name"] + (name["arch"] or "") for name in names if name]


def apk_packages(command: Command) -> list[str]:
    """The Alpine packages that `apk add` installs, without versions, repositories and files."""
    words = _arguments(command, ("apk",), "add", _APK_WITH_VALUE)
    names = (_APK.fullmatch(word) for word in words if not word.endswith(".apk"))
    return [name["name"] for name in names if name]


def _arguments(command: Command, programs: Sequence[str], verb: str, valued: frozenset[str]) -> Iterator[str]:
    """The arguments after the verb, without options and their values (`valued`)."""
    words = command.words
    if not words or words[0].rpartition("/")[2] not in programs or verb not in words:
        return
    rest = iter(words[words.index(verb) + 1 :])
    for word in rest:
        if word in valued:
            next(rest, None)
        elif word and set(word) <= set("<>"):
            return  # a redirection
        elif not word.startswith("-"):
            yield word
