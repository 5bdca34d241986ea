"""What is published: which version, of which commit, on which day."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from layerdoit import config as configuration
from layerdoit.cargo import toml_lines
from layerdoit.core.errors import ConfigError, LayerdoitError
from layerdoit.core.process import capture_quick
from layerdoit.core.release_version import FORM, Version
from layerdoit.project import program_package
from layerdoit.project.ci_branch import branch_of
from layerdoit.publish.tag_families import Facts, needs_version
from layerdoit.tree import git, git_changes

if TYPE_CHECKING:
    from layerdoit.project.project import Project

VERSION: Final = "VERSION"
_SHORT: Final = 12
_UNVERSIONED: Final = "0.0.0"


class Commit(NamedTuple):
    """What is checked out. `tags`: those of git at it; all empty outside a repository."""

    sha: str = ""
    tags: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def commit(project: Project) -> Commit:
    """The commit of a project, and the files of the project that differ from it."""
    if git.find(project.root) is None:
        return Commit()
    try:
        sha = _git(project, "rev-parse", "--verify", "HEAD")[0]
        tags = _git(project, "tag", "--points-at", "HEAD")
        changed = git_changes.changed(project.root)
    except LayerdoitError as error:
        what = f"git cannot tell about this commit: {error.what.splitlines()[-1]}"
        raise ConfigError(what, hint="commit something first, or look at `git status`") from error
    return Commit(sha, tuple(tags), tuple(changed))


def facts(project: Project, found: Commit, templates: Sequence[str]) -> Facts:
    """What the names in templates stand for. ConfigError where a version is needed, and nothing tells it."""
    version = version_of(project, found) if any(map(needs_version, templates)) else None
    return bare(project, found)._replace(version=version)


def bare(project: Project, found: Commit) -> Facts:
    """The same without a version."""
    mark = "-dirty" if found.changed else ""
    sha = f"{found.sha[:_SHORT]}{mark}" if found.sha else ""
    return Facts(None, sha, branch_of(project), time.strftime("%Y-%m-%d", time.gmtime()))


def given(project: Project) -> Version | None:
    """The version that VERSION gives."""
    if VERSION not in project.variables:
        return None
    return Version.of(str(configuration.variable_value(VERSION, project.variables[VERSION])))


def version_of(project: Project, found: Commit) -> Version:
    """VERSION, else what a tag of git at this commit says, else Cargo.toml. ConfigError where the two disagree."""
    if (asked := given(project)) is not None:
        return asked
    name, manifest, where = _of_manifest(project)
    tagged = _of_tags(found.tags, name)
    if manifest is None and tagged is None:
        what = "nothing says which version is published: no manifest of cargo, and no tag of git at this commit"
        raise ConfigError(what, hint="doit publish VERSION=1.0.0, or git tag v1.0.0")
    if tagged is None:
        assert manifest is not None  # noqa: S101 - one of the two is there
        return manifest
    if manifest is not None and str(manifest) not in (_UNVERSIONED, str(tagged)):
        raise ConfigError(
            f"the tag of git at this commit says version {tagged}, and the package {name} says {manifest}",
            where=where,
            hint=f"correct one of the two, or say which one is meant: VERSION={tagged}",
        )
    return tagged


def _of_manifest(project: Project) -> tuple[str, Version | None, str | None]:
    """Name and version of the package of the program, and where the version stands."""
    if not project.has_rust or (project.service and project.kind != "compiled"):
        return project.name, None, None
    package = program_package.of(project)
    file = os.path.normpath(f"{package.dir}/Cargo.toml")
    text = (project.root / file).read_text(encoding="utf-8", errors="replace")
    where = toml_lines.where(file, text, ("package", "version"))
    version = Version.of(package.version)
    if version is None:
        raise ConfigError(f'"{package.version}" is not {FORM}', where=where, hint="give one: VERSION=1.0.0")
    return package.name, version, where


def _of_tags(tags: Sequence[str], name: str) -> Version | None:
    """The highest version that a tag of git names: v1.2.3, 1.2.3, or either after the name of the package."""
    form = re.compile(rf"(?:{re.escape(name)}[-/@])?v?(\d.*)")
    found = [version for tag in tags if (match := form.fullmatch(tag)) and (version := Version.of(match[1]))]
    return max(found, key=lambda version: version.rank, default=None)


def _git(project: Project, *words: str) -> Sequence[str]:
    return capture_quick(git.command(*words), cwd=project.root).decode(errors="replace").splitlines()
