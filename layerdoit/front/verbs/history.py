"""`doit layers history`: the recorded runs, one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from layerdoit.core.errors import ConfigError
from layerdoit.front.verbs import JSON, Verb, flag, text

LAST: Final = text("last", "N", "only the newest N runs")


def run(params: Any, _words: Sequence[str]) -> int:
    """Print the runs, newest last."""
    from layerdoit.front import projects
    from layerdoit.history import export
    from layerdoit.report.formats import NO_RUNS

    if params["json"] and params["csv"]:
        raise ConfigError("--json and --csv exclude each other", hint="give one of them")
    last = last_of(params)
    state = projects.opened(params).state.folder
    if params["csv"]:
        print(export.as_csv(state, last), end="")
        return 0
    runs = export.as_json(state, last)
    if params["json"]:
        print(json.dumps({"runs": runs}, indent=2))
    else:
        print("\n".join(map(line, runs)) if runs else NO_RUNS)
    return 0


def last_of(params: Any) -> int | None:
    """`--last` as a number of runs; None where it is not given."""
    written: str = params["last"]
    if not written:
        return None
    if not (written.isascii() and written.isdigit() and 0 < int(written) < 1_000_000):
        raise ConfigError(
            f'--last expects a number of runs, at least 1, got "{written}"',
            hint="for example --last 20 for the newest 20",
        )
    return int(written)


def line(run: Mapping[str, Any]) -> str:
    """One run: when, task, what was done to each layer and for how long, how it ended, commit."""
    from layerdoit.layers.key import ORDER
    from layerdoit.report.formats import NOTHING, commit_text, one_line, when_text
    from layerdoit.report.plausible import moment

    known = [name for name in ORDER if name in run["layers"]]
    names = [*known, *sorted(run["layers"].keys() - set(known))]
    layers = ", ".join(f"{one_line(name)} {_action(run['layers'][name])}" for name in names) or "no layer"
    ended = run["outcome"] + (f" in {run['failed_in']}" if run["failed_in"] else "")
    commit = commit_text(run["git_commit"]) + (" with changes" if run["dirty"] else "")
    task = one_line(run["task"]) or NOTHING
    return (
        f"{when_text(moment(run['at']))}  {task:<12}  {one_line(run['variant'])}  {layers}  {one_line(ended)}  {commit}"
    )


def _action(layer: Mapping[str, Any]) -> str:
    from layerdoit.report.formats import one_line, seconds_text

    action = one_line(layer["action"])
    return action if action == "reuse" else f"{action} {seconds_text(layer['seconds'])}"


VERB: Final = Verb(
    "list the recorded runs, newest last",
    run,
    (JSON, flag("csv", "print one line for each layer of each run"), LAST),
    when="To find one run: when it was, what it did to each layer, how long that took.",
    example="doit layers history --last 20",
)
