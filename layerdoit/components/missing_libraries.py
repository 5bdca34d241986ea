"""The shared libraries that the binaries need and the image lacks, in words, with the settings that bring them in.

told(notes, config) -> (what, next step)
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from layerdoit.components.script_protocol import Missing, OtherMachine, TooNew, every
from layerdoit.core.prose import yaml_scalar

if TYPE_CHECKING:
    from layerdoit.config import Config

ONE_SUITE: Final = "use one suite for builder and runtime image (base.suite, base.image, base.runtime_image)"
_LINKED_OLDER: Final = (
    "compile it on the system that it runs on, or on an older one; or choose a newer runtime image (base.suite, "
    "base.runtime_image)"
)
_TARGETS: Final = (
    "leave the target to PLATFORM=: remove what names another one (target, env, build.target of .cargo/config.toml)"
)
_OTHERWISE: Final = "if it gets there in another way: image: {check_libraries: false}"
_PLACE: Final = "/usr/lib"
"""A folder in which every loader looks."""


def told(notes: Sequence[str], config: Config) -> tuple[str, str]:
    """What happened, and the next step."""
    missing = list(dict.fromkeys(every(Missing, notes)))
    newer = every(TooNew, notes)
    lines = [f"{note.binary} needs {note.library}, which the image lacks ({_origin(note)})" for note in missing]
    lines += [f"{note.words} (the builder's libraries are newer than the runtime's)" for note in newer]
    others = every(OtherMachine, notes)
    lines += [f"{note.binary} was compiled for {note.machine}, and the image is for another machine" for note in others]
    steps = [*_steps(missing, config), *([ONE_SUITE] if newer else []), *([_TARGETS] if others else [])]
    return "\n".join(["the binaries would not start on the runtime image:", *lines]), "; ".join(steps)


def of_packed(missing: Sequence[Missing], newer: Sequence[TooNew], config: Config) -> tuple[str, str]:
    """The same of a program that was compiled elsewhere. `missing`: their packages are told by the libraries' names."""
    missing = list(dict.fromkeys(missing))
    lines = [f"{note.binary} needs {note.library}, which the image lacks ({_found(note)})" for note in missing]
    lines += [f"{note.words} (it was linked where the libraries are newer)" for note in newer]
    steps = [*_steps(missing, config, packed=True), *([_LINKED_OLDER] if newer else [])]
    return "\n".join(["the program would not start on the runtime image:", *lines]), "; ".join(steps)


def _found(note: Missing) -> str:
    if note.package is None and note.found is None:
        return "no package is called like it"
    return f"in the project it is {note.path}" if note.found == "source" else _origin(note)


def _origin(note: Missing) -> str:
    if note.library.startswith("/") and note.package != "musl":
        return "it is the loader of the C library"
    if note.package:
        return f"package {note.package}"
    folder = posixpath.dirname(note.path)
    return {
        "placed": f"an asset puts it into {folder}, where its loader does not look",
        "source": f"among the sources it is {note.path}",
        "made": f"the build made it, {note.path}",
    }.get(note.found or "", "no package of the builder has it, and the sources do not hold it")


def _steps(missing: Sequence[Missing], config: Config, *, packed: bool = False) -> Iterator[str]:
    # A runtime image without even a loader is no Debian's, or has no C library at all. But Debian has musl, too.
    loaders = dict.fromkeys(note.library for note in missing if note.library.startswith("/") and note.package != "musl")
    if loaders:
        yield (
            f"use a runtime image that has {' and '.join(loaders)} (base.runtime_image), "
            "or a musl target, whose binaries need none"
        )
    packages = sorted({note.package for note in missing if note.package and note.library not in loaders})
    if packages:
        yield f"add to layerdoit.yaml: base: {{runtime_packages: [{', '.join(packages)}]}}"
    unpackaged = [note for note in missing if not note.package]
    if folders := dict.fromkeys(posixpath.dirname(note.path) for note in unpackaged if note.found == "placed"):
        old = config.image.env.get("LD_LIBRARY_PATH")
        value = ":".join([*folders, *([old] if old else [])])
        yield f"add to layerdoit.yaml: image: {{env: {{LD_LIBRARY_PATH: {yaml_scalar(value)}}}}}"
    inside = {
        note.path: note.library for note in unpackaged if note.found == "source" and not note.path.startswith("..")
    }
    if inside:
        assets = ", ".join(f"{yaml_scalar(path)}: {yaml_scalar(f'{_PLACE}/{name}')}" for path, name in inside.items())
        kept = ", ".join(map(yaml_scalar, inside))
        # An asset alone is no file that the compiler sees.
        and_kept = "" if packed else f" and sources: {{include: [{kept}]}}"
        yield f"add to layerdoit.yaml: image: {{assets: {{{assets}}}}}{and_kept}"
    names = dict.fromkeys(note.library for note in unpackaged if note.found != "placed" and note.path not in inside)
    if names and all(name.startswith("libstd-") for name in names):
        yield "link Rust's standard library statically: remove `-C prefer-dynamic` from the flags of rustc"
    elif names:
        listed = ", ".join(names)
        yield f"link {listed} statically, or copy it to {_PLACE} by image.assets (it has to be a file of the project)"
    if unpackaged:
        yield _OTHERWISE
