"""`doit layers ci`: the workflows of a CI service, written from the configuration, or compared with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.console import say, warn
from layerdoit.core.errors import ConfigError
from layerdoit.front.verbs import JSON, Verb, flag

if TYPE_CHECKING:
    from layerdoit.ci.ci_facts import CiFacts
    from layerdoit.ci.kept_files import Kept


def run(params: Mapping[str, Any], words: Sequence[str]) -> int:
    """Returns 1 where `--check` finds a difference."""
    from layerdoit.ci import ci_jobs, kept_files

    system = kept_files.named(words)
    top, facts = _facts(system, params)
    found = kept_files.look(top, system, facts)
    for remark in ci_jobs.remarks(facts):
        warn(f"note: {remark}")
    if entry := kept_files.not_included(top, system, facts):
        warn(f"note: .gitlab-ci.yml does not include these jobs; add to it:\n{entry}")
    writes = not params["check"] and not params["stdout"]
    if writes:
        kept_files.write(top, found)
    if params["json"]:
        say(json.dumps({"files": [_as_json(one) for one in found], "written": writes}, indent=2))
    elif params["check"]:
        say("\n".join(_checked(found, system)))
    elif params["stdout"]:
        say("".join(f"# {one.path}\n{one.text}" for one in found if one.kind != "left").rstrip("\n"))
    else:
        say("\n".join(_done(found)))
    return 1 if params["check"] and any(one.kind != "same" for one in found) else 0


def _as_json(one: Kept) -> Mapping[str, Any]:
    return {"path": one.path, "kind": one.kind, "difference": one.difference and one.difference._asdict()}


def _facts(system: str, params: Mapping[str, Any]) -> tuple[Path, CiFacts]:
    """The top folder of the repository, and what is to be known."""
    from layerdoit.ci import ci_facts
    from layerdoit.front import projects
    from layerdoit.project.project import Project
    from layerdoit.tree import git

    here = Path.cwd().resolve()
    embedded = projects.find(params["root"], here)
    root = embedded.folder.resolve()
    project = Project.open(root, {}, call=embedded.call)
    checkout = git.find(root)
    if checkout is None:
        what = "this folder is in no git repository, and workflows belong to one"
        raise ConfigError(what, where=str(root), hint="git init, then run it again")
    own = projects.nearest_dodo(here if embedded.prefix else root)
    if own is None:
        raise ConfigError("there is no dodo.py that jobs could run", where=str(root), hint="doit layers init")
    if not git.remotes(checkout):
        warn("note: this repository has no remote yet: jobs run where it is pushed to")
    folder = own.parent.resolve()
    return checkout.top, ci_facts.gather(system, root, project.config, checkout.top.resolve(), folder, embedded.prefix)


def _checked(found: Sequence[Kept], system: str) -> Iterator[str]:
    differ = [one for one in found if one.kind != "same"]
    for one in differ:
        yield from _told(one)
    if differ:
        yield f"next: doit layers ci {system}, and commit what it writes"
    else:
        yield f"{len(found)} workflows are as the configuration says"


def _told(one: Kept) -> Iterator[str]:
    if one.kind == "new":
        yield f"{one.path}: is missing"
    elif one.kind == "left":
        yield f"{one.path}: the configuration asks for it no more"
    elif one.difference is not None:
        line, there, wanted = one.difference
        yield f"{one.path}:{line}: differs from what the configuration says"
        yield f"  there:  {'(nothing)' if there is None else there.strip()}"
        yield f"  wanted: {'(nothing)' if wanted is None else wanted.strip()}"


def _done(found: Sequence[Kept]) -> Iterator[str]:
    for one in found:
        if one.kind == "left":
            yield f"removed {one.path}: the configuration asks for it no more"
        elif one.text == one.there:
            yield f"{one.path} is as it should be"
        else:
            yield f"wrote {one.path}"


VERB: Final = Verb(
    "write the workflows of a CI service, or check them",
    run,
    (
        flag("check", "write nothing; say where the files differ from what the configuration says"),
        flag("stdout", "write no file: print what would stand in them"),
        {**JSON, "help": "print each file, and what differs, as one JSON object; with --check nothing is written"},
    ),
    words="github|gitlab",
    when="Once, and after a change of layerdoit.yaml. Lines of yours between markers stay, and so do newer actions.",
    example="doit layers ci github",
    ends="with --check, 1 where a file differs",
    of_project=False,
)
