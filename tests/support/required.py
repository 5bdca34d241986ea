"""In CI nothing that a test needs may be missing: a registry that does not start would hide what is broken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pytest

VARIABLE: Final = "LAYERDOIT_SKIPS"
"""Set to `fail`, a skipped test has failed. `.ci/run` sets it."""
OPT_IN: Final = "opt-in: "
"""A reason that begins so is no failure: nobody asked for that test."""


def judged(report: pytest.TestReport, environment: Mapping[str, str]) -> pytest.TestReport:
    """Turn the report of a test that was skipped into a failure, where skips are failures."""
    if environment.get(VARIABLE) != "fail" or not report.skipped or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(OPT_IN):
        report.outcome = "failed"
        report.longrepr = f"skipped, which {VARIABLE}=fail forbids: {reason}"
    return report
