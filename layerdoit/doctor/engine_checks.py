"""Engine, buildx, builder: can they do what builds need, and will they keep what builds leave behind?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerdoit.core.units import size_text
from layerdoit.doctor.engine_facts import Builder, Engine, Failed
from layerdoit.doctor.finding import Fact, Item, Rule, Unchecked, rules
from layerdoit.engine import builders

# `--progress rawjson` came with this one.
MIN_BUILDX = (0, 13)
LITTLE_ROOM = 10 * 10**9
NO_ROOM = 2 * 10**9
# Seconds; below, registries and certificates do not mind.
MAX_SKEW = 5.0

UNREACHABLE = Rule(
    "engine-unreachable",
    "error",
    "No Docker engine answers.",
    "every layer is built and kept by the engine",
    "start it, or set DOCKER_HOST; `docker info` shows more",
)
NOT_LINUX = Rule(
    "engine-not-linux",
    "error",
    "The engine does not build for Linux.",
    "the images are Linux images",
    "switch the engine to Linux containers",
)
BUILDX = Rule(
    "buildx",
    "error",
    "buildx is missing, or older than 0.13.",
    "every layer is built by `docker buildx build`, whose progress is read in a form that came with 0.13",
    "install the buildx plugin (package docker-buildx or docker-buildx-plugin), 0.13 or later",
)
BUILDER = Rule(
    "builder",
    "error",
    "The configured builder does not exist or does not answer.",
    "builds run on it",
    "docker buildx ls lists the builders; name one with BUILDER= or builder: in layerdoit.yaml",
)
PENDING = Rule(
    "pending-push",
    "warning",
    "Layers or compiled artefacts that are to be shared are not known to be in the registry.",
    "other machines build what they could pull",
    "run doit: it pushes them; where that fails, it says why",
)
DISK = Rule(
    "disk",
    "warning",
    "Little space is left where the engine stores images.",
    "a build that fills the disk fails, and may make other programs fail",
    "free some space: `doit cache_status` shows what this project uses, `docker system df` the rest",
)
GC = Rule(
    "gc-mounts",
    "hint",
    "BuildKit's garbage collection will remove this project's target folders.",
    "after a weekend the workspace (not its dependencies) compiles from scratch",
    "set garbage collection rules for the builder",
)
CLOCK = Rule(
    "clock",
    "warning",
    "The clocks of host and engine differ.",
    "times in labels, `until` filters and certificate checks go wrong; builds compare content and are not affected",
    "set the clocks; a virtual machine loses time while it sleeps, and restarting it (or Docker Desktop) fixes that",
)
SLOW_NOOP = Rule(
    "slow-no-op",
    "warning",
    "A run with nothing to do takes long.",
    "every run starts with this check",
    "exclude what is not source code (sources.exclude, .gitignore), and keep the tree on a local disk",
)
RULES = tuple(rules(globals()))


def engine(found: Engine | Failed) -> Iterator[Item]:
    """Reachable, Linux, room, clock."""
    if isinstance(found, Failed):
        yield UNREACHABLE.found(found.why, fix=found.fix)
        return
    yield Fact("engine", f"{found.version} at {found.endpoint}")
    if found.system != "linux":
        yield NOT_LINUX.found(f"the engine runs {found.system} containers")
    if isinstance(found.disk, str):
        yield Unchecked("space for images", found.disk)
    else:
        free, total = found.disk
        yield Fact("space for images", f"{size_text(free)} of {size_text(total)}")
        if free < LITTLE_ROOM:
            what = f"{size_text(free)} of {size_text(total)} is left where the engine stores images"
            yield DISK.found(what, level="error" if free < NO_ROOM else None)
    if found.skew is None:
        yield Unchecked("clock difference", "the engine does not report its time")
    elif abs(found.skew) > MAX_SKEW:
        yield CLOCK.found(f"the engine's clock is {abs(found.skew):.0f} s {'ahead' if found.skew > 0 else 'behind'}")


def buildx(found: tuple[int, ...] | Failed) -> Iterator[Item]:
    """There, and able to do what is asked of it."""
    if isinstance(found, Failed):
        yield BUILDX.found(found.why, fix=found.fix or None)
        return
    yield Fact("buildx", ".".join(map(str, found)))
    if found[:2] < MIN_BUILDX:
        yield BUILDX.found(f"buildx is {'.'.join(map(str, found))}")


def builder(found: Builder | Failed) -> Iterator[Item]:
    """Usable, and of which platforms."""
    if isinstance(found, Failed):
        yield BUILDER.found(found.why, fix=found.fix)
        return
    platforms = sorted({"/".join(name.split("/")[:2]) for name in found.platforms})
    if not found.driver:
        yield Unchecked("builder", f"the driver of builder {found.name} is unknown while no engine answers")
        return
    yield Fact("builder", f"{found.name} ({found.driver}, {found.status or 'state unknown'})")
    yield Fact("platforms", ", ".join(platforms) or "unknown")
    if found.driver == "remote" and found.status != "running":
        yield BUILDER.found(f"builder {found.name} does not answer", fix="start its buildkitd, or name another builder")


def mounts(builder: Builder, size: int | None) -> Iterator[Item]:
    """Will what the app layer compiled outlive a weekend? `size`: bytes in this project's mounts, where that counts."""
    collects = builder.collects
    if collects.rules is None:
        yield Unchecked("garbage collection of cache mounts", collects.words)
        return
    yield Fact("garbage collection", collects.words)
    rule = collects.mount_rule
    if size and rule and collects.threatens and (rule.limit is None or size > rule.limit):
        fix = f"{builders.remedy(collects, size)}\n{builders.where(collects)}"
        yield GC.found(f"{collects.words}; this project's mounts hold {size_text(size)}", fix=fix)


def pending(names: Sequence[str]) -> Iterator[Item]:
    """What the next run pushes."""
    if names:
        yield PENDING.found(f"not pushed yet: {', '.join(names)}")


def no_op(seconds: float, files: int) -> Iterator[Item]:
    """The time it takes to see that nothing is to be done. Documented budget: 0.2 s for 2,000 files."""
    yield Fact("time to a no-op", f"{seconds * 1000:.0f} ms for {files} files, plus doit's own start")
    if seconds > 1.0 + files / 10_000:
        yield SLOW_NOOP.found(f"a run with nothing to do takes {seconds:.1f} s for {files} files")
