"""`doit layers report`: what the recorded runs say as a whole, and whether that meets the project's targets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.console import say
from layerdoit.front.verbs import JSON, Verb, flag, text
from layerdoit.front.verbs.history import LAST, last_of

if TYPE_CHECKING:
    from layerdoit.report.figures import Report
    from layerdoit.report.target_checks import Checked


def run(params: Any, _words: Sequence[str]) -> int:
    """Print or write the report; with `--check`, 1 when a target is missed or nothing is known of it."""
    from layerdoit.front import projects
    from layerdoit.history import benchmarks, export
    from layerdoit.report import figures, headline, target_checks

    last = last_of(params)
    project = projects.opened(params)
    name, variant = project.name, project.variant()
    recorded = benchmarks.latest(project.state.folder, variant)
    report = figures.make(name, variant, export.as_json(project.state.folder, last), recorded)
    checked = target_checks.check(report, project.config.targets)
    _written(params, report, checked)
    if params["json"]:
        first = headline.headline(report)
        told = {"headline": first.text, **figures.as_json(report), "targets": [one.as_json() for one in checked]}
        say(json.dumps(told, indent=2))
    elif params["check"]:
        _told(checked)
    elif not params["html"] and not params["summary"]:
        from layerdoit.report import text_form

        text_form.show(report, checked)
    return 1 if params["check"] and target_checks.failed(checked) else 0


def _written(params: Any, report: Report, checked: Sequence[Checked]) -> None:
    """The files that were asked for."""
    if not params["html"] and not params["summary"]:
        return
    from layerdoit.front import pages
    from layerdoit.report import html, markdown

    pages.write(params, lambda: html.page(report, checked), lambda: markdown.page(report, checked))


def _told(checked: Sequence[Checked]) -> None:
    from layerdoit.report import target_checks

    if not checked:
        say("no targets: layerdoit.yaml names none, so nothing was checked")
        return
    for one in checked:
        say(one.line())
    failed = target_checks.failed(checked)
    if failed:
        names = ", ".join(one.target.name for one in failed)
        say(f"{len(failed)} of {len(checked)} targets not met: {names}")


VERB: Final = Verb(
    "show hit rates, times per kind of change, and sizes",
    run,
    (
        text("html", "FILE", "write one page with charts to this file"),
        JSON,
        flag("check", "compare with the targets of layerdoit.yaml"),
        text("summary", "FILE", "append Markdown to this file, such as the job summary of a CI service"),
        LAST,
    ),
    when="To see what layers save, where time goes, and whether the targets of layerdoit.yaml are met.",
    example="doit layers report --last 50 --html report.html",
    ends="with --check, 1 when a target is missed or has no data",
)
