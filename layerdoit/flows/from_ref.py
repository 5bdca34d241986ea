"""Build a pushed commit, never the working tree: `doit from_source REF=main`.

It is built in a clone of its own, as the commit has it: configuration, submodules, files of git LFS. Keys follow from
what is built, so that images are shared with every checkout of the same commit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from layerdoit.cargo.projects_below import find_projects
from layerdoit.core.command_errors import CommandFailed
from layerdoit.core.console import say
from layerdoit.core.errors import ConfigError, ProcessError, WorkspaceError
from layerdoit.core.process import capture_quick
from layerdoit.flows import preparing, reporting
from layerdoit.flows.ensure import ensure_each, sweep
from layerdoit.flows.session import Session
from layerdoit.project import clones, program_package, pushed, question
from layerdoit.project.clones import Clone
from layerdoit.project.identity import address
from layerdoit.project.project import Project
from layerdoit.project.pushed import Pushed
from layerdoit.project.question import Question
from layerdoit.tree import git

REF, REPO = "REF", "REPO"
"""Variables of the command line that only this reads."""
_SHORT = 12


class _Origin(NamedTuple):
    """Where commits come from. `inside`: the project's folder in the repository, '' where that is to be found.

    `own`: the present checkout, where it is one of the same repository.
    """

    url: str
    name: str
    inside: str | None
    own: Path | None


def run(session: Session, then: Callable[[Session], None] | None = None) -> None:
    """Build the commit that REF names. `then`: what follows in that tree, such as a deployment."""
    with at(session) as other:
        if then is not None:
            _stays(other.project)
            preparing.before_build(other)
            preparing.deployable(other, whole=True)
        for layer in ("base", "deps", "app"):
            reporting.each(ensure_each(other, layer))
        sweep(other)
        for one in other.built:
            _tell(session, one)
        if then is not None:
            then(other)


def _tell(session: Session, built: Session) -> None:
    """Say what an image is called, and note that its tags are ours."""
    project = built.project
    names = [f"{project.repository}:{tag}" for tag in built.inputs.question.tags]
    for state in (project.state, *([session.project.state] if project.home else ())):
        state.note_pushed(names, built.plan.step("app").spec.key)
    say(f"image   {', '.join(names)}")


@contextmanager
def at(session: Session) -> Iterator[Session]:
    """A session of the tree that REF and REPO name. Meanwhile, no other process uses that clone."""
    variables = session.project.variables
    origin = _origin(session.project, variables.get(REPO, ""))
    word = variables.get(REF, "")
    if not word:
        branch = session.project.checkout.branch if session.project.checkout else ""
        raise ConfigError(
            "from_source builds a pushed commit, and REF names none",
            hint=f"doit from_source REF={branch or 'main'} (a branch, a tag or a commit)",
        )
    with clones.opened(origin.url, origin.name) as clone:
        found = _laid_out(clone, word, origin)
        root = _project(clone, found, origin)
        say(f"source  {found.words} of {clone.words}" + (f", folder {origin.inside}" if origin.inside else ""))
        given = {name: value for name, value in variables.items() if name not in (REF, REPO)}
        if "CONFIG" in given:
            # Another configuration is that of the commit, too.
            given["CONFIG"] = str(root / given["CONFIG"])
        here = session.project
        call = here.call.in_folder(here.root, root) if here.call else None
        project = Project.open(root, given, home=origin.own, call=call)
        yield Session(session.run.again(), project, _ask(found.sha))


def _stays(project: Project) -> None:
    """ConfigError where data of a deployment would lie in the clone, which is cleaned before the next build."""
    for one in project.services.values():
        _stays(one)
    config = project.config.deploy
    inside = next((volume for volume in config.volumes if volume.startswith(".")), None)
    if project.home is None and (inside or config.provider == "compose"):
        what = f"deploy.volumes: {inside} is" if inside else "deploy.provider: compose has paths that are"
        raise ConfigError(
            f"{what} relative to the project's folder, and a clone of another repository is none that stays",
            where=project.config.where.get("deploy.volumes" if inside else "deploy.provider"),
            hint="run from_source in a clone of that repository",
        )


def _laid_out(clone: Clone, word: str, origin: _Origin) -> Pushed:
    found = pushed.find(clone, word, origin.own)
    try:
        clone.lay_out(found.sha, found.branch)
    except CommandFailed:
        clones.made_anew(clone)
        found = pushed.find(clone, word, origin.own)
        clone.lay_out(found.sha, found.branch)
    return found


def _project(clone: Clone, found: Pushed, origin: _Origin) -> Path:
    """The folder of the Rust project in the clone."""
    if origin.inside is not None:
        root = clone.top / origin.inside
        if not (root / "Cargo.toml").is_file():
            where = f" in {origin.inside}" if origin.inside else ""
            raise WorkspaceError(
                f"{found.words} of {clone.words} has no Cargo.toml{where}",
                hint="name a commit in which this project was there",
            )
        return root
    below = find_projects(clone.top)
    if len(below) == 1:
        return below[0]
    names = ", ".join(str(path.relative_to(clone.top)) for path in below)
    raise WorkspaceError(
        f"{clone.words} has several Rust projects: {names}" if below else f"{clone.words} has no Rust project",
        hint="run from_source in a clone of it, in the folder of the project",
    )


def _ask(sha: str) -> Callable[[Project, str], Question]:
    """The image as it is configured, but for its tag: no tag of a working tree moves."""

    def ask(project: Project, platform: str) -> Question:
        asked = question.build(project, platform)
        version = f"{_version(project)}-" if project.has_rust else ""
        return replace(asked, tags=(f"{version}{sha[:_SHORT]}",))

    return ask


def _version(project: Project) -> str:
    """The version of the package whose program the image runs."""
    # A tag takes no `+`.
    return re.sub(r"[^\w.-]", "_", program_package.of(project).version, flags=re.ASCII)


# --- where commits come from -----------------------------------------------------------------------------------------


def _origin(project: Project, given: str) -> _Origin:
    checkout = project.checkout
    own = _remote(project)
    if given:
        url = given
        if not ("://" in given or re.match(r"[^/]+@?[^/]*:", given)):
            url = os.path.realpath(os.path.expanduser(given))
            if not os.path.exists(url):
                raise ConfigError(f"REPO: there is no folder {url}", hint="give an address or a path of a repository")
        if own is None or address(url) != address(own) or checkout is None:
            name = re.sub(r"\.git/?$", "", url.rstrip("/")).replace(":", "/").rpartition("/")[2] or "source"
            return _Origin(url, name, None, None)
    else:
        url = own or ""
    if checkout is None or not url:
        what = "this folder is in no git repository" if checkout is None else "this repository has no remote"
        raise ConfigError(
            f"from_source builds what was pushed, and {what}",
            hint="doit from_source REF=… REPO=<address of a repository>",
        )
    inside = project.root.relative_to(checkout.top).as_posix()
    return _Origin(url, checkout.top.name, "" if inside == "." else inside, project.root)


def _remote(project: Project) -> str | None:
    """The address of the remote that the present branch is pushed to, else of `origin`, else of the only one."""
    checkout = project.checkout
    if checkout is None:
        return None

    def said(*words: str) -> str:
        try:
            return capture_quick(git.command(*words), project.root).decode(errors="replace").strip()
        except ProcessError:
            return ""

    names = said("remote").split()
    upstream = said("config", "--get", f"branch.{checkout.branch}.remote") if checkout.branch else ""
    only = names[0] if len(names) == 1 else ""
    name = next((one for one in (upstream, "origin") if one in names), only)
    url = said("remote", "get-url", name) if name else ""
    # A path is relative to the checkout.
    return os.path.normpath(checkout.top / url) if url and os.path.exists(checkout.top / url) else url or None
