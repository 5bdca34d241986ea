"""Complete a Dockerfile, the project's or ours, for a build."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.dockerfile import folders
from layerdoit.dockerfile.binaries import copies
from layerdoit.dockerfile.escape import escape_of
from layerdoit.dockerfile.quoting import NEWLINE, copied, quoted

if TYPE_CHECKING:
    from layerdoit.config import Image

MARK: Final = "# layerdoit: assets\n"
"""This line of a Dockerfile is replaced by the working directory and the assets; without it, they come last."""
BINARIES: Final = "# layerdoit: binaries\n"
"""This line is replaced by the copies of the binaries; without it, the Dockerfile has its own."""

DONOR: Final = "donor-"
"""The stages in which donors lend, by their number from 1."""

ANEW: Final = "LAYERDOIT_ANEW"
"""A build argument that makes steps others, so that nothing cached is used; `takes_anew` says where it does."""

_SECRET: Final = re.compile(r"--mount=type=secret,(?:\S*,)?id=([\w-]+)\S*[ \t]*(?:\\\n[ \t]*)?")
_CONTEXT: Final = re.compile(r"--mount=type=bind,source=\.,target=/ctx(?![\w/])")
_SSH: Final = re.compile(r"--mount=type=ssh\S*[ \t]*(?:\\\n[ \t]*)?")


def secrets(text: str) -> frozenset[str]:
    """The ids of the secrets that a Dockerfile mounts."""
    return frozenset(_SECRET.findall(text))


def wants_ssh(text: str) -> bool:
    """Whether a Dockerfile mounts an ssh agent."""
    return _SSH.search(text) is not None


def mounts(text: str, secret: Collection[str], public: Collection[str], *, ssh: bool) -> str:
    """Keep only the mounts of secrets that exist; public ones come from `control/` of the context.

    BuildKit 0.13 hashes the whole root file system below a step that mounts a secret or an ssh agent, each time that it
    is another (measured: 4 s for a deps image of 1.4 GB; llb/exec.go gives such mounts input 0): so none without need.
    """

    def mounted(found: re.Match[str]) -> str:
        name = found[1]
        if name in public:
            target = re.search(r",(?:target|dst|destination)=([^,\s]+)", found[0])
            path = target[1] if target else f"/run/secrets/{name}"
            return found[0].replace(found[0].split()[0], f"--mount=type=bind,source=control/{name},target={path}")
        return found[0] if name in secret else ""

    text = _SECRET.sub(mounted, text)
    return text if ssh else _SSH.sub("", text)


def donors(text: str, lenders: Sequence[tuple[str, str]], parent: str | None) -> str:
    """Have images lend to the step of Dockerfile.deps that mounts the context. `parent`: the image that it builds on.

    Each lends in a stage of its own: BuildKit hashes what is mounted from another image (measured: 1.9 s for 320 MB),
    so that only what is lent is mounted. `lenders`: the tag of each, and what lend.sh is told there.
    """
    run = _CONTEXT.search(text)
    at = text.rfind("\nFROM ", 0, run.start()) + 1 if run else 0
    if run is None or not at:
        return text
    stages, mounts = "", ""
    there = [f"--mount=type=bind,from={parent},source=/cooked/units,target=/there/0 "] if parent else []
    for number, (tag, word) in enumerate(lenders, 1):
        stages += f"FROM {tag} AS {DONOR}{number}\nRUN --mount=type=bind,source=control,target=/ctx/control "
        stages += f"{''.join(there)}sh /ctx/control/lend.sh {word}\n"
        there.append(f"--mount=type=bind,from={DONOR}{number},source=/lent/units,target=/there/{number} ")
        mounts += f"--mount=type=bind,from={DONOR}{number},source=/lent,target=/donors/{number} "
    return f"{text[:at]}{stages}{text[at : run.start()]}{mounts}{text[run.start() :]}"


def app(
    text: str,
    image: Image,
    assets: Iterable[tuple[str, str, bool]],
    binaries: Sequence[str],
    entrypoint: str,
    *,
    index: bool = False,
    owned: Sequence[str] = (),
) -> str:
    """Complete Dockerfile.app. `assets`: path in the build context, path in the image, whether it is a folder.

    `entrypoint`: a binary's name, or the path of a script.
    `index`: the loader's cache is made anew, for libraries among the assets; `owned`: folders that the user owns.
    """
    escape = escape_of(text)
    placed = [*folders.instructions(owned, image.user, escape), f"WORKDIR {quoted(image.workdir, escape)}"]
    for path, place, folder in assets:
        source, target = (f"assets/{path}/", place.rstrip("/") + "/") if folder else (f"assets/{path}", place)
        placed.append(copied(source, target, escape))
    if index:
        placed += ["USER root", 'RUN ["/sbin/ldconfig"]']
    settings = [f"ENV {name}={quoted(value, escape)}" for name, value in sorted(image.env.items())]
    settings += [
        f"LABEL {quoted(name, escape)}={quoted(value, escape)}" for name, value in sorted(image.labels.items())
    ]
    if any("\n" in value for value in (*image.env.values(), *image.labels.values())):
        settings.insert(0, f"ARG {NEWLINE}")
    settings += [f"EXPOSE {port}" for port in image.expose]
    settings += [f"STOPSIGNAL {image.stop_signal}"] if image.stop_signal else []
    settings += [f"USER {image.user}"]
    settings += ["ENTRYPOINT " + json.dumps([entrypoint if "/" in entrypoint else f"/usr/local/bin/{entrypoint}"])]
    settings += ["CMD " + json.dumps(list(image.cmd))]
    files = "".join(f"{line}\n" for line in placed)
    marked = text if MARK in text else f"{text}\n{MARK}"
    marked = marked.replace(BINARIES, copies(binaries), 1)
    return marked.replace(MARK, files, 1) + "\n" + "".join(f"{line}\n" for line in settings)


def takes_anew(text: str) -> bool:
    """Whether a Dockerfile declares the argument ANEW."""
    return f"\nARG {ANEW}\n" in text


def arguments(text: str) -> dict[str, str]:
    """The build arguments that a completed Dockerfile asks for."""
    return {NEWLINE: "\n"} if f"\nARG {NEWLINE}\n" in text else {}
