"""`doit environments`: provider, what runs there, since when, from which commit, and whether the tree is ahead."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from layerdoit import deploy as providers
from layerdoit.config import environments
from layerdoit.core.background import Background
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.process import capture_quick
from layerdoit.core.units import count_text, instant
from layerdoit.project.project import Project
from layerdoit.report.formats import commit_text, when_text
from layerdoit.tree import git

if TYPE_CHECKING:
    from layerdoit.deploy.provider import Status
    from layerdoit.deploy.settings import DeploySettings
    from layerdoit.flows.session import Session


class Row(NamedTuple):
    """One environment, or one service of it. `ahead`: commits of this tree that do not run there, None where nobody can
    tell.

    `problem`: why nothing is known of it. `rules`: in words. `service`: '' where the project has none.
    """

    name: str
    provider: str
    deployment: str = ""
    release: str = ""
    health: str = ""
    url: str | None = None
    since: str = ""
    commit: str = ""
    ahead: int | None = None
    rules: str = ""
    problem: str = ""
    service: str = ""


def of(session: Session) -> list[Row]:
    """All environments of a project and their services, each asked at the same time as the others."""
    project = session.project
    names = environments.known(project.root, project.config.environments)
    asked = [Background(partial(_rows, project, name)) for name in names]
    return [row for one in asked for row in one.result()]


def _rows(project: Project, name: str) -> list[Row]:
    first = project.config.environments.get("default", environments.DEFAULT)
    variables = {key: value for key, value in project.variables.items() if key not in ("ENV", "CONFIG")}
    rules = _rules(environments.rules(project.config.environments, name))
    try:
        there = Project.open(
            project.root, variables if name == first else {**variables, "ENV": name}, call=project.call
        )
        parts = list(there.services.values()) or [there]
        # What all of them would find out is found out once.
        _ = there.name, there.owner
    except LayerdoitError as error:
        return [Row(name, "?", rules=rules, problem=error.what)]
    asked = [Background(partial(_row, project, name, rules, one)) for one in parts]
    return [one.result() for one in asked]


def _row(project: Project, name: str, rules: str, there: Project) -> Row:
    try:
        settings = providers.settings_of(there)
        status = providers.provider_with(settings).status()
    except LayerdoitError as error:
        return Row(name, "?", rules=rules, problem=error.what, service=there.service)
    return _known(project, name, settings, status, rules)


def _known(project: Project, name: str, settings: DeploySettings, status: Status, rules: str) -> Row:
    service, last = status.service, settings.serving()
    row = Row(name, settings.config.provider, settings.name, health=status.health, rules=rules, service=settings.part)
    if service is None:
        return row
    same = last is not None and last.key == service.key
    commit = service.commit or (last.commit if last and same else "")
    release = service.release or (last.id if last and same else "")
    since, ahead = service.since, _ahead(project, commit)
    return row._replace(release=release, url=service.url, since=since, commit=commit, ahead=ahead)


def _ahead(project: Project, commit: str) -> int | None:
    if not commit:
        return None
    try:
        counted = capture_quick(git.command("rev-list", "--count", f"{commit}..HEAD"), cwd=project.root)
    except LayerdoitError:
        return None
    return int(counted)


def _rules(found: environments.Rules) -> str:
    words = [one.replace("=", ": ") for one in found.require]
    return ", ".join([*words, *(["confirm"] if found.confirm else [])])


def as_json(rows: list[Row]) -> dict[str, Any]:
    """The documented form."""
    return {"environments": [row._asdict() for row in rows]}


def table(rows: list[Row]) -> str:
    """One environment after the other, the default one first."""
    return "\n".join(line for _, found in groupby(rows, lambda row: row.name) for line in _lines(list(found)))


def _lines(rows: list[Row]) -> list[str]:
    row = rows[0]
    rules = f"  requires {row.rules}" if row.rules else ""
    if row.service:
        width = max(len(one.service) for one in rows)
        return [f"{row.name}{rules}", *(f"  {one.service:<{width}}  {_of_service(one)}" for one in rows)]
    if row.problem:
        return [f"{row.name}{rules}", f"  {row.problem.splitlines()[0]}"]
    return [f"{row.name}  {row.provider}  {row.deployment}{rules}", f"  {_what_runs(row)}"]


def _of_service(row: Row) -> str:
    if row.problem:
        return row.problem.splitlines()[0]
    return f"{row.provider}  {row.deployment}  {_what_runs(row)}"


def _what_runs(row: Row) -> str:
    if not row.since and not row.commit and not row.release:
        return row.health
    since = f" since {when_text(instant(row.since) or None)}" if row.since else ""
    release = f"release {row.release} " if row.release else ""
    url = f"  {row.url}" if row.url else ""
    return f"{release}{row.health}{since}, from {commit_text(row.commit or None)}{_distance(row)}{url}"


def _distance(row: Row) -> str:
    if row.ahead is None:
        return ""
    return f", this tree is {count_text(row.ahead, 'commit')} ahead" if row.ahead else ", this tree's commit"
