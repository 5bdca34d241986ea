"""The compiled workspace: in a file (`doit cache_save`, `cache_load`), or from the registry (`doit cache_warm`)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from layerdoit.build import archive_file, leftovers, mount_archive
from layerdoit.build.archive_file import Facts, NotSaved
from layerdoit.core.console import say, warn
from layerdoit.core.errors import BuildError, ConfigError
from layerdoit.core.units import count_text, size_text
from layerdoit.flows.ensure import ensure
from layerdoit.project.snapshot import Tree

if TYPE_CHECKING:
    from layerdoit.flows.session import Session


def one_file(words: list[str], task: str, folder: str) -> Path:
    """The file that was named, as seen from a folder. ConfigError where it is not exactly one."""
    if len(words) != 1 or not words[0]:
        what = f"{task} needs one file" if len(words) != 1 else f"{task}: the name of the file is empty"
        raise ConfigError(what, hint=f"doit {task} ../compiled.tar")
    return Path(os.path.abspath(os.path.join(folder, words[0])))


def save(session: Session, file: Path) -> None:
    """Have what is compiled of the workspace in a file."""
    if file.is_dir():
        raise ConfigError("this is a folder, not a file", where=str(file), hint=f"doit cache_save {file}/compiled.tar")
    if not file.parent.is_dir():
        raise ConfigError("there is no such folder", where=str(file.parent), hint=f"mkdir -p {file.parent}")
    with session.project.state.locked() as waited:
        if waited:
            session.read_again()
        facts = mount_archive.expected(session.work)
        if session.plan.step("deps").action != "reuse":
            raise BuildError(
                f"nothing is compiled of this tree: {session.plan.step('deps').why}",
                hint="doit app compiles it",
            )
        try:
            packed = mount_archive.save(session.work, facts)
        except mount_archive.Unfit as error:
            raise BuildError(_NOTHING[error.word], hint="doit app compiles the workspace") from error
        try:
            size = archive_file.write(file, packed.facts, packed.file)
        finally:
            packed.file.unlink(missing_ok=True)
    say(f"saved   {file}: {size_text(size)}, {_holds(packed.facts)}")
    _tell_among_sources(session, file)


_NOTHING = {
    "empty": "nothing is compiled here yet: the target mount is empty",
    "interrupted": "the last build here was interrupted: what is compiled is not whole",
}


def _holds(facts: Facts) -> str:
    of = f" of {facts.commit[:9]}" if facts.commit else ""
    return f"{count_text(facts.files, 'file')} ({size_text(facts.unpacked)}){of}, fits the dependencies {facts.cook}"


def _tell_among_sources(session: Session, file: Path) -> None:
    """A file that counts to the sources changes every key."""
    if session.project.root in file.parents:
        sources = Tree(session.project.again()).all_sources
        if os.path.relpath(file, session.project.root) in map(sources.own_path, sources.entries):
            warn(f"{file} counts to the sources, and so to every key: keep it elsewhere, or have git ignore it")


def load(session: Session, file: Path, *, anew: bool) -> None:
    """Have a new target mount begin with what a file holds."""
    facts = archive_file.read(file)
    work = session.work
    wanted = mount_archive.expected(work)
    _check(facts, wanted, file)
    if session.plan.step("deps").action == "build":
        raise NotSaved(
            f"this fits no deps image that is here or can be pulled: {session.plan.step('deps').why}",
            where=str(file),
            hint="share the dependencies with it (registry: {push: [base, deps]}): what is compiled fits only those "
            "that it was compiled with",
        )
    for layer in ("base", "deps"):
        ensure(session, layer)
    with session.project.state.locked() as waited:
        if waited:
            session.read_again()
        wanted = mount_archive.expected(session.work)
        _check(facts, wanted, file)
        if facts.cook != wanted.cook:
            raise NotSaved(
                f"this was compiled with other dependencies (cook {facts.cook}; here {wanted.cook})",
                where=str(file),
                hint="pull the deps image that it was compiled with (registry: …), or go on without it",
            )
        loaded = mount_archive.load(session.work, file, facts, anew=anew)
    if anew:
        leftovers.sweep(session.project.state, session.engine, session.project.name, lambda: session.project.owner)
    if loaded:
        say(f"loaded  {_holds(facts)}")
    else:
        say("kept    something is compiled here already, and that is what the next build begins with (--replace: load)")


def _check(facts: Facts, wanted: Facts, file: Path) -> None:
    """Refuse what was saved of something else, in words that say of what."""
    for name, words in _KINDS:
        found, here = getattr(facts, name), getattr(wanted, name)
        if found != here:
            what = f"this was saved of another {words}: {found}; here it is {here}"
            raise NotSaved(what, where=str(file), hint="load what was saved of the same, or go on without it")


def fetch(session: Session) -> None:
    """Have a new target mount begin with what the registry has of the workspace, before anything is built in it."""
    if not session.plan.has("deps"):
        return
    from layerdoit.build import shared_artefacts

    with session.project.state.locked() as waited:
        if waited:
            session.read_again()
        work = session.work
        shared_artefacts.begin(work, leftovers.mount(session.project.state, mount_archive.target(work)))


_KINDS = (
    ("project", "project"),
    ("platform", "platform"),
    ("variant", "profile or target"),
    ("toolchain", "Rust toolchain"),
)
