"""The settings of one service of a compose file, as ours. Pure.

hints(service, others, project, files) -> Iterator[Hint]    # `others`: services beside it, by name
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from layerdoit.config import credentials
from layerdoit.config.kinds import Node
from layerdoit.core.prose import listed
from layerdoit.init import health_checks
from layerdoit.init.hints import Files, Hint, note

_VARIABLE: Final = re.compile(r"\$(?:\{(?P<braced>\w+)(?::?[-+](?P<other>[^}]*))?[^}]*\}|(?P<plain>[A-Za-z_]\w*))")
# Added up, where a service is made of several.
_ADDED: Final = frozenset(("ports", "expose", "volumes", "env_file"))
# Read here, or of no importance for one container of ours.
_READ: Final = frozenset((
    "ports", "expose", "environment", "env_file", "command", "entrypoint", "volumes", "healthcheck", "stop_signal",
    "stop_grace_period", "user", "working_dir", "depends_on", "networks", "links", "build", "image", "container_name",
    "restart", "profiles", "extends", "pull_policy", "platform", "logging", "labels", "develop", "attach", "scale",
    "stdin_open", "tty", "annotations", "hostname",
))  # fmt: skip
# What keeps compiling in a container fast: ours holds what was compiled.
_CACHES: Final = re.compile(r"/(node_modules|target|\.?cargo/(registry|git))/?$|/\.?cargo/?$")
# A host in an address, or in a list of them.
_HOST: Final = r"(^|//|@|,)({})(?=[:/,?]|$)"
_SOURCES: Final = re.compile(r"\.?/?(|src|crates|target|Cargo\.(toml|lock)|\.git|\.cargo)/?$")


def mapping(node: Node | None) -> Mapping[str, Node]:
    return node.value if node is not None and isinstance(node.value, Mapping) else {}


def sequence(node: Node | None) -> tuple[Node, ...]:
    return node.value if node is not None and isinstance(node.value, tuple) else ()


class Service(NamedTuple):
    """A service with all that it extends. `file`: relative to the project."""

    name: str
    values: Mapping[str, Node]
    file: str
    line: int

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.file) or "."

    def text(self, key: str) -> str | None:
        """A value as one line: of a list its words."""
        node = self.values.get(key)
        if node is None or isinstance(node.value, Mapping):
            return None
        return " ".join(_text(item) for item in sequence(node)) if sequence(node) else _text(node) or None


def build(service: Service) -> tuple[str, str | None, str | None]:
    """The build context, relative to the root, the Dockerfile in it and the stage."""
    node = service.values.get("build")
    if node is None:
        return ".", None, None
    parts = mapping(node)
    context = parts["context"].text if "context" in parts else node.text or "."
    folder = posixpath.normpath(posixpath.join(service.folder, context))
    dockerfile = parts["dockerfile"].text if "dockerfile" in parts else None
    return folder, dockerfile or "Dockerfile", parts["target"].text if "target" in parts else None


def build_args(service: Service) -> dict[str, str]:
    """The arguments of its build that have a value."""
    node = mapping(service.values.get("build")).get("args")
    pairs = _pairs(node) if node is not None else {}
    return {name: text for name, one in pairs.items() if one.value is not None and (text := _plain(one)) is not None}


def depends_on(service: Service) -> frozenset[str]:
    """The names of the services that are started before it."""
    node = service.values.get("depends_on")
    return frozenset(mapping(node)) | {_text(item) for item in sequence(node)}


def is_named(service: Service, other: str) -> bool:
    """Whether a variable of a service has the address of another one."""
    node = service.values.get("environment")
    texts = (_filled(_text(one))[0] for one in (_pairs(node) if node is not None else {}).values())
    return any(re.search(_HOST.format(re.escape(other)), text) for text in texts)


def over(service: Service, below: Service | None) -> Service:
    """A service laid over another one, as `extends` and override files do."""
    if below is None:
        return service
    values = dict(below.values)
    for key, node in service.values.items():
        old = values.get(key)
        if old is not None and key in _ADDED and sequence(old):
            values[key] = Node(node.line, (*sequence(old), *(sequence(node) or (node,))))
        elif old is not None and key == "environment":
            merged = {**_pairs(old), **_pairs(node)}
            values[key] = Node(node.line, merged)
        elif old is not None and mapping(old) and mapping(node):
            values[key] = Node(node.line, {**mapping(old), **mapping(node)})
        else:
            values[key] = node
    return Service(service.name, values, service.file, service.line)


def hints(service: Service, others: Sequence[str], project: str, files: Files) -> Iterator[Hint]:
    """`project`: as docker compose calls it."""
    for key, read in _READERS.items():
        if (node := service.values.get(key)) is not None:
            yield from read(service, node)
    if (node := service.values.get("volumes")) is not None:
        yield from _volumes(service, node, files)
    yield from _environment(service, others, project)
    yield from _started(service, files.programs)
    if (node := service.values.get("healthcheck")) is not None:
        yield from _health(service, node, files.programs)
    if unread := [key for key in service.values if key not in _READ and not key.startswith("x-")]:
        yield note(service.where, f"{service.name} also has {listed(unread, 6)}, which no setting of ours has")


def harmless(text: str) -> bool:
    """Whether a text may be shown."""
    return credentials.in_value(text) is None


# --- values -----------------------------------------------------------------------------------------------------------


def _text(node: Node) -> str:
    return node.text or ("" if node.value is None or not isinstance(node.value, str) else node.value)


def _filled(text: str) -> tuple[str, list[str]]:
    """A text with the defaults of its variables, and the variables that have none."""
    unknown = []

    def value(found: re.Match[str]) -> str:
        if found["other"] is not None:
            return found["other"]
        unknown.append(found["braced"] or found["plain"])
        return found[0]

    parts = text.split("$$")
    return "$".join(_VARIABLE.sub(value, part) for part in parts), unknown


def _plain(node: Node) -> str | None:
    """The text of a value, None where it depends on a variable."""
    text, unknown = _filled(_text(node))
    return None if unknown else text


def _pairs(node: Node) -> dict[str, Node]:
    """NAME -> value, of a mapping or of a list of `NAME=value`; the value is None where the shell gives it."""
    if mapping(node):
        return dict(mapping(node))
    found = {}
    for item in sequence(node):
        name, sign, value = _text(item).partition("=")
        found[name] = Node(item.line, value if sign else None, value if sign else "")
    return found


def _duration(text: str) -> float | None:
    """`1m30s`, `500ms`, `10`."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001, "": 1.0}
    if not re.fullmatch(r"(\d+(\.\d+)?(h|ms|us|m|s)?)+", text):
        return None
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|m|s|)", text))


# --- one setting each -------------------------------------------------------------------------------------------------


def _ports(service: Service, node: Node) -> Iterator[Hint]:
    for item in sequence(node):
        where = f"{service.file}:{item.line}"
        parts = mapping(item)
        if parts:
            inside, published, protocol = (
                _plain(parts[k]) if k in parts else "" for k in ("target", "published", "protocol")
            )
            text = f"{published}:{inside}" if published else inside or ""
            text += f"/{protocol}" if protocol not in ("tcp", "", None) else ""
        else:
            text, _ = _filled(item.text or str(item.value or ""))
        mapped = re.fullmatch(r"(?:\d+(?:\.\d+){3}:)?(?:(?P<out>[^:]*):)?(?P<port>\d+)(?P<kind>/(tcp|udp))?", text)
        if mapped is None:
            yield note(where, f"the port {text} cannot be taken over: see deploy.port, deploy.publish")
            continue
        yield Hint("port", mapped["port"] + ("/udp" if mapped["kind"] == "/udp" else ""), where)
        if (mapped["out"] or "").isdigit():
            yield Hint("publish", mapped["out"], where)


def _expose(service: Service, node: Node) -> Iterator[Hint]:
    for item in sequence(node):
        if (port := _plain(item)) and re.fullmatch(r"\d{1,5}(/udp)?", port):
            yield Hint("port", port, f"{service.file}:{item.line}")


def _volumes(service: Service, node: Node, files: Files) -> Iterator[Hint]:
    for item in sequence(node):
        where = f"{service.file}:{item.line}"
        parts = mapping(item)
        if parts:
            source, target = (_plain(parts[k]) if k in parts else "" for k in ("source", "target"))
            ro = ":ro" if "read_only" in parts and parts["read_only"].value is True else ""
            if "type" in parts and _text(parts["type"]) not in ("volume", "bind"):
                yield note(where, f"a {_text(parts['type'])} is mounted at {target}, which no setting of ours does")
                continue
        else:
            text, unknown = _filled(_text(item))
            words = text.split(":")
            source, target = ("", words[0]) if len(words) == 1 else (words[0], words[1])
            ro = ":ro" if len(words) > 2 and "ro" in words[2].split(",") else ""
            source = None if unknown else source
        if source is None or not target or not target.startswith("/"):
            yield note(where, f"what is mounted at {target or '?'} depends on a variable: see deploy.volumes")
        elif _CACHES.search(target):
            continue
        elif not source:
            yield Hint("volume", target, where)
        else:
            yield from _mount(service, source, target, ro, where, files)


def _mount(service: Service, source: str, target: str, ro: str, where: str, files: Files) -> Iterator[Hint]:
    if source.startswith("."):
        inside = posixpath.normpath(posixpath.join(service.folder, source))
        if _SOURCES.fullmatch("" if inside == "." else inside):
            yield note(
                where, f"{source} is mounted at {target}, so that the container sees the sources: ours has its own"
            )
        elif files.exists(inside) or inside.startswith(".."):
            yield Hint("mount", f"{'' if inside.startswith('..') else './'}{inside}:{target}{ro}", where)
        elif ro or re.search(r"\.\w+$", inside):
            yield Hint("mount", f"./{inside}:{target}{ro}", where, "not in the project now", sure=False)
            yield note(
                where, f"{inside} is mounted at {target}, and is not in the project: make it, then see deploy.volumes"
            )
        else:
            # The engine would make it for root, and the program could not write there.
            name = re.sub(r"[^\w.-]+", "-", inside)
            yield Hint("mount", f"{name}:{target}", where, f"where {source} is mounted")
    elif source.startswith(("/", "~")):
        yield Hint("mount", f"{source}:{target}{ro}", where, "if this machine has it", sure=False)
    else:
        yield Hint("mount", f"{source}:{target}{ro}", where)


def _single(kind: str, setting: str) -> Callable[[Service, Node], Iterator[Hint]]:
    def read(service: Service, node: Node) -> Iterator[Hint]:
        text, where = _plain(node), f"{service.file}:{node.line}"
        if text:
            yield Hint(kind, text, where)
        elif text is None:
            yield note(where, f"{_text(node)} depends on a variable: see {setting}")

    return read


def _grace(service: Service, node: Node) -> Iterator[Hint]:
    seconds = _duration(_text(node))
    if seconds:
        yield Hint("stop-grace", f"{seconds:g}", f"{service.file}:{node.line}")


def _env_file(service: Service, node: Node) -> Iterator[Hint]:
    items = sequence(node) or (node,)
    names = [_text(mapping(item).get("path", item)) for item in items]
    shown = listed([name for name in names if name], 3)
    text = (
        f"the variables of {shown} are not read, because they may be secrets: give what the program needs in deploy.env"
    )
    yield note(f"{service.file}:{node.line}", f"{text}, in a file that git ignores (CONFIG=…)")


_READERS: Final[Mapping[str, Callable[[Service, Node], Iterator[Hint]]]] = {
    "ports": _ports,
    "expose": _expose,
    "stop_signal": _single("stop-signal", "image.stop_signal"),
    "stop_grace_period": _grace,
    "user": _single("user", "image.user"),
    "working_dir": _single("workdir", "image.workdir"),
    "env_file": _env_file,
}


def _environment(service: Service, others: Sequence[str], project: str) -> Iterator[Hint]:
    """Variables; those that name another service, or that the shell has to give, in a note besides."""
    pairs = _pairs(service.values["environment"]) if "environment" in service.values else {}
    given: list[tuple[str, int]] = []
    to: dict[str, list[str]] = {}
    for name, node in pairs.items():
        text, unknown = _filled(_text(node))
        if node.value is None or unknown:
            given.append((name, node.line))
        else:
            yield Hint("deploy-env", f"{name}={text}", f"{service.file}:{node.line}")
        for other in others:
            if re.search(_HOST.format(re.escape(other)), text):
                to.setdefault(name, []).append(other)
    if given:
        names = listed([name for name, _ in given], 6)
        where = f"{service.file}:{given[0][1]}"
        yield note(where, f"{names} {'comes' if len(given) == 1 else 'come'} from your shell there: see deploy.env")
    if not to:
        return
    where = f"{service.file}:{service.values['environment'].line}"
    network = _network(service, project)
    wanted = list(dict.fromkeys(other for found in to.values() for other in found))
    verb = "points" if len(to) == 1 else "point"
    text = f"{listed(list(to), 6)} {verb} to {' and '.join(wanted)}: docker compose up -d {' '.join(wanted)}"
    yield note(where, f"{text}, then deploy: {{network: {network}, isolated_start: false}}")
    why = f"where {' and '.join(wanted)} can be reached"
    yield Hint("network", network, where, why, sure=False)
    yield Hint("isolated", "no", where, f"it needs {' and '.join(wanted)} when it starts", sure=False)


def _network(service: Service, project: str) -> str:
    node = service.values.get("networks")
    names = list(mapping(node)) or [_text(item) for item in sequence(node)]
    return f"{project}_{names[0] if names else 'default'}"


def _started(service: Service, programs: Collection[str]) -> Iterator[Hint]:
    """`entrypoint` and `command`."""
    for key in ("entrypoint", "command"):
        node = service.values.get(key)
        if node is None:
            continue
        where = f"{service.file}:{node.line}"
        line = service.text(key) or ""
        if not line:
            continue
        words = [_text(item) for item in sequence(node)] or _words(line)
        plain = [word for word in words if not _filled(word)[1]]
        words = [_filled(word)[0] for word in words]
        shown = f"`{line if len(line) <= 70 else line[:67] + '…'}`" if harmless(line) else "a command with a credential"
        if (
            len(plain) < len(words)
            or re.search(r"&&|\|\||;|\|", line)
            or words[0] in ("sh", "bash", "/bin/sh", "/bin/bash")
        ):
            yield note(where, f"{service.name} runs {shown}: a shell or a variable has no counterpart; see deploy.args")
        elif posixpath.basename(words[0]) in ("cargo", "cargo-watch", "watchexec", "bacon"):
            yield note(where, f"{service.name} runs {shown}, for development: ours runs the binary")
        elif posixpath.basename(words[0]) in programs:
            yield Hint("entrypoint", posixpath.basename(words[0]), where)
            yield from _arguments(words[1:], where)
        elif key == "entrypoint":
            yield note(
                where, f"{service.name} starts {shown}, which is no binary of this project: see image.entrypoint"
            )
        else:
            yield from _arguments(words, where)


def _arguments(words: Sequence[str], where: str) -> Iterator[Hint]:
    if words:
        yield Hint("args", json.dumps(list(words)), where)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _health(service: Service, node: Node, programs: Collection[str]) -> Iterator[Hint]:
    parts = mapping(node)
    test, where = parts.get("test"), f"{service.file}:{node.line}"
    if test is None or ("disable" in parts and parts["disable"].value is True):
        return
    words = [_filled(_text(item))[0] for item in sequence(test)]
    if words[:1] == ["NONE"]:
        return
    command: str | list[str] = _filled(_text(test))[0]
    if words[:1] == ["CMD-SHELL"]:
        command = " ".join(words[1:])
    elif words:
        command = words[1:] if words[0] == "CMD" else words
    yield from health_checks.asked(command, f"{service.file}:{test.line}", programs)
    waits = _duration(_text(parts["start_period"])) if "start_period" in parts else None
    if waits and waits > 30:
        yield Hint("health-timeout", f"{waits:g}", where)
