"""What the benchmarks of this repository share: the command line, a project to measure on, the end, and the result."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerdoit.bench import host, measuring, peers, scratch, subject
from layerdoit.bench.edits import Places, places
from layerdoit.bench.running import ask, say, timed
from layerdoit.bench.scratch import Scratch
from layerdoit.core.errors import Interrupted, LayerdoitError

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "bookshelf"
_PROJECT = "layerdoit"

Measure = Callable[[argparse.Namespace, Scratch], None]


@dataclass(frozen=True)
class Copy:
    """A project under a session's name. `tree`: what git returns to; `root`: the workspace in it."""

    tree: Path
    root: Path
    places: Places


def parser(name: str, doc: str | None, *, project: bool = True) -> argparse.ArgumentParser:
    """With the options that every benchmark has, and those of one that measures a project."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=(doc or "").split("\n", 1)[0])
    if project:
        made.add_argument("--project", type=Path, default=EXAMPLE, help="a Rust project; default: the example")
        made.add_argument("--profile", default="dev", help="cargo profile")
    made.add_argument("--json", type=Path, help="write the result here")
    return made


def copied(options: argparse.Namespace, scratch: Scratch) -> Copy:
    """A copy of the project under the session's name, nothing of it built."""
    look = scratch.work / "look"
    look.mkdir()
    about = measuring.look_at(options.project, {"PROFILE": options.profile}, look)
    tree = scratch.work / "tree" / about.root.name
    root = subject.copy(about.root, tree, about.also)
    subject.configure(root, about.given, scratch.name, scratch.name, about.entrypoint)
    return Copy(tree, root, places(root, about.entrypoint))


def doit(root: Path, *words: str) -> None:
    """`doit …`, not measured."""
    ask([*peers.command(), *words], root)


def seconds(argv: Sequence[str], cwd: Path, more: Mapping[str, str] | None = None) -> float:
    """What a command takes that must succeed."""
    ran = timed(argv, cwd, more)
    if ran.code:
        raise LayerdoitError(f"`{argv[0]}` failed: {ran.output[-800:]}")
    return round(ran.seconds, 4)


def meta(options: argparse.Namespace, runs: int) -> dict[str, Any]:
    """What a result says of where it was measured."""
    commit = ask(["git", "-C", str(HERE), "describe", "--always", "--dirty"], check=False).strip()
    found = host.about(runs)
    named = {"project": options.project.resolve().name, "profile": options.profile} if "project" in options else {}
    return {**named, **found, "layerdoit": f"{found['layerdoit']} ({commit})" if commit else found["layerdoit"]}


def measured(options: argparse.Namespace, measure: Measure) -> int:
    """Measure and clean, whatever happens; the exit code. What was measured before an error is `measure`'s to keep."""
    try:
        with scratch.folder() as work, scratch.opened(_PROJECT, work) as own:
            measure(options, own)
    except Interrupted as error:
        say("interrupted")
        return error.exit_code
    except LayerdoitError as error:
        say(f"error: {error}")
        return 1
    return 0


def write(path: Path | None, found: str | Mapping[str, Any]) -> None:
    """To the file that was asked for."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = found if isinstance(found, str) else json.dumps(found, indent=1) + "\n"
        path.write_text(text, encoding="utf-8")


def tell(text: str) -> None:
    """The result, for a person."""
    print(text, file=sys.stdout, flush=True)
