"""`doit layers bench`: layerdoit beside other ways to build the same image, on a copy of the project."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from layerdoit.core.errors import LayerdoitError
from layerdoit.front.verbs import JSON, Verb, text

if TYPE_CHECKING:
    from layerdoit.bench.choice import Wanted
    from layerdoit.bench.measuring import Bench, Subject
    from layerdoit.bench.results import Result


def run(params: Any, _words: Sequence[str]) -> int:
    """Measure, clean, report; 1 when an image of ours was stale or failed. An interruption reports what there is."""
    from layerdoit.bench import choice, measuring, scratch
    from layerdoit.front.variables import variables
    from layerdoit.history.benchmarks import OURS

    wanted = choice.wanted(params["against"], params["scenarios"], params["runs"])
    with scratch.folder() as work:
        about = measuring.look_at(Path(params["root"]), variables(), _empty(work / "look"), params["service"])
        result, ended = _measured(about, wanted, work)
        if result.cells:
            _told(params, result)
    if ended is not None:
        raise ended
    _noted(about, result)
    return int(any(cell.stale or cell.error for cell in result.cells if cell.peer == OURS))


def _measured(about: Subject, wanted: Wanted, work: Path) -> tuple[Result, LayerdoitError | None]:
    """What was measured until the end, an error, or a signal."""
    from layerdoit.bench import choice, host, measuring, scratch
    from layerdoit.bench.running import say

    expected = choice.expected(_history(about.root, _empty(work / "history")), about.variant, wanted)
    say(choice.announced(wanted, about.name, about.variant, expected))
    meta: Mapping[str, Any] = host.about(wanted.runs)
    bench: Bench | None = None
    ended: LayerdoitError | None = None
    try:
        with scratch.opened(about.name, work) as own:
            bench = measuring.begin(about, own, wanted)
            measuring.measure(bench)
    except LayerdoitError as error:
        ended = error
        if bench is None:
            raise
        bench.note(f"ended early: {measuring.public(error.what, work)}")
    return measuring.result(bench, meta), ended


def _told(params: Any, result: Result) -> None:
    from layerdoit.bench import results, views
    from layerdoit.front import pages

    pages.write(params, lambda: views.page(result), lambda: views.summary(result))
    if params["json"]:
        print(results.to_json(result), end="")
    else:
        views.show(result)


def _noted(about: Subject, result: Result) -> None:
    """Into the project's history: what `doit layers report` compares with. The one thing that is written there."""
    from layerdoit.bench import results
    from layerdoit.core.state import State
    from layerdoit.history import benchmarks

    found = {place: (one.median, one.n) for place, one in results.every(result).items()}
    benchmarks.record(State.open(about.root).folder, about.variant, benchmarks.Recorded(time.time(), found))


def _history(root: Path, into: Path) -> Path:
    """A copy of the project's history: reading a database writes beside it."""
    import contextlib
    import shutil

    from layerdoit.core.state import FOLDER
    from layerdoit.history.store import FILE

    for name in (FILE, f"{FILE}-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(root / FOLDER / name, into / name)
    return into


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


VERB: Final = Verb(
    "compare build times with other ways to build this project's image; works on a copy",
    run,
    (
        text("against", "WAYS", "compare with these: plain, mount, chef, native (cargo here)", "plain,mount"),
        text("scenarios", "CHANGES", "changes to measure, such as leaf,nothing; default: all"),
        text("service", "NAME", "which of the services is measured"),
        text("runs", "N", "how many times to measure everything", "3"),
        JSON,
        text("html", "FILE", "write one page with charts to this file"),
        text("summary", "FILE", "append Markdown to this file, such as the job summary of a CI service"),
    ),
    when="To decide with figures of your own project whether layers are worth it.",
    example="doit layers bench --against plain,chef --scenarios leaf",
)
