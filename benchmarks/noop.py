"""A run with nothing to do: `doit` against a fully cached `docker buildx build` of the same tree, in pairs.

`python -m benchmarks.noop --files 2000 10000 --pairs 15 --json benchmarks/results/NAME.json`
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import engine, generated, peers, report, run, subject
from layerdoit.secrets import gathered

_WARM_UP = 2


def measure(name: str, work: Path, files: int, pairs: int) -> dict[str, Any]:
    """Build once each, then nothing changes; the order of each pair alternates."""
    folder = work / f"files{files}"
    root = generated.workspace(folder / "tree" / "tiny", files)
    subject.configure(root, name, "dev", f"{name}-{files}", "app")
    subject.start_git(root)
    engine.ask([peers.doit(), "image"], root)
    facts = subject.with_base(root, subject.facts(root))
    now = peers.Round(f"{name}-{files}", root, root, folder, gathered(), "", name)
    found: dict[str, list[float]] = {"layerdoit": [], "plain": []}
    for number in range(_WARM_UP + pairs):
        for peer in ("layerdoit", "plain") if number % 2 else ("plain", "layerdoit"):
            built = peers.build(peer, now, facts)
            if built.error:
                raise engine.Failed(f"{peer}: {built.error}")
            if number >= _WARM_UP:
                if built.crates or built.layers:
                    raise engine.Failed(f"{peer} built something although nothing had changed")
                found[peer].append(round(built.seconds, 4))
    sent = sum(path.is_file() for path in root.rglob("*.rs"))
    run.say(
        f"{sent} files: doit {min(found['layerdoit']):.3f} s, docker buildx build {min(found['plain']):.3f} s at best"
    )
    return {"files": files, "doit": found["layerdoit"], "docker": found["plain"]}


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.noop", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--files", type=int, nargs="+", default=[2000, 10000], help="numbers of source files")
    parser.add_argument("--pairs", type=int, default=15, help="paired runs")
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--markdown", type=Path, help="write the table here")
    options = parser.parse_args(argv)
    name = f"layerdoit-bench-{uuid.uuid4().hex[:8]}"
    work = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    result, code = report.Result("noop", run.about(options.pairs)), 0
    with engine.terminated_as_interrupted():
        try:
            for files in options.files:
                result = replace(result, rows=[*result.rows, measure(name, work, files, options.pairs)])
        except KeyboardInterrupt:
            code = 130
        except engine.Failed as error:
            run.say(f"error: {error}")
            code = 1
        finally:
            clean(name, work)
    if result.rows:
        run.write(options, result)
    return code


def clean(name: str, work: Path) -> None:
    """Everything that has this benchmark's name."""
    with engine.undisturbed():
        engine.remove_images([*engine.labelled(name), *engine.tagged(name)])
        engine.prune(name, name)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
