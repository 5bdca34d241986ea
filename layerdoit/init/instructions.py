"""The instructions that make up an image: each has a counterpart among the settings, or a note. Pure.

    of_image(parsed, stages, files) -> hints of the last stage and those that it is made from; later ones win

An instruction that is not in the table `INSTRUCTIONS` gets a note that says so; docs/any-project.md has it in words.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from layerdoit.core import units
from layerdoit.dockerfile.parse import Dockerfile, Instruction, Stage, assignments, commands, expand, split
from layerdoit.dockerfile.steps import changes_user
from layerdoit.init import chores, copies, health_checks
from layerdoit.init.hints import Files, Hint, note
from layerdoit.init.places import OURS
from layerdoit.init.stages import is_rust, known_in

_PLAIN_BASE: Final = re.compile(
    r"(^|/)(debian|ubuntu|alpine|scratch|busybox|distroless|rust|cargo-chef|rustlang|wolfi-base|static|cc|cc-debian\d+"
    r"|base-debian\d+|static-debian\d+|debian-slim|fedora|rockylinux|almalinux|amazonlinux|ubi\d*-\w+)([:@-]|$)"
)
_WRAPPERS: Final = frozenset(
    ("tini", "dumb-init", "sh", "bash", "gosu", "su-exec", "env", "catatonit", "--", "-g", "-s", "exec")
)
_INITS: Final = frozenset(("tini", "dumb-init", "catatonit"))
_SCRIPT: Final = re.compile(r"\.(sh|bash|py|pl)$|(^|/)[\w.-]*(entrypoint|entry-point|start|run|init)[\w.-]*$")
_CONFIGURATION: Final = re.compile(r"(?:^|=)(/[\w./-]+\.(?:toml|ya?ml|json|conf|cfg|ini|ron|properties))$")
_FALLBACK: Final = "its arguments and what it runs first have no counterpart: see image.entrypoint, image.cmd"


class _Reading:
    """The state of reading the instructions of an image in their order."""

    def __init__(
        self, parsed: Dockerfile, known: Mapping[str, str], files: Files, of_builds: Collection[str], *, single: bool
    ) -> None:
        self.parsed = parsed
        self.known = known
        self.files = files
        self.single = single
        """One stage compiles and is the image: what it does to compile, no image of ours lacks."""
        self.of_builds = of_builds
        """Variables that the Dockerfile itself needs to make the image."""
        self.workdir = "/"
        self.last: dict[str, Hint] = {}
        self.programs: dict[str, str] = {}
        """Path in the image -> name of the binary."""
        self.scripts: dict[str, tuple[str, str]] = {}
        """Path in the image -> asset of the project, and its path in ours."""

    def read(self, instruction: Instruction) -> Iterator[Hint]:
        """The hints of one instruction; those of which only the last counts are kept in `last`."""
        handler = INSTRUCTIONS.get(instruction.keyword)
        if handler is None:
            yield note(instruction.where, f"the instruction {instruction.keyword} is not known, and was not read")
        else:
            yield from handler(self, instruction)

    def filled(self, instruction: Instruction) -> str:
        return expand(instruction.value, self.known)

    # --- one for each instruction -------------------------------------------------------------------------------------

    def nothing(self, _: Instruction) -> Iterator[Hint]:
        return iter(())

    def run(self, instruction: Instruction) -> Iterator[Hint]:
        if not self.single:
            own = [*self.programs, *self.scripts]
            yield from chores.in_image(instruction, self.known, self.files, self.workdir, own)

    def copy(self, instruction: Instruction) -> Iterator[Hint]:
        for hint in copies.taken(instruction, self.filled(instruction), self.workdir, self.parsed, self.files):
            name, _, place = hint.value.rpartition(":")
            if hint.kind == "program":
                self.programs[place] = name
                yield Hint("copied", name, hint.where)
            elif hint.kind == "asset":
                self.scripts[place] = name, place
                if self.workdir == "/" and place.startswith(f"{OURS}/"):
                    self.scripts[place.removeprefix(OURS)] = name, place
                if not self.single:
                    yield hint
            elif not self.single or instruction.flag("from") is not None or "all of the project" in hint.value:
                yield hint

    def env(self, instruction: Instruction) -> Iterator[Hint]:
        for name, value in assignments(instruction).items():
            filled, where = expand(value or "", self.known), instruction.where_is(name)
            if "$" not in filled:
                own = name in self.of_builds and not self.files.names(name)
                why = "which only the Dockerfile itself uses" if own else ""
                yield Hint("env", f"{name}={filled}", where, why, sure=not own)
            elif not name.endswith("PATH"):
                variable = re.search(r"\$\{?(\w+)", filled)
                given = f"${variable[1]}" if variable else "a variable"
                yield note(where, f"the value of {name} is made of {given}, which is not known here: image.env")

    def workdir_(self, instruction: Instruction) -> Iterator[Hint]:
        value = self.filled(instruction)
        if "$" in value:
            yield note(instruction.where, f"the working directory {value} depends on a variable: see image.workdir")
        else:
            self.workdir = posixpath.join(self.workdir, value.strip("\"'"))
            self.last["workdir"] = Hint("workdir", self.workdir, instruction.where)

    def user(self, instruction: Instruction) -> Iterator[Hint]:
        value = self.filled(instruction)
        if "$" in value:
            yield note(instruction.where, f"the user {value} depends on a variable: ours is app (image.user)")
            self.last["user"] = Hint("user", "app", instruction.where)
        else:
            self.last["user"] = Hint("user", value.strip("\"'"), instruction.where)

    def starts(self, instruction: Instruction) -> Iterator[Hint]:
        self.last[instruction.keyword] = Hint(
            instruction.keyword, json.dumps(self._words(instruction)), instruction.where
        )
        if instruction.keyword == "ENTRYPOINT":
            self.last.pop("CMD", None)
        self.last[f"{instruction.keyword} text"] = Hint("shell", self._shell(instruction) or "", instruction.where)
        return iter(())

    def expose(self, instruction: Instruction) -> Iterator[Hint]:
        for port in self.filled(instruction).split():
            if re.fullmatch(r"\d{1,5}(/(tcp|udp))?", port):
                yield Hint("port", port.removesuffix("/tcp"), instruction.where_is(port))
            else:
                yield note(instruction.where, f"the port {port} is not one that can be taken over: see image.expose")

    def volume(self, instruction: Instruction) -> Iterator[Hint]:
        for path in instruction.json or split(self.filled(instruction)):
            if "$" in path:
                yield note(instruction.where, f"the volume {path} depends on a variable: see deploy.volumes")
            else:
                yield Hint("volume", path, instruction.where)

    def healthcheck(self, instruction: Instruction) -> Iterator[Hint]:
        words = self.filled(instruction).partition(" ")
        if words[0].upper() != "CMD":
            return
        text = words[2].strip()
        for path, name in self.programs.items():
            text = text.replace(path, f"/usr/local/bin/{name}")
        given = re.fullmatch(r"\[.*\]", text, re.DOTALL)
        command = json.loads(text) if given and _is_json(text) else text
        yield from health_checks.asked(command, instruction.where, self.files.programs)
        waits = units.seconds_of(instruction.flag("start-period") or "")
        if waits and waits > 30:
            yield Hint("health-timeout", f"{waits:g}", instruction.where)

    def stopsignal(self, instruction: Instruction) -> Iterator[Hint]:
        value = self.filled(instruction).strip("\"'")
        if "$" in value:
            yield note(instruction.where, f"the stop signal {value} depends on a variable: see image.stop_signal")
        else:
            yield Hint("stop-signal", value, instruction.where)

    def label(self, instruction: Instruction) -> Iterator[Hint]:
        for name, value in assignments(instruction).items():
            filled = expand(value or "", self.known)
            if "$" in filled:
                yield note(
                    instruction.where_is(name),
                    f"the label {name} is made of a variable that is not known here: see image.labels",
                )
            else:
                yield Hint("label", f"{name}={filled}", instruction.where_is(name))

    def maintainer(self, instruction: Instruction) -> Iterator[Hint]:
        yield Hint("label", f"maintainer={self.filled(instruction)}", instruction.where)

    def onbuild(self, instruction: Instruction) -> Iterator[Hint]:
        yield note(
            instruction.where,
            f"ONBUILD {chores.shown(split(instruction.value) or ['ONBUILD'])} is for images that are made "
            "from this one; ours has no such instructions",
        )

    # --- what is started ----------------------------------------------------------------------------------------------

    def _words(self, instruction: Instruction) -> list[str]:
        words = instruction.json
        if words is not None and self._shell(instruction) is None:
            return [expand(word, self.known) for word in words]
        found = commands(instruction, self.known)
        ours = [one for one in found if self._is_binary(one.words[0])]
        return list((ours or found)[-1 if ours else 0].words) if found else []

    def _shell(self, instruction: Instruction) -> str | None:
        """The line that a shell runs, None where none does."""
        words = instruction.json
        if words is None:
            return self.filled(instruction)
        if len(words) == 3 and posixpath.basename(words[0]) in ("sh", "bash") and re.fullmatch(r"-\w*c", words[1]):
            return expand(words[2], self.known)
        return None

    def _is_binary(self, word: str) -> bool:
        place = posixpath.normpath(posixpath.join(self.workdir, word))
        return place in self.programs or posixpath.basename(word) in self.files.programs

    def program(self) -> Iterator[Hint]:
        """The program or script that the image starts, without init wrappers, and its arguments."""
        entry, cmd = self.last.get("ENTRYPOINT"), self.last.get("CMD")
        head: list[str] = json.loads(entry.value) if entry else []
        tail: list[str] = json.loads(cmd.value) if cmd else []
        words = head + tail
        start = next((i for i, word in enumerate(words) if posixpath.basename(word) not in _WRAPPERS), None)
        if start is None:
            return
        of_entry = entry is not None and start < len(head)
        program = entry if of_entry else cmd
        assert program is not None  # noqa: S101 - one of them holds the word
        if inits := _INITS.intersection(posixpath.basename(word) for word in words[:start]):
            yield note(
                program.where,
                f"{min(inits)} starts the program there; ours is started by itself (docker run --init does as "
                f"{min(inits)} does)",
            )
        text = self.last["ENTRYPOINT text" if of_entry else "CMD text"].value
        several = re.search(r"&&|\|\||;|\||\$", text)
        if several or re.search(r"[$\s]", words[start]):
            yield note(program.where, f"a shell runs {_short(text or words[start])}: {_FALLBACK}")
            if re.search(r"[$\s]", words[start]):
                return
        arguments = [] if several else words[start + 1 :]
        if posixpath.basename(words[start]) == "cargo":
            # `cargo run` starts what ours starts.
            own = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
            if own and arguments[:1] == ["run"]:
                yield Hint("cmd", json.dumps(own), program.where)
            return
        place = posixpath.normpath(posixpath.join(self.workdir, words[start]))
        if "/" not in words[start]:
            # The shell looks for it in the folders of programs.
            place = next((path for path in self.scripts if re.search(rf"bin/{re.escape(words[start])}$", path)), place)
        if place in self.scripts:
            yield from self._script(place, program, [self._own(word) for word in arguments], cmd or program)
            return
        name = self.programs.get(place, posixpath.basename(words[start]))
        if _SCRIPT.search(words[start]) and name not in self.files.programs:
            yield note(
                program.where, f"the image starts {words[start]}, which is no binary of this project: {_FALLBACK}"
            )
            return
        yield Hint("entrypoint", name, program.where)
        if any("$" in word for word in arguments):
            yield note(
                (cmd or program).where,
                f"the arguments {_short(' '.join(arguments))} depend on variables: see image.cmd",
            )
        elif arguments:
            yield Hint("cmd", json.dumps(arguments), (cmd or program).where)
            yield from self._named(arguments, (cmd or program).where)

    def _named(self, arguments: Sequence[str], where: str) -> Iterator[Hint]:
        """Files that the arguments name, and that the project has by the same name."""
        for word in arguments:
            path = _CONFIGURATION.search(word)
            name = posixpath.basename(path[1]) if path else ""
            if path and path[1] not in self.scripts and self.files.exists(name) and not self.files.is_folder(name):
                yield Hint("asset", f"{name}:{path[1]}", where, "whose arguments name it")

    def _own(self, word: str) -> str:
        """A word of a command; a binary by the path that it has in ours."""
        name = self.programs.get(posixpath.normpath(posixpath.join(self.workdir, word))) if "/" in word else None
        return f"/usr/local/bin/{name}" if name else word

    def _script(self, place: str, starts: Hint, arguments: Sequence[str], cmd: Hint) -> Iterator[Hint]:
        """A script of the project that starts the program."""
        asset, place = self.scripts[place]
        text = self.files.text(asset) or ""
        helper = re.search(r"\b(gosu|su-exec|setpriv|runuser)\b", text)
        moved = [path for path, name in self.programs.items() if path in text and path != f"/usr/local/bin/{name}"]
        why, sure = "", True
        if helper:
            why, sure = f"but {asset} calls {helper[1]}, and ours runs as its user from the start", False
        elif moved:
            ours = f"/usr/local/bin/{self.programs[moved[0]]}"
            why, sure = f"but {asset} names {moved[0]}, which is {ours} in ours", False
        yield Hint("script", place, starts.where, why, sure)
        if not sure:
            yield note(
                starts.where,
                f"{asset} starts the program there, and in ours the binary is started: "
                f"{why.removeprefix('but ')}; adapt it, then take image.entrypoint and image.cmd out of their comments",
            )
        if any("$" in word for word in arguments):
            yield note(cmd.where, f"the arguments {_short(' '.join(arguments))} depend on variables: see image.cmd")
        elif arguments:
            yield Hint("cmd", json.dumps(arguments), cmd.where, sure=sure)
            yield from self._named(arguments, cmd.where)


INSTRUCTIONS: Final[Mapping[str, Callable[[_Reading, Instruction], Iterator[Hint]]]] = {
    "RUN": _Reading.run,
    "COPY": _Reading.copy,
    "ADD": _Reading.copy,
    "ENV": _Reading.env,
    "ARG": _Reading.nothing,
    "WORKDIR": _Reading.workdir_,
    "USER": _Reading.user,
    "ENTRYPOINT": _Reading.starts,
    "CMD": _Reading.starts,
    "EXPOSE": _Reading.expose,
    "VOLUME": _Reading.volume,
    "HEALTHCHECK": _Reading.healthcheck,
    "STOPSIGNAL": _Reading.stopsignal,
    "LABEL": _Reading.label,
    "MAINTAINER": _Reading.maintainer,
    "SHELL": _Reading.nothing,
    "ONBUILD": _Reading.onbuild,
}


def of_image(parsed: Dockerfile, stages: Sequence[Stage], files: Files) -> list[Hint]:
    """Everything that these stages say of the image."""
    known = known_in(parsed, stages)
    single = is_rust(parsed, stages[-1])
    reading = _Reading(parsed, known, files, _of_builds(stages), single=single)
    found: list[Hint] = []
    if not _PLAIN_BASE.search(stages[0].base) and "$" not in stages[0].base:
        why = "as the image is made from it; without it, from plain Debian"
        found.append(Hint("base-image", stages[0].base, stages[0].where, why, sure=False))
    for stage in stages:
        for instruction in stage.instructions:
            found += reading.read(instruction)
    runs = {"ENTRYPOINT", "CMD"} & reading.last.keys()
    if (runs or reading.programs) and "user" not in reading.last and not changes_user(parsed, stages[-1]):
        found.append(Hint("root", "", stages[-1].where))
    # One stage for all: its folder is the compiler's.
    kept = ("user",) if single else ("workdir", "user")
    return [*found, *(hint for name, hint in reading.last.items() if name in kept), *reading.program()]


def _of_builds(stages: Sequence[Stage]) -> frozenset[str]:
    """The variables that a RUN, COPY, ADD or USER names: `GOSU_VERSION`, `UID`."""
    texts = [
        text
        for stage in stages
        for instruction in stage.instructions
        if instruction.keyword in ("RUN", "COPY", "ADD", "USER")
        for text in (instruction.value, *instruction.bodies, *(value for _, value in instruction.flags))
    ]
    return frozenset(name for text in texts for name in re.findall(r"\$\{?(\w+)", text))


def _is_json(text: str) -> bool:
    try:
        words = json.loads(text)
    except ValueError:
        return False
    return isinstance(words, list) and all(isinstance(word, str) for word in words)


def _short(text: str) -> str:
    from layerdoit.config import credentials

    plain = " ".join(text.split())
    if credentials.in_value(plain):
        return "a command with a credential in it"
    return f"`{plain if len(plain) <= 70 else plain[:67] + '…'}`"
