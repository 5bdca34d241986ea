"""Several services of one workspace, and a front end beside them, on copies of examples/shop.

`python -m benchmarks.services --runs 7 --cold 3 --json benchmarks/results/services.json`

Cold means that only the base images are there: each run has names, layers and mounts of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import harness, report
from layerdoit import config
from layerdoit.bench import buildkit, effective, peers, subject
from layerdoit.bench.running import say
from layerdoit.bench.scratch import Scratch
from layerdoit.build import node_secrets
from layerdoit.flows.session import Session
from layerdoit.project import component_inputs
from layerdoit.project.project import Project
from layerdoit.project.run import Run

SHOP: Final = harness.EXAMPLE.parent / "shop"
RUST: Final = ("api", "worker")
NODE: Final = ("page",)

# What is edited: a text that both programs hold, and a colour; the file, what stands there, what comes in its place.
_LIBRARY: Final = ("crates/core/src/store.rs", r"the database does not answer\w*", "the database does not answer{}")
_STYLE: Final = ("web/src/style.css", r"--ink: #\w+", "--ink: #{}")

# As it is written without thinking of caches: dependencies first, then everything.
_DOCKERFILE: Final = """\
ARG NODE
ARG RUNTIME
FROM ${NODE} AS build
USER root
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=secret,id=ca,target=/run/secrets/ca \\
    --mount=type=secret,id=proxy,target=/run/secrets/proxy \\
    --mount=type=secret,id=npmrc,target=/root/.npmrc \\
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \\
    if [ -s /run/secrets/proxy ]; then . /run/secrets/proxy; fi; \\
    : TOKEN; npm ci
COPY . .
RUN npm run build

FROM ${RUNTIME}
COPY --from=build /src/dist /srv/page
"""


@dataclass(frozen=True)
class Shop:
    """A copy of the example with some of its services."""

    root: Path
    name: str
    services: Sequence[str]

    def configure(self, token: str) -> None:
        """Its settings under its own name; with another token, nothing of it is built."""
        given = effective.effective(SHOP, {})
        values: dict[str, Any] = {"project": self.name, **given}
        values["services"] = {name: given["services"][name] for name in self.services}
        # Two copies run at once, and a page alone has nobody to ask.
        for service in values["services"].values():
            service["needs"] = [need for need in service.get("needs", ()) if need == "db" or need in self.services]
        if not set(NODE) & set(self.services):
            del values["components"]
        subject.mark(self.root, values, token)
        for component in values.get("components", {}).values():
            component["env"] = dict(values["env"])
        (self.root / config.FILE).write_text(effective.text(values), encoding="utf-8")

    def doit(self, *words: str) -> float:
        """Seconds of a command of layerdoit."""
        return harness.seconds([*peers.command(), *words], self.root)

    def edit(self, file: str, pattern: str, text: str) -> None:
        """Something in it is new."""
        path = self.root / file
        before = path.read_text(encoding="utf-8")
        # Six digits, as a colour has.
        path.write_text(re.sub(pattern, text.format(uuid.uuid4().hex[:6]), before, count=1), encoding="utf-8")


@contextmanager
def shop(scratch: Scratch, label: str, services: Sequence[str]) -> Iterator[Shop]:
    """A copy of which nothing is built; nothing of it runs afterwards."""
    name = f"{scratch.name}-{label}"
    # Its folder's name is also that of its compose project.
    root = subject.copy(SHOP, scratch.work / name / name)
    made = Shop(root, name, services)
    made.configure(name)
    subject.start_git(root)
    try:
        yield made
    finally:
        for words in ([*peers.command(), "destroy"], _compose("down", "--volumes", "--rmi", "local", "-t", "0")):
            subprocess.run(words, cwd=root, capture_output=True, check=False)
        # The end of the session looks for its own name only.
        buildkit.remove_images(buildkit.tags_of(name))
        buildkit.remove_images(buildkit.images_of(name))


def _compose(*words: str) -> list[str]:
    return ["docker", "compose", *words]


def turns(count: int, ways: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """All ways in turn, in an order that rotates; the first turn is not counted."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(count + 1):
        at = number % len(names)
        for name in (*names[at:], *names[:at]):
            spent = ways[name]()
            if number:
                found[name].append(spent)
    return found


def second(scratch: Scratch, count: int) -> dict[str, object]:
    """After an edit in the library: the image of one service, then that of the other."""
    with shop(scratch, "second", RUST) as made:
        made.doit("image")
        found: dict[str, list[float]] = {"first": [], "second": []}
        for number in range(count + 1):
            made.edit(*_LIBRARY)
            names = RUST if number % 2 else RUST[::-1]
            spent = [made.doit(f"image:{name}") for name in names]
            if number:
                for list_, seconds in zip(found.values(), spent, strict=True):
                    list_.append(seconds)
    return {"way": "second", "ours": found["second"], "theirs": found["first"]}


def library(scratch: Scratch, count: int) -> dict[str, object]:
    """After an edit in the library: both services swapped, beside a project that has only one."""
    with shop(scratch, "one", RUST[:1]) as one, shop(scratch, "two", RUST) as two:

        def cycle(made: Shop) -> Callable[[], float]:
            def go() -> float:
                made.edit(*_LIBRARY)
                return made.doit("cycle_fast")

            made.doit("cycle_fast")
            return go

        found = turns(count, {"one": cycle(one), "two": cycle(two)})
    return {"way": "library", "ours": found["two"], "theirs": found["one"]}


def cold(scratch: Scratch, count: int) -> dict[str, object]:
    """Everything but the base images, of both worlds and of each alone; and how busy the processors were."""
    with shop(scratch, "cold", (*RUST, *NODE)) as both:
        kinds = {"both": (*RUST, *NODE), "rust": RUST, "node": NODE}
        idle: list[float] = []
        made = 0

        def build(name: str) -> Callable[[], float]:
            def go() -> float:
                nonlocal made
                made += 1
                Shop(both.root, both.name, kinds[name]).configure(f"{both.name}-{made}")
                before, begun = _idle(), time.monotonic()
                spent = both.doit("image")
                if name == "both":
                    processors = os.cpu_count() or 1
                    idle.append(round((_idle() - before) / (time.monotonic() - begun) / processors, 3))
                return spent

            return go

        found = turns(count, {name: build(name) for name in kinds})
    # The first turn made the base images.
    return {"way": "cold", "ours": found["both"], "rust": found["rust"], "node": found["node"], "idle": idle[1:]}


def _idle() -> float:
    """Seconds that the processors of this machine have had nothing to do."""
    fields = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


def style(scratch: Scratch, count: int) -> Iterator[dict[str, object]]:
    """A colour that changed: the page's image, beside a plain Dockerfile; then nothing to do."""
    with shop(scratch, "style", (*RUST, *NODE)) as made:
        made.doit("image")
        argv, environment = _plain(scratch, made)

        def edited(build: Callable[[], float]) -> Callable[[], float]:
            def go() -> float:
                made.edit(*_STYLE)
                return build()

            return go

        ours, theirs = (lambda: made.doit("image:page")), (lambda: harness.seconds(argv, made.root, environment))
        found = turns(count, {"ours": edited(ours), "theirs": edited(theirs)})
        yield {"way": "style", **found}
        made.doit("image")
        yield {"way": "nothing", "ours": [made.doit("image") for _ in range(count)], "theirs": []}


def _plain(scratch: Scratch, made: Shop) -> tuple[list[str], dict[str, str]]:
    """`docker buildx build` of the page, on the images that ours stands on; and its environment."""
    dockerfile = scratch.work / "Dockerfile.plain"
    dockerfile.write_text(_DOCKERFILE.replace("TOKEN", scratch.name), encoding="utf-8")
    (made.root / "web/.dockerignore").write_text("node_modules\ndist\n", encoding="utf-8")
    session = Session(Run(), Project.open(made.root, {}))
    page = session.services["page"]
    web = component_inputs.of(session.inputs.tree, "web", session.engine.platform)
    args = {"NODE": web.specs[0].tag, "RUNTIME": page.plan.step("runtime").spec.tag}
    build = buildkit.Build(
        dockerfile, made.root / "web", f"{scratch.name}:plain", args, node_secrets.collect(web), scratch.name
    )
    return build.argv(), build.environment()


def measure(scratch: Scratch, count: int, colds: int) -> Iterator[dict[str, object]]:
    """All of it, one after the other."""
    from layerdoit.engine.broker import bootstrap_os

    # Whether or not a registry can be reached, the database stands on the same system.
    os.environ["DATABASE_BASE"] = bootstrap_os("trixie")
    for row in (second(scratch, count), library(scratch, count), *style(scratch, count), cold(scratch, colds)):
        say(f"{row['way']}: {row}")
        yield row


def main(argv: Sequence[str]) -> int:
    """Measure, clean, report."""
    parser = harness.parser("services", __doc__, project=False)
    parser.add_argument("--runs", type=int, default=7, help="edits of each kind")
    parser.add_argument("--cold", type=int, default=3, help="builds from nothing of each kind")
    given = parser.parse_args(argv)
    return report.measured("services", given, given.runs, lambda scratch: measure(scratch, given.runs, given.cold))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
