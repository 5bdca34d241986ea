"""What clearing costs: each cache level, and the build after it; and how long `cache_status` takes on a full engine.

`python -m benchmarks.caches --json benchmarks/results/caches/NAME.json`
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
import uuid
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import harness
from layerdoit.bench import buildkit, peers, scenarios
from layerdoit.bench.edits import Places
from layerdoit.bench.running import ask, say, timed
from layerdoit.bench.scratch import Scratch
from layerdoit.cache import levels, usage
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine.images import PREFIX
from layerdoit.flows.session import Session
from layerdoit.project.project import Project
from layerdoit.project.run import Run

IMAGES, OURS, STATUS_RUNS = 1000, 20, 5


def built(root: Path) -> dict[str, Any]:
    """`doit image`, with the layers that it made."""
    logs = root / ".layerdoit/logs"
    before = set(logs.glob("*.log"))
    ran = timed([*peers.command(), "image"], root)
    if ran.code:
        raise LayerdoitError(ran.output[-2000:])
    made = [path.stem.rsplit("-", 1)[-1] for path in sorted(set(logs.glob("*.log")) - before)]
    return {"seconds": round(ran.seconds, 2), "layers": made}


def edit(root: Path, places: Places) -> None:
    """One line in a binary's package."""
    path = root / places.leaf
    path.write_text(scenarios.with_line(path.read_text(), "leaf", uuid.uuid4().hex[:8], places.leaf_edition))


def costs(root: Path, places: Places) -> Iterator[Mapping[str, Any]]:
    """Rows: what was cleared and how long that took, and the build after it."""
    yield {"after": "first build", **built(root)}
    yield {"after": "nothing", **built(root)}
    edit(root, places)
    yield {"after": "edit", **built(root)}
    for level in levels.LEVELS:
        going = _freed(root, level)
        cleared = timed([*peers.command(), f"cache_clear:{level}", "--yes"], root)
        if cleared.code:
            raise LayerdoitError(cleared.output[-2000:])
        if level == "soft":
            # Its effect shows with the next edit only.
            edit(root, places)
        row = {"after": level, "freed": going, "clearing": round(cleared.seconds, 2), **built(root)}
        say(f"{level}: cleared in {row['clearing']} s, then {', '.join(row['layers'])} in {row['seconds']} s")
        yield row


def _freed(root: Path, level: levels.Level) -> int:
    """Bytes, as the preview says them."""
    session = Session(Run(), Project.open(root, {}))
    found = usage.gather(session.inputs, session.engine)
    return levels.freed(found, levels.select(found, level))


# --- a full engine ---------------------------------------------------------------------------------------------------


def archive(name: str, project: str) -> bytes:
    """A thousand images of one small layer, some of them the project's, as `docker load` takes them."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as opened:
        _add(opened, "file", name.encode())
    layers = [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]
    result, manifest = io.BytesIO(), []
    with tarfile.open(fileobj=result, mode="w") as opened:
        _add(opened, "layer.tar", layer.getvalue())
        for number in range(IMAGES):
            key = hashlib.sha256(f"{name} {number}".encode()).hexdigest()
            labels = {buildkit.LABEL: name, "number": str(number)}
            tag = f"{name}-crowd:{number}"
            if number < OURS:
                ours = {"project": project, "layer": "app", "key": key, "variant": "dev/host"}
                labels |= {PREFIX + label: value for label, value in ours.items()}
                tag = f"{project}:app-{key[:12]}"
            described = {"architecture": "amd64", "os": "linux", "config": {"Labels": labels}}
            described["rootfs"] = {"type": "layers", "diff_ids": layers}
            _add(opened, f"{number}.json", json.dumps(described).encode())
            manifest.append({"Config": f"{number}.json", "RepoTags": [tag], "Layers": ["layer.tar"]})
        _add(opened, "manifest.json", json.dumps(manifest).encode())
    return result.getvalue()


def _add(opened: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    opened.addfile(entry, io.BytesIO(content))


def status(root: Path, name: str) -> dict[str, Any]:
    """`doit cache_status` among a thousand images."""
    subprocess.run(["docker", "load", "--quiet"], input=archive(name, name), check=True, capture_output=True)
    listed = ask(["docker", "image", "ls", "--quiet"]).split()
    runs = [timed([*peers.command(), "cache_status"], root) for _ in range(STATUS_RUNS)]
    if any(each.code for each in runs):
        raise LayerdoitError(runs[0].output[-2000:])
    seconds = [round(each.seconds, 3) for each in runs]
    say(f"cache_status with {len(listed)} images: {min(seconds)}-{max(seconds)} s")
    return {"images": len(listed), "ours": OURS, "seconds": seconds}


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("caches", __doc__)
    parser.add_argument("--only-status", action="store_true", help="leave the levels out")
    given = parser.parse_args(argv)
    begun = time.monotonic()
    found: dict[str, Any] = {"meta": harness.meta(given, 1)}

    def every(options: Namespace, scratch: Scratch) -> None:
        made = harness.copied(options, scratch)
        if not options.only_status:
            found["levels"] = list(costs(made.root, made.places))
        found["status"] = status(made.root, scratch.name)

    code = harness.measured(given, every)
    if not code:
        harness.write(given.json, found)
    say(f"{time.monotonic() - begun:.0f} s in all")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
