"""What COPY and ADD bring into an image: files of the project, what stages make, and what nobody here has. Pure.

taken(instruction, value, place, parsed, files) -> hints and notes; `place`: the working directory
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from layerdoit.dockerfile.parse import Dockerfile, Instruction, Stage, split
from layerdoit.dockerfile.steps import stage_named
from layerdoit.init import chores
from layerdoit.init.hints import Files, Hint, note
from layerdoit.init.places import OURS, reachable
from layerdoit.init.stages import known_in, made_by_cargo

FLAGS: Final = frozenset(("from", "chown", "chmod", "link", "keep-git-dir", "checksum", "unpack"))
"""Flags that are understood, or that change nothing for the image; others get a note."""

_COMPILED: Final = re.compile(r"(^|/)(target|Cargo\.(toml|lock)|src|\.git|\.cargo|build\.rs)(/|$)")
_BINARY: Final = re.compile(
    r"(^|/)target/(?:[\w.-]+/)?[\w-]+/(?P<name>[\w-]+)$|(^|/)(s?bin|\.cargo/bin)/(?P<other>[\w.-]+)$"
)
_ARCHIVE: Final = re.compile(r"\.(tar(\.(gz|xz|bz2|zst))?|t[gbx]z2?)$")
# Every Debian image has its own.
_SYSTEM: Final = re.compile(
    r"/etc/(ssl|passwd|group|ca-certificates|nsswitch|localtime)|/usr/share/(ca-certificates|zoneinfo)"
    r"|/usr/local/share/ca-certificates$"
)
_LIBRARY: Final = re.compile(r"\.so(\.[\d.*]+)?$|/lib(64)?/[^.]*$|ld-linux|/lib/[\w-]+-linux-gnu")


class _Copy(NamedTuple):
    """One source of an instruction; `target` is absolute."""

    source: str
    target: str
    into: bool
    """The target is a folder that takes the source by its name."""
    instruction: Instruction
    loose: bool
    """Below / only because nothing says where: the program looks in its working directory, which is another in ours."""

    def ours(self, place: str) -> str:
        """Where a place in that image is in ours."""
        return posixpath.normpath(f"{OURS}/{place}") if self.loose else reachable(place)

    def place(self, name: str) -> str:
        return posixpath.join(self.target, _basename(name)) if self.into else self.target

    @property
    def where(self) -> str:
        return self.instruction.where


def taken(instruction: Instruction, value: str, workdir: str, parsed: Dockerfile, files: Files) -> Iterator[Hint]:
    """Everything that one COPY or ADD of the image's stages does."""
    words = list(instruction.json or split(value))
    for name, _ in instruction.flags:
        if name not in FLAGS:
            yield note(instruction.where, f"--{name} of {instruction.keyword} has no counterpart: see image.assets")
    if instruction.bodies:
        target = posixpath.join(workdir, words[-1]) if words else workdir
        yield note(
            instruction.where,
            f"the image lacks {target}, whose text stands in the Dockerfile: make it a file of the project, "
            "and name it in image.assets",
        )
        return
    if len(words) < 2:
        return
    *sources, target = words
    into = (
        posixpath.normpath(target) == workdir.rstrip("/")
        or target.endswith("/")
        or target in (".", "./")
        or len(sources) > 1
    )
    absolute = posixpath.normpath(posixpath.join(workdir, target))
    loose = workdir == "/" and not target.startswith("/")
    for source in sources:
        yield from _one(_Copy(source, absolute, into, instruction, loose), parsed, files)


def _one(copy: _Copy, parsed: Dockerfile, files: Files) -> Iterator[Hint]:
    origin = copy.instruction.flag("from")
    if origin is None and "$" not in copy.target and _is_program(copy.source, files):
        yield _program(copy, _basename(copy.source))
    elif "$" in copy.source or "$" in copy.target or "$" in (origin or ""):
        yield note(
            copy.where, f"which files are copied to {copy.target} depends on a variable: name them in image.assets"
        )
    elif "://" in copy.source or copy.source.startswith("git@"):
        address = chores.shown(["ADD", copy.source]).removeprefix("ADD ")
        place = copy.place(copy.source.partition("?")[0])
        do = "keep it in the project, and name it in image.assets"
        yield note(copy.where, f"the image lacks {place}, which comes from {address}: {do}")
    elif origin is None:
        yield from _of_context(copy, copy.source.lstrip("/"), files)
    elif (stage := stage_named(parsed, origin)) is None:
        yield from _of_image(copy, origin)
    else:
        yield from _of_stage(copy, stage, parsed, files)


# --- from the project -------------------------------------------------------------------------------------------------


def _of_context(copy: _Copy, path: str, files: Files) -> Iterator[Hint]:
    inside = posixpath.normpath(path)
    if re.search(r"[*?\[]", inside):
        found = files.matching(inside)
        if not found:
            yield note(copy.where, f"no file of the project is like {inside}: the image lacks it in {copy.target}")
        for match in (one for one in found if not _is_compiled(one, files)):
            yield from _asset(copy._replace(into=not files.is_folder(match)), match, files)
    elif inside == "." or inside.startswith(".."):
        yield note(
            copy.where,
            f"all of the project is copied to {copy.target}; ours has the binaries in /usr/local/bin, and "
            "what image.assets names",
        )
    elif binary := _BINARY.search(inside):
        yield _program(copy, binary["name"] or binary["other"])
    elif _is_compiled(inside, files):
        return
    elif not files.exists(inside):
        yield Hint(
            "asset", f"{inside}:{copy.ours(copy.place(inside))}", copy.where, "not in the project now", sure=False
        )
        yield note(
            copy.where,
            f"the image lacks {copy.place(inside)}: there is no {inside} in the project; once it is made, "
            "name it in image.assets",
        )
    elif copy.instruction.keyword == "ADD" and _ARCHIVE.search(inside):
        yield note(
            copy.where,
            f"ADD unpacks {inside} into {copy.target}, and image.assets copies files as they are: keep the "
            "project's copy unpacked",
        )
    else:
        yield from _asset(copy, inside, files)


def _is_program(source: str, files: Files) -> bool:
    """Whether it is a binary of the project's own that is made before the image, such as one of a release."""
    return _basename(source) in files.programs and not files.exists(posixpath.normpath(source.lstrip("/")))


def _asset(copy: _Copy, inside: str, files: Files) -> Iterator[Hint]:
    # Of a folder the contents are copied, a file into a folder that is named with a / at its end.
    folder = files.is_folder(inside)
    yield Hint("asset", f"{inside}:{copy.ours(copy.target if folder else copy.place(inside))}", copy.where)


def _program(copy: _Copy, name: str) -> Hint:
    """A binary, and the path that the image has it at."""
    return Hint("program", f"{name}:{copy.place(name)}", copy.where)


# --- from elsewhere ---------------------------------------------------------------------------------------------------


def _of_image(copy: _Copy, image: str) -> Iterator[Hint]:
    if "zoneinfo" in copy.source:
        yield Hint("apt-run", "tzdata", copy.where)
    elif not _SYSTEM.search(copy.source):
        yield note(
            copy.where,
            f"the image lacks {copy.place(copy.source)} of the image {image}: a Debian package may have it "
            "(base.runtime_packages); else copy it in a Dockerfile.app of your own (dockerfiles.app)",
        )


def _of_stage(copy: _Copy, stage: Stage, parsed: Dockerfile, files: Files) -> Iterator[Hint]:
    cargo = made_by_cargo(parsed, stage)
    base = _basename(copy.source)
    if _SYSTEM.search(copy.source):
        yield from (Hint("apt-run", "tzdata", copy.where),) if "zoneinfo" in copy.source else ()
        return
    binary = _BINARY.search(copy.source)
    if base in files.programs or (cargo and binary and not files.programs):
        yield _program(copy, base)
        return
    if cargo and (re.search(r"(^|/)(target|bin)/.*[*?]", copy.source) or base == "bin"):
        return  # the binaries, by whatever name
    inside = _in_project(copy.source, stage, parsed, files)
    if inside == ".":
        yield note(
            copy.where,
            f"all of {copy.source} is copied to {copy.target}; ours has the binaries in /usr/local/bin, and "
            "what image.assets names",
        )
    elif inside is not None and _is_there(inside, files) and not _is_compiled(inside, files):
        by = "" if cargo else _by(copy, stage, parsed, files)
        for hint in _of_context(copy, inside, files):
            yield hint._replace(why=by) if hint.kind == "asset" else hint
    elif inside is not None and cargo and _COMPILED.search(inside) and not binary and not inside.startswith("target"):
        return
    else:
        yield from _made(copy, stage, parsed, inside, files)


def _is_compiled(inside: str, files: Files) -> bool:
    """Whether only the compiler reads it; among the sources there may be other files."""
    if _COMPILED.search(inside) is None:
        return False
    other = files.exists(inside) and not files.is_folder(inside) and re.search(r"\.(?!rs$|toml$|lock$)\w+$", inside)
    return not other or "target/" in inside


def _is_there(inside: str, files: Files) -> bool:
    return bool(files.matching(inside)) if re.search(r"[*?\[]", inside) else files.exists(inside)


def _made(copy: _Copy, stage: Stage, parsed: Dockerfile, inside: str | None, files: Files) -> Iterator[Hint]:
    """What a stage makes, and no layer of ours does."""
    cargo = made_by_cargo(parsed, stage)
    by = _by(copy, stage, parsed, files)
    # Of a folder the contents are copied; what has no suffix is taken for one.
    folder = "." not in _basename(copy.source) and not copy.target.endswith("bin")
    place = copy.ours(copy.target if folder else copy.place(copy.source))
    if folder and chores.makes_folder(stage, _basename(copy.source)):
        yield from chores.folder_of(place, copy.where)
        return
    if _LIBRARY.search(copy.source):
        yield note(
            copy.where,
            f"the image lacks {place}: name the library's Debian package in base.runtime_packages, or its "
            "file in image.assets",
        )
        return
    if inside is not None and not re.search(r"[*?\[$]", inside):
        yield Hint(
            "asset",
            f"{inside}:{place}",
            copy.where,
            by,
            sure=False,
        )
        do = f"make {inside} on this machine, then image: {{assets: {{{inside}: {place}}}}}"
    elif cargo and _BINARY.search(copy.source):
        do = (
            "what the program calls must be a Debian package (base.runtime_packages), or come by a "
            "Dockerfile.app of your own (dockerfiles.app)"
        )
    else:
        do = "make it on this machine, in the project, and name it in image.assets"
    yield note(copy.where, f"the image lacks {place}: {by}; {do}")


def _by(copy: _Copy, stage: Stage, parsed: Dockerfile, files: Files) -> str:
    """Which command makes it, and where in the project that is."""
    for part in reversed(parsed.lineage(stage)):
        maker = chores.maker(part, known_in(parsed, parsed.lineage(part)), copy.source)
        if maker is not None:
            folder = _in_project(maker.folder, stage, parsed, files)
            inside = f" in {folder}" if folder not in (None, ".") else ""
            return f"`{maker.words}`{inside} makes it ({maker.where})"
    bare = all(one.keyword not in ("RUN", "COPY", "ADD") for part in parsed.lineage(stage) for one in part.instructions)
    return f"it comes from the {f'image {stage.base}' if bare else f'stage {stage.name or stage.index}'}"


def _in_project(source: str, stage: Stage, parsed: Dockerfile, files: Files, depth: int = 0) -> str | None:
    """Where in the project lies what a stage has at a path: by what was copied into the stage, or by its own folder."""
    found: tuple[int, str] | None = None
    absolute = posixpath.normpath(posixpath.join("/", source))
    folder = "/"
    places: list[str] = []
    for part in parsed.lineage(stage):
        for instruction in part.instructions:
            if instruction.keyword == "WORKDIR":
                folder = posixpath.normpath(posixpath.join(folder, instruction.value.strip("\"'")))
                places.append(folder)
            if instruction.keyword not in ("COPY", "ADD") or instruction.bodies:
                continue
            words = list(instruction.json or split(instruction.value))
            origin = instruction.flag("from")
            other = stage_named(parsed, origin) if origin is not None else None
            for word in words[:-1]:
                target = posixpath.normpath(posixpath.join(folder, words[-1]))
                if origin is not None:
                    if other is None or depth > 4 or other.index >= stage.index:
                        continue
                    start = _in_project(word, other, parsed, files, depth + 1)
                    if start is None:
                        continue
                else:
                    start = posixpath.normpath(word.lstrip("/"))
                mapped = _mapped(absolute, start, target, words, files)
                if mapped is not None and (found is None or len(target) >= found[0]):
                    found = (len(target), mapped)
    mapped = found[1] if found is not None and not found[1].startswith("..") else None
    if mapped is not None and _is_there(mapped, files):
        return mapped
    below = [path for place in reversed(places) if (path := _below(absolute, place))] if found is None else []
    # A RUN may have moved it: then the end of its path tells.
    parts = absolute.strip("/").split("/")
    ends = ["/".join(parts[start:]) for start in range(1, len(parts))]
    # What a pattern matches in one folder, says nothing of another.
    ends = [] if re.search(r"[*?\[]", absolute) else ends
    return next((path for path in (*below, *ends) if _is_there(path, files)), mapped)


def _mapped(absolute: str, start: str, target: str, words: Sequence[str], files: Files) -> str | None:
    """The path in the project of `absolute`, where a stage has `start` at `target`."""
    if re.search(r"[*?\[$]|://", start):
        return None
    file = not (start == "." or files.is_folder(start))
    if file and files.exists(start):
        into = words[-1].endswith("/") or words[-1] in (".", "./") or len(words) > 2
        place = posixpath.join(target, posixpath.basename(start)) if into else target
        return start if place == absolute else None
    below = _below(absolute, target)
    return None if below is None else posixpath.normpath(posixpath.join(start, below))


def _below(path: str, folder: str) -> str | None:
    if path == folder:
        return "."
    return path[len(folder.rstrip("/")) + 1 :] if path.startswith(f"{folder.rstrip('/')}/") else None


def _basename(path: str) -> str:
    return posixpath.basename(path.rstrip("/"))
