"""`doit layers init`: look at the tree, show what was found and what would be written, ask, write."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from layerdoit.core import toml
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.core.prose import confirm, listed
from layerdoit.front.verbs import JSON, Verb, flag

if TYPE_CHECKING:
    from layerdoit.init.found import Found
    from layerdoit.init.proposal import Proposal
    from layerdoit.init.write import Change

DODO = "dodo.py"


class _Looked(NamedTuple):
    """A project as it was found, seen from a folder: what to write, and remarks on what stays as it is."""

    start: Path
    found: Found
    proposed: Proposal
    changes: Sequence[Change]
    ready: Sequence[str]
    stops: LayerdoitError | None
    """What would stop the first build before it begins."""
    prefix: str
    """Under which a dodo.py has the tasks already; '' for none."""


def run(params: Mapping[str, Any], _words: Sequence[str]) -> int:
    """Returns 0 when the files are there, or were only to be shown, and 1 when the user said no."""
    looked = _look(*_asked(params["root"]))
    if params["json"]:
        _for_programs(looked, writes=params["yes"] and not params["dry_run"])
        return 0
    return _for_people(looked, yes=params["yes"], dry_run=params["dry_run"])


def _asked(root: str) -> tuple[Path, str]:
    """The folder that `--root` names, and the prefix under which this folder's dodo.py has its tasks; '' for none."""
    from layerdoit.front import projects

    here = Path.cwd().resolve()
    folder = (here / root).resolve()
    if not root or folder == here:
        return folder, ""
    dodo = _dodo_file(here).name
    if not folder.is_dir():
        folder, prefix = projects.find(root, here, dodo)[:2]
        return folder.resolve(), prefix
    try:
        known = projects.of_dodo(here, dodo)
    except ConfigError:
        known = ()
    return folder, next((one.prefix for one in known if one.folder == folder), "")


def _look(start: Path, prefix: str) -> _Looked:
    from dataclasses import replace

    from layerdoit.flows import obstacles
    from layerdoit.init import proposal
    from layerdoit.init.found import look, project_root

    if not start.is_dir():
        raise ConfigError("there is no such folder", where=str(start), hint="give the folder of a Rust project")
    found = look(project_root(start))
    proposed = proposal.propose(found)
    stops = obstacles.of_workspace(found.workspace) if found.problem is None else None
    if stops is not None:
        first = f"doit cannot build this here yet: {stops.what}" + (f"; next: {stops.hint}" if stops.hint else "")
        proposed = replace(proposed, remarks=(first, *proposed.remarks))
    if (told := _of_ci(found.root)) is not None:
        proposed = replace(proposed, remarks=(*proposed.remarks, told))
    return _Looked(start, found, proposed, *_changes(found, proposed, start, prefix), stops, prefix)


def _of_ci(root: Path) -> str | None:
    """What is said of a repository that a CI service builds already."""
    from layerdoit.ci import kept_files
    from layerdoit.tree import git

    checkout = git.find(root)
    system = kept_files.proposed(checkout.top) if checkout is not None else None
    return None if system is None else f"workflows that use these layers: doit layers ci {system}"


def _for_people(looked: _Looked, *, yes: bool, dry_run: bool) -> int:
    start, found, proposed, changes, ready, stops, prefix = looked
    print("\n".join(_report(found, proposed, changes, ready)), flush=True)
    _stop_at_problem(found)
    if not changes:
        print("\nnothing to write")
    if not changes or dry_run:
        return 0
    if not yes and not _confirmed(len(changes)):
        print("nothing was written")
        return 1
    _write(looked)
    for change in changes:
        print(f"wrote {_shown(change.path, start)}")
    there = "" if start == Path.cwd().resolve() else f"cd {shlex.quote(os.path.relpath(start))} && "
    first = f"{stops.hint}; then " if stops is not None and stops.hint else ""
    print(f"next: {first}{f'doit {prefix}' if prefix else f'{there}doit'}")
    return 0


def _for_programs(looked: _Looked, *, writes: bool) -> None:
    written = writes and bool(looked.changes) and looked.found.problem is None
    if written:
        _write(looked)
    print(json.dumps({**_as_json(looked), "written": written}, indent=2), flush=True)
    _stop_at_problem(looked.found)


def _write(looked: _Looked) -> None:
    from layerdoit.core.state import State
    from layerdoit.init import write
    from layerdoit.project.settings_cache import put_schema

    write.write(looked.changes)
    put_schema(State.open(looked.found.root))


def _stop_at_problem(found: Found) -> None:
    if found.problem:
        what, _, rest = found.problem.partition("\nnext: ")
        raise ConfigError(what, hint=rest or None)


def _as_json(looked: _Looked) -> Mapping[str, Any]:
    start, found, proposed, changes, ready, _, _ = looked
    return {
        "root": str(found.root),
        "packages": sorted(package.name for package in found.workspace.packages.values() if package.member),
        "binaries": [name for _, name in found.selection.bins] if found.selection else [],
        "toolchain": found.toolchain,
        "native": [
            {
                "crate": need.crate,
                "version": need.version,
                "why": need.why,
                "certain": need.certain,
                "build": list(need.build),
                "run": list(need.run),
            }
            for need in found.needs
        ],
        "read": list(found.files),
        "notes": list(proposed.remarks),
        "ready": list(ready),
        "problem": found.problem,
        "files": [{"path": _shown(one.path, start), "new": one.new, "added": one.added} for one in changes],
    }


def _changes(found: Found, proposed: Proposal, start: Path, prefix: str) -> tuple[list[Change], list[str]]:
    """The files to write, and those that are as they should be. An existing layerdoit.yaml is never written."""
    from layerdoit.config import FILE
    from layerdoit.front.task_table import TASKS
    from layerdoit.init import gitignore, write

    changes, ready = [], []
    path = _dodo_file(start)
    taken = frozenset(task.name.partition(":")[0] for task in TASKS)
    folder = found.root.relative_to(start).as_posix()
    before = path.read_bytes() if path.is_file() else None
    made = None if prefix else write.dodo(before, folder, _shown(path, start), taken)
    if prefix:
        ready.append(f"dodo.py has the tasks, under the prefix {prefix}")
    elif made is None:
        ready.append(f"{_shown(path, start)} has the tasks")
    else:
        changes.append(write.Change(path, made[0], made[1], new=not path.is_file()))
    settings = found.root / FILE
    if not found.configured:
        text = write.settings_text(proposed)
        _verify(text, settings)
        changes.append(write.Change(settings, text.encode(), text, new=True))
    else:
        missing = _missing(found, proposed)
        ready.append(f"{_shown(settings, start)} is there and stays as it is")
        if missing.active:
            added = "\n".join(f"    {line}" for line in write.added_text(missing).split("\n"))
            ready.append(f"it does not say:\n{added}")
    return [*changes, *gitignore.changes(start, found.root)], ready


def _missing(found: Found, proposed: Proposal) -> Proposal:
    """What an existing layerdoit.yaml does not say: single settings that it has are its own decision."""
    from dataclasses import replace

    from layerdoit import config
    from layerdoit.init.items import kind_of

    loaded = config.load(found.root, variables={})
    folders = {(one.path or name).rstrip("/") for name, one in loaded.components.items()}
    paths = [item for item in proposed.items if item.path.endswith(".path")]
    built = {item.path.split(".")[1] for item in paths if item.value in folders}

    def said(path: str, value: Any) -> bool:
        # Which services there are, and how a front end is built, is a decision as a whole.
        if path.startswith("services."):
            return bool(loaded.services)
        if path.startswith("components."):
            return path.split(".")[1] in built
        current: Any = loaded
        for name in path.split("."):
            current = getattr(current, name)
        if isinstance(value, tuple):
            return value[0] in current
        if kind_of(path).many and path.startswith("base."):
            return str(value) in current
        return path in loaded.where

    return replace(proposed, items=tuple(item for item in proposed.items if not said(item.path, item.value)))


def _verify(text: str, path: Path) -> None:
    """What is written must be valid, whatever was in the files that it was made from."""
    from layerdoit.config import Config, reading

    try:
        reading.check(Config, reading.parse(text.encode(), path.name), path.name)
    except ConfigError as error:
        what = f"the proposed {path.name} would not be valid: {error.what}"
        raise LayerdoitError(what, where=error.where, hint="write the file by hand, and report this") from None


def _dodo_file(start: Path) -> Path:
    """The file that doit reads in a folder: dodo.py, or what its configuration names."""
    import configparser

    try:
        table = toml.loads((start / "pyproject.toml").read_text(encoding="utf-8"))
        named = table.get("tool", {}).get("doit", {}).get("dodoFile")
    except (OSError, ValueError, AttributeError):
        named = None
    if not isinstance(named, str):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(start / "doit.cfg", encoding="utf-8")
            named = parser.get("GLOBAL", "dodoFile", fallback=None)
        except (configparser.Error, OSError, ValueError):
            named = None
    return start / (named or DODO)


def _shown(path: Path, start: Path) -> str:
    return path.relative_to(start).as_posix() if path.is_relative_to(start) else str(path)


def _report(found: Found, proposed: Proposal, changes: Sequence[Change], ready: Sequence[str]) -> Iterator[str]:
    yield "found"
    members = [package for package in found.workspace.packages.values() if package.member]
    count = f"{len(members)} packages in " if len(members) > 1 else ""
    yield f"  {'workspace' if count else 'package':<11} {count}{found.root}"
    if found.selection is not None:
        yield f"  binaries    {listed([name for _, name in found.selection.bins], 12)}"
    yield f"  toolchain   {found.toolchain}"
    for need in found.needs:
        sure = "" if need.certain else " (perhaps)"
        yield f"  native      {need.crate} {need.version} {need.why}{sure}: {' '.join((*need.build, *need.run)) or '-'}"
    if found.files:
        yield f"  read        {', '.join(found.files)}"
    for remark in proposed.remarks:
        yield f"  note        {remark}"
    for line in ready:
        yield f"  ready       {line}"
    for change in changes:
        yield f"\n{'new' if change.new else 'to be added to'} {change.path.name}"
        yield from (f"    {line}" for line in change.added.rstrip("\n").split("\n"))


def _confirmed(count: int) -> bool:
    agreed = confirm("\nwrite this?")
    if agreed is None:
        hint = "check the proposal above, then run again with --yes"
        raise LayerdoitError(f"{count} files would be written, and there is no terminal to ask on", hint=hint)
    return agreed


VERB: Final = Verb(
    "inspect a Rust project and write the dodo.py and layerdoit.yaml that it needs",
    run,
    (
        flag("yes", "do not ask"),
        flag("dry_run", "only show what would be written"),
        {**JSON, "help": "print what was found as one JSON object; without --yes nothing is written"},
    ),
    when="Once in each project. Run again, it shows what has been added since.",
    example="doit layers init --dry-run",
    ends="1 if you decline",
    of_project=False,
)
