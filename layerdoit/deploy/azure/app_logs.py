"""The lines that an app wrote, as `az containerapp logs show` streams them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import queue
import re
import threading
from collections.abc import Iterator
from typing import Final

from layerdoit.core import command_errors, masking, process
from layerdoit.core.errors import LayerdoitError
from layerdoit.core.ladder import Graces
from layerdoit.deploy.azure import az_errors
from layerdoit.deploy.azure.app_state import App
from layerdoit.deploy.azure.az import Az, missing_az

MOST: Final = 300
"""Lines that Azure gives of the past."""


def lines(
    az: Az, app: App, revision: str, *, follow: bool = False, tail: int | None = None, since: float | None = None
) -> Iterator[str]:
    """The lines of a revision's container. DeployError where az gives none."""
    wanted = MOST if tail is None or since is not None else max(0, min(tail, MOST))
    argv = [*az.command("logs", "show"), "--revision", revision, "--format", "json", "--tail", str(wanted)]
    if app.container is not None:
        argv += ["--container", str(app.container["name"])]
    begins = None if since is None else dt.datetime.now(dt.UTC) - dt.timedelta(seconds=since)
    if follow:
        yield from (text for moment, text in map(_entry, _followed(az, [*argv, "--follow"])) if _later(moment, begins))
        return
    found = [text for moment, text in map(_entry, _said(az, argv)) if _later(moment, begins)]
    yield from found if tail is None else found[len(found) - min(tail, len(found)) :]


def last(az: Az, app: App, revision: str, count: int) -> list[str] | None:
    """The last lines of a revision; None where they cannot be had."""
    with contextlib.suppress(LayerdoitError):
        return list(lines(az, app, revision, tail=count))
    return None


def events(az: Az, revision: str, count: int) -> list[str]:
    """What the platform itself says of a revision, and nothing where it cannot be had."""
    with contextlib.suppress(LayerdoitError):
        found = map(_event, _said(az, [*az.command("logs", "show"), "--type", "system", "--tail", str(MOST)]))
        said = [text for name, text in found if name == revision and text]
        return list(dict.fromkeys(said))[-count:]
    return []


def _said(az: Az, argv: list[str]) -> list[str]:
    try:
        done = process.capture(argv, check=False, seconds=60)
    except command_errors.ProgramMissing as missing:
        raise missing_az() from missing
    if done.code != 0:
        raise az_errors.explained(masking.redact(done.stderr), az.place)
    return done.stdout.splitlines()


def _followed(az: Az, argv: list[str]) -> Iterator[str]:
    """Line by line, until the stream ends or the user interrupts."""
    passed: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
    errors: list[str] = []

    def work() -> None:
        try:
            code = process.stream(
                argv,
                on_line=lambda name, line: passed.put(line) if name == "stdout" else errors.append(line),
                graces=Graces(interrupt=1.0),
            )
            passed.put(az_errors.explained("\n".join(errors), az.place) if code else None)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that reads
            passed.put(error)

    threading.Thread(target=work, daemon=True).start()
    while True:
        try:
            # A signal is heard between two waits.
            line = passed.get(timeout=1.0)
        except queue.Empty:
            continue
        if isinstance(line, BaseException):
            raise line
        if line is None:
            return
        yield line


def _entry(line: str) -> tuple[dt.datetime | None, str]:
    """When a line was written, and the line itself."""
    with contextlib.suppress(ValueError, AttributeError, KeyError):
        found = json.loads(line)
        text = str(found["Log"])
        # The runtime writes its own time and stream before each line.
        return _moment(str(found.get("TimeStamp", ""))), re.sub(r"^\S+ (?:stdout|stderr) [FP] ", "", text)
    return None, line


def _event(line: str) -> tuple[str, str]:
    with contextlib.suppress(ValueError, AttributeError):
        found = json.loads(line)
        reason, said = str(found.get("Reason") or ""), str(found.get("Msg") or "")
        return str(found.get("RevisionName") or ""), f"{reason}: {said}" if reason else said
    return "", ""


def _moment(text: str) -> dt.datetime | None:
    """Azure writes more digits than Python reads, and sometimes a space for the T."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)", text)
    return dt.datetime.fromisoformat(f"{found[1]}T{found[2]}+00:00") if found else None


def _later(moment: dt.datetime | None, begins: dt.datetime | None) -> bool:
    return begins is None or moment is None or moment >= begins.replace(microsecond=0)
