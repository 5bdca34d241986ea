"""What clearing costs: each cache level, and the build after it; and how long `cache_status` takes on a full engine.

`python -m benchmarks.caches --json benchmarks/results/caches/NAME.json`
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import engine, peers, run, scenarios, subject
from layerdoit.cache import levels, usage
from layerdoit.engine import mounts
from layerdoit.engine.images import PREFIX
from layerdoit.project import Project

IMAGES, OURS, STATUS_RUNS = 1000, 20, 5


def prepared(name: str, work: Path, options: argparse.Namespace) -> tuple[Path, subject.Places]:
    """A copy of the project under a name of its own, built from nothing."""
    root = subject.copy(options.project.resolve(), work / "tree" / options.project.resolve().name)
    entrypoint = subject.original_entrypoint(root)
    subject.configure(root, name, options.profile, name, entrypoint)
    return root, subject.places(root, entrypoint, None, None)


def built(root: Path) -> dict[str, Any]:
    """`doit image`, with the layers that it made."""
    logs = root / ".layerdoit/logs"
    before = set(logs.glob("*.log"))
    ran = engine.timed([peers.doit(), "image"], root)
    if ran.code:
        raise engine.Failed(ran.output[-2000:])
    made = [path.stem.rsplit("-", 1)[-1] for path in sorted(set(logs.glob("*.log")) - before)]
    return {"seconds": round(ran.seconds, 2), "layers": made}


def edit(root: Path, places: subject.Places) -> None:
    """One line in a binary's package."""
    path = root / places.leaf
    path.write_text(scenarios.with_line(path.read_text(), "leaf", uuid.uuid4().hex[:8], places.leaf_edition))


def costs(root: Path, places: subject.Places) -> Iterator[Mapping[str, Any]]:
    """Rows: what was cleared and how long that took, and the build after it."""
    yield {"after": "first build", **built(root)}
    yield {"after": "nothing", **built(root)}
    edit(root, places)
    yield {"after": "edit", **built(root)}
    for level in levels.LEVELS:
        going = _freed(root, level)
        cleared = engine.timed([peers.doit(), f"cache_clear:{level}", "--yes"], root)
        if cleared.code:
            raise engine.Failed(cleared.output[-2000:])
        if level == "soft":
            # Its effect shows with the next edit only.
            edit(root, places)
        row = {"after": level, "freed": going, "clearing": round(cleared.seconds, 2), **built(root)}
        run.say(f"{level}: cleared in {row['clearing']} s, then {', '.join(row['layers'])} in {row['seconds']} s")
        yield row


def _freed(root: Path, level: levels.Level) -> int:
    """Bytes, as the preview says them."""
    found = usage.gather(Project(root, {}))
    return levels.freed(found, levels.going(found, level))


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
            labels = {"benchmark": name, "number": str(number)}
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
    listed = engine.ask(["docker", "image", "ls", "--quiet"]).split()
    runs = [engine.timed([peers.doit(), "cache_status"], root) for _ in range(STATUS_RUNS)]
    if any(each.code for each in runs):
        raise engine.Failed(runs[0].output[-2000:])
    seconds = [round(each.seconds, 3) for each in runs]
    run.say(f"cache_status with {len(listed)} images: {min(seconds)}-{max(seconds)} s")
    return {"images": len(listed), "ours": OURS, "seconds": seconds}


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.caches", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--project", type=Path, default=run.EXAMPLE, help="the project to clear and build")
    parser.add_argument("--profile", default="dev", help="cargo profile")
    parser.add_argument("--only-status", action="store_true", help="leave the levels out")
    parser.add_argument("--json", type=Path, help="write the result here")
    options = parser.parse_args(argv)
    name = f"layerdoit-bench-{uuid.uuid4().hex[:8]}"
    work = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    found: dict[str, Any] = {
        "meta": {"project": options.project.resolve().name, "profile": options.profile, **run.about(1)}
    }
    begun, code = time.monotonic(), 0
    with engine.terminated_as_interrupted():
        try:
            root, places = prepared(name, work, options)
            if not options.only_status:
                found["levels"] = list(costs(root, places))
            found["status"] = status(root, name)
            if options.json:
                options.json.parent.mkdir(parents=True, exist_ok=True)
                options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        except KeyboardInterrupt:
            code = 130
        except engine.Failed as error:
            run.say(f"error: {error}")
            code = 1
        finally:
            clean(name, work)
    run.say(f"{time.monotonic() - begun:.0f} s in all")
    return code


def clean(name: str, work: Path) -> None:
    """Everything that has this benchmark's name."""
    with engine.undisturbed():
        # One by one, a thousand would take minutes.
        crowd = [f"{name}-crowd:{number}" for number in range(OURS, IMAGES)]
        engine.ask(["docker", "image", "rm", *crowd], check=False)
        engine.remove_images([*engine.labelled(name), *engine.tagged(name)])
        for mount in mounts.of_project(name):
            mounts.prune(mount.record)
        engine.prune(name, name)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
