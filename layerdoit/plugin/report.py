"""`doit layers report`: what the recorded runs say as a whole, and whether that meets the project's targets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerdoit.plugin.history import last_of

if TYPE_CHECKING:
    from layerdoit.report.figures import Report
    from layerdoit.report.targets import Checked


def run(params: Any, _words: Sequence[str]) -> int:
    """Print or write the report; with `--check`, 1 when a target is missed or nothing is known of it."""
    from layerdoit.history import benchmarks, export
    from layerdoit.project import Project
    from layerdoit.report import figures, targets
    from layerdoit.tasks import variables

    last = last_of(params)
    project = Project(Path(params["root"]), variables())
    name = project.name
    recorded = benchmarks.latest(project.state, project.variant)
    report = figures.make(name, project.variant, export.as_json(project.state, last), recorded)
    checked = targets.check(report, project.config.targets)
    _written(params, report, checked)
    if params["json"]:
        told = {**figures.as_json(report), "targets": [one.as_json() for one in checked]}
        print(json.dumps(told, indent=2))
    elif params["check"]:
        _told(checked)
    elif not params["html"] and not params["summary"]:
        from layerdoit.report import terminal

        terminal.show(report, checked)
    return 1 if params["check"] and targets.failed(checked) else 0


def _written(params: Any, report: Report, checked: Sequence[Checked]) -> None:
    """The files that were asked for."""
    if not params["html"] and not params["summary"]:
        return
    from layerdoit.plugin import pages
    from layerdoit.report import html, markdown

    pages.write(params, lambda: html.page(report, checked), lambda: markdown.page(report, checked))


def _told(checked: Sequence[Checked]) -> None:
    from layerdoit.report import targets

    if not checked:
        print("no targets: layerdoit.yaml names none, so nothing was checked")
        return
    for one in checked:
        print(one.line())
    failed = targets.failed(checked)
    if failed:
        names = ", ".join(one.target.name for one in failed)
        print(f"{len(failed)} of {len(checked)} targets not met: {names}")
