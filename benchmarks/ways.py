"""The ways from a saved file to the answer of the new program: each on a copy of the project, at a port of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import harness
from benchmarks.answers import Address
from benchmarks.programs import Running
from layerdoit.bench import buildkit, peers, subject
from layerdoit.bench.running import ask
from layerdoit.bench.scratch import Scratch
from layerdoit.bench.subject import Facts
from layerdoit.build.host_secrets import Secrets, collect
from layerdoit.core.errors import LayerdoitError
from layerdoit.engine import buildx

WATCH: Final = "doit watch"
OVERLAP: Final = "doit watch, with watch.overlap"
CARGO: Final = "cargo build"
STARTS: Final = "the application starts"
ENDS: Final = "the application ends, once it is told to"
WATCHEXEC: Final = "watchexec -r cargo run, on the host"
MOUNTED: Final = "watchexec -r cargo run, in a container with the sources mounted"
REBUILD: Final = "docker compose watch, rebuild"
SYNC: Final = "docker compose watch, sync+restart of cargo run"
CYCLE: Final = "doit cycle_fast"
_SOURCES: Final = "/src"
_PATIENCE: Final = 10.0
"""Seconds for a program to end."""
_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Missing(LayerdoitError):
    """A program of another way is not here: that way is left out."""


@dataclass
class Site:
    """A copy of the project. `file`: the one that is edited, below `root`; `literal`: of it, as it stands there.

    `env`: variables of the program on the host; `{port}` and `{root}` in them stand for those. `inside`: its port in a
    container; `deployed`: its variables in one of its image.
    """

    scratch: Scratch
    tree: Path
    root: Path
    facts: Facts
    address: Address
    file: str
    literal: str
    env: Mapping[str, str]
    inside: int
    deployed: Mapping[str, str]
    original: str = field(init=False)

    def __post_init__(self) -> None:
        self.original = self.path.read_text(encoding="utf-8")
        if self.literal not in self.original:
            raise LayerdoitError(f"there is no {self.literal} in {self.file}", hint="name another one by --literal")

    @property
    def path(self) -> Path:
        """The file that is edited."""
        return self.root / self.file

    def save(self, text: str) -> None:
        """Put a text of the same length in the place of the literal's."""
        self.path.write_text(self.original.replace(self.literal, f'"{text}"', 1), encoding="utf-8")

    def texts(self) -> Iterator[str]:
        """Texts as long as the literal's, each another one, and none in what is answered before the first edit."""
        length, before = len(self.literal) - 2, self.address.body() or ""
        for number in range(len(_ALPHABET), len(_ALPHABET) ** min(length, 4)):
            digits, left = "", number
            while left:
                left, digit = divmod(left, len(_ALPHABET))
                digits = _ALPHABET[digit] + digits
            if (found := digits.rjust(length, "0")) not in before:
                yield found

    def variables(self, port: int, root: str) -> dict[str, str]:
        """Those of the program, and of cargo, where it listens there, and the project is there."""
        own = {name: text.format(port=port, root=root) for name, text in self.env.items()}
        return {**dict(self.facts.env), **own}

    def cargo_run(self, *, verb: str = "run") -> list[str]:
        """cargo for the one binary that serves."""
        words = list(self.facts.cargo_args)
        while "-p" in words:
            at = words.index("-p")
            del words[at : at + 2]
        return ["cargo", verb, "--locked", *words, "--bin", self.facts.entrypoint]


@dataclass(frozen=True)
class Way:
    """`after`: what the user calls after a save, where nothing watches. `alive`: '' while its watch runs, or why not.

    `to_its_end`: it is over when the command has ended; else when the program answers.
    """

    name: str
    site: Site
    after: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    to_its_end: bool = False
    alive: Callable[[], str] = lambda: ""

    def turn(self, text: str) -> float:
        """Save; seconds until the new program answers, or cargo has ended."""
        begun = time.perf_counter()
        self.site.save(text)
        if self.to_its_end:
            harness.seconds(self.after, self.site.root, self.env)
            return time.perf_counter() - begun
        with contextlib.ExitStack() as stack:
            called = stack.enter_context(running(self.after, self.site, self.env)) if self.after else None
            fails = called.failed if called is not None else self.alive
            answered = self.site.address.until(lambda body: text in body, fails)
            if called is not None:
                called.end_by_itself()
        return answered - begun


@contextlib.contextmanager
def running(argv: Sequence[str], site: Site, env: Mapping[str, str]) -> Iterator[Running]:
    """A program in the folder of a project, which ends with the block."""
    found = Running(argv, site.root, env, site.scratch.work / f"{site.tree.parent.parent.name}.log")
    try:
        yield found
    finally:
        found.end()


def start_git(scratch: Scratch, tree: Path) -> bool:
    """Make a tree a repository; whether it is the first one. Another first commit would make it another project's."""
    first = next(iter(sorted(scratch.work.glob("*/tree/*/.git"))), None)
    if first is not None:
        shutil.copytree(first, tree / ".git")
        return False
    subject.start_git(tree)
    return True


def as_shipped(root: Path, token: str) -> None:
    """Take a mark out of the command that compiles: a watch knows only one that is as in what is shipped."""
    dockerfile = root / f"{token}.Dockerfile.app"
    dockerfile.write_text(dockerfile.read_text(encoding="utf-8").replace(f": {token}; ", ""), encoding="utf-8")


# --- the ways --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def watching(name: str, site: Site) -> Iterator[Way]:
    """`doit watch`, started once."""
    with running([*peers.command(), "watch", "--json"], site, {}) as one:
        try:
            _begin(site, one.ended)
            one.until('"event": "watching"', '"event": "failed"')
            yield Way(name, site, alive=one.ended)
        finally:
            one.end()
            destroyed_in(site.root)


@contextlib.contextmanager
def cycle(site: Site) -> Iterator[Way]:
    """`doit cycle_fast` after each save."""
    try:
        harness.doit(site.root, "cycle_fast")
        yield Way(CYCLE, site, [*peers.command(), "cycle_fast"])
    finally:
        destroyed_in(site.root)


def destroyed_in(root: Path) -> None:
    """Nothing is left of what layerdoit deployed."""
    ask([*peers.command(), "destroy"], root, check=False)


@contextlib.contextmanager
def cargo(site: Site) -> Iterator[Way]:
    """`cargo build`, of all that layerdoit compiles."""
    argv = ["cargo", "build", "--locked", *site.facts.cargo_args, *site.facts.bin_args]
    target = site.scratch.work / "native-target"
    yield Way(CARGO, site, argv, {**dict(site.facts.env), "CARGO_TARGET_DIR": str(target)}, to_its_end=True)


def own_times(site: Site, text: str) -> dict[str, float]:
    """Of the binary that `cargo` has built: seconds from its start until it answers, and from SIGTERM until its end.

    Whatever replaces it in its container has to wait for the latter.
    """
    program = site.scratch.work / "native-target" / peers.profile_folder(site.facts) / site.facts.entrypoint
    begun = time.perf_counter()
    env = site.variables(site.address.port, str(site.root))
    with running([str(program)], site, env) as one:
        answers = site.address.until(lambda body: text in body, one.ended) - begun
        told = time.perf_counter()
        one.process.terminate()
        while not one.ended() and time.perf_counter() < told + _PATIENCE:
            time.sleep(0.002)
        return {STARTS: answers, ENDS: time.perf_counter() - told}


@contextlib.contextmanager
def watchexec(site: Site) -> Iterator[Way]:
    """On the host."""
    target = site.scratch.work / "watchexec-target"
    env = {**site.variables(site.address.port, str(site.root)), "CARGO_TARGET_DIR": str(target)}
    with running(_watchexec(_program("watchexec"), site, str(site.tree)), site, env) as one:
        _begin(site, one.ended)
        yield Way(WATCHEXEC, site, alive=one.ended)


def _watchexec(program: str, site: Site, tree: str, *more: str) -> list[str]:
    return [program, "--restart", "--watch", tree, "--", *site.cargo_run(), *more]


@contextlib.contextmanager
def mounted(site: Site) -> Iterator[Way]:
    """In a container of the builder's image, with cargo's registry of the host, and a target folder of its own."""
    program, name = _program("watchexec"), f"{site.scratch.name}-mounted"
    root = peers.workdir(site.facts)
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    env = {**site.variables(site.inside, root), "CARGO_TARGET_DIR": "/target"}
    argv = ["docker", "run", "--rm", "--init", "--name", name, "--label", f"{buildkit.LABEL}={site.scratch.name}"]
    argv += ["--publish", f"127.0.0.1:{site.address.port}:{site.inside}", "--workdir", root, "--volume", "/target"]
    argv += ["--volume", f"{site.tree}:{_SOURCES}", "--volume", f"{home / 'registry'}:/cargo/registry:ro"]
    argv += ["--volume", f"{program}:/usr/local/bin/watchexec:ro"]
    argv += [word for variable, text in env.items() for word in ("--env", f"{variable}={text}")]
    call = _watchexec("watchexec", site, _SOURCES)
    call.insert(call.index("run") + 1, "--offline")
    with running([*argv, site.facts.builder, *call], site, {}) as one:
        try:
            _begin(site, one.ended)
            yield Way(MOUNTED, site, alive=one.ended)
        finally:
            ask(["docker", "rm", "--force", "--volumes", name], check=False)


@contextlib.contextmanager
def compose_rebuild(site: Site) -> Iterator[Way]:
    """The image is built again, by a plain Dockerfile with mounts for cargo's registry and target folder."""
    token, folder = f"{site.scratch.name}-compose", site.scratch.work / "compose-rebuild"
    folder.mkdir()
    dockerfile, secrets = folder / "Dockerfile", collect()
    dockerfile.write_text(peers.dockerfile_text("mount", token, site.facts))
    (folder / "Dockerfile.dockerignore").write_text(peers.ignored("compose", site.facts))
    build: dict[str, Any] = {
        "context": str(site.tree),
        "dockerfile": str(dockerfile),
        "args": {"BUILDER": site.facts.builder, "RUNTIME": site.facts.runtime, **secrets.args},
        "labels": {buildkit.LABEL: site.scratch.name},
        "secrets": [*secrets.files, *secrets.values],
    }
    service = {"image": f"{site.scratch.name}-compose:once", "build": build}
    with _composed(REBUILD, site, folder, service, "rebuild", secrets) as way:
        yield way


@contextlib.contextmanager
def compose_sync(site: Site) -> Iterator[Way]:
    """Changed sources are copied into a container of the builder's image, whose `cargo run` is started again."""
    folder, home = site.scratch.work / "compose-sync", Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    folder.mkdir()
    call = site.cargo_run()
    call.insert(call.index("run") + 1, "--offline")
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(f"FROM {site.facts.builder}\nCOPY . {_SOURCES}\n")
    (folder / "Dockerfile.dockerignore").write_text(peers.ignored("sync", site.facts))
    service = {
        "image": f"{site.scratch.name}-sync:once",
        "build": {
            "context": str(site.tree),
            "dockerfile": str(dockerfile),
            "labels": {buildkit.LABEL: site.scratch.name},
        },
        "command": call,
        "working_dir": peers.workdir(site.facts),
        "volumes": [f"{home / 'registry'}:/cargo/registry:ro"],
    }
    with _composed(SYNC, site, folder, service, "sync+restart", Secrets({}, {}, {}, ssh=False)) as way:
        yield way


@contextlib.contextmanager
def _composed(
    name: str, site: Site, folder: Path, service: Mapping[str, Any], action: str, secrets: Secrets
) -> Iterator[Way]:
    import yaml

    if subprocess.run(["docker", "compose", "watch", "--help"], capture_output=True, check=False).returncode:
        raise Missing("docker compose has no watch here")
    label = {buildkit.LABEL: site.scratch.name}
    rule = {"action": action, "path": str(site.tree), "ignore": ["target/", ".git/"]}
    if action != "rebuild":
        rule["target"] = _SOURCES
    of_sources = site.variables(site.inside, peers.workdir(site.facts))
    own = {
        **service,
        "labels": label,
        "init": True,
        "ports": [f"127.0.0.1:{site.address.port}:{site.inside}"],
        "environment": dict(site.deployed) if action == "rebuild" else of_sources,
        "develop": {"watch": [rule]},
    }
    variables = buildx.secret_environment(secrets.values)
    of_values = dict(zip(secrets.values, variables, strict=True))
    file = {
        "name": f"{site.scratch.name}-{folder.name}".lower(),
        "services": {"app": own},
        "networks": {"default": {"labels": label}},
        "secrets": {
            **{one: {"file": str(path)} for one, path in secrets.files.items()},
            **{one: {"environment": variable} for one, variable in of_values.items()},
        },
    }
    (folder / "compose.yaml").write_text(yaml.safe_dump(file, sort_keys=False).replace("$", "$$"))
    compose = ["docker", "compose", "--file", str(folder / "compose.yaml")]
    try:
        with running([*compose, "watch"], site, variables) as one:
            _begin(site, one.ended)
            yield Way(name, site, alive=one.ended)
    finally:
        ask([*compose, "down", "--volumes", "--timeout", "1", "--rmi", "local"], check=False, more=variables)


def _begin(site: Site, fails: Callable[[], str]) -> None:
    """Wait until the first program answers: everything is compiled."""
    site.address.until(lambda _: True, fails, 900)


def _program(name: str) -> str:
    """The path of a program, which a script may have to bring; `Missing` with what it says."""
    if found := shutil.which(name):
        return found
    script = harness.HERE.parent / "scripts" / f"ensure-{name}"
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(done.stderr.strip() or f"{name} is not here")
    return done.stdout.strip()


WAYS: Final[Mapping[str, Callable[[Site], contextlib.AbstractContextManager[Way]]]] = {
    "watch": functools.partial(watching, WATCH),
    "overlap": functools.partial(watching, OVERLAP),
    "cargo": cargo,
    "watchexec": watchexec,
    "mounted": mounted,
    "rebuild": compose_rebuild,
    "sync": compose_sync,
    "cycle": cycle,
}
