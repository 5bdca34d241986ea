"""What a deployment costs beside the platform's own command for the same change, in pairs; and a rollback.

`python -m benchmarks.deploys --pairs 10 --json benchmarks/results/deploys.json`

Kubernetes is the API server of the tests, whose pods are ready at once: what is measured is what each way adds.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import harness, report
from layerdoit.bench.running import say
from layerdoit.bench.scratch import Scratch
from layerdoit.core.errors import LayerdoitError
from layerdoit.deploy.provider import Deployed, Release
from tests.engine.compose.composing import CHECKED, Project
from tests.support import kube_cluster
from tests.support.kube_node import digest
from tests.support.kube_project import Place, workload
from tests.support.scratch import make_crate, remove_containers

_WARM_UP = 1
_PORT = 18098


@dataclass(frozen=True)
class Way:
    """One way to deploy: each call changes something and deploys it. `peer`: what `theirs` is."""

    name: str
    peer: str
    ours: Callable[[], object]
    theirs: Callable[[], object]


def pairs(way: Way, count: int) -> dict[str, object]:
    """Measure both in turn; the order of each pair alternates."""
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(_WARM_UP + count):
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            begun = time.monotonic()
            getattr(way, side)()
            if number >= _WARM_UP:
                found[side].append(round(time.monotonic() - begun, 4))
    say(f"{way.name}: {min(found['ours']):.2f} s, {way.peer}: {min(found['theirs']):.2f} s at best")
    return {"way": way.name, "peer": way.peer, **found}


def _fine(done: Deployed) -> None:
    if done.error or not done.phases:
        raise LayerdoitError(f"nothing was deployed: {done.error or 'it served already'}")


def _run(*argv: str, folder: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LayerdoitError(f"{' '.join(argv)}: {done.stderr}")


# --- kubernetes ------------------------------------------------------------------------------------------------------


@contextmanager
def kubernetes(folder: Path) -> Iterator[Way]:
    """`provider.deploy` against `kubectl apply` and `kubectl rollout status`."""
    programs, why = kube_cluster.ensure()
    if programs is None:
        raise LayerdoitError(why)
    with kube_cluster.using(folder / "cluster", programs) as cluster:
        os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
        os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
        cluster.kubectl("create", "namespace", "bench")
        place = Place(cluster, "bench", folder)
        place.write(workload())
        number = iter(range(1, 10_000))

        def ours() -> None:
            at = next(number)
            found = digest("ready", at)
            reference = f"registry.test/shop@{found}"
            _fine(place.provider().deploy(Release(reference, uuid.uuid4().hex * 2, found, "prod", "", str(at))))

        def theirs() -> None:
            image = f"registry.test/shop@{digest('ready', next(number))}"
            text = workload(name="plain").replace("image: shop", f"image: {image}")
            (folder / "plain.yaml").write_text(text)
            words = ("kubectl", "--context=lab", "--namespace=bench")
            _run(*words, "apply", "--server-side", "--filename", str(folder / "plain.yaml"))
            _run(*words, "rollout", "status", "deployment/plain")

        yield Way("kubernetes", "kubectl apply, kubectl rollout status", ours, theirs)


# --- compose ---------------------------------------------------------------------------------------------------------


@contextmanager
def _compose(name: str, folder: Path, image: str, service: str, **settings: object) -> Iterator[Way]:
    """`provider.deploy` against `docker compose up --wait` of the same change, in two projects."""
    import docker

    mine, plain = (
        Project(f"ldb-{uuid.uuid4().hex[:8]}", folder / f"{name}-{side}", image, docker.from_env())
        for side in ("ours", "theirs")
    )
    for port, one in enumerate((mine, plain), _PORT):
        one.root.mkdir(parents=True)
        # With an init process: otherwise compose waits ten seconds for a program that ignores SIGTERM.
        lines = f"    image: IMAGE\n    init: true\n    environment: [VERSION]\n{service.replace('PORT', str(port))}"
        one.write(f"services:\n  web:\n{lines}{CHECKED}")

    def ours() -> None:
        _fine(mine.go(uuid.uuid4().hex[:8], compose={"service": "web", **settings}))

    def theirs() -> None:
        words = ("docker", "compose", "up", "--detach", "--wait", "--pull", "never")
        _run(*words, folder=plain.root, env={"VERSION": uuid.uuid4().hex[:8]})

    try:
        yield Way(f"compose, {name}", "docker compose up --wait", ours, theirs)
    finally:
        for one in (mine, plain):
            one.compose("down", "--timeout", "0")


# --- docker ----------------------------------------------------------------------------------------------------------


@contextmanager
def rollback(folder: Path) -> Iterator[Callable[[], float]]:
    """`doit rollback` as typed, there and back; the seconds of one."""
    crate = make_crate(folder / "rollback", f"ldb-{uuid.uuid4().hex[:8]}")
    crate.env["XDG_STATE_HOME"] = str(folder / "state")
    try:
        crate.doit("cycle_fast").ok()
        crate.edit("src/main.rs", "first text", "second text")
        crate.doit("cycle_fast").ok()

        def once() -> float:
            begun = time.monotonic()
            crate.doit("rollback").ok()
            spent = time.monotonic() - begun
            crate.doit("rollback", "TO=2").ok()
            return round(spent, 4)

        yield once
    finally:
        crate.doit("destroy")
        remove_containers(crate)
        crate.doit("cache_clear:nuke", "--yes")


def measure(scratch: Scratch, count: int) -> Iterator[dict[str, object]]:
    """All ways, one after the other."""
    import docker

    from tests.engine.deploy.conftest import server_image

    scratch.work.mkdir(parents=True, exist_ok=True)
    with rollback(scratch.work) as once:
        yield {"way": "docker, `doit rollback`", "peer": "", "ours": [once() for _ in range(count)], "theirs": []}
    with kubernetes(scratch.work) as way:
        yield pairs(way, count)
    with server_image(docker.from_env(), scratch.work) as image:
        fixed = "    ports: ['127.0.0.1:PORT:8080']\n"
        for name, service, settings in (
            ("beside", "", {}),
            ("recreate", "", {"strategy": "recreate"}),
            ("fixed port, tried first", fixed, {}),
        ):
            with _compose(name, scratch.work, image, service, **settings) as way:
                yield pairs(way, count)


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("deploys", __doc__, project=False)
    parser.add_argument("--pairs", type=int, default=10, help="paired deployments")
    given = parser.parse_args(argv)
    return report.measured("deploys", given, given.pairs, lambda scratch: measure(scratch, given.pairs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
