"""The kinds of value of this schema alone: names, paths, ports, references, environments."""

from __future__ import annotations

import os
import posixpath
import re

from layerdoit.config.kinds import (
    Invalid,
    Kind,
    Node,
    choice,
    described,
    integer,
    many,
    repository_name,
    table,
    text,
    wrong,
)
from layerdoit.core.prose import suggestion

_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# The first part of a name is a registry only where it cannot be a plain name (`engine/registry_answers.py`).
_REGISTRY = r"(?:(?=[^/]*[.:]|localhost/)[A-Za-z0-9.-]+(?::\d+)?/)?"


def _on_missing() -> Kind:
    steps = many(choice("pull", "build"), "pull and build")

    def parse(node: Node) -> tuple[str, ...]:
        if node.value == "fail":
            return ()
        if isinstance(node.value, tuple):
            if len(node.value) == 1 and node.value[0].value == "fail":
                return ()
            return tuple(steps.parse(node))
        words = ("pull", "build", "fail")
        hint = suggestion(node.value, words, "valid values") if isinstance(node.value, str) else None
        raise wrong(node, steps.expected + ", or the word fail", hint=hint)

    either = {"anyOf": [steps.json, {"enum": ["fail", ["fail"]]}]}
    return Kind("a list of pull and build, or the word fail", parse, many=True, json=either)


def _command() -> Kind:
    words = many(TEXT, "texts", unique=False, at_least=1)

    def parse(node: Node) -> tuple[str, ...]:
        if isinstance(node.value, str) and node.value.strip():
            return ("/bin/sh", "-c", node.value)
        if isinstance(node.value, tuple):
            return tuple(words.parse(node))
        raise wrong(node, "a shell command or a list of arguments")

    either = {"anyOf": [{"type": "string", "pattern": r"\S"}, words.json]}
    return Kind("a shell command or a list of arguments", parse, json=either)


def _shells() -> Kind:
    each = many(SHELL, "shell commands", unique=False)

    def parse(node: Node) -> tuple[str, ...]:
        return (str(SHELL.parse(node)),) if isinstance(node.value, str) else tuple(each.parse(node))

    return Kind("a shell command, or a list of them", parse, many=True, json={"anyOf": [SHELL.json, each.json]})


def _arguments() -> Kind:
    def parse(node: Node) -> str:
        import shlex

        line = str(TEXT.parse(node))
        try:
            shlex.split(line)
        except ValueError as error:
            what = "a quote is not closed" if "quotation" in str(error) else "nothing follows the last backslash"
            hint = "the line is split into words as a shell does; write a quote that is meant as such as \\' or \\\""
            raise Invalid(node, f"{what} in {described(node)}", hint=hint) from None
        return line

    return Kind("a line of arguments", parse, json=TEXT.json)


def _address() -> Kind:
    def parse(node: Node) -> str:
        import ipaddress

        try:
            return str(ipaddress.ip_address(str(node.value)))
        except ValueError:
            raise wrong(
                node, "an IP address", hint="use 127.0.0.1 for this machine only, 0.0.0.0 for everyone"
            ) from None

    return Kind("an IP address", parse, json={"type": "string"})


def _volume() -> Kind:
    form = text("a volume as source:target[:options]", r"[^:]+:/[^:]*(:[\w,]+)?")

    def parse(node: Node) -> str:
        written: str = form.parse(node)
        source, target = written.split(":")[:2]
        if not target.strip("/"):
            raise Invalid(node, f'"{written}": nothing can be mounted over all of the image (/)')
        if "$" in source:
            raise Invalid(
                node, f'"{written}": variables are not filled in here', hint="write the path, or begin with ~/ or ./"
            )
        if source.startswith("~") and os.path.expanduser(source) == source:
            raise Invalid(node, f'"{written}": there is no user {source.partition("/")[0]}')
        if not re.fullmatch(r"[/.~].*|[A-Za-z0-9][\w.-]+", source):
            problem = f'"{source}" is neither a path nor the name of a volume'
            name = "name a volume with two or more of A-Z a-z 0-9 _ . -"
            raise Invalid(
                node, problem, hint=f"write ./{written} for a folder of the project" if "/" in source else name
            )
        return written

    return Kind(form.expected, parse, json=form.json)


def _volumes() -> Kind:
    each = many(VOLUME, "volumes")

    def parse(node: Node) -> tuple[str, ...]:
        volumes: tuple[str, ...] = each.parse(node)
        targets = [posixpath.normpath(volume.split(":")[1]) for volume in volumes]
        assert isinstance(node.value, tuple)  # noqa: S101 - `each` has checked it
        for at, (item, target) in enumerate(zip(node.value, targets, strict=True)):
            if target in targets[:at]:
                raise Invalid(item, f"two volumes are mounted at {target}", inside=f"[{at}]")
        return volumes

    return each._replace(parse=parse)


def _regex() -> Kind:
    def parse(node: Node) -> str:
        written: str = TEXT.parse(node)
        try:
            re.compile(written)
        except re.error as error:
            at = f" at character {error.pos + 1}" if error.pos is not None else ""
            hint = r"a character that is meant as such, as in [ or (, has a backslash before it: \["
            raise Invalid(node, f'"{written}" is no regular expression: {error.msg}{at}', hint=hint) from None
        return written

    return Kind("a regular expression", parse, json=TEXT.json)


def _project() -> Kind:
    def parse(node: Node) -> str:
        return repository_name(NAME.parse(node))

    return Kind("a name", parse, json=NAME.json)


TEXT = text()
NAME = text("a name", r"\S(.*\S)?")
SHELL = text("a shell command", r"(?s).*\S.*")
VARIABLE = text("a variable name", r"[A-Za-z_][A-Za-z0-9_]*")
PACKAGE = text("a cargo package name", r"[\w-]+")
BINARY = text("a binary name", r"[\w-]+")
STARTED = text("a binary name, or an absolute path in the image", r"[\w-]+|/\S.*")
SIGNAL = text("a signal, such as SIGINT", r"(SIG)?[A-Z][A-Z0-9+-]*|\d{1,2}")
FEATURE = text("a feature", r"[\w+.-]+(/[\w+.-]+)?")
DEBIAN = text("a Debian package name", r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=\S+)?")
IMAGE = text("an image reference", r"[\w.:/@-]+")
REPOSITORY = text(
    "an image repository without a tag",
    rf"{_REGISTRY}{_COMPONENT}(?:/{_COMPONENT})*",
    numbers=False,
    hint="name it like registry.example.com/team/shop: lower-case letters and digits, with single . _ - between them",
)
TAG = text("an image tag", r"\w[\w.-]{0,127}")
PORT = integer("a port from 1 to 65535", 1, 65535)
EXPOSE = text("a port, or a port with /tcp or /udp", r"\d{1,5}(/(tcp|udp))?")
ABSOLUTE = text("an absolute path", r"/.*")
INSIDE = text("a path inside the project", r"(?!/)(?!(.*/)?\.\.(/|$)).+")
PROFILE = text("a cargo profile", r"(?!debug$)[\w-]+", hint="use dev, release, or a [profile.<name>] of Cargo.toml")
TARGET = text("a target triple", r"\w+(-[\w.]+){1,4}", hint="use one like x86_64-unknown-linux-musl")
LABEL = text("a label outside io.layerdoit, without blanks and =", r"(?!io\.layerdoit(\.|$))[^\s=]+")
ENV = table(VARIABLE, text(switches=True), "a mapping of variable names to text")
ON_MISSING = _on_missing()
COMMAND = _command()
SHELLS = _shells()
ARGUMENTS = _arguments()
ADDRESS = _address()
REGEX = _regex()
PROJECT = _project()
VOLUME = _volume()
VOLUMES = _volumes()
