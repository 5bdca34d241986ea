"""What compose files tell of the project's own service, and which other ones they run. Only reads.

read(root, programs) -> Told        # of the file that `docker compose up` takes, with its override
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit.config.kinds import Node
from layerdoit.core.errors import ConfigError
from layerdoit.core.prose import listed
from layerdoit.init import compose_service, own_services
from layerdoit.init.hints import Files, Hint, note
from layerdoit.init.rust_files import text_of

if TYPE_CHECKING:
    from layerdoit.init.compose_service import Service
    from layerdoit.init.own_services import OwnService

_NAME: Final = re.compile(r"([\w.]+-)*(docker-)?compose[\w.-]*\.ya?ml")
# As docker compose prefers them.
_DEFAULT: Final = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_FOLDERS: Final = (".", "docker", "deploy", ".docker", "compose")
_OWN_TAGS: Final = re.compile(rb"(?<=[:\s])!(reset|override)\b")
_DEEPEST: Final = 40
_NOTHING: Final[Mapping[str, Node]] = {}


class Told(NamedTuple):
    """`dockerfile` and `target`: what the own service is built from, if it says so.

    `services`: the own ones, where there are several that run for as long as the project does; `foreign`: Dockerfiles
    of others.
    """

    hints: tuple[Hint, ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dockerfile: str | None = None
    target: str | None = None
    services: tuple[OwnService, ...] = ()
    foreign: frozenset[str] = frozenset()


def read(root: Path, files: Files) -> Told:
    """Everything that they tell."""
    found = _found(root)
    chosen = _chosen(found)
    if not chosen:
        unread = (
            f"{listed(found, 3)} {'was' if len(found) == 1 else 'were'} not read: none is what docker compose up takes"
        )
        return Told(notes=(unread,)) if found else Told()
    reader = _Reader(root)
    services: dict[str, Service] = {}
    top: dict[str, Node] = {}
    for name in chosen:
        content = reader.content(name)
        top |= content
        for included in _included(content, posixpath.dirname(name)):
            services |= reader.services(included)
        for key, service in reader.services(name).items():
            services[key] = compose_service.over(service, services.get(key))
    names = {root.name.lower(), *files.programs}
    own = [one for one in services.values() if _is_own(one, root)] or [
        one for one in services.values() if _image_name(one) in names
    ]
    notes = list(reader.notes)
    if others := [name for name in found if name not in chosen and name not in reader.read]:
        notes.append(f"{chosen[0]} was read; {', '.join(others[:5])} may be of interest, too")
    hints = list(_told_of(own, services, _project(top, root), files))
    primary = _primary(own, files.programs) if own else None
    context, dockerfile, target = compose_service.build(primary) if primary else ("", None, None)
    built = posixpath.normpath(posixpath.join(context, dockerfile)) if dockerfile else None
    used = [name for name in reader.read if hints or own]
    several = own_services.each(own, services, _project(top, root), files)
    foreign = frozenset(_dockerfiles(one for one in services.values() if one not in own))
    foreign -= {built, *(one.dockerfile for one in several)}
    return Told(tuple(hints), tuple(dict.fromkeys(used)), tuple(notes), built, target, several, foreign)


def _dockerfiles(services: Iterable[Service]) -> Iterator[str]:
    for one in services:
        context, dockerfile, _ = compose_service.build(one)
        if dockerfile is not None:
            yield posixpath.normpath(posixpath.join(context, dockerfile))


def _told_of(own: Sequence[Service], services: Mapping[str, Service], project: str, files: Files) -> Iterator[Hint]:
    others = [one for one in services.values() if one not in own]
    if own:
        primary = _primary(own, files.programs)
        yield from compose_service.hints(primary, [one.name for one in others], project, files)
        for one in own:
            if one is not primary:
                command = one.text("command")
                how = f" with the command `{command}`" if command and compose_service.harmless(command) else ""
                yield note(one.where, f"{one.name} runs the same image{how}: a deployment of ours is one container")
    if own and others:
        primary = _primary(own, files.programs)
        names = listed([one.name for one in others], 4)
        yield Hint(
            "provider",
            "compose",
            primary.where,
            f"runs the image as its service {primary.name}, beside {names}",
            sure=False,
        )
        if len(own) > 1:
            yield Hint("compose-service", primary.name, primary.where, sure=False)
    for one in others:
        context, dockerfile, _ = compose_service.build(one)
        yield Hint("beside", one.name, one.where, context if dockerfile else "")
    if others:
        where = others[0].where.rpartition(":")[0]
        described = ", ".join(_described(one) for one in others)
        start = " ".join(one.name for one in others)
        verb = "is not started" if len(others) == 1 else "are not started"
        instead = "; or with deploy: {provider: compose}, where they are" if own else ""
        text = f"{described} {verb} by layerdoit: docker compose up -d {start}{instead}"
        yield Hint("note-beside", text, where)


def _described(service: Service) -> str:
    image = service.text("image")
    what = image if image and "$" not in image else None
    profiles = [item.text for item in compose_service.sequence(service.values.get("profiles"))]
    parts = [
        what or ("built from another folder" if "build" in service.values else ""),
        *(f"profile {p}" for p in profiles),
    ]
    inside = ", ".join(filter(None, parts))
    return f"{service.name} ({inside})" if inside else service.name


# --- which files ------------------------------------------------------------------------------------------------------


def _found(root: Path) -> list[str]:
    """Every compose file of the root and its usual folders."""
    found = []
    for folder in _FOLDERS:
        try:
            names = sorted(path.name for path in (root / folder).iterdir() if _NAME.fullmatch(path.name))
        except OSError:
            continue
        found += [name if folder == "." else f"{folder}/{name}" for name in names]
    return found


def _chosen(found: Sequence[str]) -> list[str]:
    """What `docker compose up` reads in the first folder that has something: a file and its override."""
    if not found:
        return []
    folder = posixpath.dirname(found[0])
    here = [name for name in found if posixpath.dirname(name) == folder]
    default = next((posixpath.join(folder, name) for name in _DEFAULT if posixpath.join(folder, name) in here), None)
    if default is None:
        # Of others, nobody knows whether they are for what is deployed; of one, its name tells.
        shipped = [name for name in here if not folder and not own_services.DEVELOPMENT.search(name)]
        return shipped[:1]
    stem = posixpath.splitext(default)[0]
    return [default, *(name for name in here if posixpath.splitext(name)[0] == f"{stem}.override")]


class _Reader:
    """Reads each file once; what cannot be read is a note."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read: list[str] = []
        self.notes: list[str] = []
        self._content: dict[str, Mapping[str, Node]] = {}

    def content(self, name: str) -> Mapping[str, Node]:
        if name not in self._content:
            self._content[name] = self._parsed(name)
        return self._content[name]

    def _parsed(self, name: str) -> Mapping[str, Node]:
        from layerdoit.config import reading

        path = self.root / name
        text = text_of(path) if path.is_file() else None
        if text is None:
            self.notes.append(f"{name} was left out: it cannot be read")
            return _NOTHING
        try:
            data = _OWN_TAGS.sub(b"", text.encode(errors="replace"))
            node = reading.parse(data, name, deepest=_DEEPEST)
        except ConfigError as error:
            self.notes.append(f"{name} was left out: {error.what} ({error.where or name})")
            return _NOTHING
        self.read.append(name)
        return compose_service.mapping(node)

    def services(self, name: str) -> dict[str, Service]:
        """The services of a file, each with what it extends."""
        services = compose_service.mapping(self.content(name).get("services"))
        return {key: found for key in services if (found := self._service(name, key, 0)) is not None}

    def _service(self, file: str, key: str, depth: int) -> Service | None:
        node = compose_service.mapping(self.content(file).get("services")).get(key)
        if node is None or depth > 8:
            return None
        service = compose_service.Service(key, compose_service.mapping(node), file, node.line)
        extended = service.values.get("extends")
        if extended is None:
            return service
        inner = compose_service.mapping(extended)
        named = inner["service"].text if "service" in inner else extended.text
        other = (
            posixpath.normpath(posixpath.join(posixpath.dirname(file), inner["file"].text)) if "file" in inner else file
        )
        if other.startswith("..") or not named:
            return service
        return compose_service.over(service, self._service(other, named, depth + 1))


def _included(content: Mapping[str, Node], folder: str) -> Iterator[str]:
    for item in compose_service.sequence(content.get("include")):
        path = compose_service.mapping(item).get("path", item)
        for one in compose_service.sequence(path) or (path,):
            name = posixpath.normpath(posixpath.join(folder, one.text))
            if one.text and not name.startswith(".."):
                yield name


def _project(top: Mapping[str, Node], root: Path) -> str:
    """As docker compose calls it: in front of the names of its networks."""
    named = top["name"].text if "name" in top else ""
    return named or re.sub(r"[^a-z0-9_-]", "", root.name.lower()).lstrip("_-")


# --- which services ---------------------------------------------------------------------------------------------------


def _is_own(service: Service, root: Path) -> bool:
    """Whether a service is built from this project: from its folder, or by a Dockerfile that calls cargo."""
    if "build" not in service.values:
        return False
    context, dockerfile, _ = compose_service.build(service)
    if "$" in context or context.startswith(".."):
        return context == ".."
    text = text_of(root / context / (dockerfile or "")) or ""
    if context == ".":
        return not text or "cargo" in text or not (root / "Cargo.toml").exists() or "FROM" not in text or _only(text)
    return "cargo" in text and not (root / context / "package.json").exists()


def _only(text: str) -> bool:
    """Whether a Dockerfile compiles nothing of another kind: it may copy what was compiled before."""
    return re.search(r"(?m)^\s*RUN\b.*\b(npm|yarn|pnpm|pip|go build|mvn|gradle)\b", text) is None


def _image_name(service: Service) -> str | None:
    if "build" in service.values:
        return None
    image = service.text("image") or ""
    return re.split(r"[:@]", image.rpartition("/")[2])[0].lower() or None


def _primary(own: Sequence[Service], programs: Collection[str]) -> Service:
    """The service that is deployed: not one for development; one with ports, or called like a binary."""

    def rank(one: Service) -> tuple[bool, ...]:
        dockerfile = compose_service.build(one)[1] or ""
        development = own_services.DEVELOPMENT.search(f"{one.name} {dockerfile}") is not None
        return development, "ports" not in one.values, one.name not in programs

    return min(own, key=rank)
