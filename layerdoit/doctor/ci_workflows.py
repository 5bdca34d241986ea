"""Workflows that `doit layers ci` wrote: whether they are as the configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from layerdoit.core.errors import LayerdoitError
from layerdoit.doctor.finding import Finding, Rule, rules

if TYPE_CHECKING:
    from layerdoit.project.project import Project

DRIFT = Rule(
    "ci-drift",
    "warning",
    "A workflow differs from what the configuration says.",
    "a job does something else than `doit layers ci` would write, such as build for other platforms",
    "doit layers ci github, or gitlab, and commit what it writes",
)
DAMAGED = Rule(
    "ci-damaged",
    "error",
    "A workflow cannot be written again.",
    "`doit layers ci` stops, so that nothing of yours is lost",
    "correct that line",
)
RULES = tuple(rules(globals()))


def workflows(project: Project) -> Iterator[Finding]:
    """Of the services that have any; nothing where the dodo.py is elsewhere, which would have to be run."""
    from layerdoit.ci import ci_facts, kept_files
    from layerdoit.tree import git

    root, checkout = project.root.resolve(), git.find(project.root.resolve())
    if checkout is None or not (root / "dodo.py").is_file():
        return
    top = checkout.top.resolve()
    for system, service in kept_files.SYSTEMS.items():
        facts = ci_facts.gather(system, root, project.config, top, root, "")
        if not any(kept_files.is_ours(top / path) for path in service.every(facts)):
            continue
        try:
            found = kept_files.look(top, system, facts)
        except LayerdoitError as error:
            yield DAMAGED.found(error.what, error.where, fix=error.hint)
            continue
        for one in found:
            if one.kind != "same":
                line = f":{one.difference.line}" if one.difference else ""
                fix = f"doit layers ci {system}, and commit what it writes; --check says more"
                yield DRIFT.found(_WHAT[one.kind], f"{one.path}{line}", fix=fix)


_WHAT = {
    "new": "the configuration asks for this file, and it is missing",
    "changed": "this line is not what the configuration says",
    "left": "the configuration asks for this file no more",
}
