"""`doit releases`: what was deployed when, by whom, from which commit, and how it ended."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from layerdoit.core.units import duration_text
from layerdoit.deploy import release_log
from layerdoit.deploy.release_log import ReleaseLog
from layerdoit.flows.deploying import Place
from layerdoit.report.formats import commit_text, when_text

if TYPE_CHECKING:
    from layerdoit.deploy.release_entry import Entry
    from layerdoit.flows.session import Session

_SHOWN: Final = 20
_WIDTH: Final = 90
"""Characters of a result; the log has more of an error."""


class Listed(NamedTuple):
    """One deployment's log, the oldest first. `serving`: what came to serve last; `kept`: what can be gone back to."""

    name: str
    environment: str
    entries: tuple[Entry, ...]
    serving: Entry | None
    kept: tuple[Entry, ...]


def of(session: Session) -> Listed:
    """The releases of a session's deployment."""
    settings = Place.of(session).settings
    log = ReleaseLog(settings)
    entries = log.here()
    return Listed(settings.name, settings.environment, entries, log.serving(), release_log.kept(entries))


def as_json(found: Listed) -> dict[str, Any]:
    """The documented form; without settings, which may be long."""
    rows = []
    for one in found.entries:
        row = asdict(one)
        del row["settings"], row["started_with"]
        rows.append({**row, "serves": one == found.serving, "kept": one in found.kept})
    return {"deployment": found.name, "environment": found.environment, "releases": rows}


def table(found: Listed) -> str:
    """The newest first."""
    if not found.entries:
        return f"{found.name} ({found.environment}) has no releases yet; doit cycle_fast deploys the first"
    rows: list[tuple[str, ...]] = [("", "release", "when", "who", "commit", "digest", "took", "result")]
    rows += [_row(found, one) for one in reversed(found.entries[-_SHOWN:])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    left = len(found.entries) - _SHOWN
    more = [f"and {left} older; --json prints all"] if left > 0 else []
    return "\n".join([f"{found.name}, environment {found.environment}; * serves", *lines, *more])


def _row(found: Listed, one: Entry) -> tuple[str, ...]:

    commit = commit_text(one.commit or None) + (" with changes" if one.dirty else "")
    mark = "*" if one == found.serving else ""
    digest = (one.digest or one.image).removeprefix("sha256:")[:12]
    return (mark, one.id, when_text(int(one.at)), one.who, commit, digest, duration_text(one.seconds), _result(one))


def _result(one: Entry) -> str:
    done = {"deploy": "deployed", "rollback": "rolled back to", "destroy": "removed"}[one.kind]
    if one.outcome == "ok":
        return done
    where = f" in {one.failed_in}" if one.failed_in else ""
    why = f": {one.error.splitlines()[0]}" if one.error else ""
    return f"{one.outcome}{where}{why}"[:_WIDTH]
