"""From a saved file to the answer of the new program over HTTP: `doit watch` beside other ways, and what it costs.

`python -m benchmarks.watch --project PATH --runs 9 --json benchmarks/results/NAME.json`

Each way has a copy of the project. After each edit of a literal that is in an answer, the ways take turns, in another
order each time: one saves, and is asked every 20 ms; the others have nothing to do meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks import harness, idle, report, ways
from benchmarks.answers import Address, Lost, free_port
from benchmarks.ways import Missing, Site, Way
from layerdoit.bench import host, measuring, subject
from layerdoit.bench.measuring import Subject
from layerdoit.bench.results import Result
from layerdoit.bench.running import say
from layerdoit.bench.scratch import Scratch

_CALM: Final = 0.5
"""Seconds between two turns."""
_SEED: Final = 1
_RATE: Final = 50
_COUNTED: Final = ("watch", "overlap", "watchexec")
_PORT: Final = 8080
# What the example's answer of /health is.
_FILE: Final = "crates/server/src/routes.rs"
_LITERAL: Final = '"ok"'
_ENV: Final = ("PORT={port}", "BOOKSHELF_ASSETS={root}/assets")


def site(about: Subject, scratch: Scratch, key: str, options: argparse.Namespace) -> Site:
    """A copy of the project for one way, at a port of its own; its base images are had where they lack."""
    tree = scratch.work / key / "tree" / about.root.name
    root = subject.copy(about.root, tree, about.also)
    port, deploy = free_port(), dict(about.given.get("deploy") or {})
    own = {**deploy, "name": f"{scratch.name}-{key}", "publish": port}
    # The image follows when all has been measured, that is: never.
    given = {**about.given, "deploy": own, "watch": {"settle": 86400, "overlap": key == "overlap"}}
    subject.configure(root, given, scratch.name, scratch.name, about.entrypoint)
    ways.as_shipped(root, scratch.name)
    if ways.start_git(scratch, tree):
        harness.doit(root, "image")
    facts = subject.with_base(root, subject.facts(root))
    env = dict(word.partition("=")[::2] for word in options.env)
    inside = int(str(deploy.get("port") or _PORT))
    deployed = {name: str(text) for name, text in (deploy.get("env") or {}).items()}
    return Site(
        scratch, tree, root, facts, Address(port, options.path), options.file, options.literal, env, inside, deployed
    )


def edits(begun: Sequence[Way], runs: int, rows: list[dict[str, Any]]) -> None:
    """After each edit: seconds of each way, in another order each time.

    What one leaves behind (an engine that removes what it has replaced) would else always be borne by the same next.
    """
    texts, chance = begun[0].site.texts(), random.Random(_SEED)  # noqa: S311 - orders
    for number in range(runs + 1):
        text, found = next(texts), dict[str, float]()
        for way in chance.sample(begun, len(begun)):
            time.sleep(_CALM)
            found[way.name] = round(way.turn(text), 4)
            if way.name == ways.CARGO:
                found |= {name: round(seconds, 4) for name, seconds in ways.own_times(way.site, text).items()}
        say(f"edit {number}: " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in found.items()))
        # The first one fills what a way keeps for later ones.
        if number:
            order = [ways.STARTS, ways.ENDS, *(way.name for way in begun)]
            rows.append({"seconds": {name: found[name] for name in order if name in found}})


def swaps(begun: Mapping[str, Way], runs: int, rows: list[dict[str, Any]]) -> None:
    """Requests lost while the program is replaced: the same edits again, with requests beside them."""
    for key in filter(begun.get, _COUNTED):
        way, found = begun[key], list[int]()
        texts, asked = way.site.texts(), 0
        for _ in range(runs):
            time.sleep(_CALM)
            with Lost(way.site.address, _RATE).counted() as requests:
                way.turn(next(texts))
                time.sleep(_CALM)
            found.append(requests.lost)
            asked += requests.asked
        say(f"{way.name}: lost {found} of {asked}")
        rows.append({"way": way.name, "lost": found, "asked": asked, "rate": _RATE})


def measure(options: argparse.Namespace, scratch: Scratch, rows: list[dict[str, Any]], notes: list[str]) -> None:
    """All of it, one after the other."""
    if busy := host.busy():
        notes.append(busy)
    if options.runs:
        look = scratch.work / "look"
        look.mkdir()
        about = measuring.look_at(options.project, {"PROFILE": options.profile}, look)
        # Each is ended, however the others fare.
        with contextlib.ExitStack() as stack:
            begun: dict[str, Way] = {}
            for key in options.ways:
                say(f"{key} …")
                made = site(about, scratch, key, options)
                try:
                    begun[key] = stack.enter_context(ways.WAYS[key](made))
                except Missing as error:
                    notes.append(f"{key} was left out: {error.what}")
                    say(notes[-1])
            edits(list(begun.values()), options.runs, rows)
            swaps(begun, options.runs, rows)
    if options.idle_files:
        rows.append(idle.measure(scratch, options.idle_files, options.idle_seconds))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = harness.parser("watch", __doc__)
    parser.add_argument("--runs", type=int, default=9, help="edits, and replacements with requests beside them")
    parser.add_argument("--file", default=_FILE, help="what is edited, below the project")
    parser.add_argument("--literal", default=_LITERAL, help="of it, with its quotes: what is in the answer")
    parser.add_argument("--path", default="/health", help="whose answer has it")
    parser.add_argument(
        "--env", nargs="*", default=_ENV, help="variables on the host; {port} and {root} stand for those"
    )
    parser.add_argument("--ways", nargs="+", choices=ways.WAYS, default=list(ways.WAYS), help="watch comes first")
    parser.add_argument("--idle-files", type=int, default=10_000, help="0: that is not measured")
    parser.add_argument("--idle-seconds", type=float, default=60.0)
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    given = _arguments(argv)
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    result = Result("watch", {**harness.meta(given, given.runs), "edited": f"{given.literal} in {given.file}"})
    code = harness.measured(given, lambda options, scratch: measure(options, scratch, rows, notes))
    if rows:
        report.tell(replace(result, rows=rows, notes=notes), given.json)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
