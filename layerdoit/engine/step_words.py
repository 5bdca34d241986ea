"""The steps of a build in our words: `[build 2/2] RUN --network=none …` says nothing to whoever waits for it."""

from __future__ import annotations

import re
from typing import Final

from layerdoit.core.doing import Doing

_STEP: Final = re.compile(r"\[(?P<stage>[^\]]+)\] (?P<instruction>[A-Z]+) ?(?P<rest>.*)", re.DOTALL)
_FLAGS: Final = re.compile(r"^\s*(--[\w-]+(=\S+)?\s+)+")
_SHOWN: Final = 60

# What the command of a RUN contains, and what it does. Our own Dockerfiles are among those who use them.
_COMMANDS: Final = (
    (r"control/cook\.sh", "preparing the dependencies"),
    (r"control/(build|check|measure)\.sh", "bringing in the sources"),
    (r"control/save\.sh", "packing what the target mount holds"),
    (r"control/load\.sh", "unpacking what was saved of a target mount"),
    (r"\bapt(-get)? .*install", "installing Debian packages"),
    (r"\bapk add", "installing Alpine packages"),
    (r"\brustup (toolchain|target|component|run)", "preparing the Rust toolchain"),
    (r"^rustc --version", "trying the Rust toolchain"),
    (r"/usr/local/zig", "preparing zig"),
    (r"\buseradd|\badduser", "making the user of the service"),
    (r"/pack\.sh", "trying the program on its image"),
    (r"/page\.sh", "compressing the page"),
    (r"/node-install\.sh download", "downloading the packages"),
    (r"/node-install\.sh", "starting the packages' install scripts"),
    (r"npm install --global|/npm/bin/", "preparing Node and its package manager"),
    (r"/node-build\.sh", "building the front end"),
    (r"\bldconfig", "indexing shared libraries"),
)
_INTERNAL: Final = (
    (r"\[internal\] load build context", "sending the sources"),
    (r"\[internal\] load metadata for (\S+)", r"asking for the image \1"),
    (r"\[internal\]", "reading the Dockerfile"),
    (r"\[context toolchain\]", "sending the Rust toolchain"),
    (r"\[context zig(build)?\]", "sending zig"),
    (r"exporting to client directory", "writing the files"),
    (r"\[context load-\S+\]", "sending what was saved"),
    (r"\[context (\S+)\]", r"sending the folder \1"),
    (r"\[auth\]", "logging in to the registry"),
    (r"(exporting|sending tarball|writing image|naming to)", "writing the image"),
    (r"(importing to|loading)", "loading the image into Docker"),
    (r"(resolve|resolving) ", "looking up an image"),
    (r"(extracting) ", "unpacking an image"),
    (r"(sha256:|pulling )", "pulling an image"),
)


def words(name: str) -> str:
    """What a step, or a part of one, does; '' where it says nothing that a user would want to know."""
    for form, said in _INTERNAL:
        if found := re.match(form, name):
            return found.expand(said)
    step = _STEP.match(name)
    return _of_instruction(step["instruction"], step["rest"]) if step else ""


def waits(name: str) -> str:
    """What a step waits for until its command begins; '' for one that waits for nothing."""
    # Other mounts that a build has for itself are a user's own.
    return "waiting for the target mount" if "target=/build,sharing=locked" in name else ""


def _of_instruction(instruction: str, rest: str) -> str:
    command = " ".join(_FLAGS.sub("", rest).split())
    if instruction == "RUN":
        known = next((said for form, said in _COMMANDS if re.search(form, command)), None)
        return known or f"running {command[:_SHOWN]}"
    if instruction in ("COPY", "ADD"):
        if "--from=toolchain" in rest:
            return "copying the Rust toolchain"
        if "--from=zigbuild" in rest:
            return "copying zig"
        return "putting files into the image"
    return f"taking the image {command.split(' ')[0].partition('@')[0]}" if instruction == "FROM" else ""


class Packages:
    """Follows apt-get: which package of how many."""

    _COUNT: Final = re.compile(r"\d+ upgraded, (\d+) newly installed")
    _AT: Final = re.compile(r"(Get|Unpacking|Setting up)[: ](\S+)(?: \S+ \S+ \S+ (\S+))?")
    _WORDS: Final = {"Get": "downloading", "Unpacking": "unpacking", "Setting up": "setting up"}

    def __init__(self) -> None:
        self._total = 0
        self._done = dict.fromkeys(self._WORDS, 0)

    def read(self, line: str) -> Doing | None:
        """What apt-get does by a line; None for other lines."""
        if found := self._COUNT.match(line):
            self._total = int(found[1])
            self._done = dict.fromkeys(self._WORDS, 0)
            return None
        step = self._AT.match(line)
        # Before the count, it gets the lists of packages.
        if step is None or not self._total:
            return None
        verb = step[1]
        self._done[verb] = done = min(self._done[verb] + 1, self._total)
        name = (step[3] if verb == "Get" else step[2]) or ""
        job = f"{self._WORDS[verb]} {name.partition(':')[0]} ({done} of {self._total})"
        share = sum(self._done.values()) / (len(self._WORDS) * self._total)
        return Doing("installing Debian packages", unit="packages", share=share, jobs=(job,))
